"""How the words of options are read."""

import sys

import pytest

from pg2.cli.options import command_line, parse_size
from pg2.errors import Pg2Error


@pytest.mark.parametrize(("text", "size"), [("128x64", (128, 64)), ("16X4096", (16, 4096))])
def test_a_size_is_height_by_width(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "128", "128x", "128x64x3", "a lot", "1e2x64"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(Pg2Error, match="HEIGHTxWIDTH in pixels, such as 128x64"):
        parse_size(text)


@pytest.mark.parametrize("text", ["15x64", "64x15", "4097x64", "64x4097", "-16x16"])
def test_a_size_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(Pg2Error, match="between 16 and 4096"):
        parse_size(text)


def test_the_command_can_be_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/anywhere/bin/pg2", "evaluate", "my model", "--out", "O"])
    assert command_line() == "pg2 evaluate 'my model' --out O"
