"""The socket that a web application listens at."""

import socket

from pg2.web.sockets import listen


def test_nothing_waits_for_what_was_sent_before_it() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
