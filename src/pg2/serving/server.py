"""The process: a socket, logs, signals, and uvicorn around the API."""

import logging
import os
import signal
import socket
from types import FrameType

import uvicorn

from pg2.errors import Pg2Error
from pg2.serving.app import service_app
from pg2.serving.logs import configure, log
from pg2.serving.options import ServeOptions
from pg2.serving.service import Service

_LAST_BYTES = 10  # seconds that clients have to read their answers when the service stops


class _Server(uvicorn.Server):
    """Stops in order.

    At a signal the service takes no more requests, but the socket stays open so that they are told so, until
    what was taken is answered. A second Ctrl-C stops at once; a second SIGTERM does not, as some supervisors
    send it to a process and to its group.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._service.state != "stopping":
            self._service.stop()
        elif sig == signal.SIGINT:
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        service = self._service
        done = service.state == "stopping" and not service.gate.inside
        return await super().on_tick(counter) or done or service.failure is not None


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        found = error.errno is not None and error.errno > 0  # else it is the host's name that was not
        reason = os.strerror(error.errno).lower() if found and error.errno else "no such host"
        raise Pg2Error(f"cannot listen on {host}, port {port}: {reason}; choose another one") from error


def serve(options: ServeOptions, host: str, port: int) -> None:
    """Run the service until SIGTERM or SIGINT; every request that was taken is answered first.

    Args:
        options: what to serve, and how much of the machine it may have.
        host: the address to listen on.
        port: 0 takes a free one; the log says which.

    Raises:
        Pg2Error: the address cannot be had, or a model.
    """
    with _listen(host, port) as listener:
        configure()
        service = Service(options)
        config = uvicorn.Config(
            service_app(service),
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_LAST_BYTES,
        )
        address, port = listener.getsockname()[:2]
        log(logging.INFO, "listening", url=f"http://{f'[{address}]' if ':' in address else address}:{port}/")
        if options.api_key is None and not address.startswith("127."):
            log(
                logging.WARNING, "anybody who can reach this address may use the service: there is no API key"
            )
        _Server(config, service).run(sockets=[listener])
    if service.failure is not None:
        raise service.failure
    log(logging.INFO, "stopped")
