"""Work spread over the processes of a Ray cluster: little under way, and what a dead one had is done again.

What is to be done goes to a worker with all that is needed for it, and what was made comes back: workers
share no files with this process.
"""

import contextlib
import importlib.util
import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Generic, TypeVar

from pg2.errors import Pg2Error

LOCAL, AUTO = "local", "auto"
"""In place of an address: a cluster of this machine alone, for as long as it is used; one that runs here."""

_STORE = 200_000_000  # bytes of the memory that the processes of a local cluster share
_AHEAD = 2  # pieces of work that a worker has at a time: one under way, and the next
_TRIES = 3  # of a piece of work at which workers die
_CONNECTING = 10.0  # seconds until a cluster has answered
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS = b"\4"  # with which a client and a server of HTTP/2, as Ray is, both begin
_GLANCE = 5.0  # seconds between two looks whether workers start at all
_STARTING = 180.0  # seconds until a worker is ready, PyTorch and all
_LONGEST_FOLDER = 40  # characters: the system bounds the names of sockets below it

_MISSING = 'work is spread by ray; install it with: pip install "pg2[ray]"'

_T = TypeVar("_T")
_A = TypeVar("_A")


def alone(make: Callable[[_T], _A], tasks: Iterable[_T | None]) -> Iterator[tuple[_T, _A] | None]:
    """Do all the work in this process; see `Cluster.spread`."""
    for task in tasks:
        yield None if task is None else (task, make(task))


def check_address(address: str) -> None:
    """Refuse what cannot be a cluster, before work is done for it; see `connected`.

    Raises:
        Pg2Error: Ray is not installed, or nothing answers there that may be it.
    """
    if importlib.util.find_spec("ray") is None:
        raise Pg2Error(_MISSING)
    if address != LOCAL:
        _check(address)


@contextlib.contextmanager
def connected(address: str) -> Iterator["Cluster"]:
    """A Ray cluster, for as long as the `with` lasts.

    Args:
        address: HOST:PORT of a cluster of which this machine is a part; "auto" finds that; "local" starts one
            with the processor cores of this machine, which listens to this machine alone, and stops it. A
            program that is connected to Ray already stays so, whatever is said here.

    Raises:
        Pg2Error: Ray is not installed; there is no such cluster, or it does not answer.
    """
    # Ray reads these as it is imported.
    if address == LOCAL:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # listens to this machine alone
    else:
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # 40 seconds each, for a cluster to answer
    try:
        import ray
    except ImportError as error:
        raise Pg2Error(_MISSING) from error
    if ray.is_initialized():
        with contextlib.closing(Cluster(ray, "the Ray cluster")) as cluster:
            yield cluster
        return
    with contextlib.ExitStack() as stack:
        started = stack.enter_context(_local()) if address == LOCAL else {}
        if not started:
            _check(address)
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(
                LOCAL if started else address, log_to_driver=False, logging_level=logging.ERROR, **started
            )
        except Exception as error:  # whatever is wrong with a cluster, Ray has an error for it of any type
            ray.shutdown()
            reason = str(error).partition("\n")[0].rstrip(".")
            raise Pg2Error(
                f"Ray does not start on this machine, perhaps as it is too busy ({reason}); try it again"
                if started
                else f"there is no Ray cluster at {address} of which this machine is a part ({reason})"
            ) from error
        finally:
            # Ray's own ends the process with another exit code.
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)
        name = "this machine" if started else f"the Ray cluster at {address}"
        try:
            with contextlib.closing(Cluster(ray, name)) as cluster:
                yield cluster
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _local() -> Iterator[dict[str, Any]]:
    """What to start a cluster with that is for this process alone, in a folder that is removed."""
    # A secret of its own: Ray would keep one in the home. It sets the mode itself.
    before = {name: os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_MODE")}
    place = tempfile.gettempdir()
    folder = tempfile.mkdtemp(prefix="pg2-", dir=place if len(place) <= _LONGEST_FOLDER else "/tmp")
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    try:
        yield {
            "include_dashboard": False,
            "object_store_memory": _STORE,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": folder,
        }
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


def _check(address: str) -> None:
    """Whether something answers that may be Ray: Ray itself would try for long, and say so on stderr."""
    if address == AUTO:
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or "/" in host:
        raise Pg2Error(f'a Ray cluster is given as HOST:PORT, {AUTO} or {LOCAL}, not "{address}"')
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _CONNECTING) as connection:
            if os.environ.get("RAY_USE_TLS", "0") != "0":
                return
            connection.sendall(_HTTP2)
            kind = connection.recv(9)[3:4]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Pg2Error(
            f"there is no Ray cluster at {address} ({reason}); `ray start --head` starts one"
        ) from error
    if kind != _SETTINGS:
        raise Pg2Error(f"what answers at {address} is no Ray cluster; `ray start --head` says where one is")


@dataclass
class _Piece(Generic[_T]):
    """A piece of work, and how many workers died at it."""

    task: _T
    deaths: int = 0


