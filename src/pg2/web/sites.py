"""From where an application may be asked: under which names of its own, and by pages of which web sites.

A page of any web site can make a browser send requests to `localhost` or to a computer of the local network,
and can even read the answers if it gets its own name to point there (DNS rebinding). Headers show both.
"""

import ipaddress
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from pg2.web.errors import ApiError

_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Sites:
    """Whose requests are answered.

    Attributes:
        hosts: names by which the application may be called, beside addresses in numbers, names without a dot
            and this computer's own: of these no stranger on the internet can have one.
        origins: web sites, such as https://example.org, whose pages may send what changes or costs something.
    """

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    _own: str = field(default_factory=socket.gethostname)

    def check(self, method: str, headers: Headers) -> None:
        """Look at where a request comes from.

        Raises:
            ApiError: from where it may not.
        """
        host = headers.get("host", "")
        if not self._knows(host):
            raise ApiError(
                "wrong_host",
                "this service does not answer under this name; its owner can allow it with --allow-host",
            )
        if method not in _SAFE and not self._welcomes(host, headers):
            raise ApiError("forbidden", "pages of other web sites may not send this")

    def _knows(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if "." not in name or name in {known.lower() for known in (*self.hosts, self._own)}:
            # IPv6 addresses among them; and no name at all, which no browser sends.
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _welcomes(self, host: str, headers: Headers) -> bool:
        """Programs send none of these headers; every browser sends one with what a page asks for."""
        origin, relation = headers.get("origin"), headers.get("sec-fetch-site")
        if origin in self.origins:
            return True
        if relation is not None:
            return relation in ("same-origin", "none")
        return origin is None or origin.partition("://")[2].lower() == host.lower()
