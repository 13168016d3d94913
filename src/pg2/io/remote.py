"""Files of an object store, by addresses such as s3://bucket/folder, through fsspec.

What is read is bounded by its size in the store's own list. What is written appears there whole or not at
all, as object stores have it.
"""

import contextlib
import re
import shutil
import tempfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import IO, Any, cast

from pg2.errors import Pg2Error
from pg2.io.files import exists
from pg2.io.outputs import exclusive
from pg2.io.picture_files import Content

_PACKAGES = {"s3": "pg2[s3]", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "memory": "fsspec"}
"""Each kind of address that is taken, and what to install for it. Others, such as pipes, are no store."""

_PATIENCE = {
    "s3": {"config_kwargs": {"connect_timeout": 10, "read_timeout": 30, "retries": {"max_attempts": 2}}}
}
"""How long a server is waited for, in seconds, and how often; their own bounds are many minutes."""

_TRIES = 2  # of a request, around that

MOST_READ = 250_000_000
"""Bytes of a file that is read at once."""

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<place>.*)", re.DOTALL)

_MOST_FILES = 1_000_000  # that are read from, whatever they are; a single folder is listed to its end
_LONGEST = 200  # characters of what a store says of an error
_KEPT = "; what is complete is kept: run the same command again"


def is_address(given: object) -> bool:
    """Whether it is an address, and not a path on this machine."""
    return isinstance(given, str) and _ADDRESS.fullmatch(given) is not None


@contextlib.contextmanager
def _told(doing: str, after: str = "") -> Iterator[None]:
    """Turn whatever goes wrong into one sentence: stores raise errors of any type."""
    try:
        yield
    except (Pg2Error, MemoryError):
        raise
    except Exception as error:
        words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise Pg2Error(
            f"cannot {doing} ({words[:_LONGEST]}); look at address, access and connection{after}"
        ) from error


@cache
def _store(scheme: str) -> Any:
    try:
        from fsspec import filesystem

        # Without a list from before: others may write there meanwhile.
        store = filesystem(scheme, use_listings_cache=False, **_PATIENCE.get(scheme, {}))
        if hasattr(store, "retries"):
            store.retries = _TRIES
        return store
    except ImportError as error:
        raise Pg2Error(
            f'{scheme}:// addresses need another package; install it with: pip install "{_PACKAGES[scheme]}"'
        ) from error


def _opened(address: str) -> tuple[Any, str]:
    """The store, and the place in it, without a slash at its end.

    Raises:
        Pg2Error: no such kind of address, or its package is not installed.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise Pg2Error(f"{address} names no folder of an object store; write s3://BUCKET/FOLDER")
    scheme, place = match["scheme"].lower(), match["place"].rstrip("/")
    if scheme not in _PACKAGES:
        raise Pg2Error(f"{address}: {scheme}:// is no object store; give {'://, '.join(_PACKAGES)}://")
    if not place or ".." in place.split("/") or not place.isprintable():
        raise Pg2Error(f"{address} names no folder of an object store; write {scheme}://BUCKET/FOLDER")
    with _told(f"open {address}"):
        store = _store(scheme)
        return store, store._strip_protocol(f"{scheme}://{place}")


@dataclass(frozen=True)
class RemoteFile:
    """A file of a store. It has those parts of a `Path` that readers of shards and data sets ask for.

    Attributes:
        address: of it.
        size: bytes.
        version: a number that another content would change.
    """

    address: str
    size: int
    version: int

    def __str__(self) -> str:
        return self.address

    @property
    def name(self) -> str:
        """The last part of its address."""
        return PurePosixPath(self.address).name

    def read(self, most: int | None = None) -> Content:
        """All that is in it.

        Args:
            most: bytes, at most; None: of a photo.

        Raises:
            Pg2Error: it has more of them, or cannot be read.
        """
        most = MOST_READ if most is None else most
        if self.size > most:
            raise Pg2Error(f"{self.address} is larger than {most / 1e6:g} MB; make it smaller")
        store, place = _opened(self.address)
        with _told(f"read {self.address}"):
            return Content(store.cat_file(place, start=0, end=self.size), self.address)

    @contextlib.contextmanager
    def open(self, mode: str = "rb") -> Iterator[IO[bytes]]:
        """Read it piece by piece, forwards and backwards."""
        store, place = _opened(self.address)
        with _told(f"read {self.address}"):
            opened = store.open(place, mode)
        try:
            yield cast(IO[bytes], _Reading(opened, self.address))
        finally:
            opened.close()

    def stat(self) -> SimpleNamespace:
        """What tells whether it is the same still: `st_size` and `st_mtime_ns`."""
        return SimpleNamespace(st_size=self.size, st_mtime_ns=self.version)

    def relative_to(self, folder: object) -> PurePosixPath:
        """Its place below a folder, given by its address; its name, where it lies in another one."""
        above, below = f"{str(folder).rstrip('/')}/", self.address
        return PurePosixPath(below.removeprefix(above) if below.startswith(above) else self.name)


class _Reading:
    """An open file whose errors are sentences: it is read while others have the word."""

    def __init__(self, file: Any, address: str) -> None:
        self._file, self._address = file, address

    def read(self, size: int = -1) -> bytes:
        with _told(f"read {self._address}"):
            return bytes(self._file.read(size))

    def seek(self, place: int, whence: int = 0) -> int:
        with _told(f"read {self._address}"):
            return int(self._file.seek(place, whence))

    def tell(self) -> int:
        return int(self._file.tell())


def _file(scheme: str, about: dict[str, Any]) -> RemoteFile:
    stamps = [about.get(name) for name in ("ETag", "etag", "LastModified", "mtime", "created")]
    return RemoteFile(
        f"{scheme}://{about['name'].lstrip('/')}", int(about["size"]), zlib.crc32(repr(stamps).encode())
    )


def remote_files(address: str) -> dict[str, RemoteFile]:
    """The files below a folder of a store, by their names below it; of a file itself: that one.

    Hidden files and folders are left out.

    Raises:
        Pg2Error: no such address, it cannot be looked at, or there are too many files.
    """
    store, place = _opened(address)
    scheme = address.partition("://")[0].lower()
    found: dict[str, RemoteFile] = {}
    for name, about in _listed(address):
        found[name] = _file(scheme, about)
        if len(found) > _MOST_FILES:
            raise Pg2Error(f"{address} holds more than {_MOST_FILES:,} files; give a smaller folder")
    with _told(f"look at {address}"):
        if not found and store.isfile(place):
            return {PurePosixPath(place).name: _file(scheme, {**store.info(place), "name": place})}
    return found


def _listed(address: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files below a folder, by name, and what the store says of each."""
    store, place = _opened(address)
    # What is not there is empty: so is a folder in a store.
    with _told(f"look at {address}"), contextlib.suppress(FileNotFoundError):
        for folder, _, files in store.walk(place, detail=True, on_error="raise"):
            for name, about in files.items():
                below = str(PurePosixPath(str(folder), name).relative_to(place))
                if name and not any(part.startswith(".") for part in below.split("/")):
                    yield below, {**about, "name": f"{folder}/{name}"}