class Cluster:
    """The processes of a cluster; see `connected`."""

    def __init__(self, ray: Any, name: str) -> None:
        self._ray, self._name = ray, name
        self._workers: list[_Workers[Any, Any]] = []

    def close(self) -> None:
        """Stop all workers. A job that Ctrl-C has left is ended too late, when Python forgets it."""
        for workers in self._workers:
            workers.end()

    def spread(
        self,
        make: Callable[[_T], _A],
        tasks: Iterable[_T | None],
        lost: Callable[[_T, str], _A],
        environment: Mapping[str, str] | None = None,
        kept: str = "; what is complete is kept",
    ) -> Iterator[tuple[_T, _A] | None]:
        """Let the processes of the cluster do the work, one a processor core of it.

        A task is taken when a worker is going to be free for it, two a worker, so that memory stays bounded
        however many there are. Warnings of workers are given here.

        Args:
            make: what is done with a task. It is sent to each worker once and stays there.
            tasks: to be done; of modules that are on all machines. None: nothing, a moment to give what has
                been made meanwhile.
            lost: the answer for a task at which three workers died, and why.
            environment: variables of the workers.
            kept: the end of the sentences that say what went wrong.

        Returns:
            Each task with its answer, in the order in which they are made, and None for each None.

        Raises:
            Pg2Error: a worker cannot start, or none does in time; `make` raises an error, or one itself.
        """
        workers = _Workers[_T, _A](self._ray, self._name, make, environment or {}, kept)
        self._workers.append(workers)
        todo, again, more = iter(tasks), deque[_Piece[_T]](), True
        try:
            while True:
                if workers.free and again:
                    workers.give(again.popleft())
                elif workers.free and more:
                    task = next(todo, _END)
                    if task is _END:
                        more = False
                    elif task is None:
                        yield None
                    else:
                        workers.give(_Piece(task))
                waiting = bool(again) or more
                if not workers.busy and not waiting:
                    return
                for piece, answer in workers.come(wait=not (waiting and workers.free)):
                    if answer is not None:
                        yield piece.task, answer[0]
                    elif piece.deaths < _TRIES:
                        again.append(piece)
                    else:
                        why = f"the process that worked on it died {_TRIES} times, perhaps for lack of memory"
                        yield piece.task, lost(piece.task, why)
        finally:
            workers.end()


_END: Any = object()

_NEWS = 5.0  # seconds for what a worker had done to arrive, or for Ray to say that it will not


