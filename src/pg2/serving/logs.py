"""Logs as JSON, a line an event, on stderr. Nothing of a photo or a pose is ever logged."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

LOGGER = logging.getLogger("pg2.serving")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, message, and the `fields` that `log` was given."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # Without the exception's own words: they might quote what a client sent.
            line["exception"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["trace"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line)


def log(level: int, message: str, *, trace: bool = False, **fields: object) -> None:
    """Log one event of the service; with `trace`, also where the exception being handled came from."""
    LOGGER.log(level, message, exc_info=trace, extra={"fields": fields})


def configure() -> None:
    """Send this service's, uvicorn's and Python's warnings' records to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.captureWarnings(True)
    for name, level in (
        (LOGGER.name, logging.INFO),
        ("uvicorn", logging.WARNING),
        ("py.warnings", logging.WARNING),
    ):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
