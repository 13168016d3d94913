"""Writing that never leaves half a file behind, and reading of no more than can be meant."""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, Protocol

from pg2.errors import Pg2Error

_THREADS = 8  # that wait for the disk
_UNFINISHED = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}")

_MOST = 16_000_000  # bytes of JSON; decoded, they take up to thirty times as much memory

_PART = 1_000_000  # bytes of a file at a time

_DEEPEST = 32  # brackets within one another

# One that does not end reaches to the end of the text: whatever is read, the time grows with its length.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


class Stored(Protocol):
    """A file that may lie elsewhere, such as `pg2.io.remote.RemoteFile`."""

    def open(self, mode: str = "rb") -> AbstractContextManager[IO[bytes]]:
        """Read it piece by piece."""

    def stat(self) -> Any:
        """What has its size, `st_size`."""


def _file(path: str | Path | Stored) -> Path | Stored:
    return Path(path) if isinstance(path, str) else path


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unused(folder: Path, name: str) -> Path:
    """What to call a hidden folder, for work on what is called `name`, before it is made.

    `tempfile.mkdtemp` tells it afterwards: a signal in between would leave a folder that nobody knows.
    """
    while exists(path := folder / f".{name}.{secrets.token_hex(4)}"):
        pass
    return path


def _clear(folder: Path) -> None:
    """Remove a folder, also where a signal comes in between."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on leaving without an error it becomes `path`.

    Works for a file and for a folder (an existing folder is replaced). Whatever happens inside,
    `path` holds either what it held before or the whole new content. Killed outright, it can leave a hidden
    folder `.NAME.xxxxxxxx` behind: unfinished work, or in the instant between a folder's two renames its old
    content. `remove_unfinished` takes it away.

    Raises:
        Pg2Error: the disk is full or the place cannot be written to.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays, so that writers that choose a format by it (Pillow) work unchanged.
        temporary = workspace = _unused(path.parent, path.name)
        workspace.mkdir(0o700)
        workspace.chmod(0o755)
        new = workspace / path.name
        yield new
        if new.is_dir():
            # Together: the system writes its own journal for many at once, which takes a tenth of the time.
            with ThreadPoolExecutor(_THREADS) as pool:
                for _ in pool.map(_fsync, [new, *new.rglob("*")]):
                    pass
            if path.exists():
                path.replace(workspace / "old")
        else:
            _fsync(new)
        new.replace(path)
        _fsync(path.parent)
    except OSError as error:
        reason = str(error) if error.errno is None else os.strerror(error.errno).lower()
        raise Pg2Error(f"cannot write {path}: {reason}; what was there before is untouched") from error
    finally:
        if temporary is not None:
            # Interrupted between the two renames: the old content goes back.
            if (temporary / "old").exists() and not path.exists():
                (temporary / "old").replace(path)
            _clear(temporary)


@contextlib.contextmanager
def atomic_files(folder: str | Path) -> Iterator[Path]:
    """Yield a temporary folder; on leaving without an error the files in it move into `folder`, each whole.

    Files of those names there are replaced. It costs much less than `atomic_path` for each. Killed outright,
    it can leave a hidden folder behind, which `remove_unfinished` takes away.

    Raises:
        Pg2Error: the disk is full or the place cannot be written to.
    """
    folder = Path(folder)
    workspace: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        workspace = _unused(folder, "files")
        workspace.mkdir(0o700)
        new = workspace / "files"
        new.mkdir()
        yield new
        files = sorted(new.iterdir())
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(_fsync, files):
                pass
        for file in files:
            file.replace(folder / file.name)
        _fsync(folder)
    except OSError as error:
        reason = str(error) if error.errno is None else os.strerror(error.errno).lower()
        raise Pg2Error(f"cannot write into {folder}: {reason}") from error
    finally:
        if workspace is not None:
            _clear(workspace)


def is_unfinished(path: Path) -> bool:
    """Whether `path` is what a killed `atomic_path` left: a hidden folder of what it is named after alone."""
    match = _UNFINISHED.fullmatch(path.name)
    if match is None or path.is_symlink() or not path.is_dir() or not os.access(path, os.R_OK):
        return False
    return {inside.name for inside in path.iterdir()} <= {match["name"], "old"}


def remove_unfinished(folder: Path, *, of: str | None = None, below: bool = False) -> None:
    """Remove what killed `atomic_path`s left in `folder`; old content that was out of its place goes back.

    Only where nobody else writes at the time: work that goes on looks the same.

    Args:
        folder: where they were writing; it may be absent.
        of: the name of what they were writing; None: whatever it was.
        below: in the folders below, too.
    """
    for left in sorted(folder.glob("**/.*" if below else ".*")):
        name = left.name[1:-9]
        if name != (of or name) or not is_unfinished(left):
            continue
        if (left / "old").exists() and not (left.parent / name).exists():
            (left / "old").replace(left.parent / name)
        shutil.rmtree(left, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8."""
    with atomic_path(path) as new:
        new.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` to `path` atomically, as indented JSON (NaN is refused: it is not JSON)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def exists(path: str | Path) -> bool:
    """Whether there is such a file or folder; no system has one of a name that it cannot take."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def read_text(path: str | Path | Stored, what: str, most: int) -> str:
    """Read a text file as UTF-8.

    Args:
        path: the file.
        what: it should have been, for errors.
        most: bytes, at most. No more is read of a larger file.

    Raises:
        Pg2Error: the file is absent, unreadable, too large or not UTF-8.
    """
    try:
        large = _file(path).stat().st_size > most
        with _file(path).open("rb") as file:
            content = b"" if large else file.read(most + 1)  # a device has no size
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the name
        raise Pg2Error(f"cannot read {path} ({what}): {getattr(error, 'strerror', error)}") from error
    if large or len(content) > most:
        raise Pg2Error(f"{path} is larger than {most / 1e6:g} MB, too large for {what}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Pg2Error(f"{path} is not a text file ({what})") from error


def read_json(path: str | Path | Stored, what: str, most: int = _MOST) -> Any:
    """Read a JSON file; see `read_text`.

    Raises:
        Pg2Error: the file is absent, unreadable, too large, not JSON, or nests too deep.
    """
    text = read_text(path, what, most)
    brackets = _NO_BRACKETS.sub("", _STRING.sub("", text))
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > _DEEPEST:
        raise Pg2Error(f"{path} nests deeper than {_DEEPEST} levels, too deep for {what}")
    try:
        return json.loads(text)
    except ValueError as error:
        raise Pg2Error(f"{path} is not valid JSON ({what}): {error}") from error


def read_object(path: str | Path, what: str) -> dict[str, Any]:
    """Read a JSON file that holds an object, {"name": value}; see `read_json`.

    Raises:
        Pg2Error: as `read_json`, or it holds something else.
    """
    found = read_json(path, what)
    if not isinstance(found, dict):
        raise Pg2Error(f"{path} is not {what}: it holds no JSON object")
    return found


def sha256(path: str | Path | Stored) -> str:
    """The SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with _file(path).open("rb") as file:
        while part := file.read(_PART):
            digest.update(part)
    return digest.hexdigest()
