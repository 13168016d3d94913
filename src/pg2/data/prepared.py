"""The prepared data set on disk: write, check, read.

One folder that anyone can read without pg2:

- `images.zip`: the JPEG files, uncompressed in the zip, so each is found and checked (CRC) on its own.
- `records.csv`: a line a picture: name, split, person, 18 keypoints as x and y (empty where missing).
- `dataset.json`: format number, source, frame, pair rule, counts, size and SHA-256 of the two parts above.
- `report.json`, `report.md`: what was taken, and every file that was not, by reason.

Heat maps and masks are drawn from the keypoints when they are needed and never stored.
"""

import contextlib
import copy
import csv
import hashlib
import io
import json
import shutil
import struct
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from pg2.errors import Pg2Error
from pg2.io.files import atomic_path, read_json, write_json, write_text
from pg2.io.pictures import to_rgb
from pg2.io.pixels import Image8
from pg2.pose.keypoints import COUNT, KEYPOINTS, TORSO, Points, Pose, spelling

FORMAT = 1
"""The format number that this version writes, and the highest that it reads."""

SPLITS = ("train", "test")

PAIR_RULE = {
    "id": "same-person-torso",
    "words": "any two different pictures of one person and one split, in both orders; both pictures show "
    "both shoulders and both hips",
}

Estimator = Callable[[Image8], Pose]
"""Photo, uint8 [H, W, 3] -> pose in its pixels; raises `NoPersonError` where there is none."""

_KIND = "pg2 prepared data set"
_IMAGES, _RECORDS, _MANIFEST = "images.zip", "records.csv", "dataset.json"
_PARTS = (_IMAGES, _RECORDS)
_COLUMNS = ["name", "split", "person", *(f"{point}_{axis}" for point in KEYPOINTS for axis in "xy")]
_MAKE_ONE = "make one with `pg2 prepare market1501`, `pg2 prepare deepfashion` or `pg2 prepare folder`"
_T = TypeVar("_T")


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


@dataclass
class Report:
    """What a preparation took and what it skipped.

    Attributes:
        source: "market1501", "deepfashion" or "folder".
        splits: split -> counts: images, usable (with a torso), people (with a usable image), ordered_pairs.
        skipped: reason -> names of the files it applies to.
        already_prepared: nothing was done, because the data set was there already.
    """

    source: str
    splits: dict[str, dict[str, int]]
    skipped: dict[str, list[str]] = field(default_factory=dict)
    already_prepared: bool = False

    def summary(self) -> str:
        """A few lines for the terminal."""
        lines = ["already prepared"] if self.already_prepared else []
        for split, count in self.splits.items():
            lines.append(
                f"{split}: {count['images']:,} images, {count['usable']:,} usable, "
                f"{count['people']:,} people, {count['ordered_pairs']:,} ordered pairs"
            )
        lines += [f"skipped, {reason}: {len(names):,}" for reason, names in self.skipped.items()]
        return "\n".join(lines)

    def markdown(self) -> str:
        """The report as a page; of a long list of names only the beginning is shown."""
        lines = [f"# Preparation of {self.source}", "", f"Pairs: {PAIR_RULE['words']}.", ""]
        lines += ["| split | images | usable | people | ordered pairs |", "|---|---|---|---|---|"]
        for split, count in self.splits.items():
            numbers = (f"{count[key]:,}" for key in ("images", "usable", "people", "ordered_pairs"))
            lines.append(f"| {split} | {' | '.join(numbers)} |")
        lines += ["", "## Skipped", ""]
        if not self.skipped:
            lines.append("Nothing.")
        for reason, names in self.skipped.items():
            shown = ", ".join(f"`{name}`" for name in names[:20])
            more = f" and {len(names) - 20:,} more (all in report.json)" if len(names) > 20 else ""
            lines.append(f"- {reason}: {len(names):,}: {shown}{more}")
        return "\n".join(lines) + "\n"


class Skipped:
    """Collects the files that are left out, by reason."""

    def __init__(self) -> None:
        self.by_reason: dict[str, list[str]] = {}

    def add(self, name: str, reason: str) -> None:
        """Leave out the file `name`."""
        # A file name that is not valid text would otherwise break the writing of the report.
        shown = name.encode("utf-8", "backslashreplace").decode("utf-8")
        self.by_reason.setdefault(reason, []).append(shown)


def usable(points: Points) -> bool:
    """Whether a picture with these keypoints [18, 2] takes part in pairs: its torso is complete."""
    return not bool(np.isnan(points[TORSO]).any())


def ordered_pairs(records: Iterable[Record], split: str) -> int:
    """How many (source, target) pairs the pair rule gives in a split, both orders counted."""
    images = Counter(record.person for record in records if record.split == split and usable(record.points))
    return sum(count * (count - 1) for count in images.values())


