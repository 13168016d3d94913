"""Around every request: its id, its line in the log, its count, and the headers that keep browsers strict."""

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pg2.serving.errors import ApiError, error_answer
from pg2.serving.logs import log
from pg2.serving.monitoring import Metrics

REQUEST_ID = "X-Request-ID"

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PAGE = "(page)"  # what is counted for paths outside the API: anybody can make up more of them

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Around:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _SANE.fullmatch(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update({REQUEST_ID: request_id, **_HEADERS})
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception:
            log(logging.ERROR, "failed", trace=True, request_id=request_id)
            if status:
                raise
            error = ApiError("internal", "the service failed; its log says why, under this request_id")
            state["code"] = error.code
            await error_answer(error, request_id)(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", None) or _PAGE
            self._metrics.requests.labels(route, _method(scope), status or 499).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            if "code" in state:
                self._metrics.rejected.labels(state["code"]).inc()
            log(
                logging.INFO,
                "request",
                request_id=request_id,
                method=_method(scope),
                route=route,
                status=status or 499,
                milliseconds=round(seconds * 1000, 1),
                client=(scope.get("client") or ("",))[0],
                **({"code": state["code"]} if "code" in state else {}),
            )


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE") else "other"
