"""Requests that come together share a run; who has gone costs nothing."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from pg2.serving import batching
from pg2.serving.batching import Batcher


class Doubler:
    """Doubles numbers, and remembers in which batches; may be held up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, jobs: Sequence[int]) -> list[int]:
        self.batches.append(list(jobs))
        assert self.free.wait(10)
        if 13 in jobs:
            raise ValueError("unlucky")
        return [2 * job for job in jobs]


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def run(
    worker: ThreadPoolExecutor,
    doubler: Doubler,
    test: Callable[[Batcher[int, int]], Coroutine[Any, Any, None]],
    size: int = 4,
    wait: float = 0.02,
) -> None:
    async def all_of_it() -> None:
        batcher = Batcher(doubler, worker, size, wait)
        try:
            await test(batcher)
        finally:
            doubler.free.set()
            await batcher.close()

    asyncio.run(all_of_it())


def test_jobs_that_come_together_are_done_together(worker: ThreadPoolExecutor) -> None:
    doubler = Doubler()

    async def test(batcher: Batcher[int, int]) -> None:
        assert await asyncio.gather(*map(batcher.submit, range(10))) == list(range(0, 20, 2))

    run(worker, doubler, test)
    assert doubler.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_full_batch_does_not_wait(worker: ThreadPoolExecutor) -> None:
    async def test(batcher: Batcher[int, int]) -> None:
        async with asyncio.timeout(5):
            assert await asyncio.gather(*map(batcher.submit, range(4))) == [0, 2, 4, 6]

    run(worker, Doubler(), test, wait=60)


def test_jobs_that_come_during_a_run_make_the_next_one(worker: ThreadPoolExecutor) -> None:
    doubler = Doubler()

    async def test(batcher: Batcher[int, int]) -> None:
        doubler.free.clear()
        first = asyncio.create_task(batcher.submit(1))
        while not doubler.batches:
            await asyncio.sleep(0.001)
        rest = [asyncio.create_task(batcher.submit(number)) for number in (2, 3)]
        await asyncio.sleep(0.01)
        assert len(batcher) == 2
        doubler.free.set()
        assert await asyncio.gather(first, *rest) == [2, 4, 6]

    run(worker, doubler, test, wait=0)
    assert doubler.batches == [[1], [2, 3]]


def test_who_has_waited_during_a_run_waits_for_nobody_else(
    worker: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubler, now = Doubler(), 0.0
    monkeypatch.setattr(batching, "time", SimpleNamespace(monotonic=lambda: now))

    async def test(batcher: Batcher[int, int]) -> None:
        nonlocal now
        doubler.free.clear()
        full = [asyncio.create_task(batcher.submit(number)) for number in range(4)]
        while not doubler.batches:
            await asyncio.sleep(0.001)
        late = asyncio.create_task(batcher.submit(4))
        await asyncio.sleep(0.01)
        now = 61.0
        doubler.free.set()
        async with asyncio.timeout(5):
            assert await asyncio.gather(*full, late) == [0, 2, 4, 6, 8]

    run(worker, doubler, test, wait=60)


def test_who_gives_up_costs_nothing(worker: ThreadPoolExecutor) -> None:
    """While collecting, while another run is under way, and during its own."""
    doubler = Doubler()

    async def test(batcher: Batcher[int, int]) -> None:
        doubler.free.clear()
        first, second = (asyncio.create_task(batcher.submit(number)) for number in (1, 2))
        while not doubler.batches:
            await asyncio.sleep(0.001)
        third, fourth = (asyncio.create_task(batcher.submit(number)) for number in (3, 4))
        await asyncio.sleep(0.01)
        for task in (second, third):
            task.cancel()
        await asyncio.sleep(0.01)
        assert len(batcher) == 1
        doubler.free.set()
        assert await asyncio.gather(first, fourth) == [2, 8]
        assert second.cancelled()
        assert third.cancelled()

    run(worker, doubler, test)
    assert doubler.batches == [[1, 2], [4]]


def test_who_gives_up_behind_another_model_costs_nothing(worker: ThreadPoolExecutor) -> None:
    """Two models share the worker: a batch that waits for it is looked at again."""
    doubler, busy = Doubler(), threading.Event()

    async def test(batcher: Batcher[int, int]) -> None:
        worker.submit(busy.wait, 10)
        first, second = (asyncio.create_task(batcher.submit(number)) for number in (1, 2))
        await asyncio.sleep(0.06)
        assert len(batcher) == 0
        assert doubler.batches == []
        first.cancel()
        await asyncio.sleep(0.01)
        busy.set()
        assert await second == 4

    run(worker, doubler, test)
    assert doubler.batches == [[2]]


def test_a_failed_run_fails_its_own_jobs_alone(worker: ThreadPoolExecutor) -> None:
    async def test(batcher: Batcher[int, int]) -> None:
        failed = await asyncio.gather(batcher.submit(13), batcher.submit(1), return_exceptions=True)
        assert [str(error) for error in failed] == ["unlucky", "unlucky"]
        assert await batcher.submit(5) == 10

    run(worker, Doubler(), test)
