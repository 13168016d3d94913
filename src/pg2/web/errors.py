"""What a client is told when something is wrong: one shape, a few codes."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

STATUS = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "gone": 410,
    "too_large": 413,
    "unsupported_type": 415,
    "wrong_host": 421,
    "invalid": 422,
    "no_person": 422,
    "busy": 429,
    "client_gone": 499,
    "internal": 500,
    "not_ready": 503,
    "timeout": 504,
}
"""The codes of errors, and the HTTP status of each."""


class ApiError(Exception):
    """A request that is not answered with what it asked for.

    Attributes:
        code: one of `STATUS`.
        message: one sentence: what is wrong, and what to do.
        headers: to be sent with the answer.
    """

    def __init__(self, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.headers = code, message, dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str
    message: str
    request_id: str


class ErrorAnswer(BaseModel):
    """The answer to every request that fails."""

    error: ErrorBody


def error_answer(error: ApiError, request_id: str) -> JSONResponse:
    """The answer that tells a client of `error`."""
    body = ErrorAnswer(error=ErrorBody(code=error.code, message=error.message, request_id=request_id))
    return JSONResponse(body.model_dump(), error.status, headers=error.headers)


def answer_errors(app: FastAPI) -> None:
    """Let `app`, which `pg2.web.around.Around` goes round, answer errors in this shape."""
    app.add_exception_handler(ApiError, _on_error)
    app.add_exception_handler(HTTPException, _on_http_error)


def _on_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    request.state.code = error.code
    return error_answer(error, request.state.request_id)


def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    """What Starlette itself refuses: mostly unknown addresses and wrong methods."""
    assert isinstance(error, HTTPException)
    known = {404: "there is nothing at this address", 405: "this address does not take that method"}
    if error.status_code not in known:
        return _on_error(request, ApiError("bad_request", "the request cannot be understood"))
    code = next(code for code, status in STATUS.items() if status == error.status_code)
    return _on_error(request, ApiError(code, known[error.status_code], error.headers))
