"""Work in a process that may be killed: with a deadline, and an eye on its memory."""

import contextlib
import multiprocessing
import os
import resource
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

DEADLINE = 5.0
"""Seconds that one malformed input may take; of the processor's time however busy the machine is."""

MEMORY = 1_000_000_000
"""Bytes by which memory may grow meanwhile."""

_MOST = 6_000_000_000  # bytes that the process may take before the system refuses more
_START = 300.0  # seconds until it is ready; a busy machine imports slowly
_LOOK = 0.25  # seconds from one look at the time that it has taken to the next

context = multiprocessing.get_context("forkserver")
"""Processes start as copies of one that has imported pg2 already, and has done nothing else."""

PRELOADED = (
    "pg2.cli.app", "pg2.training.loop", "pg2.table1.run", "pg2.evaluation.run", "pg2.userstudy.report",
    "pg2.data.sources.folder", "pg2.rendering.people", "pg2.many", "pg2.motion.reading", "accelerate",
    "torch.utils.tensorboard", "torchmetrics",
)  # fmt: skip


# Who starts a process also asks of all others whether they have ended; of two who ask at the same time one is
# told nonsense.
_one_at_a_time = threading.Lock()


def begin(process: Any) -> None:
    """Start a process; from any thread."""
    with _one_at_a_time:
        process.start()


def exit_code(process: Any, patience: float) -> int | None:
    """Wait for a process to end; its exit code, or None where it has not ended. From any thread."""
    end = time.monotonic() + patience
    while True:
        with _one_at_a_time:
            code: int | None = process.exitcode
        if code is not None or time.monotonic() > end:
            return code
        time.sleep(0.01)


def preload() -> None:
    """Say what processes have imported from their start; before the first is started."""
    context.set_forkserver_preload([*PRELOADED])


@dataclass(frozen=True)
class Outcome:
    """What became of one piece of work.

    Attributes:
        kind: accepted; refused (by the error that it should be); hang, memory, death, or the name of another
            exception.
        words: of the error.
        seconds, grown: how long it took, and by how many bytes its memory had grown at most.
    """

    kind: str
    words: str = ""
    seconds: float = 0.0
    grown: int = 0

    @property
    def is_fault(self) -> bool:
        """Whether it is anything but accepted or refused."""
        return self.kind not in ("accepted", "refused")


class Watched:
    """A process that does one piece of work after another; it is started again where it was killed."""

    def __init__(
        self,
        start: Callable[..., Callable[[str, int | None], Outcome]],
        *arguments: Any,
        deadline: float = DEADLINE,
    ) -> None:
        """Args:
        start: is called in the process with `arguments`, and gives what does the work there: of a name and a
            number. Before the first of a name it is called with None in place of the number, without a
            deadline: what is slow once is made then.
        deadline: seconds that a piece of work may take on the clock; more than `DEADLINE` on busy machines.
        """
        self._start, self._arguments, self._deadline = start, arguments, deadline
        self._process: Any = None
        self._line: Connection | None = None
        self._known: set[str] = set()

    def do(self, name: str, number: int) -> Outcome:
        """One piece of work.

        Raises:
            SystemExit: its preparation failed.
        """
        if self._process is None:
            self._begin()
        if name not in self._known:
            self._known.add(name)
            outcome = self._ask(name, None, _START)
            if outcome.kind != "accepted":
                raise SystemExit(f"{name}: a whole input is not accepted ({outcome.kind}): {outcome.words}")
        return self._ask(name, number, self._deadline)

    def _ask(self, name: str, number: int | None, deadline: float) -> Outcome:
        assert self._line is not None
        self._line.send((name, number))
        began, taken = time.monotonic(), _processor(self._process.pid)
        while not self._line.poll(_LOOK):
            passed = time.monotonic() - began
            worked = _processor(self._process.pid) - taken
            if passed > deadline or (worked > DEADLINE and number is not None):
                return self._over(
                    Outcome("hang", f"not ended after {passed:.1f} s, {worked:.1f} of work", passed)
                )
        try:
            outcome: Outcome = self._line.recv()
        except EOFError:
            return self._over(Outcome("death", f"the process died, exit code {exit_code(self._process, 10)}"))
        if outcome.grown > MEMORY and number is not None:
            # Of a new process, so that what it keeps hides nothing later.
            return self._over(
                Outcome("memory", f"{outcome.kind} {outcome.words}", outcome.seconds, outcome.grown)
            )
        return outcome

    def _begin(self) -> None:
        self._known.clear()
        self._line, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, self._start, self._arguments), daemon=True)
        begin(self._process)
        other.close()
        if not self._line.poll(_START):
            self.close()
            raise SystemExit("the process that tries inputs did not start")
        try:
            self._line.recv()
        except EOFError:
            raise SystemExit("the process that tries inputs died as it started") from None

    def _over(self, outcome: Outcome) -> Outcome:
        self.close()
        return outcome

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            exit_code(self._process, _START)
            self._process = None
        if self._line is not None:
            self._line.close()


def _work(line: Connection, start: Callable[..., Callable[..., Outcome]], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    do = start(*arguments)
    resource.setrlimit(resource.RLIMIT_AS, (_taken("VmSize") + _MOST,) * 2)
    line.send("ready")
    while True:
        try:
            asked = line.recv()
        except EOFError:
            return
        before = _forget_peak()
        try:
            outcome = do(*asked)
        except Exception:
            outcome = Outcome("the study itself", traceback.format_exc())
        line.send(Outcome(outcome.kind, outcome.words, outcome.seconds, max(_taken("VmHWM") - before, 0)))


def _forget_peak() -> int:
    """Let the system count the peak of memory anew; the bytes that are taken now."""
    try:
        with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123
            file.write("5")
    except OSError:
        # Where that is forbidden, only what goes beyond all earlier peaks is seen.
        return _taken("VmHWM")
    return _taken("VmRSS")


def _taken(what: str) -> int:
    with open("/proc/self/status") as file:  # noqa: PTH123
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(what))


def _processor(pid: int) -> float:
    """Seconds of processors' time that a process has taken; 0 of one that is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cores() -> int:
    """How many processes may work at a time."""
    return len(os.sched_getaffinity(0))
