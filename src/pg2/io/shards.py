"""WebDataset's shards: tar files of samples, each one or more files in a row that share a key.

Python's `tarfile` reads and writes them, not the library `webdataset`. That one opens whatever a name says:
it runs the rest of "pipe:...", fetches addresses, unpacks compressed files without a bound, and takes a shard
that is cut off between two files for a whole one. `tarfile` is given an open file here, and nothing is ever
written where a name in a shard says.
"""

import io
import itertools
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pg2.errors import Pg2Error
from pg2.io.files import atomic_path, exists
from pg2.io.remote import RemoteFile, is_address, remote_files

SUFFIX = ".tar"

Shard = Path | RemoteFile
"""A file here, or of a store."""

MOST_SHARDS = 10_000
"""Shards of one set."""

MOST_FILES = 1_000_000
"""Files of one shard."""

MOST_SAMPLES = 1_000_000
"""Samples of one set."""

_MOST_HEADER = 65_536  # bytes that say what a file is called and so on; 512 are usual
_LONGEST = 1000  # characters of a name
_BLOCK = 512

_RANGE = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")
# As the library splits them: at the first dot after the last slash. A hidden file has no key.
_NAME = re.compile(r"(?P<key>(?:.*/)?[^./]+)\.(?P<ending>[^/]+)")


@dataclass
class Sample:
    """Files of one key. What is in them is read when it is asked for, while its shard is gone through.

    Attributes:
        key: their name without its ending, such as "ann/1".
        repeated: whether two of the files have one ending.
    """

    key: str
    repeated: bool = False
    _file: IO[bytes] | None = None
    _places: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def endings(self) -> list[str]:
        """Of the files, in small letters and without a dot, in order."""
        return sorted(self._places)

    def read(self, ending: str) -> bytes:
        """The content of the file with this ending."""
        start, size = self._places[ending]
        assert self._file is not None
        self._file.seek(start)
        return self._file.read(size)

    def _add(self, ending: str, member: tarfile.TarInfo) -> None:
        self.repeated |= ending in self._places
        self._places[ending] = (member.offset_data, member.size)


def find_shards(given: str | Path) -> list[Shard]:
    """The shards of a set, in order.

    Args:
        given: a folder with files called *.tar, or one file, in whose name "{000000..000012}" stands for
            these numbers, with as many digits; or the address of these (see `pg2.io.remote`).

    Raises:
        Pg2Error: there are none, one of the numbers is missing, or there are too many.
    """
    if isinstance(given, str) and is_address(given):
        return _shards_at(given)
    path = Path(given)
    if exists(path) and path.is_dir():
        found = sorted(file for file in path.glob(f"*{SUFFIX}") if not file.name.startswith("."))
        if not found:
            raise Pg2Error(f"{path} holds no shards (files called *{SUFFIX}, without further compression)")
    else:
        found = [path.with_name(name) for name in _expanded(path.name)]
    if len(found) > MOST_SHARDS:
        raise Pg2Error(f"{path} has more than {MOST_SHARDS:,} shards; give a part of them")
    for file in found:
        # Anything else may be without an end.
        if not exists(file) or not file.is_file():
            raise Pg2Error(
                f"there is no shard {file}; give a folder of *{SUFFIX} files, or their names on this machine "
                'as "set-{000000..000012}.tar"'
            )
    return [*found]


def _shards_at(address: str) -> list[Shard]:
    folder, _, name = address.rstrip("/").rpartition("/")
    if name.endswith(SUFFIX):
        if not is_address(folder):
            raise Pg2Error(f"{address} names no folder of an object store; write s3://BUCKET/{name}")
        wanted, files = _expanded(name), remote_files(folder)
    else:
        files = remote_files(address)
        wanted = sorted(file for file in files if file.endswith(SUFFIX) and "/" not in file)
    if not wanted:
        raise Pg2Error(f"{address} holds no shards (files called *{SUFFIX}, without further compression)")
    if len(wanted) > MOST_SHARDS:
        raise Pg2Error(f"{address} has more than {MOST_SHARDS:,} shards; give a part of them")
    lacking = next((file for file in wanted if file not in files), None)
    if lacking is not None:
        raise Pg2Error(f"there is no shard {folder}/{lacking}; give those that are there")
    return [files[file] for file in wanted]


def _expanded(name: str) -> list[str]:
    """All names that a pattern stands for; the first beyond `MOST_SHARDS` is there to tell."""
    fixed = _RANGE.split(name)[::3]
    ranges = [
        [
            f"{number:0{len(first)}}"
            for number in range(int(first), min(int(last), int(first) + MOST_SHARDS) + 1)
        ]
        for first, last in _RANGE.findall(name)
    ]
    chosen = itertools.islice(itertools.product(*ranges), MOST_SHARDS + 1)
    names = ["".join(itertools.chain(*zip(fixed, numbers, strict=False), fixed[-1:])) for numbers in chosen]
    if not names:
        raise Pg2Error(f"{name} counts backwards; write the smaller number first")
    return names


