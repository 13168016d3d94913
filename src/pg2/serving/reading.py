"""A request's body as named fields, of a form or of JSON; in memory, never on disk."""

import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

from fastapi import Request
from starlette.formparsers import MultiPartException, MultiPartParser

from pg2.serving.schemas import form_fields
from pg2.web.bodies import from_json, limited
from pg2.web.errors import ApiError

_TEXT = 64 * 1024  # bytes of a form's field that is no file

Body = bytearray | dict[str, str | bytes]
"""JSON as it came, or the fields of a form, files as bytes."""


class _InMemory(MultiPartParser):
    # Starlette spools larger files to disk, where nobody's photo shall go. `limited` bounds the memory.
    spool_max_size = sys.maxsize


async def read_body(request: Request, most: int, take: Callable[[int], None]) -> Body:
    """The body of a request that is a multipart form or JSON.

    Args:
        request: whose body.
        most: bytes.
        take: told of the bytes of each piece before it is kept; may refuse by raising.

    Raises:
        ApiError: more than `most` bytes, neither a form nor JSON, or a broken form.
        ClientDisconnect: the client went away.
    """

    async def pieces() -> AsyncGenerator[bytes, None]:
        async for piece in limited(request, most):
            take(len(piece))
            yield piece

    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        body = bytearray()
        async for piece in pieces():
            body += piece
        return body
    if kind != "multipart/form-data":
        raise ApiError("unsupported_type", "send multipart/form-data or application/json")
    try:
        form = await _InMemory(
            request.headers, pieces(), max_files=2, max_fields=16, max_part_size=_TEXT
        ).parse()
    except MultiPartException as error:
        raise ApiError("bad_request", f"the form cannot be read: {error.message}") from error
    fields: dict[str, str | bytes] = {}
    try:
        for name, value in form.multi_items():
            if name in fields:
                raise ApiError("bad_request", f"the form has two fields {name[:40]}")
            fields[name] = value if isinstance(value, str) else await value.read()
    finally:
        await form.close()
    return fields


def fields_of(body: Body) -> Any:
    """What a body holds; this may take a while.

    Raises:
        ApiError: JSON that is none, or holds too much.
    """
    return form_fields(body) if isinstance(body, dict) else from_json(body, "the request")