def _count(records: Sequence[Record], split: str) -> dict[str, int]:
    here = [record for record in records if record.split == split]
    with_torso = [record for record in here if usable(record.points)]
    return {
        "images": len(here),
        "usable": len(with_torso),
        "people": len({record.person for record in with_torso}),
        "ordered_pairs": ordered_pairs(here, split),
    }


class PreparedDataset:
    """A prepared data set, open for reading. Holds no open file: threads and forked workers may share it.

    Attributes:
        path: its folder.
        source: "market1501", "deepfashion" or "folder".
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
        self._damaged = f"{self.path} is damaged; remove it and run `pg2 prepare` again"
        try:
            self.source = str(self.manifest["source"])
            self.frame = (int(self.manifest["frame"]["height"]), int(self.manifest["frame"]["width"]))
            self._check_sizes()
            self._check_sha(_RECORDS)
            self.records, self.keypoints = _read_records(self.path / _RECORDS)
            with zipfile.ZipFile(self.path / _IMAGES) as archive:
                entries = {entry.filename: entry for entry in archive.infolist()}
            self._entries = [entries[_stored_name(record.name)] for record in self.records]
        except OSError as error:
            raise Pg2Error(f"cannot read {error.filename or self.path}: {error.strerror}") from error
        except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise Pg2Error(f"{self._damaged} ({error})") from error
        self._index = {spelling(record.name): index for index, record in enumerate(self.records)}

    def __len__(self) -> int:
        return len(self.records)

    def _check_sizes(self) -> None:
        for name in _PARTS:
            file, wanted = self.path / name, int(self.manifest["parts"][name]["size"])
            if not file.is_file():
                raise Pg2Error(f"{self._damaged}: {name} is missing")
            size = file.stat().st_size
            if size != wanted:
                raise Pg2Error(f"{self._damaged}: {name} has {size:,} bytes instead of {wanted:,}")

    def _check_sha(self, name: str) -> None:
        if _sha256(self.path / name) != self.manifest["parts"][name]["sha256"]:
            raise Pg2Error(f"{self._damaged}: the content of {name} is not what was written")

    def verify(self) -> None:
        """Read every byte and compare the checksums.

        Raises:
            Pg2Error: a part is not what was written.
        """
        for name in _PARTS:
            self._check_sha(name)

    def image(self, index: int) -> Image8:
        """Picture number `index` as uint8 RGB [H, W, 3]. Safe to call from several threads.

        Raises:
            Pg2Error: its bytes on disk are no longer what was written.
        """
        data = self.jpeg(index)
        with Image.open(io.BytesIO(data)) as picture:
            rgb = to_rgb(picture)
            height, width = self.frame
            if rgb.size != (width, height):
                rgb = rgb.resize((width, height), Image.Resampling.BOX)
            return np.asarray(rgb)

    def jpeg(self, index: int) -> bytes:
        """The JPEG file of picture number `index`, as stored.

        Raises:
            Pg2Error: its bytes on disk are no longer what was written.
        """
        entry = self._entries[index]
        try:
            # Opened anew each time: a shared position in the file would mix up threads and forked workers.
            with (self.path / _IMAGES).open("rb") as file:
                file.seek(entry.header_offset + 26)
                name_length, extra_length = struct.unpack("<HH", file.read(4))
                file.seek(name_length + extra_length, io.SEEK_CUR)
                data = file.read(entry.file_size)
        except (OSError, struct.error) as error:
            raise Pg2Error(f"cannot read {entry.filename} from {self.path / _IMAGES}: {error}") from error
        if zlib.crc32(data) != entry.CRC:
            raise Pg2Error(f"{self._damaged}: the picture {entry.filename} in {_IMAGES} fails its checksum")
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
        other.frame = frame
        poses = [Pose(points, self.frame).scale(factor).points for points in self.keypoints]
        other.keypoints = np.stack(poses)
        other.keypoints.setflags(write=False)
        other.records = tuple(
            replace(record, points=points)
            for record, points in zip(self.records, other.keypoints, strict=True)
        )
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
    if not (path / _MANIFEST).is_file():
        raise Pg2Error(f"{path} is not a prepared data set (it has no {_MANIFEST}); {_MAKE_ONE}")
    manifest = read_json(path / _MANIFEST, "the manifest of a prepared data set")
    if not isinstance(manifest, dict) or manifest.get("kind") != _KIND:
        raise Pg2Error(f"{path} is not a prepared data set: its {_MANIFEST} is something else; {_MAKE_ONE}")
    number = manifest.get("format")
    if not isinstance(number, int) or number < 1:
        raise Pg2Error(f"{path / _MANIFEST} has no valid format number; prepare the data set again")
    if number > FORMAT:
        raise Pg2Error(
            f"{path} was prepared by a newer pg2 (format {number}; this one reads up to {FORMAT}); "
            "upgrade pg2"
        )
    return manifest


def _read_records(path: Path) -> tuple[tuple[Record, ...], Points]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if not rows or rows[0] != _COLUMNS:
        raise ValueError(f"{path.name} has other columns")
    values = [[float(value) if value else np.nan for value in row[3:]] for row in rows[1:]]
    keypoints = np.array(values, dtype=np.float32).reshape(-1, COUNT, 2)
    keypoints.setflags(write=False)
    records = (
        Record(name, person, split, points)
        for (name, split, person, *_), points in zip(rows[1:], keypoints, strict=True)
    )
    return tuple(records), keypoints


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stored_name(name: str) -> str:
    # What is stored is a JPEG, even where it was cut from a picture of another format.
    return name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg"


def fingerprint(options: Mapping[str, Any], root: Path, files: Iterable[Path]) -> str:
    """A hash of everything a preparation depends on: its options, and name, size and time of each file."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    for file in files:
        state = file.stat()
        digest.update(ascii([file.relative_to(root).as_posix(), state.st_size, state.st_mtime_ns]).encode())
    return digest.hexdigest()


