"""Requests that come at about the same time share one run of the model."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")


class Batcher(Generic[Job, Done]):
    """Collects jobs and has them done together: up to `size` of them, `wait` seconds after the first at most.

    One run at a time; what arrives meanwhile makes the next one. A job whose submitter was cancelled (its
    time is up, its client has gone) leaves the queue and costs nothing.
    """

    def __init__(
        self, run: Callable[[Sequence[Job]], Sequence[Done]], worker: Executor, size: int, wait: float
    ) -> None:
        """Start collecting; needs a running event loop.

        Args:
            run: does some jobs, called on `worker`; gives one result a job, in their order.
            worker: where jobs are done.
            size: jobs in a run, at most.
            wait: seconds.
        """
        self._run, self._worker, self._size, self._wait = run, worker, size, wait
        self._waiting: dict[asyncio.Future[Done], tuple[Job, float]] = {}  # and when it came
        self._some, self._enough = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self._collect())

    def __len__(self) -> int:
        return len(self._waiting)

    async def submit(self, job: Job) -> Done:
        """Have a job done; whatever `run` raises is raised here."""
        future: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._waiting[future] = job, time.monotonic()
        self._count()
        try:
            return await future
        finally:
            self._waiting.pop(future, None)
            self._count()

    async def close(self) -> None:
        """Stop collecting."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def _count(self) -> None:
        for event, number in ((self._some, 1), (self._enough, self._size)):
            event.set() if len(self._waiting) >= number else event.clear()

    async def _collect(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._some.wait()
            # Where it came while the run before was made, it has waited already.
            first = min((came for _, came in self._waiting.values()), default=0.0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(first + self._wait - time.monotonic()):
                    await self._enough.wait()
            futures = list(self._waiting)[: self._size]
            batch = {future: self._waiting.pop(future)[0] for future in futures}
            self._count()
            if batch:
                await loop.run_in_executor(self._worker, self._do, batch, loop)

    def _do(self, batch: dict[asyncio.Future[Done], Job], loop: asyncio.AbstractEventLoop) -> None:
        # Another model may have been at work: the clients of some jobs may have given up since.
        live = {future: job for future, job in batch.items() if not future.cancelled()}
        results: Sequence[Done] = ()
        failed: Exception | None = None
        try:
            if live:
                results = self._run(list(live.values()))
        except Exception as error:
            failed = error

        def tell() -> None:
            for number, future in enumerate(live):
                if future.done():
                    continue
                if failed is None:
                    future.set_result(results[number])
                else:
                    future.set_exception(failed)

        loop.call_soon_threadsafe(tell)
