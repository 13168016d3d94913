"""The prepared data set: what it is on disk, and reading it; `pg2.data.writing` writes it.

One folder that anyone can read without pg2:

- `images.zip`: the JPEG files, uncompressed in the zip, so each is found and checked (CRC) on its own.
- `records.csv`: a line a picture: name, split, person, 18 keypoints as x and y (empty where missing).
- `geometry.zip`: only of people rendered with `--geometry`: which place on the person each pixel shows, a
  file a picture (`pg2.io.geometry_file`).
- `dataset.json`: format number, source, frame, pair rule, counts, size and SHA-256 of the parts above.
- `report.json`, `report.md`: what was taken, and every file that was not, by reason.

Heat maps and masks are drawn from the keypoints when they are needed and never stored.
"""

import copy
import csv
import io
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pg2.errors import Pg2Error
from pg2.io.files import read_json, read_text, sha256
from pg2.io.geometry_file import SUFFIX as GEOMETRY_SUFFIX
from pg2.io.geometry_file import Geometry, parse_geometry
from pg2.io.picture_files import open_picture
from pg2.io.pictures import to_array
from pg2.io.pixels import Image8
from pg2.pose.formats import spelling
from pg2.pose.keypoints import COUNT, KEYPOINTS, MOST, TORSO, Points, Pose

FORMAT = 1
"""The format number that this version writes, and the highest that it reads."""

SPLITS = ("train", "test")

PAIR_RULE = {
    "id": "same-person-torso",
    "words": "any two different pictures of one person and one split, in both orders; both pictures show "
    "both shoulders and both hips",
}

KIND = "pg2 prepared data set"
IMAGES, RECORDS, MANIFEST = "images.zip", "records.csv", "dataset.json"
GEOMETRY = "geometry.zip"
PARTS = (IMAGES, RECORDS)
COLUMNS = ["name", "split", "person", *(f"{point}_{axis}" for point in KEYPOINTS for axis in "xy")]
_MAKE_ONE = "make one with `pg2 prepare`"

SIDES = range(16, 4097)
"""Pixels that a side of a frame may have, as `pg2 prepare` does."""

_MOST_BYTES = 256_000_000  # of records.csv; a picture takes 100 to 400

# What comes of a manifest or records of another form; an OverflowError is Infinity as a whole number.
_WRONG = (KeyError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True, eq=False)
class Record:
    """One picture of a prepared data set.

    Attributes:
        name: unique in the data set; pair lists refer to it.
        person: who is on it.
        split: "train" or "test".
        points: float32 [18, 2], (x, y) in pixels of the frame, NaN where missing.
    """

    name: str
    person: str
    split: str
    points: Points


def usable(points: Points) -> bool:
    """Whether a picture with these keypoints [18, 2] takes part in pairs: its torso is complete."""
    return not bool(np.isnan(points[TORSO]).any())


def ordered_pairs(records: Iterable[Record], split: str) -> int:
    """How many (source, target) pairs the pair rule gives in a split, both orders counted."""
    images = Counter(record.person for record in records if record.split == split and usable(record.points))
    return sum(count * (count - 1) for count in images.values())