def keypoint_files(keypoints: str | Path | Sequence[str | Path]) -> list[Path] | None:
    """The keypoint files that someone chose; None when the keypoints are to be estimated ("auto").

    Raises:
        Pg2Error: none, or "auto" beside files.
    """
    given = [str(file) for file in ([keypoints] if isinstance(keypoints, str | Path) else keypoints)]
    if given == ["auto"]:
        return None
    if not given or "auto" in given:
        raise Pg2Error("--keypoints takes either auto or one or more keypoint files")
    return [Path(file) for file in given]


def contents(folder: Path) -> str:
    """What a folder holds, in a few words, for someone who gave the wrong one."""
    found = sorted(entry.name for entry in folder.iterdir())
    return (
        ", ".join(found[:5]) + (f" and {len(found) - 5:,} more" if len(found) > 5 else "")
        or "an empty folder"
    )


def existing_report(raw: Path, out: Path, inputs: str) -> Report | None:
    """Look at the place of a preparation before it starts.

    Args:
        raw: the folder that is prepared.
        out: where the data set shall be.
        inputs: the preparation's `fingerprint`.

    Returns:
        None when the place is free; the report of the data set there when it has the same inputs.

    Raises:
        Pg2Error: something else is there, or the place is inside `raw`.
    """
    if out.resolve().is_relative_to(raw.resolve()):
        raise Pg2Error(f"{out} lies inside {raw}, which is only read; choose a place outside it")
    strangers = [file.name for file in _partial(out).glob("*") if not _is_ours(file)]
    if strangers:
        raise Pg2Error(f"{_partial(out)} is needed to work in but holds {strangers[0]}; choose another place")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / _MANIFEST).is_file():
        raise Pg2Error(f"{out} already exists and is not a prepared data set; choose another place")
    if PreparedDataset(out).manifest.get("inputs") != inputs:
        raise Pg2Error(
            f"{out} already holds a data set from other files or options; choose another place or remove it"
        )
    report = read_json(out / "report.json", "the report of a preparation")
    return Report(**(report | {"already_prepared": True}))


# While a data set is in the making everything lies in OUT.partial: the journal, and the parts. What a
# killed run leaves there is taken up, and in the end removed, by the next.
_JOURNAL = "journal.jsonl"


def _partial(out: Path) -> Path:
    return out.with_name(f"{out.name}.partial")


def _is_ours(file: Path) -> bool:
    return file.name in (_JOURNAL, "dataset") or file.name.startswith(".dataset.")


