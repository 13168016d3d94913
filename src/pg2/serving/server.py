"""The process: signals, and uvicorn around the API."""

import asyncio
import logging
import os
import signal
import sys
from types import FrameType

import uvicorn

from pg2.serving.app import service_app
from pg2.serving.options import ServeOptions
from pg2.serving.service import Service
from pg2.web.connections import Config
from pg2.web.logs import configure, log
from pg2.web.sockets import listen, url_of


class _Server(uvicorn.Server):
    """Stops in order.

    At a signal the service takes no more requests, but the socket stays open so that they are told so, until
    what was taken is answered or has had its time of grace. A second Ctrl-C stops at once; a second SIGTERM
    does not, as some supervisors send it to a process and to its group.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._end: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._service.state != "stopping":
            self._service.stop()
        elif sig == signal.SIGINT:
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        service, done = self._service, False
        if service.state == "stopping":
            self._end = self._end or asyncio.get_running_loop().time() + service.options.grace
            service.gate.close(self._end)
            done = not service.gate.present
        return await super().on_tick(counter) or done or service.failure is not None


def serve(options: ServeOptions, host: str, port: int) -> None:
    """Run the service until SIGTERM or SIGINT; requests that were taken are answered first, within the grace.

    Where a thread is still at work then (a photo may take it minutes), the process ends here, with code 0.

    Args:
        options: what to serve, and how much of the machine it may have.
        host: the address to listen on.
        port: 0 takes a free one; the log says which.

    Raises:
        Pg2Error: the address cannot be had, or a model, or too few files may be open.
    """
    with listen(host, port) as listener:
        configure()
        service = Service(options)
        config = Config(service_app(service))
        address = listener.getsockname()[0]
        log(logging.INFO, "listening", url=url_of(listener))
        if options.api_key is None and not address.startswith("127."):
            log(
                logging.WARNING, "anybody who can reach this address may use the service: there is no API key"
            )
        _Server(config, service).run(sockets=[listener])
    if service.failure is not None:
        raise service.failure
    log(logging.INFO, "stopped")
    if not service.end():
        # Python itself would wait for the thread, for ever if need be.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)