class PreparedDataset:
    """A prepared data set, open for reading. Holds no open file: threads and forked workers may share it.

    Attributes:
        path: its folder.
        source: which preparation made it, such as "market1501".
        frame: (height, width) of every picture.
        records: one per picture.
        keypoints: float32 [n, 18, 2], (x, y) in pixels, NaN where missing; row i belongs to record i.
        manifest: dataset.json.
    """

    def __init__(self, path: str | Path) -> None:
        """Open and check: sizes of the parts, and the SHA-256 of the records.

        Raises:
            Pg2Error: absent, not a prepared data set, of a newer format, or damaged.
        """
        self.path = Path(path)
        self.manifest = _read_manifest(self.path)
        self._scaled = False
        self._held: dict[tuple[str, int], bytes] = {}
        self._damaged = f"{self.path} is damaged; remove it and run `pg2 prepare` again"
        try:
            self.source = str(self.manifest["source"])
            self.frame = self._stored_frame = _frame(self.manifest)
            self._parts = (*PARTS, *([GEOMETRY] if GEOMETRY in self.manifest["parts"] else []))
            self._check_sizes()
            self._check_sha(RECORDS)
            self.records, self.keypoints = _read_records(self.path / RECORDS)
            self._entries = {
                part: self._entries_of(part) for part in (IMAGES, GEOMETRY) if part in self._parts
            }
        except OSError as error:
            raise Pg2Error(f"cannot read {error.filename or self.path}: {error.strerror}") from error
        except (*_WRONG, csv.Error, zipfile.BadZipFile, NotImplementedError) as error:
            raise Pg2Error(f"{self._damaged} ({str(error)[:200]})") from error
        self._index = {spelling(record.name): index for index, record in enumerate(self.records)}

    def __len__(self) -> int:
        return len(self.records)

    def _entries_of(self, part: str) -> list[zipfile.ZipInfo]:
        with zipfile.ZipFile(self.path / part) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
        ending = "" if part == IMAGES else GEOMETRY_SUFFIX
        return [entries[stored_name(record.name) + ending] for record in self.records]

    def _check_sizes(self) -> None:
        for name in self._parts:
            file, wanted = self.path / name, int(self.manifest["parts"][name]["size"])
            if not file.is_file():
                raise Pg2Error(f"{self._damaged}: {name} is missing")
            size = file.stat().st_size
            if size != wanted:
                raise Pg2Error(f"{self._damaged}: {name} has {size:,} bytes instead of {wanted:,}")

    def _check_sha(self, name: str) -> None:
        if sha256(self.path / name) != self.manifest["parts"][name]["sha256"]:
            raise Pg2Error(f"{self._damaged}: the content of {name} is not what was written")

    def verify(self) -> None:
        """Read every byte and compare the checksums.

        Raises:
            Pg2Error: a part is not what was written.
        """
        for name in self._parts:
            self._check_sha(name)

    def image(self, index: int) -> Image8:
        """Picture number `index` as uint8 RGB [H, W, 3]. Safe to call from several threads.

        Raises:
            Pg2Error: its bytes on disk are no longer what was written, or no JPEG of the frame's size.
        """
        name, (height, width) = self._entries[IMAGES][index].filename, self._stored_frame
        content = self.jpeg(index)
        try:
            with open_picture(content, "it") as picture:
                if picture.format != "JPEG" or picture.width * picture.height != height * width:
                    raise Pg2Error(f"it is a {picture.format} of {picture.height}x{picture.width}")
                rgb = to_array(picture)
        except Pg2Error as error:
            raise Pg2Error(
                f"{self._damaged}: {name} in {IMAGES} is not a JPEG of {height}x{width} pixels ({error})"
            ) from error
        height, width = self.frame
        if rgb.shape[:2] != (height, width):
            rgb = np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BOX))
        return rgb

    def cached(self, size: int = 1_000_000_000) -> Callable[[int], Image8]:
        """`image`, with the pictures last used kept in memory, decoded, up to `size` bytes in all."""
        height, width = self.frame
        return lru_cache(max(size // (height * width * 3), 1))(self.image)

    def jpeg(self, index: int) -> bytes:
        """The JPEG file of picture number `index`, as stored.

        Raises:
            Pg2Error: its bytes on disk are no longer what was written.
        """
        return self._stored(IMAGES, index)

    @property
    def has_geometry(self) -> bool:
        """Whether it knows what place on the person each pixel shows: rendered `--geometry`, unscaled."""
        return GEOMETRY in self._parts and not self._scaled

    def geometry(self, index: int) -> Geometry:
        """Which place on the person each pixel of picture number `index` shows.

        Raises:
            Pg2Error: its bytes on disk are no longer what was written.
        """
        entry = self._entries[GEOMETRY][index]
        return parse_geometry(self._stored(GEOMETRY, index), f"{entry.filename} in {self.path / GEOMETRY}")

    def _stored(self, part: str, index: int) -> bytes:
        if (part, index) in self._held:
            return self._held[part, index]
        entry = self._entries[part][index]
        try:
            # Opened anew each time: a shared position in the file would mix up threads and forked workers.
            with (self.path / part).open("rb") as file:
                file.seek(entry.header_offset + 26)
                name_length, extra_length = struct.unpack("<HH", file.read(4))
                file.seek(name_length + extra_length, io.SEEK_CUR)
                data = file.read(entry.file_size)
        except (OSError, ValueError, struct.error) as error:
            raise Pg2Error(f"cannot read {entry.filename} from {self.path / part}: {error}") from error
        if zlib.crc32(data) != entry.CRC:
            raise Pg2Error(f"{self._damaged}: {entry.filename} in {part} fails its checksum")
        return data

    def usable(self, split: str) -> list[int]:
        """Indices, in order, of the records of a split whose both shoulders and both hips are present."""
        if split not in SPLITS:
            raise Pg2Error(f'there is no split "{split}"; the splits are {" and ".join(SPLITS)}')
        return [i for i, record in enumerate(self.records) if record.split == split and usable(record.points)]

    def scaled(self, frame: tuple[int, int]) -> "PreparedDataset":
        """The same data set with its pictures scaled down to `frame`, (height, width), as they are read.

        Raises:
            Pg2Error: `frame` is larger or of another shape.
        """
        if frame == self.frame:
            return self
        factor = frame[0] / self.frame[0]
        if factor > 1 or frame[1] != self.frame[1] * factor:
            raise Pg2Error(
                f"{self.path} holds pictures of {self.frame[0]}x{self.frame[1]}; they can be scaled down to "
                f"the same shape, not brought to {frame[0]}x{frame[1]}"
            )
        other = copy.copy(self)
        other.frame, other._scaled = frame, True
        poses = [Pose(points, self.frame).scale(factor).points for points in self.keypoints]
        other.keypoints = np.stack(poses)
        other.keypoints.setflags(write=False)
        other.records = tuple(
            replace(record, points=points)
            for record, points in zip(self.records, other.keypoints, strict=True)
        )
        return other

    def carried(self, indices: Sequence[int]) -> "PreparedDataset":
        """Some of the pictures, read and held in memory: they can be sent to where the folder is not.

        Args:
            indices: of the records; they are numbered anew, in this order.

        Raises:
            Pg2Error: as `image`.
        """
        other = copy.copy(self)
        other.records = tuple(self.records[index] for index in indices)
        other.keypoints = self.keypoints[list(indices)]
        other.keypoints.setflags(write=False)
        other._index = {spelling(record.name): number for number, record in enumerate(other.records)}
        parts = [IMAGES, *([GEOMETRY] if self.has_geometry else [])]
        other._entries = {part: [self._entries[part][index] for index in indices] for part in parts}
        other._held = {
            (part, number): self._stored(part, index)
            for part in parts
            for number, index in enumerate(indices)
        }
        return other

    def index_of(self, name: str) -> int:
        """The index of the record called `name`, in any published spelling.

        Raises:
            Pg2Error: there is none.
        """
        try:
            return self._index[spelling(name)]
        except KeyError:
            raise Pg2Error(f'the data set {self.path} has no picture called "{name}"') from None


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise Pg2Error(f"there is no prepared data set at {path}; {_MAKE_ONE}")
    if not (path / MANIFEST).is_file():
        raise Pg2Error(f"{path} is not a prepared data set (it has no {MANIFEST}); {_MAKE_ONE}")
    manifest = read_json(path / MANIFEST, "the manifest of a prepared data set")
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise Pg2Error(f"{path} is not a prepared data set: its {MANIFEST} is something else; {_MAKE_ONE}")
    number = manifest.get("format")
    if not isinstance(number, int) or number < 1:
        raise Pg2Error(f"{path / MANIFEST} has no valid format number; prepare the data set again")
    if number > FORMAT:
        raise Pg2Error(
            f"{path} was prepared by a newer pg2 (format {number}; this one reads up to {FORMAT}); "
            "upgrade pg2"
        )
    return manifest


def _frame(manifest: dict[str, Any]) -> tuple[int, int]:
    height, width = (int(manifest["frame"][side]) for side in ("height", "width"))
    if height not in SIDES or width not in SIDES:
        raise ValueError(f"a frame of {height} x {width} pixels")
    return height, width


def _read_records(path: Path) -> tuple[tuple[Record, ...], Points]:
    text = read_text(path, "the records of a prepared data set", _MOST_BYTES)
    rows = csv.reader(io.StringIO(text, newline=""))
    if next(rows, None) != COLUMNS:
        raise ValueError(f"{path.name} has other columns")
    about: list[list[str]] = []
    values: list[list[float]] = []
    for row in rows:
        about.append(row[:3])
        values.append([float(value) if value else np.nan for value in row[3:]])
    exact = np.array(values, dtype=np.float64).reshape(-1, COUNT, 2)
    if (np.abs(exact) > MOST).any():
        raise ValueError(f"{path.name} has a keypoint far from its picture")
    keypoints = exact.astype(np.float32)
    keypoints.setflags(write=False)
    records = (
        Record(name, person, split, points)
        for (name, split, person), points in zip(about, keypoints, strict=True)
    )
    return tuple(records), keypoints


def stored_name(name: str) -> str:
    """What the picture of the record called `name` is called in images.zip."""
    # What is stored is a JPEG, even where it was cut from a picture of another format.
    return name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg"
