"""Logs as JSON, a line an event, on stderr. Nothing of a photo, a pose or an answer is ever logged."""

import json
import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

LOGGER = logging.getLogger("pg2.web")

_FRAMES = 20  # of a traceback: the last ones, where it happened
_REPEATS, _WINDOW = 20, 60.0  # so many warnings from one place in so many seconds
_WORDS = 2000  # characters of one message


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, message, and the `fields` that `log` was given."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage()[:_WORDS],
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # Without the exception's own words: they might quote what a client sent.
            line["exception"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])[-_FRAMES:]
            line["trace"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line)


class Seldom(logging.Filter):
    """Lets through 20 warnings or errors a minute from one line of code.

    Else whoever sends nonsense fast enough fills the disk. The first one of a later minute says how many were
    left out. Records below a warning all pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        if record.levelno < logging.WARNING:
            return True
        place, now = (record.pathname, record.lineno), time.monotonic()
        began, count = self._seen.get(place, (now, 0))
        if now - began >= _WINDOW:
            if count > _REPEATS:
                record.fields = {**getattr(record, "fields", {}), "left_out": count - _REPEATS}
            began, count = now, 0
        self._seen[place] = began, count + 1
        return count < _REPEATS


def log(level: int, message: str, *, trace: bool = False, **fields: object) -> None:
    """Log one event; with `trace`, also where the exception being handled came from."""
    LOGGER.log(level, message, exc_info=trace, extra={"fields": fields}, stacklevel=2)


def configure(level: int = logging.INFO) -> None:
    """Send the records of this package (from `level` on), and warnings of others, to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(Seldom())
    logging.captureWarnings(True)
    others = dict.fromkeys(("uvicorn", "asyncio", "py.warnings"), logging.WARNING)
    for name, lowest in {LOGGER.name: level, **others}.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(lowest)
