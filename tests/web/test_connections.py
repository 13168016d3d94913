"""Clients who take their time, or come in crowds: real connections to a small server."""

import asyncio
import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from pg2.errors import Pg2Error
from pg2.web.connections import Config, Patience
from pg2.web.sockets import listen

LARGE = 30_000_000  # far more than the system keeps for a client that does not read
PATIENT = Patience(header=30, unread=30)


class App:
    """Answers at once, when its body has come (/body), when `go` is set (/late), or with much (/large)."""

    def __init__(self) -> None:
        self.late, self.go = 0, threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
            return
        if scope["path"] == "/body":
            while (await receive()).get("more_body"):
                pass
        if scope["path"] == "/late":
            self.late += 1
            while not self.go.is_set():
                await asyncio.sleep(0.01)
        large = scope["path"] == "/large"
        length = b"%d" % (LARGE * large + 4)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        if large:
            for _ in range(LARGE // 100_000):
                await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
        await send({"type": "http.response.body", "body": b"well"})


class Running:
    """A server of `App` in a thread."""

    def __init__(self, patience: Patience) -> None:
        self.app, self._listener = App(), listen("127.0.0.1", 0)
        self.server = uvicorn.Server(Config(self.app, patience))
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()
        self._opened: list[socket.socket] = []
        self.address = self._listener.getsockname()

    def send(self, text: str) -> socket.socket:
        """A connection over which this has been sent."""
        connection = socket.create_connection(self.address, timeout=20)
        self._opened.append(connection)
        connection.sendall(text.encode())
        return connection

    def get(self, path: str = "/") -> bytes:
        """All of an answer over a connection of its own; empty where there is none."""
        connection = self.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            return rest(connection)
        return b""

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)

    def stop(self) -> None:
        self.app.go.set()
        for connection in self._opened:
            connection.close()
        self.server.should_exit = True
        self._thread.join()
        self._listener.close()


@pytest.fixture
def run() -> Iterator[Any]:
    """Start a server with this patience."""
    started: list[Running] = []

    def start(patience: Patience) -> Running:
        started.append(Running(patience))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def rest(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    pieces = []
    while piece := connection.recv(1_000_000):
        pieces.append(piece)
    return b"".join(pieces)


def closed(connection: socket.socket) -> bool:
    """Whether the server has closed by now; it sent nothing."""
    return bool(select.select([connection], [], [], 0)[0])


def gone(connection: socket.socket) -> bool:
    """Whether the server closes without a word."""
    try:
        return rest(connection) == b""
    except ConnectionResetError:
        return True


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.01)


def trickle(connection: socket.socket) -> None:
    """Send a letter of a header now and then, until the server has enough of it."""
    end = time.monotonic() + 20
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < end:
            connection.sendall(b"x")
            time.sleep(0.05)
        pytest.fail("the server is patient without end")


def test_a_header_ends_in_time_however_slowly_it_comes(run: Any) -> None:
    server = run(Patience(header=0.4))
    trickle(server.send("GET / HTTP/1.1\r\nX: "))
    assert server.get().endswith(b"well")


def test_the_same_goes_for_the_next_request(run: Any) -> None:
    server = run(Patience(header=0.4))
    connection = server.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"200" in connection.recv(1000)
    trickle(connection)


def test_a_request_that_takes_longer_than_its_header_may_is_answered(run: Any) -> None:
    server = run(Patience(header=0.2))
    connection = server.send("GET /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    time.sleep(0.5)
    server.app.go.set()
    assert b"well" in rest(connection)


def test_a_crowd_of_unfinished_headers_keeps_nobody_out(run: Any) -> None:
    server = run(Patience(connections=4, header=30))
    crowd = [server.send("GET / HTTP/1.1\r\nX: ") for _ in range(12)]
    assert server.get().endswith(b"well")
    assert server.connections <= 4
    assert gone(crowd[0])


def test_a_crowd_of_unfinished_bodies_keeps_nobody_out(run: Any) -> None:
    server = run(Patience(connections=3, header=30))
    crowd = [server.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx") for _ in range(9)]
    assert server.get().endswith(b"well")
    assert server.connections <= 3
    # Which ones stay depends on how quickly each was read.
    wait_for(lambda: sum(map(closed, crowd)) >= 6)


def test_requests_that_are_being_answered_stay(run: Any) -> None:
    server = run(Patience(connections=3, header=30))
    asked = "GET /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    taken = [server.send(asked) for _ in range(3)]
    wait_for(lambda: server.app.late == 3)
    assert server.get() == b""
    server.app.go.set()
    assert all(b"well" in rest(connection) for connection in taken)
    wait_for(lambda: server.connections < 3)
    assert server.get().endswith(b"well")


def test_who_reads_nothing_is_given_up(run: Any) -> None:
    server = run(Patience(unread=0.3))
    server.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(lambda: server.server.server_state.total_requests or server.connections)
    wait_for(lambda: server.connections == 0)


def test_who_reads_gets_it_all(run: Any) -> None:
    answer = run(PATIENT).get("/large")
    assert len(answer) > LARGE
    assert answer.endswith(b"well")


def test_how_many_connections_the_limit_of_open_files_allows() -> None:
    few = Patience().within(256)
    assert (few.connections, few.backlog) == (64, 32)
    assert 2 * few.connections + 2 * few.backlog + 64 <= 256
    assert Patience().within(1024).connections == 256
    assert Patience(connections=5, backlog=7).within(2**31) == Patience(connections=5, backlog=7)
    with pytest.raises(Pg2Error, match="100 open files are too few"):
        Patience().within(100)


def test_an_address_that_is_taken_is_one_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Pg2Error, match=rf"cannot listen on 127\.0\.0\.1, port {port}: .*choose another"):
            listen("127.0.0.1", port)
