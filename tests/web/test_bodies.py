"""JSON: how much of it, and what a client is told of its own."""

from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict

from pg2.web import bodies
from pg2.web.bodies import checked, from_json
from pg2.web.errors import ApiError


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    answer: Literal["real", "generated"]
    time: int | None = None


def code_of(text: str | bytes) -> str:
    with pytest.raises(ApiError, match="the request ") as caught:
        from_json(text, "the request")
    return caught.value.code


@pytest.mark.parametrize(
    "text", [b"[[],%b[]]" % (b"[]," * 50_000), b"[%b0]" % (b"0," * 50_001), b"{%b" % (b'"a":{},' * 40_000)]
)
def test_too_much_is_refused_before_it_is_read(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies.pydantic_core, "from_json", lambda *_, **__: pytest.fail("it was read"))
    assert code_of(text) == code_of(text.decode()) == "too_large"


def test_what_is_read() -> None:
    assert from_json(b'{"photo": "%b"}' % (b"A" * 1_000_000), "it") == {"photo": "A" * 1_000_000}
    assert len(from_json(b"[%b0]" % (b"0," * 49_000), "it")) == 49_001
    assert from_json("[[[1]]]", "it") == [[[1]]]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"NaN", b"[Infinity]", b'"\\ud800"', b'"\xed\xa0\x80"', b"9" * 5000,
        b"[" * 300 + b"]" * 300,
    ],
)  # fmt: skip
def test_what_is_no_json(text: bytes) -> None:
    assert code_of(text) == "bad_request"


def test_what_is_said_of_a_wrong_field_is_short() -> None:
    for fields, said in (
        ({"answer": "maybe"}, "answer: "),
        ({"answer": "real", "time": float("inf")}, "time: "),
        ({"answer": "real", "x" * 10_000: 1}, "x" * 100 + ": "),
        ([], "the request: "),
    ):
        with pytest.raises(ApiError) as caught:
            checked(Wanted, fields)
        assert caught.value.code == "invalid"
        assert caught.value.message.startswith(said)
        assert len(caught.value.message) < 250
