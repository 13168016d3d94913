"""The socket that a web application listens at."""

import os
import socket

from pg2.errors import Pg2Error


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address; port 0 is any free one.

    Raises:
        Pg2Error: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        found = error.errno is not None and error.errno > 0  # else it is the host's name that was not
        reason = os.strerror(error.errno).lower() if found and error.errno else "no such host"
        raise Pg2Error(f"cannot listen on {host}, port {port}: {reason}; choose another one") from error
    # Connections take this over. Without it the end of an answer waits until its beginning is acknowledged,
    # for which a client takes 40 ms. asyncio sees to it only where it has made the socket itself.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """The address of an application at `listener`, for people."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
