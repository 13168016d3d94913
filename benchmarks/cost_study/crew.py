"""Processes that time steps, alone or together as in a distributed training; what kills one is survived."""

import gc
import multiprocessing
import os
import socket
import warnings
from multiprocessing.connection import Connection
from typing import Any, Self

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from timing import median_seconds

from cost_study.steps import Point, prepared, sized

_SPAWN = multiprocessing.get_context("spawn")


class Crew:
    """So many processes of so many threads each."""

    def __init__(self, processes: int, threads: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        for rank in range(processes):
            ours, theirs = _SPAWN.Pipe()
            process = _SPAWN.Process(target=_work, args=(theirs, rank, processes, threads, port), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def seconds(self, point: Point, warm_up: int, rounds: int, deadline: float) -> float:
        """Median duration of a point's step, of the slowest process.

        Args:
            point: whose number of processes is this crew's.
            warm_up, rounds: see `timing.median_seconds`.
            deadline: seconds for all of it.

        Raises:
            RuntimeError: what went wrong, in a few words. The crew is closed.
        """
        found: list[float] = []
        try:
            for pipe in self._pipes:
                pipe.send((point, warm_up, rounds))
            for pipe in self._pipes:
                if not pipe.poll(deadline):
                    raise RuntimeError(f"not ready within {deadline:.0f} s")
                answer = pipe.recv()
                if isinstance(answer, str):
                    raise RuntimeError(answer)
                found.append(answer)
        except (EOFError, OSError) as error:
            self.close()
            raise RuntimeError("a process died, perhaps for want of memory") from error
        except RuntimeError:
            self.close()
            raise
        return max(found)

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.terminate()
            process.join()


def _work(pipe: Connection, rank: int, processes: int, threads: int, port: int) -> None:
    """One process: times what it is told until nobody tells it any more."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    if processes > 1:  # as torchrun would
        os.environ |= {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes),
            "LOCAL_WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        }  # fmt: skip
    while True:
        try:
            point, warm_up, rounds = pipe.recv()
        except EOFError:
            return
        answer: float | str
        try:
            answer = _seconds(point, warm_up, rounds)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        gc.collect()
        pipe.send(answer)


def _seconds(point: Point, warm_up: int, rounds: int) -> float:
    torch.manual_seed(0)
    recipe = sized(point.recipe, point.size, point.width, point.precision)
    AcceleratorState._reset_state()  # it would keep the precision of the point before
    gpu = torch.accelerator.is_available()
    accelerator = Accelerator(mixed_precision="bf16" if point.precision == "bf16" else "no", cpu=not gpu)
    step, _ = prepared(recipe, point.task, point.share, accelerator)
    seconds = median_seconds(step, rounds, warm_up)
    accelerator.free_memory()
    return seconds
