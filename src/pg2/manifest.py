"""What stands beside many results: a line for each, their common settings, and what was left out."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pg2.errors import Pg2Error
from pg2.io.files import exists, read_json, read_text, write_json, write_text
from pg2.io.remote import Mirror
from pg2.pipeline import Pipeline

MANIFEST, FAILURES, OPTIONS = "manifest.jsonl", "failures.jsonl", "options.json"
"""Beside the pictures: a line a result, a line a failure, and what the results were made with."""

KEPT = (OPTIONS, MANIFEST, FAILURES)
"""What says of a folder what has been done there."""

LARGEST = 1_000_000_000
"""Bytes of a manifest, at most; a line takes 700."""

_EVERY = 20.0  # seconds between two copies of a list that go to a store


@dataclass(frozen=True)
class Failure:
    """What was left out, and why."""

    kind: Literal["photo", "pose"]
    name: str
    error: str


class Line(BaseModel):
    """What of a line of a manifest is read again; the rest of it stays."""

    model_config = ConfigDict(extra="allow", strict=True)

    file: str | None

    @property
    def key(self) -> Any:
        """What tells a line from all others, and orders them."""
        raise NotImplementedError


class Manifest:
    """The lines of the results that are there, and the settings that all were made with."""

    def __init__(self, out: Path | Mirror, options: Mapping[str, Any], line: type[Line]) -> None:
        """Take up what an earlier run left.

        Args:
            out: the folder; of a store, what lies here of it.
            options: the settings that all results in it have in common.
            line: what a line is; `done` and `add` are told its key.

        Raises:
            Pg2Error: `out` holds something else, or results of other settings.
        """
        self._mirror = out if isinstance(out, Mirror) else None
        shown = out.address if isinstance(out, Mirror) else str(out)
        out = out.folder if isinstance(out, Mirror) else out
        self.out, self._options, self._line = out, dict(options), line
        self._sent = time.monotonic()  # when the list went to the store
        self.lines: dict[Any, dict[str, Any]] = {}
        self._separator = ""  # before the next line, where the last was cut short by a kill
        self._files: dict[str | None, Any] = {}  # whose line it is that names a file
        if not exists(out):
            return
        if not out.is_dir():
            raise Pg2Error(f"{out} is a file; give a folder for the pictures")
        if not (out / OPTIONS).exists():
            strangers = sorted(file.name for file in out.iterdir() if not file.name.startswith("."))
            if strangers:
                raise Pg2Error(
                    f"{shown} holds {strangers[0]}, which is no result of this command; give a new folder"
                )
            return
        before = read_json(out / OPTIONS, "the settings of many results")
        for name, value in self._options.items():
            if not isinstance(before, dict) or before.get(name) != value:
                was = before.get(name) if isinstance(before, dict) else None
                raise Pg2Error(
                    f"{shown} holds results of other settings ({name}: {was}, now {value}); give a new "
                    "folder, or the settings of before"
                )
        if (out / MANIFEST).exists():
            text = read_text(out / MANIFEST, "a list of results", LARGEST)
            self._read(text)
            self._separator = "" if text.endswith("\n") or not text else "\n"

    def _read(self, text: str) -> None:
        for line in text.splitlines():
            # A line cut short by a kill is work to do again, no more.
            with suppress(ValidationError):
                self._take(self._line.model_validate_json(line).key, json.loads(line))

    def _take(self, key: Any, entry: dict[str, Any]) -> None:
        file = entry["file"]
        other = self._files.get(file, key)
        if other != key and self.lines.get(other, {}).get("file") == file:
            del self.lines[other]
        self.lines[key] = entry
        if file is not None:
            self._files[file] = key

    def done(self, key: Any, digest: str | None = None) -> bool:
        """Whether this result is there, of the same photo and pose where their digest is given."""
        line = self.lines.get(key)
        if line is None or (digest is not None and line.get("digest") != digest):
            return False
        return line["file"] is None or self.has(str(line["file"]))

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return exists(self.out / name) if self._mirror is None else name in self._mirror

    def send(self, *names: str) -> None:
        """Put files that are complete where they belong, if that is not here."""
        if self._mirror is not None:
            self._mirror.send(names)

    def begin(self) -> None:
        """Make the folder, and write down the settings that all results have."""
        if not (self.out / OPTIONS).exists():
            self.out.mkdir(parents=True, exist_ok=True)
            write_json(self.out / OPTIONS, self._options)
            self.send(OPTIONS)

    def add(self, entries: Mapping[Any, dict[str, Any]]) -> None:
        """Keep the lines of results whose pictures are there ("file": None: without one), at once."""
        self.send(*(entry["file"] for entry in entries.values() if entry["file"] is not None))
        for key, entry in entries.items():
            self._take(key, entry)
        with (self.out / MANIFEST).open("a", encoding="utf-8") as log:
            lines = "".join(f"{json.dumps(entry)}\n" for entry in entries.values())
            log.write(self._separator + lines)
        self._separator = ""
        # Stores cannot append.
        if time.monotonic() - self._sent > _EVERY:
            self.send(MANIFEST)
            self._sent = time.monotonic()

    def finish(self, failures: Sequence[Failure] = ()) -> None:
        """Leave the lines in one order, whatever the order in which they came."""
        if not (self.out / OPTIONS).exists():
            return
        write_text(
            self.out / MANIFEST, "".join(f"{json.dumps(self.lines[key])}\n" for key in sorted(self.lines))
        )
        self.send(MANIFEST)
        listed = [json.dumps({failure.kind: failure.name, "error": failure.error}) for failure in failures]
        if listed:
            write_text(self.out / FAILURES, "\n".join(listed) + "\n")
            self.send(FAILURES)
        else:
            (self.out / FAILURES).unlink(missing_ok=True)
            if self._mirror is not None:
                self._mirror.remove(FAILURES)


def settings_of(pipeline: Pipeline, model: str) -> dict[str, Any]:
    """What decides how a pipeline's pictures look, to be kept beside them; `model` is what it is called."""
    return {
        "model": model,
        "weights": pipeline.digest,
        "background": pipeline.background,
        "precision": pipeline.precision,
    }