class PoseJournal:
    """Estimates poses, and keeps each on disk as soon as it is there, so that a killed run loses none."""

    def __init__(self, out: Path, estimator: Estimator | None) -> None:
        """Take up what an earlier run for the same `out` left; None: the estimator that ships with pg2."""
        if estimator is None:
            from pg2.pose.estimator import PoseEstimator  # onnxruntime is slow to import and often not needed

            estimator = PoseEstimator().estimate
        self._estimator = estimator
        self._by = f"{getattr(estimator, '__qualname__', type(estimator).__qualname__)} {version('pg2')}"
        self._path = _partial(out) / _JOURNAL
        self._done: dict[tuple[Any, ...], Any] = {}
        text = self._path.read_text(encoding="utf-8", errors="replace") if self._path.exists() else ""
        for line in text.splitlines():
            # A line cut short by a kill is work to do again, no more.
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                self._done[tuple(entry["key"])] = entry["points"]
        self._separator = "\n" if text and not text.endswith("\n") else ""

    def pose(self, name: str, file: Path, image: Image8) -> Pose | None:
        """The pose on a photo, in its pixels; None when there is no person.

        Args:
            name: of the photo in the data set.
            file: where it was read from; its size and time tell whether it is still the same.
            image: uint8 [H, W, 3].
        """
        from pg2.pose.estimator import NoPersonError

        state = file.stat()
        key = (name, state.st_size, state.st_mtime_ns, self._by)
        if key not in self._done:
            try:
                points = self._estimator(image).points
                self._done[key] = [None if np.isnan(x) else [float(x), float(y)] for x, y in points]
            except NoPersonError:
                self._done[key] = None
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as journal:
                journal.write(self._separator + json.dumps({"key": key, "points": self._done[key]}) + "\n")
            self._separator = ""
        found = self._done[key]
        if found is None:
            return None
        filled = np.array([point or (np.nan, np.nan) for point in found], dtype=np.float32)
        return Pose(filled, (image.shape[0], image.shape[1]))


def tracked(items: Sequence[_T], what: str, progress: bool) -> Iterable[_T]:
    """Go through `items` under a progress bar on stderr; silent when stderr is not a terminal."""
    if not (progress and sys.stderr.isatty()):
        return items
    return track(items, what, console=Console(stderr=True))


def write_prepared(
    out: Path,
    pictures: Iterable[tuple[Record, bytes]],
    *,
    source: str,
    frame: tuple[int, int],
    keypoints: str,
    inputs: str,
    skipped: Skipped,
) -> Report:
    """Write a prepared data set; it appears under its name only when it is complete.

    Args:
        out: its folder; absent or empty.
        pictures: each record with its JPEG file of `frame`'s size; consumed one at a time.
        source: "market1501", "deepfashion" or "folder".
        frame: (height, width) of every picture.
        keypoints: in words, where the keypoints come from.
        inputs: the `fingerprint` of what it is made from.
        skipped: what `pictures` leaves out; read after `pictures` is exhausted.

    Raises:
        Pg2Error: no pair among the pictures, two pictures of one name, or the disk is full.
    """
    partial = _partial(out)
    try:
        with atomic_path(partial / "dataset") as new:
            new.mkdir()
            records = _write_images(new / _IMAGES, pictures)
            report = Report(
                source, {split: _count(records, split) for split in SPLITS}, dict(skipped.by_reason)
            )
            if not any(count["ordered_pairs"] for count in report.splits.values()):
                raise Pg2Error(
                    f"nothing to prepare for {out}: no person has two pictures with both shoulders and both "
                    f"hips; {'; '.join(report.summary().splitlines())}"
                )
            _write_records(new / _RECORDS, records)
            manifest = {
                "kind": _KIND,
                "format": FORMAT,
                "pg2": version("pg2"),
                "source": source,
                "frame": {"height": frame[0], "width": frame[1]},
                "keypoints": keypoints,
                "pair_rule": PAIR_RULE,
                "splits": report.splits,
                "parts": {
                    name: {"size": (new / name).stat().st_size, "sha256": _sha256(new / name)}
                    for name in _PARTS
                },
                "inputs": inputs,
            }
            write_json(new / _MANIFEST, manifest)
            written = asdict(report)
            del written["already_prepared"]
            write_json(new / "report.json", written)
            write_text(new / "report.md", report.markdown())
        try:
            # Unlike a replacement this fails when someone has put files there in the meantime.
            (partial / "dataset").rename(out)
        except OSError as error:
            raise Pg2Error(f"cannot put the data set at {out}: {error.strerror}") from error
        shutil.rmtree(partial, ignore_errors=True)
    finally:
        # Kept when it holds a journal.
        with contextlib.suppress(OSError):
            partial.rmdir()
    return report


def _write_images(path: Path, pictures: Iterable[tuple[Record, bytes]]) -> list[Record]:
    records: dict[str, Record] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for record, data in pictures:
            stored = _stored_name(record.name)
            if stored in records:
                raise Pg2Error(f"two pictures would be stored as {stored}; rename one of them")
            records[stored] = record
            # One fixed date: the same pictures give the same file, byte for byte.
            entry = zipfile.ZipInfo(stored, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return list(records.values())


def _write_records(path: Path, records: Iterable[Record]) -> None:
    def number(value: float) -> str:
        return "" if np.isnan(value) else f"{value:.3f}".rstrip("0").rstrip(".")

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for record in records:
            coordinates = map(number, record.points.ravel().tolist())
            writer.writerow([record.name, record.split, record.person, *coordinates])
