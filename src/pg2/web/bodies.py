"""Bodies of requests: no more bytes, values and seconds than they may take, and checked."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

import pydantic_core
from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from pg2.web.errors import ApiError

_VALUES = 50_000  # in a JSON document; OpenPose writes some 400 a person
_WORDS = 100  # characters of a client's own that an error repeats

Model = TypeVar("Model", bound=BaseModel)


async def limited(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """The body of a request in pieces.

    Raises:
        ApiError: it has more than `most` bytes, be it announced or not.
        ClientDisconnect: the client went away before its end.
    """
    length = request.headers.get("content-length", "")
    received = int(length) if length.isdecimal() and len(length) < 20 else 0
    error = ApiError("too_large", f"the request is larger than {most:,} bytes; send less")
    if received > most:
        raise error
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received > most:
            raise error
        yield piece


def from_json(text: str | bytes | bytearray, name: str) -> Any:
    """Decode JSON of at most 50,000 values, 200 levels deep.

    What it may hold is counted before any of it is made: an empty list takes two letters, and 64 bytes.

    Raises:
        ApiError: it is none, or holds too much; `name` says what.
    """
    if _marks(text) > _VALUES:
        raise ApiError("too_large", f"{name} holds more than {_VALUES:,} values; send less")
    try:
        return pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise ApiError("bad_request", f"{name} is not valid JSON") from error


def _marks(text: str | bytes | bytearray) -> int:
    """Before every value but the first stands one of these."""
    if isinstance(text, str):
        return sum(text.count(mark) for mark in (",", "[", "{"))
    return sum(text.count(mark) for mark in (b",", b"[", b"{"))


def checked(model: type[Model], fields: object) -> Model:
    """What a client sent, as `model` wants it.

    Raises:
        ApiError: it is not what it should be.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:_WORDS] or "the request"
        reason = first["msg"].removeprefix("Value error, ")
        raise ApiError("invalid", f"{place}: {reason[:1].lower()}{reason[1:]}") from error


async def read_json(request: Request, model: type[Model], *, most: int, seconds: float) -> Model:
    """The body of a request that is small JSON.

    Raises:
        ApiError: more than `most` bytes, later than `seconds`, or not what `model` wants.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError("unsupported_type", "send application/json")
    try:
        async with asyncio.timeout(seconds):
            body = b"".join([piece async for piece in limited(request, most)])
    except TimeoutError as error:
        raise ApiError("timeout", f"the request did not end within {seconds:g} seconds") from error
    except ClientDisconnect as error:
        raise ApiError("client_gone", "the client has gone") from error
    return checked(model, from_json(body, "the request"))