def samples(shard: Shard, most: Mapping[str, int]) -> Iterator[Sample]:
    """Go through a shard, without keeping it in memory.

    Args:
        shard: the file.
        most: the endings that are of interest, such as "jpg", and how many bytes such a file may have.
            Other files are passed over.

    Raises:
        Pg2Error: it is no tar file, is cut off or damaged, or holds what no data set has: links, devices,
            names that lead out of a folder, larger files or headers, or more of them than `MOST_FILES`.
    """
    current: Sample | None = None
    with shard.open("rb") as file:
        for count, member in enumerate(_members(file, shard)):
            if count >= MOST_FILES:
                raise Pg2Error(f"{shard} holds more than {MOST_FILES:,} files; make smaller shards")
            match = _NAME.fullmatch(_checked(member, shard)) if member.isreg() else None
            if match is None:
                continue
            ending = match["ending"].lower()
            if current is None or current.key != match["key"]:
                if current is not None:
                    yield current
                current = Sample(match["key"], _file=file)
            if ending in most:
                if member.size > most[ending]:
                    raise Pg2Error(
                        f"{shard}: {member.name} has {member.size:,} bytes, over the limit of "
                        f"{most[ending]:,} for .{ending}; make it smaller"
                    )
                current._add(ending, member)
        if current is not None:
            yield current


def count_samples(shards: Iterable[Shard], most: Mapping[str, int]) -> int:
    """How many samples a set has. Nothing but the headers is read, so what is wrong with a shard shows early.

    Raises:
        Pg2Error: as `samples`, or there are more than `MOST_SAMPLES`.
    """
    count = 0
    for shard in shards:
        count += sum(1 for _ in samples(shard, most))
        if count > MOST_SAMPLES:
            raise Pg2Error(f"up to {shard} there are more than {MOST_SAMPLES:,} samples; give fewer shards")
    return count


def _checked(member: tarfile.TarInfo, shard: Shard) -> str:
    """The name of a file, plainly: without "./"."""
    parts = member.name.split("/")
    if member.name.startswith("/") or ".." in parts:
        raise Pg2Error(f"{shard}: the name {member.name} leads out of the shard; this is no data set")
    if len(member.name) > _LONGEST:
        raise Pg2Error(f"{shard} holds a name of more than {_LONGEST:,} characters; this is no data set")
    return "/".join(part for part in parts if part not in ("", "."))


class _Headers:
    """A shard as `tarfile` sees it: a header cannot make it read more than one has."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.left = file, 0
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        self.left -= size
        if size < 0 or self.left < 0:
            raise tarfile.ReadError(f"a header of more than {_MOST_HEADER:,} bytes")
        return self._file.read(size)


def _members(file: IO[bytes], shard: Shard) -> Iterator[tarfile.TarInfo]:
    """The files and folders of a shard.

    Raises:
        Pg2Error: it is no tar file, is cut off or damaged, or holds something else than files and folders.
    """
    headers, after = _Headers(file), 0
    try:
        headers.left = _MOST_HEADER
        # Without compression: a few kilobytes of that may be gigabytes.
        archive = tarfile.TarFile(fileobj=headers, mode="r")  # type: ignore[arg-type]
        while True:
            headers.left = _MOST_HEADER
            member = archive.next()
            # It keeps them all, for those who ask by name.
            archive.members.clear()  # type: ignore[attr-defined]
            archive.pax_headers.clear()  # type: ignore[attr-defined]
            if member is None:
                break
            if member.offset < after or member.size < 0:
                raise tarfile.ReadError("a file that lies before the one before it")
            after = member.offset + _BLOCK
            if not (member.isdir() or (member.isreg() and not member.issparse())):
                raise Pg2Error(
                    f"{shard}: {member.name} is a link, a device or something else that is no plain file; "
                    "put the files themselves into the shard"
                )
            yield member
        # `tarfile` takes any end for the end, also one between two files or a header that is none.
        file.seek(archive.offset)
        if file.read(_BLOCK) != bytes(_BLOCK):
            raise tarfile.ReadError("its end is missing")
    except (Pg2Error, OSError, MemoryError):
        raise
    # It lets errors of its parts through, of numbers and of text.
    except Exception as error:
        raise Pg2Error(
            f"{shard} is damaged, cut off, or no tar file without compression ({str(error)[:200]}); copy it "
            "again, or make it anew"
        ) from error


def write_shard(path: Path, given: Iterable[tuple[str, Mapping[str, bytes]]]) -> None:
    """Write a shard, atomically; the same samples give the same bytes.

    Args:
        path: the file.
        given: each sample's key, and its files by their endings; taken one at a time.

    Raises:
        Pg2Error: the disk is full or the place cannot be written to.
    """
    with atomic_path(path) as new, tarfile.open(new, "w", format=tarfile.PAX_FORMAT) as archive:
        for key, files in given:
            for ending, content in sorted(files.items()):
                # By itself without owner and time.
                entry = tarfile.TarInfo(f"{key}.{ending}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))


def pattern(files: Sequence[Path | str]) -> str:
    """Shards in order, called WORDS-NUMBER.tar, as one name that `find_shards` and the library take."""
    first, last = str(files[0]), str(files[-1])
    if len(files) == 1:
        return first
    words, _, number = first.removesuffix(SUFFIX).rpartition("-")
    return f"{words}-{{{number}..{last.removesuffix(SUFFIX).rpartition('-')[2]}}}{SUFFIX}"
