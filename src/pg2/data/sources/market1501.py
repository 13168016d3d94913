"""Market-1501 as its owners release it -> a prepared data set."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pg2.data.journal import Estimator, PoseJournal
from pg2.data.prepared import Record
from pg2.data.raw import as_jpeg, check_unspread, contents, fingerprint, keypoint_files
from pg2.data.writing import Report, Skipped, preparing, write_prepared
from pg2.errors import Pg2Error
from pg2.io.files import sha256
from pg2.io.pictures import load_image
from pg2.io.progress import tracked
from pg2.pose.formats import read_keypoints_csv
from pg2.pose.keypoints import Points

FRAME = (128, 64)
"""(height, width) of every picture of Market-1501."""

SPLIT_OF = {"bounding_box_train": "train", "bounding_box_test": "test", "query": "test"}
"""The owners' folders and the split that each belongs to; `query` may be absent."""

KEYPOINT_FILES = ("market-annotation-train.csv", "market-annotation-test.csv")
"""The published keypoints, looked for beside the owners' folders."""

# 0002_c1s1_000451_03.jpg: person 0002, camera 1, sequence 1, frame 451, box 03.
_NAME = re.compile(r"(?P<person>-1|\d{4})_c\ds\d_\d{6}_\d{2}\.jpg")
_JUNK = {"-1", "0000"}


def prepare_market1501(
    raw: str | Path,
    out: str | Path,
    keypoints: str | Path | Sequence[str | Path] | None = None,
    *,
    estimator: Estimator | None = None,
    progress: bool = True,
    ray: str | None = None,
) -> Report:
    """Prepare Market-1501 from the owners' layout.

    Pictures are stored as they are, byte for byte. Distractors and junk (ids -1 and 0000) are left out; a
    damaged picture, one of another size or one without keypoints is named in the report and skipped. Run
    again after an interruption it continues; when `out` is complete already it does nothing.

    Args:
        raw: the folder that holds bounding_box_train/, bounding_box_test/ and perhaps query/.
        out: the folder to make.
        keypoints: keypoint files in the published CSV format; "auto" estimates them from the pictures; None
            takes market-annotation-train.csv and market-annotation-test.csv in `raw`.
        estimator: for "auto", instead of the one that ships with pg2.
        progress: show a progress bar when stderr is a terminal.
        ray: find keypoints by the processes of this Ray cluster; see `pg2.io.cluster.connected`.

    Raises:
        Pg2Error: not that layout, unreadable keypoints, `out` is taken, nothing usable, the disk is full, no
            such cluster, or one for keypoints that are known.
    """
    raw, out = Path(raw), Path(out)
    _check_layout(raw)
    files = sorted(file for folder in SPLIT_OF for file in raw.glob(f"{folder}/*") if file.is_file())
    tables = _keypoint_files(raw, keypoints)
    annotations: dict[str, Points] | None = None
    if tables is None:
        words = "estimated by pg2"
    else:
        words, annotations = ", ".join(table.name for table in tables), {}
        for table in tables:
            annotations.update(read_keypoints_csv(table))
            check_unspread(ray, table)
    digests = [sha256(table) for table in tables or ()]
    inputs = fingerprint({"source": "market1501", "keypoints": digests}, raw, files)
    with preparing(raw, out, inputs) as report:
        if report is not None:
            return report
        journal = PoseJournal(out, estimator) if annotations is None else None
        if journal is not None and ray is not None:
            photos = {file.name: file for file in reversed(files) if _is_of_somebody(file.name)}
            sent = ((name, file, None) for name, file in photos.items())
            journal.foresee(sent, ray, len(photos), progress=progress)
        skipped = Skipped()
        for name in sorted(annotations.keys() - {file.name for file in files} if annotations else ()):
            skipped.add(name, "keypoints without a picture")
        pictures = _pictures(tracked(files, "Market-1501", progress), annotations, journal, skipped)
        return write_prepared(
            out, pictures, source="market1501", frame=FRAME, keypoints=words, inputs=inputs, skipped=skipped
        )


def _is_of_somebody(name: str) -> bool:
    match = _NAME.fullmatch(name)
    return match is not None and match["person"] not in _JUNK


def _pictures(
    files: Iterable[Path],
    annotations: Mapping[str, Points] | None,
    journal: PoseJournal | None,
    skipped: Skipped,
) -> Iterator[tuple[Record, bytes]]:
    taken: set[str] = set()
    for file in files:
        name, split = file.name, SPLIT_OF[file.parent.name]
        match = _NAME.fullmatch(name)
        if match is None:
            skipped.add(name, "not named like 0002_c1s1_000451_03.jpg")
            continue
        if match["person"] in _JUNK:
            skipped.add(name, "distractor or junk (id -1 or 0000)")
            continue
        if name in taken:
            skipped.add(name, "the same name in two folders")
            continue
        taken.add(name)
        try:
            image = load_image(file)
        except Pg2Error:
            skipped.add(name, "damaged or not a picture")
            continue
        if image.shape[:2] != FRAME:
            skipped.add(name, f"not {FRAME[0]}x{FRAME[1]} pixels")
            continue
        if journal is not None:
            pose = journal.pose(name, file, image)
            points = None if pose is None else pose.points
            reason = "no person found"
        else:
            assert annotations is not None
            points = annotations.get(name)
            reason = "no keypoints for it"
        if points is None:
            skipped.add(name, reason)
            continue
        yield Record(name, match["person"], split, points), as_jpeg(file, image)


def _check_layout(raw: Path) -> None:
    needed = ("bounding_box_train", "bounding_box_test")
    if all((raw / folder).is_dir() for folder in needed):
        return
    expected = f"{raw} is not Market-1501 as released: expected the folders {' and '.join(needed)} in it"
    if not raw.exists():
        raise Pg2Error(f"there is no folder {raw}; give the one that holds {' and '.join(needed)}")
    if not raw.is_dir():
        raise Pg2Error(f"{expected}, but it is a file; unpack it and give the folder")
    above = raw.resolve().parent
    if all((above / folder).is_dir() for folder in needed):
        raise Pg2Error(f"{expected}; give the folder above, {above}")
    for below in sorted(raw.iterdir()):
        if all((below / folder).is_dir() for folder in needed):
            raise Pg2Error(f"{expected}; give the folder below, {below}")
    missing = " and ".join(folder for folder in needed if not (raw / folder).is_dir())
    raise Pg2Error(f"{expected}; missing: {missing}; found: {contents(raw)}")


def _keypoint_files(raw: Path, keypoints: str | Path | Sequence[str | Path] | None) -> list[Path] | None:
    """The keypoint files to read; None when the keypoints are to be estimated."""
    if keypoints is None:
        files = [raw / name for name in KEYPOINT_FILES]
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            raise Pg2Error(
                f"{raw} lacks the published keypoints {' and '.join(missing)}; put them there, name them "
                "with --keypoints CSV, or take --keypoints auto"
            )
        return files
    return keypoint_files(keypoints)
