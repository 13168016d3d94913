"""Around every request: where it comes from, its id, its count, and the headers that keep browsers strict."""

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pg2.web.errors import ApiError, error_answer
from pg2.web.logs import log
from pg2.web.sites import Sites

REQUEST_ID = "X-Request-ID"

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PAGE = "(page)"  # the route of all other paths: anybody can make up more of them
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Answered:
    """A request that has been answered. `status` is 499 if the client went away, `code` that of an error."""

    request_id: str
    method: str
    route: str
    status: int
    seconds: float
    client: str
    code: str | None


class Around:
    """The outermost layer."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        sites: Sites | None,
        headers: Mapping[str, str],
        private: str,
        then: Callable[[Answered], None] = lambda _: None,
    ) -> None:
        """Go around `app`.

        Args:
            app: the application.
            sites: from where it may be asked; None: from anywhere.
            headers: of every answer, beside those of every application.
            private: browsers shall not keep what lies below this path, unless its answer says otherwise.
            then: called with every request that has been answered.
        """
        self._app, self._sites, self._private, self._then = app, sites, private, then
        self._headers = {**_HEADERS, **headers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        asked = Headers(scope=scope)
        given = asked.get(REQUEST_ID, "")
        request_id = given if _SANE.fullmatch(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update({REQUEST_ID: request_id, **self._headers})
                if scope["path"].startswith(self._private):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        async def refuse(error: ApiError) -> None:
            state["code"] = error.code
            await error_answer(error, request_id)(scope, receive, answer)

        try:
            if self._sites is not None:
                self._sites.check(scope["method"], asked)
            await self._app(scope, receive, answer)
        except ApiError as error:
            await refuse(error)
        except Exception:
            log(logging.ERROR, "failed", trace=True, request_id=request_id)
            if status:
                raise
            await refuse(ApiError("internal", "the service failed; its log says why, under this request_id"))
        finally:
            self._then(
                Answered(
                    request_id,
                    _method(scope),
                    getattr(scope.get("route"), "path", None) or _PAGE,
                    status or 499,
                    time.perf_counter() - began,
                    (scope.get("client") or ("",))[0],
                    state.get("code"),
                )
            )


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE") else "other"