def lies_in(out: str | Path, place: str | Path) -> bool:
    """Whether an output lies in a folder that is read, be they paths or addresses.

    Raises:
        Pg2Error: an address of no store.
    """
    if is_address(out) != is_address(place):
        return False
    if is_address(out):
        (store, below), (other, above) = _opened(str(out)), _opened(str(place))
        return store is other and PurePosixPath(below).is_relative_to(above)
    folder = Path(place)
    return exists(folder) and folder.is_dir() and Path(out).resolve().is_relative_to(folder.resolve())


class Mirror:
    """A folder of a store that is written to, and what of it lies here meanwhile.

    Attributes:
        folder: here. What is complete in it is sent, and most of it then removed.
    """

    def __init__(self, address: str, folder: Path, kept: Collection[str], most: int | None = None) -> None:
        """Look at what is there, and fetch some of it.

        Args:
            address: of the folder.
            folder: a new folder here.
            kept: names of files that stay here, too: those that say what has been done.
            most: bytes of such a file; see `RemoteFile.read`.

        Raises:
            Pg2Error: no such address, it cannot be looked at, or it holds files, but none of these.
        """
        self.address, self.folder, self._kept = address.rstrip("/"), folder, kept
        self._store, self._place = _opened(address)
        scheme = address.partition("://")[0].lower()
        self._there = set[str]()
        # However many there are: they were written by this command.
        for name, about in _listed(address):
            self._there.add(name)
            if name in kept:
                (folder / name).write_bytes(_file(scheme, about).read(most))
        if self._there and self._there.isdisjoint(kept):
            raise Pg2Error(
                f"{address} holds {min(self._there)}, which is no result of this command; give a new folder"
            )

    def __contains__(self, name: str) -> bool:
        """Whether the store has a file of this name."""
        return name in self._there

    def send(self, names: Sequence[str]) -> None:
        """Put files of `folder` there, each whole.

        Raises:
            Pg2Error: it cannot be written to.
        """
        if not names:
            return
        with _told(f"write into {self.address}", _KEPT):
            # At once: a store is slow to answer, and answers many.
            self._store.put(
                [str(self.folder / name) for name in names], [f"{self._place}/{name}" for name in names]
            )
        self._there.update(names)
        for name in set(names).difference(self._kept):
            (self.folder / name).unlink()

    def remove(self, name: str) -> None:
        """Remove a file there, if there is one.

        Raises:
            Pg2Error: it cannot be removed.
        """
        if name in self._there:
            with _told(f"write into {self.address}", _KEPT):
                self._store.rm_file(f"{self._place}/{name}")
                self._there.discard(name)


@contextlib.contextmanager
def output(out: str | Path, kept: Collection[str], most: int | None = None) -> Iterator[Path | Mirror]:
    """Where a command writes: a folder here, for this command alone, or one of a store.

    Args:
        out: a path or an address. At an address nothing keeps two commands from writing at once.
        kept, most: see `Mirror`.

    Raises:
        Pg2Error: see `pg2.io.outputs.exclusive` and `Mirror`.
    """
    if not is_address(out):
        with exclusive(out):
            yield Path(out)
        return
    folder = Path(tempfile.mkdtemp(prefix="pg2-"))
    try:
        yield Mirror(str(out), folder, kept, most)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
