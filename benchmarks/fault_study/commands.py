"""pg2's commands as processes that may be disturbed: killed, stopped, out of space."""

import contextlib
import errno
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_study.watched import begin, context, exit_code

_WRITES = os.O_WRONLY | os.O_RDWR
_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.link", "sqlite3.connect"}
_START = 60.0  # seconds until a process has begun with its command
_GROWS = {"open", "os.mkdir"}  # of the changes, those that need space


@dataclass(frozen=True)
class Disturbance:
    """What happens to a command.

    Attributes:
        number: of a signal that it gets; None: none.
        seconds: after which it comes, from the command's beginning.
        change: before which change to the disk it comes, counted from 1; or from which on the disk is full.
        everybody: whether the signal goes to the processes that it started, too.
        full: the disk is full.
        limit: bytes that a file may have.
    """

    number: int | None = None
    seconds: float | None = None
    change: int | None = None
    everybody: bool = False
    full: bool = False
    limit: int | None = None

    def __str__(self) -> str:
        what = signal.Signals(self.number).name if self.number else "disk full" if self.full else ""
        if self.limit is not None:
            return f"files of at most {self.limit} bytes"
        when = f"after {self.seconds:.2f} s" if self.seconds is not None else f"at change {self.change}"
        return f"{what} {when}{', its workers too' if self.everybody else ''}"


NONE = Disturbance()


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code; minus the number of the signal that killed it; None: it did not end in time.
        said: on both outputs.
        seconds: that it took.
        changes: to the disk; known only where it ended by itself.
    """

    code: int | None
    said: str
    seconds: float
    changes: int = 0


class Command:
    """A `pg2` command at work in a folder."""

    def __init__(self, arguments: Sequence[str], place: Path, disturbance: Disturbance = NONE) -> None:
        self._reads, writes = context.Pipe(duplex=False)
        self._counts, counter = context.Pipe(duplex=False)
        self._began = time.monotonic()
        self._process: Any = context.Process(
            target=_command, args=([*arguments], str(place), disturbance, writes, counter)
        )
        begin(self._process)
        writes.close()
        counter.close()
        self._said: list[bytes] = []
        self._disturbance = disturbance
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._reads.fileno(), 65536):
                self._said.append(piece)
        except OSError:
            pass

    @property
    def said(self) -> str:
        """So far, on both outputs."""
        return b"".join(self._said).decode(errors="replace")

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return exit_code(self._process, 0) is None

    def send(self, number: int, everybody: bool = False) -> None:
        """Send a signal, if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if everybody else os.kill)(self._process.pid, number)

    def end(self, patience: float) -> Ended:
        """Wait until it ends, disturbing it on the way; kill it after `patience` seconds."""
        asked = self._disturbance
        if asked.seconds is not None and asked.number is not None:
            if self._counts.poll(_START):
                with contextlib.suppress(EOFError, OSError):
                    self._counts.recv()
            if exit_code(self._process, asked.seconds) is None:
                self.send(asked.number, asked.everybody)
        code = exit_code(self._process, patience)
        if code is None:
            self.send(signal.SIGKILL, everybody=True)
            exit_code(self._process, _START)
        # Its workers, which may outlive it for a moment, are not waited for when it was killed.
        self._reader.join(0.2 if code == -signal.SIGKILL else 20)
        changes = 0
        with contextlib.suppress(EOFError, OSError):
            while self._counts.poll():
                changes = self._counts.recv()
        seconds = time.monotonic() - self._began
        self._counts.close()
        return Ended(code, self.said, seconds, changes)


def run(
    arguments: Sequence[str], place: Path, disturbance: Disturbance = NONE, patience: float = 600
) -> Ended:
    """A command from its start to its end."""
    return Command(arguments, place, disturbance).end(patience)


def _command(arguments: list[str], place: str, disturbance: Disturbance, writes: Any, counter: Any) -> None:
    """In the new process: what `python -m pg2` does."""
    os.setsid()
    for stream in (1, 2):
        os.dup2(writes.fileno(), stream)
    writes.close()
    os.chdir(place)
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.argv = ["pg2", *arguments]
    import torch

    from pg2.cli import main

    torch.set_num_threads(1)
    changes = 0

    def watch(event: str, details: tuple[Any, ...]) -> None:
        nonlocal changes
        if event not in _CHANGES and not (
            event == "open" and isinstance(details[2], int) and details[2] & _WRITES
        ):
            return
        if event == "open" and str(details[0]).startswith(("/dev", "/proc")):
            return
        changes += 1
        if disturbance.change is None:
            return
        if disturbance.full and changes >= disturbance.change and event in _GROWS:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if disturbance.number is not None and changes == disturbance.change:
            (os.killpg if disturbance.everybody else os.kill)(os.getpid(), disturbance.number)

    if disturbance.limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (disturbance.limit,) * 2)
    sys.addaudithook(watch)
    counter.send(0)
    try:
        main()
    finally:
        # What comes now is no part of the command.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        counter.send(changes)
