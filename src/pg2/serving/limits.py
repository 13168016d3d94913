"""How much of the machine a request may have: places, threads, bytes and time."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from pg2.serving.errors import ApiError

P = ParamSpec("P")
T = TypeVar("T")


class Gate:
    """So many requests being handled, no more: this bounds memory and waiting alike."""

    def __init__(self, places: int) -> None:
        self._places = places
        self.inside = 0

    @contextlib.contextmanager
    def enter(self) -> Iterator[None]:
        """Take a place for the length of a `with`.

        Raises:
            ApiError: all are taken.
        """
        if self.inside >= self._places:
            raise ApiError(
                "busy", "too many requests are waiting; try again in a second", {"Retry-After": "1"}
            )
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


class Threads:
    """A few threads for what would hold up the event loop.

    Who waits for one can be cancelled, and then leaves nothing behind.
    """

    def __init__(self, number: int) -> None:
        self._executor = ThreadPoolExecutor(number, "pg2-photo")
        self._free = asyncio.Semaphore(number)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` on a thread."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        future = self._executor.submit(function, *args, **kwargs)
        # The thread is free when the function has ended, which may be after its caller has given up.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._free.release))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Wait for the threads to end."""
        self._executor.shutdown()


async def limited(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """The body of a request in pieces.

    Raises:
        ApiError: it has more than `most` bytes, be it announced or not.
        ClientDisconnect: the client went away before its end.
    """
    length = request.headers.get("content-length", "")
    received = int(length) if length.isdecimal() and len(length) < 20 else 0
    error = ApiError("too_large", f"the request is larger than {most:,} bytes; send a smaller photo")
    if received > most:
        raise error
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received > most:
            raise error
        yield piece


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do `work` for a request whose body has been read; it is cancelled when the client goes away.

    Raises:
        ClientDisconnect: the client has gone.
    """

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)
