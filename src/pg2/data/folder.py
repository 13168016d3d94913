"""Anyone's own photos, one folder a person -> a prepared data set."""

import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from pg2.data.prepared import (
    Estimator,
    PoseJournal,
    Record,
    Report,
    Skipped,
    existing_report,
    fingerprint,
    tracked,
    write_prepared,
)
from pg2.errors import Pg2Error
from pg2.images import MIN_SIDE, SUFFIXES, Image8, load_image
from pg2.pose.framing import Framing


def prepare_folder(
    raw: str | Path,
    out: str | Path,
    frame: tuple[int, int] = (128, 64),
    *,
    test_share: float = 0.0,
    estimator: Estimator | None = None,
    progress: bool = True,
) -> Report:
    """Prepare a folder of photos, RAW/person/photo.jpg; keypoints are estimated.

    Each photo is cut to `frame` around its largest person and stored as a JPEG; its name in the data set is
    "person/photo.jpg". A photo that is damaged, tiny or shows nobody is named in the report and skipped. Run
    again after an interruption it continues; when `out` is complete already it does nothing.

    Args:
        raw: the folder that holds a folder a person.
        out: the folder to make.
        frame: (height, width) to cut to.
        test_share: share of the people, 0 to 1, that make the test split. Who they are depends on nothing but
            their names, so it stays when photos or people are added.
        estimator: instead of the one that ships with pg2.
        progress: show a progress bar when stderr is a terminal.

    Raises:
        Pg2Error: not that layout, a setting out of range, `out` is taken, nothing usable, or the
            disk is full.
    """
    raw, out = Path(raw), Path(out)
    if not 0.0 <= test_share <= 1.0:
        raise Pg2Error(f"the share of people for testing must be between 0 and 1, not {test_share}")
    if min(frame) < MIN_SIDE:
        raise Pg2Error(
            f"a frame of {frame[0]} x {frame[1]} is too small; {MIN_SIDE} pixels a side are needed"
        )
    skipped = Skipped()
    files = _photos(raw, skipped)
    options = {"source": "folder", "frame": list(frame), "test_share": test_share}
    inputs = fingerprint(options, raw, files)
    report = existing_report(raw, out, inputs)
    if report is not None:
        return report
    journal = PoseJournal(out, estimator)
    pictures = _pictures(tracked(files, "Photos", progress), frame, test_share, journal, skipped)
    return write_prepared(
        out,
        pictures,
        source="folder",
        frame=frame,
        keypoints="estimated by pg2",
        inputs=inputs,
        skipped=skipped,
    )


def _photos(raw: Path, skipped: Skipped) -> list[Path]:
    """Every picture file RAW/person/file, in order; whatever lies elsewhere is noted as skipped."""
    wanted = "expected a folder for each person with that person's photos in it, RAW/person/photo.jpg"
    if not raw.is_dir():
        raise Pg2Error(f"{raw} is {'a file' if raw.exists() else 'not there'}; {wanted}")
    files: list[Path] = []
    for entry in sorted(raw.iterdir()):
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            skipped.add(entry.name, "not in the folder of a person")
            continue
        for file in sorted(entry.iterdir()):
            name = f"{entry.name}/{file.name}"
            if file.name.startswith("."):
                continue
            if file.is_dir():
                skipped.add(name, "a folder inside the folder of a person")
            elif file.suffix.lower() not in SUFFIXES:
                skipped.add(name, "not a picture by its file name")
            elif not _is_text(name):
                skipped.add(name, "a file name that is not valid text")
            else:
                files.append(file)
    if not files:
        loose = [file for file in raw.iterdir() if file.suffix.lower() in SUFFIXES]
        found = f"{len(loose):,} photos outside such folders" if loose else "no photo"
        raise Pg2Error(f"{raw} has {found}; {wanted}")
    return files


def _is_text(name: str) -> bool:
    """Whether a file name can be written as UTF-8 (a name of other bytes cannot)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pictures(
    files: Iterable[Path], frame: tuple[int, int], test_share: float, journal: PoseJournal, skipped: Skipped
) -> Iterator[tuple[Record, bytes]]:
    for file in files:
        person = file.parent.name
        name = f"{person}/{file.name}"
        try:
            image = load_image(file)
        except Pg2Error:
            skipped.add(
                name, f"damaged, not a picture, or of an unusable size (under {MIN_SIDE} pixels, or huge)"
            )
            continue
        pose = journal.pose(name, file, image)
        if pose is None or not pose.present.any():
            skipped.add(name, "no person found")
            continue
        framing = Framing.around(pose, pose.size, frame)
        record = Record(name, person, _split(person, test_share), framing.pose(pose).points)
        yield record, _jpeg(framing.image(image))


def _split(person: str, test_share: float) -> str:
    # Every name has a fixed place between 0 and 1.
    place = int.from_bytes(hashlib.sha256(person.encode()).digest()[:4]) / 2**32
    return "test" if place < test_share else "train"


def _jpeg(image: Image8) -> bytes:
    buffer = io.BytesIO()
    # Full colour resolution: halved, it would blur clothes at these small sizes.
    Image.fromarray(image).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()