class _Workers(Generic[_T, _A]):
    """The workers of one job: started when there is work, replaced when they die."""

    def __init__(
        self, ray: Any, name: str, make: Callable[[_T], _A], environment: Mapping[str, str], kept: str
    ) -> None:
        self._ray, self._name, self._make, self._kept = ray, name, make, kept
        # One thread a worker: the workers keep the cores busy, and sums come out the same on any machine.
        self._environment = {"OMP_NUM_THREADS": "1", **environment}
        self._most = max(int(ray.cluster_resources().get("CPU", 0)), 1)
        self._waiting: deque[_Piece[_T]] = deque()
        self._starting: dict[Any, Any] = {}  # what is awaited: its worker
        self._working: dict[Any, dict[Any, _Piece[_T]]] = {}  # a worker: what it was given, in order
        self._begun: list[Any] | None = None  # what each worker is given first
        self._deaths = 0  # of workers as they started, since one was ready
        self._since = 0.0  # when a worker was ready, or began to start while there were none

    @property
    def _given(self) -> dict[Any, Any]:
        """Of each answer that is awaited, the worker."""
        return {ref: worker for worker, pieces in self._working.items() for ref in pieces}

    @property
    def busy(self) -> bool:
        """Whether there is work that is not done."""
        return bool(self._waiting) or any(self._working.values())

    @property
    def free(self) -> bool:
        """Whether there may be more."""
        return len(self._waiting) + len(self._given) < _AHEAD * self._most

    def give(self, piece: _Piece[_T]) -> None:
        """Take work, to be handed out to whoever is free."""
        self._waiting.append(piece)
        self._hand_out()

    def come(self, wait: bool) -> list[tuple[_Piece[_T], tuple[_A] | None]]:
        """What has been done meanwhile: an answer, or None where its worker died.

        Raises:
            Pg2Error: see `Cluster.spread`.
        """
        awaited = [*self._starting, *self._given]
        if not awaited:
            return []
        ready, _ = self._ray.wait(awaited, num_returns=1, timeout=_GLANCE if wait else 0)
        came: list[tuple[_Piece[_T], tuple[_A] | None]] = []
        for ref in ready:
            if ref in self._starting:
                self._started(ref)
            else:
                came += self._answer(ref)
        if not self._working and time.monotonic() - self._since > _STARTING:
            free = int(self._ray.available_resources().get("CPU", 0))
            raise Pg2Error(
                f"no worker was ready on {self._name} within {_STARTING:.0f} s ({free} of its {self._most} "
                "processor cores are free); run the same command again when it is less busy"
            )
        self._hand_out()
        return came

    def end(self) -> None:
        """Stop all workers, whatever they are at."""
        for worker in (*self._starting.values(), *self._working):
            self._ray.kill(worker)
        self._starting.clear()
        self._working.clear()

    def _hand_out(self) -> None:
        while self._waiting:
            worker = min(self._working, key=self._load, default=None)
            # What a worker died at is given to one that has nothing else, and alone: an answer that is lost
            # with its worker takes the blame for the next piece, and is not to take it again.
            most = 1 if self._waiting[0].deaths else _AHEAD
            if worker is None or self._load(worker) >= most:
                break
            piece = self._waiting.popleft()
            self._working[worker][worker.work.remote(piece.task)] = piece
        wanted = min(self._most, len(self._waiting) + len(self._given))
        while len(self._starting) + len(self._working) < wanted:
            self._start()

    def _load(self, worker: Any) -> int:
        pieces = self._working[worker].values()
        return _AHEAD if any(piece.deaths for piece in pieces) else len(pieces)

    def _start(self) -> None:
        if self._begun is None:
            self._begun = [
                self._ray.put(self._ray.cloudpickle.dumps(self._make)),
                self._environment,
                version("pg2"),
            ]
        if not self._starting and not self._working:
            self._since = time.monotonic()
        # Not started again by Ray: who is to do again what it had is decided here.
        kind = self._ray.remote(_worker_class()).options(
            num_cpus=1, scheduling_strategy="SPREAD", max_restarts=0, max_task_retries=0
        )
        worker = kind.remote()
        self._starting[worker.begin.remote(*self._begun)] = worker

    def _started(self, ref: Any) -> None:
        worker = self._starting.pop(ref)
        try:
            problem = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            self._deaths += 1
            if self._deaths == _TRIES:
                raise Pg2Error(
                    f"workers on {self._name} die as they start, perhaps for lack of memory{self._kept}: run "
                    "the same command again"
                ) from error
            return
        if problem:
            self._ray.kill(worker)
            raise Pg2Error(
                f"a worker cannot start on {problem}; install the same pg2 there, with what the command "
                f"needs of its extras{self._kept}"
            )
        self._deaths, self._since = 0, time.monotonic()
        self._working[worker] = {}

    def _answer(self, ref: Any) -> list[tuple[_Piece[_T], tuple[_A] | None]]:
        worker = self._given.get(ref)
        if worker is None:  # it died with another piece of work of its
            return []
        try:
            found = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            raise Pg2Error(f"a worker on {self._name} failed: {error.cause!s}") from error
        except self._ray.exceptions.RayError:
            return self._dead(worker)
        return [self._done(self._working[worker].pop(ref), *found)]

    def _done(
        self, piece: _Piece[_T], answer: _A, problem: str, warned: Sequence[str]
    ) -> tuple[_Piece[_T], tuple[_A] | None]:
        for warning in warned:
            warnings.warn(warning, stacklevel=3)
        if problem:
            raise Pg2Error(f"{problem}{self._kept}")
        return piece, (answer,)

    def _dead(self, worker: Any) -> list[tuple[_Piece[_T], tuple[_A] | None]]:
        """What a worker had: done before it died, or not."""
        self._ray.kill(worker)
        self._since = time.monotonic()
        came: list[tuple[_Piece[_T], tuple[_A] | None]] = []
        lost = []
        for ref, piece in self._working.pop(worker).items():
            try:
                came.append(self._done(piece, *self._ray.get(ref, timeout=_NEWS)))
            except self._ray.exceptions.RayError:
                lost.append(piece)
        if lost:
            lost[0].deaths += 1  # the others were waiting
        return came + [(piece, None) for piece in lost]


def _worker_class() -> type:
    """What runs in a worker. Defined here and not above: it is sent there, also where there is no pg2."""

    class Worker:
        def begin(self, packed: bytes, environment: dict[str, str], wanted: str) -> str:
            """Get ready; gives on which machine what is in the way; "": nothing."""
            import os
            import pickle
            import socket
            from importlib.metadata import version

            os.environ.update(environment)
            try:
                found = version("pg2")
                if found != wanted:
                    return f"{socket.gethostname()}: it has pg2 {found}, this machine {wanted}"
                self.make = pickle.loads(packed)
            except Exception as error:
                return f"{socket.gethostname()}: {type(error).__name__}: {error}"
            return ""

        def work(self, task: Any) -> tuple[Any, str, list[str]]:
            """The answer, what went wrong, and what was warned of."""
            import warnings

            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always", UserWarning)
                try:
                    answer, problem = self.make(task), ""
                except Exception as error:
                    known = type(error).__module__.startswith("pg2.")
                    answer, problem = None, str(error) if known else f"{type(error).__name__}: {error}"
            return answer, problem, [str(one.message) for one in warned]

    return Worker
