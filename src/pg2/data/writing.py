"""Writing a prepared data set: whole or not at all, with a report of what was taken and what was not."""

import contextlib
import csv
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pg2.data.journal import JOURNAL, partial_folder
from pg2.data.prepared import (
    COLUMNS,
    FORMAT,
    GEOMETRY,
    IMAGES,
    KIND,
    MANIFEST,
    PAIR_RULE,
    PARTS,
    RECORDS,
    SPLITS,
    PreparedDataset,
    Record,
    ordered_pairs,
    stored_name,
    usable,
)
from pg2.errors import Pg2Error
from pg2.io.files import atomic_path, is_unfinished, read_json, sha256, write_json, write_text
from pg2.io.geometry_file import SUFFIX as GEOMETRY_SUFFIX
from pg2.io.outputs import exclusive
from pg2.io.picture_files import open_picture
from pg2.io.pictures import orientation
from pg2.reports.tables import markdown_table

_MOST_REPORT = 100_000_000  # bytes; it names every file that was skipped


@dataclass
class Report:
    """What a preparation took and what it skipped.

    Attributes:
        source: which preparation made it, such as "market1501".
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
        lines += markdown_table(
            ["split", "images", "usable", "people", "ordered pairs"],
            [
                [split, *(f"{count[key]:,}" for key in ("images", "usable", "people", "ordered_pairs"))]
                for split, count in self.splits.items()
            ],
        )
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


def _count(records: Sequence[Record], split: str) -> dict[str, int]:
    here = [record for record in records if record.split == split]
    with_torso = [record for record in here if usable(record.points)]
    return {
        "images": len(here),
        "usable": len(with_torso),
        "people": len({record.person for record in with_torso}),
        "ordered_pairs": ordered_pairs(here, split),
    }


@contextlib.contextmanager
def preparing(raw: Path, out: Path, inputs: str) -> Iterator[Report | None]:
    """Be alone at the place of a preparation, and look at it before it starts.

    Args:
        raw: the folder that is prepared.
        out: where the data set shall be.
        inputs: the preparation's `fingerprint`.

    Yields:
        None when the place is free; the report of the data set there when it has the same inputs.

    Raises:
        Pg2Error: something else is there, the place is inside `raw`, or another preparation is at work on it.
    """
    if out.resolve().is_relative_to(raw.resolve()):
        raise Pg2Error(f"{out} lies inside {raw}, which is only read; choose a place outside it")
    with exclusive(out):
        partial = partial_folder(out)
        left = list(partial.glob("*"))
        strangers = [file.name for file in left if not _is_ours(file)]
        if strangers:
            raise Pg2Error(f"{partial} is needed to work in but holds {strangers[0]}; choose another place")
        done = _report_of(out, inputs)
        for file in left:
            # A killed preparation's poses are taken up; its pictures are made anew.
            if file.is_dir():
                shutil.rmtree(file, ignore_errors=True)
            elif done is not None:
                file.unlink()
        _remove_empty(partial)
        yield done


def _report_of(out: Path, inputs: str) -> Report | None:
    """The report of the data set at `out`, where it is one of the same inputs; None: `out` is free."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / MANIFEST).is_file():
        raise Pg2Error(f"{out} already exists and is not a prepared data set; choose another place")
    if PreparedDataset(out).manifest.get("inputs") != inputs:
        raise Pg2Error(
            f"{out} already holds a data set from other files or options; choose another place or remove it"
        )
    report = read_json(out / "report.json", "the report of a preparation", _MOST_REPORT)
    try:
        return Report(**(report | {"already_prepared": True}))
    except TypeError as error:
        raise Pg2Error(f"{out / 'report.json'} is not the report of a preparation; prepare again") from error


