"""Lines of the log: JSON, short, and not without end."""

import json
import logging
import sys

import pytest

from pg2.web.logs import JsonFormatter, Seldom


def record(level: int = logging.WARNING, line: int = 1, message: str = "hello") -> logging.LogRecord:
    return logging.LogRecord("uvicorn.error", level, "a.py", line, message, (), None)


def test_warnings_of_one_place_are_counted_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("pg2.web.logs.time.monotonic", lambda: now)
    seldom = Seldom()
    passed = [seldom.filter(record(message=f"Error at {number}")) for number in range(50)]
    assert passed == [True] * 20 + [False] * 30
    assert seldom.filter(record(line=2))
    assert all(seldom.filter(record(logging.INFO)) for _ in range(50))
    now += 61
    later = record()
    assert seldom.filter(later)
    assert json.loads(JsonFormatter().format(later))["left_out"] == 30
    again = record()
    assert seldom.filter(again)
    assert "left_out" not in json.loads(JsonFormatter().format(again))


def test_a_line_has_an_end() -> None:
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        raise KeyError("private words")

    try:
        deep(200)
    except KeyError:
        failed = record(logging.ERROR, message="x" * 100_000)
        failed.exc_info = sys.exc_info()
    line = JsonFormatter().format(failed)
    assert len(line) < 8000
    assert "\n" not in line
    assert "private" not in line
    said = json.loads(line)
    assert said["exception"] == "KeyError"
    assert said["trace"][-1].endswith(" deep")
