"""People rendered in parallel: by processes that go when the parent goes, or by those of a Ray cluster."""

import contextlib
import itertools
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pg2.errors import Pg2Error
from pg2.io.cluster import Cluster
from pg2.io.files import atomic_path
from pg2.rendering.folders import person_folder, write_person
from pg2.rendering.options import RenderOptions

if TYPE_CHECKING:
    from pg2.rendering.pictures import Photographer

# One thread a worker: the people keep the cores busy, and sums come out the same on any machine.
_ENVIRONMENT = {
    "LP_NUM_THREADS": "0",  # of Mesa's software renderer; 0 draws in the calling thread
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

_photographer: "Photographer | None" = None


def render_in_workers(
    people: Sequence[int], out: Path, options: RenderOptions, workers: int
) -> Iterator[int]:
    """Render people into the folder `out`; yields the number of each as it is complete, in no fixed order.

    When the consumer stops, or is interrupted, the people in the making are completed first.

    Raises:
        Pg2Error: a worker reports one, fails, or dies.
    """
    todo = iter(people)
    running: dict[Future[None], int] = {}
    workers = min(workers, len(people))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_start) as pool:

        def add(count: int) -> None:
            for person in itertools.islice(todo, count):
                with _as_a_worker_starts():
                    running[pool.submit(_render, out, options, person)] = person

        add(workers)
        while running:
            # No more are handed out than can be worked on, so that a stop never waits for a long queue.
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                person = running.pop(future)
                _check(future, person)
                add(1)
                yield person


def render_on_cluster(
    people: Sequence[int], out: Path, options: RenderOptions, cluster: Cluster
) -> Iterator[int]:
    """The same by the workers of a cluster, who need no folder in common with this process.

    Raises:
        Pg2Error: as `Cluster.spread`, or the disk is full.
    """

    def lost(person: int, why: str) -> dict[str, bytes]:
        raise Pg2Error(f"person {person} cannot be rendered: {why}; what is complete is kept")

    for one in cluster.spread(_Folder(options), people, lost, _ENVIRONMENT):
        if one is not None:
            person, files = one
            with atomic_path(person_folder(out, person)) as new:
                new.mkdir()
                for name, content in files.items():
                    (new / name).write_bytes(content)
            yield person


@dataclass(frozen=True)
class _Folder:
    """In a worker of a cluster: gives the files of a person."""

    options: RenderOptions

    def __call__(self, person: int) -> dict[str, bytes]:
        with tempfile.TemporaryDirectory(prefix="pg2-") as place:
            _render(Path(place), self.options, person)
            return {
                file.name: file.read_bytes() for file in sorted(person_folder(Path(place), person).iterdir())
            }


def _check(future: Future[None], person: int) -> None:
    try:
        future.result()
    except Pg2Error:
        raise
    except BrokenProcessPool as error:
        raise Pg2Error(
            "a worker process died, perhaps for lack of memory; what is complete is kept: run the same "
            "command again, with fewer --workers if memory is short"
        ) from error
    except Exception as error:
        raise Pg2Error(
            f"person {person} cannot be rendered ({type(error).__name__}: {error}); what is complete is kept"
        ) from error


@contextlib.contextmanager
def _as_a_worker_starts() -> Iterator[None]:
    """Give processes that start meanwhile their environment, and spare them Ctrl-C: the parent handles it."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start() -> None:
    """In a worker, first: leave when the parent is gone, even if that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


def _render(out: Path, options: RenderOptions, person: int) -> None:
    """In a worker: render one person; the body model and the device are kept for the next."""
    global _photographer
    from pg2.rendering.pictures import Photographer

    if _photographer is None:
        _photographer = Photographer(options)
    write_person(out, options.seed, person, *_photographer.photograph(person))