def _is_ours(file: Path) -> bool:
    return file.name in (JOURNAL, "dataset") or is_unfinished(file)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def write_prepared(
    out: Path,
    pictures: Iterable[tuple[Record, bytes]],
    *,
    source: str,
    frame: tuple[int, int],
    keypoints: str,
    inputs: str,
    skipped: Skipped,
    geometry: Callable[[Record, bytes], bytes] | None = None,
) -> Report:
    """Write a prepared data set, `preparing` it; it appears under its name only when it is complete.

    Args:
        out: its folder; absent or empty.
        pictures: each record with its JPEG file of `frame`'s size; consumed one at a time.
        source: which preparation made it, such as "market1501".
        frame: (height, width) of every picture.
        keypoints: in words, where the keypoints come from.
        inputs: the `fingerprint` of what it is made from.
        skipped: what `pictures` leaves out; read after `pictures` is exhausted.
        geometry: gives the file of each picture's geometry (see `pg2.io.geometry_file`), if there are any.

    Raises:
        Pg2Error: no pair among the pictures, two pictures of one name, or the disk is full.
        ValueError: a record of another split, or a picture of another size.
    """
    partial = partial_folder(out)
    try:
        with atomic_path(partial / "dataset") as new:
            new.mkdir()
            records = _write_images(new, pictures, frame, geometry)
            report = Report(
                source, {split: _count(records, split) for split in SPLITS}, dict(skipped.by_reason)
            )
            if not any(count["ordered_pairs"] for count in report.splits.values()):
                raise Pg2Error(
                    f"nothing to prepare for {out}: no person has two pictures with both shoulders and both "
                    f"hips; {'; '.join(report.summary().splitlines())}"
                )
            _write_records(new / RECORDS, records)
            manifest = {
                "kind": KIND,
                "format": FORMAT,
                "pg2": version("pg2"),
                "source": source,
                "frame": {"height": frame[0], "width": frame[1]},
                "keypoints": keypoints,
                "pair_rule": PAIR_RULE,
                "splits": report.splits,
                "parts": {
                    name: {"size": (new / name).stat().st_size, "sha256": sha256(new / name)}
                    for name in (*PARTS, *([] if geometry is None else [GEOMETRY]))
                },
                "inputs": inputs,
            }
            write_json(new / MANIFEST, manifest)
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
        _remove_empty(partial)
    return report


def _write_images(
    folder: Path,
    pictures: Iterable[tuple[Record, bytes]],
    frame: tuple[int, int],
    geometry: Callable[[Record, bytes], bytes] | None,
) -> list[Record]:
    records: dict[str, Record] = {}
    with contextlib.ExitStack() as stack:
        images = stack.enter_context(zipfile.ZipFile(folder / IMAGES, "w", zipfile.ZIP_STORED))
        if geometry is not None:
            places = stack.enter_context(zipfile.ZipFile(folder / GEOMETRY, "w", zipfile.ZIP_STORED))
        for record, data in pictures:
            _check(record, data, frame)
            stored = stored_name(record.name)
            if stored in records:
                raise Pg2Error(f"two pictures would be stored as {stored}; rename one of them")
            records[stored] = record
            _add(images, stored, data)
            if geometry is not None:
                _add(places, stored + GEOMETRY_SUFFIX, geometry(record, data))
    return list(records.values())


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    # One fixed date: the same pictures give the same file, byte for byte.
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


def _check(record: Record, data: bytes, frame: tuple[int, int]) -> None:
    """Catch what would show nowhere later: such a picture would be left out, or squeezed."""
    if record.split not in SPLITS:
        raise ValueError(f'{record.name} is of the split "{record.split}"; there are {" and ".join(SPLITS)}')
    with open_picture(data, record.name) as picture:
        # Reading turns a picture as its EXIF orientation says.
        size = picture.size if orientation(picture) > 4 else picture.size[::-1]
    if size != frame:
        raise ValueError(f"{record.name} is {size[0]}x{size[1]} instead of {frame[0]}x{frame[1]}")


def _write_records(path: Path, records: Iterable[Record]) -> None:
    def number(value: float) -> str:
        return "" if np.isnan(value) else f"{value:.3f}".rstrip("0").rstrip(".")

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for record in records:
            coordinates = map(number, record.points.ravel().tolist())
            writer.writerow([record.name, record.split, record.person, *coordinates])
