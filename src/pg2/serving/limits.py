"""How much of the machine requests may have: places, bytes, threads and time."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from pg2.web.errors import ApiError

P = ParamSpec("P")
T = TypeVar("T")

_PIECE = 256 * 1024  # bytes of an answer that are handed to the system at a time


def _busy() -> ApiError:
    return ApiError("busy", "too many requests are waiting; try again in a second", {"Retry-After": "1"})


class Gate:
    """So many requests being handled, and so many bytes of all that are here, no more.

    A request is `present` from its header on, and `inside` when its body is there: who sends slowly takes
    nobody's place.
    """

    def __init__(self, places: int, size: int) -> None:
        """Open the gate.

        Args:
            places: for requests that are handled.
            size: bytes that bodies and answers may take together. An answer is never refused for it; requests
                that come meanwhile are.
        """
        self._places, self._size = places, size
        self._deadlines: set[asyncio.Timeout] = set()
        self.inside, self.held = 0, 0

    @property
    def present(self) -> int:
        """How many requests have come and are not answered yet."""
        return len(self._deadlines)

    @contextlib.asynccontextmanager
    async def come(self, seconds: float) -> AsyncIterator[Callable[[int], None]]:
        """Be present, for so long at most; gives a function that takes bytes.

        Raises:
            ApiError: there is no place. The function raises it, too: there is no room for so many bytes.
            TimeoutError: the time is up.
        """
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if self.held + size > self._size:
                raise _busy()
            mine += size
            self.held += size

        if self.inside >= self._places:
            raise _busy()
        try:
            async with asyncio.timeout(seconds) as deadline:
                self._deadlines.add(deadline)
                try:
                    yield take
                finally:
                    self._deadlines.discard(deadline)
        finally:
            self.held -= mine

    @contextlib.contextmanager
    def enter(self) -> Iterator[None]:
        """Take a place for the length of a `with`.

        Raises:
            ApiError: all are taken.
        """
        if self.inside >= self._places:
            raise _busy()
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    def close(self, when: float) -> None:
        """Let nobody be present after `when`, a time of the event loop."""
        for deadline in self._deadlines:
            until = deadline.when()
            if not deadline.expired() and (until is None or until > when):
                deadline.reschedule(when)


class Answer(Response):
    """An answer that counts until its client has read it, and goes out no faster than that."""

    def __init__(self, content: bytes | str, gate: Gate, **options: Any) -> None:
        super().__init__(content, **options)
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        body = memoryview(self.body)
        self._gate.held += len(body)
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            for first in range(0, len(body), _PIECE):
                piece = bytes(body[first : first + _PIECE])
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._gate.held -= len(body)


class Threads:
    """A few threads for what would hold up the event loop.

    Who waits for one can be cancelled, and then leaves nothing behind.
    """

    def __init__(self, number: int) -> None:
        self.executor = ThreadPoolExecutor(number, "pg2-photo")
        self._free = asyncio.Semaphore(number)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` on a thread."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        future = self.executor.submit(function, *args, **kwargs)

        def free(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended before the thread
                loop.call_soon_threadsafe(self._free.release)

        # The thread is free when the function has ended, which may be after its caller has given up.
        future.add_done_callback(free)
        return await asyncio.wrap_future(future)


def ended(*executors: ThreadPoolExecutor, seconds: float) -> bool:
    """End threads that do nothing, drop what waits for one; whether all threads ended within `seconds`."""

    def end() -> None:
        for executor in executors:
            executor.shutdown(cancel_futures=True)

    waiting = threading.Thread(target=end, daemon=True)
    waiting.start()
    waiting.join(seconds)
    return not waiting.is_alive()


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
