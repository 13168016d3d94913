"""A request's body as named fields, of a form or of JSON; in memory, never on disk."""

import sys
from typing import Any

from fastapi import Request
from starlette.formparsers import MultiPartException, MultiPartParser

from pg2.serving.errors import ApiError
from pg2.serving.limits import limited
from pg2.serving.schemas import form_fields, from_json

_TEXT = 64 * 1024  # bytes of a form's field that is no file


class _InMemory(MultiPartParser):
    # Starlette spools larger files to disk, where nobody's photo shall go. `limited` bounds the memory.
    spool_max_size = sys.maxsize


async def read_fields(request: Request, most: int) -> Any:
    """The fields of a multipart form (files as bytes), or the decoded JSON of another request.

    Raises:
        ApiError: more than `most` bytes, neither a form nor JSON, or a broken one.
        ClientDisconnect: the client went away.
    """
    body = limited(request, most)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return from_json(b"".join([piece async for piece in body]), "the request")
    if kind != "multipart/form-data":
        raise ApiError("unsupported_type", "send multipart/form-data or application/json")
    try:
        form = await _InMemory(request.headers, body, max_files=2, max_fields=16, max_part_size=_TEXT).parse()
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
    return form_fields(fields)
