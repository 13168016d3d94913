"""Connections: how many there may be, and how long each may keep the server waiting.

uvicorn gives up idle connections, and h11 too large headers. What they lack is here: a header must end in
time however slowly its bytes come, an answer must be read, and there is an end to the number of connections.
"""

import asyncio
import logging
from dataclasses import dataclass, replace

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from pg2.errors import Pg2Error
from pg2.web.logs import log

try:
    import resource
except ImportError:  # only Unix has it, and only there are open files that few
    resource = None  # type: ignore[assignment]

_FEWEST = 8  # connections that are worth serving
_FILES = 64  # for all that is no connection: libraries, models, logs, databases


@dataclass(frozen=True)
class Patience:
    """What clients may ask of the server's patience.

    Attributes:
        connections: at a time, at most; the limit of open files may allow fewer. One more takes the place of
            the one that has gone longest without a whole request.
        backlog: connections that the system keeps until they are accepted.
        header: seconds from the connection, or from the last answer, until a request's header must be there.
        idle: seconds until a connection is given up that was silent since its last answer.
        unread: seconds that a client may take to read each piece of its answer.
        end: seconds that clients have to read their answers when the server stops.
    """

    connections: int = 256
    backlog: int = 64
    header: float = 10
    idle: int = 5
    unread: float = 20
    end: int = 3

    def within(self, files: int) -> "Patience":
        """The same where a process may have so many files open.

        Raises:
            Pg2Error: those are too few.
        """
        backlog = min(self.backlog, files // 8)
        # As many as the backlog are accepted in one go before any is closed; each may be sent a file.
        connections = (files - _FILES - 2 * backlog) // 2
        if connections < _FEWEST:
            raise Pg2Error(
                f"{files} open files are too few for a server; allow more, for example with: ulimit -n 1024"
            )
        return replace(self, connections=min(self.connections, connections), backlog=backlog)


def open_files() -> int:
    """How many files this process may have open; a great number where there is no limit."""
    if resource is None:
        return 2**31
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft


class Config(uvicorn.Config):
    """How uvicorn serves an application: over plain HTTP, with patience that has an end."""

    def __init__(self, app: ASGIApp, patience: Patience | None = None) -> None:
        """Raises Pg2Error where this process may have too few files open."""
        self.patience = patience = (patience or Patience()).within(open_files())
        super().__init__(
            app,
            loop="asyncio",
            http=Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=patience.backlog,
            timeout_keep_alive=patience.idle,
            timeout_graceful_shutdown=patience.end,
        )


class Connection(H11Protocol):
    """One client's connection."""

    config: Config

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; somebody else may have to go."""
        super().connection_made(transport)
        self._unread: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._expect()
        self._make_room()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._expect()

    def pause_writing(self) -> None:
        """The client is slower at reading than we are at writing; how slow is it?"""
        super().pause_writing()
        self._unread = self.loop.call_later(self.config.patience.unread, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        super().connection_lost(exc)
        for timer in (self._deadline, self._unread):
            if timer is not None:
                timer.cancel()

    @property
    def waits(self) -> bool:
        """Whether there is no whole header of a request that is not answered yet."""
        return self.cycle is None or self.cycle.response_complete

    def _expect(self) -> None:
        self._since = self.loop.time()
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self.config.patience.header, self._give_up)

    def _give_up(self) -> None:
        if self.waits:
            self.transport.abort()

    def _make_room(self) -> None:
        most = self.config.patience.connections
        others = [
            other
            for other in self.connections
            if isinstance(other, Connection) and other is not self and not other.transport.is_closing()
        ]
        if len(others) < most:
            return
        # A client in earnest sends its header at once, and its body soon.
        slow = [other for other in others if other.waits] or [
            other for other in others if other.cycle.more_body
        ]
        slowest = min(slow, key=lambda other: other._since, default=self)
        slowest.transport.abort()
        log(logging.WARNING, "too many connections; the slowest client goes", connections=most)
