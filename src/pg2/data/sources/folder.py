"""Anyone's own photos, one folder a person -> a prepared data set."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from pg2.data.journal import Estimator, PoseJournal
from pg2.data.prepared import SIDES, Record
from pg2.data.raw import check_frame, check_unspread, fingerprint, framed
from pg2.data.shares import check_share, split_of, warn_of_an_empty_split
from pg2.data.writing import Report, Skipped, preparing, write_prepared
from pg2.errors import Pg2Error
from pg2.io.files import read_json, sha256
from pg2.io.geometry_file import SUFFIX as GEOMETRY_SUFFIX
from pg2.io.geometry_file import read_geometry
from pg2.io.picture_files import HEIF_SUFFIXES, SUFFIXES, TO_JPEG
from pg2.io.pictures import MIN_SIDE, load_image
from pg2.io.progress import tracked
from pg2.pose.formats import read_keypoints_csv
from pg2.pose.keypoints import Points, Pose

KEYPOINT_FILE = "keypoints.csv"
"""Known keypoints, looked for beside the people's folders; `pg2 render` writes them there."""

_RENDERED = "render.json"
_BESIDE = {KEYPOINT_FILE, _RENDERED, "people.json", "LICENSE.txt"}


def prepare_folder(
    raw: str | Path,
    out: str | Path,
    frame: tuple[int, int] | None = None,
    keypoints: str | Path | None = None,
    *,
    test_share: float = 0.0,
    estimator: Estimator | None = None,
    progress: bool = True,
    ray: str | None = None,
) -> Report:
    """Prepare a folder of photos, RAW/person/photo.jpg, such as one that `pg2 render` made.

    A photo that has the size of `frame` is taken as it is; any other is cut to it around its person. It is
    stored as a JPEG; its name in the data set is "person/photo.jpg". A photo that is damaged, tiny or shows
    nobody is named in the report and skipped. Run again after an interruption it continues; when `out` is
    complete already it does nothing.

    Args:
        raw: the folder that holds a folder a person.
        out: the folder to make.
        frame: (height, width) to cut to; None: the size of people made by `pg2 render`, else (128, 64).
        keypoints: a file in the published CSV format, names as in the data set; "auto" estimates them, for
            the largest person of each photo; None takes RAW/keypoints.csv where there is one, else "auto".
        test_share: share of the people, 0 to 1, that make the test split. Who they are depends on nothing but
            their names, so it stays when photos or people are added.
        estimator: instead of the one that ships with pg2.
        progress: show a progress bar when stderr is a terminal.
        ray: find keypoints by the processes of this Ray cluster; see `pg2.io.cluster.connected`.

    Raises:
        Pg2Error: not that layout, a setting out of range, `out` is taken, nothing usable, the disk is full,
            no such cluster, or one for keypoints that are known.
    """
    raw, out = Path(raw), Path(out)
    check_share(test_share)
    if frame is None:
        frame = _rendered_size(raw) or (128, 64)
    check_frame(frame)
    skipped = Skipped()
    files = _photos(raw, skipped)
    warn_of_an_empty_split({file.parent.name for file in files}, test_share)
    if keypoints is None:
        keypoints = raw / KEYPOINT_FILE if (raw / KEYPOINT_FILE).is_file() else "auto"
    options = {"source": "folder", "frame": list(frame), "test_share": test_share}
    with_geometry = _has_geometry(raw, frame)
    if with_geometry:
        options["geometry"] = True
    known: dict[str, Points] | None = None
    if keypoints != "auto":
        known = read_keypoints_csv(keypoints)
        options["keypoints"] = sha256(keypoints)
        check_unspread(ray, keypoints)
    inputs = fingerprint(options, raw, files)
    with preparing(raw, out, inputs) as report:
        if report is not None:
            return report
        poses = PoseJournal(out, estimator) if known is None else known
        if isinstance(poses, PoseJournal) and ray is not None:
            photos = ((f"{file.parent.name}/{file.name}", file, None) for file in files)
            poses.foresee(photos, ray, len(files), progress=progress)
        pictures = _pictures(tracked(files, "Photos", progress), frame, test_share, poses, skipped)
        return write_prepared(
            out,
            pictures,
            source="folder",
            frame=frame,
            keypoints="estimated by pg2" if known is None else Path(keypoints).name,
            inputs=inputs,
            skipped=skipped,
            geometry=_geometry_in(raw) if with_geometry else None,
        )


def _has_geometry(raw: Path, frame: tuple[int, int]) -> bool:
    """Whether these people were rendered with their geometry, and are taken as they are."""
    if _rendered_size(raw) != frame:
        return False
    options = read_json(raw / _RENDERED, "what people were rendered with")["options"]
    return bool(options.get("geometry", False))


def _geometry_in(raw: Path) -> Callable[[Record, bytes], bytes]:
    """Reads the geometry beside a picture; it must be there, and of that picture."""

    def read(record: Record, picture: bytes) -> bytes:
        path = (raw / record.name).with_suffix(GEOMETRY_SUFFIX)
        read_geometry(path, picture)
        return path.read_bytes()

    return read


def _rendered_size(raw: Path) -> tuple[int, int] | None:
    """(height, width) of the pictures that `pg2 render` made; None for any other folder."""
    if not (raw / _RENDERED).is_file():
        return None
    try:
        height, width = read_json(raw / _RENDERED, "what people were rendered with")["options"]["size"].split(
            "x"
        )
        size = int(height), int(width)
        if not all(side in SIDES for side in size):
            raise ValueError(f"a size of {height}x{width}")
        return size
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Pg2Error(f"{raw / _RENDERED} was not written by `pg2 render`; give --size") from error


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
            # What lies beside the pictures of a rendered set is no photo that someone might miss.
            if entry.name in _BESIDE:
                continue
            skipped.add(entry.name, "not in the folder of a person")
            continue
        for file in sorted(entry.iterdir()):
            name = f"{entry.name}/{file.name}"
            if file.name.startswith(".") or file.name.endswith(GEOMETRY_SUFFIX):
                continue
            if file.is_dir():
                skipped.add(name, "a folder inside the folder of a person")
            elif file.suffix.lower() in HEIF_SUFFIXES:
                skipped.add(name, f"a HEIC or AVIF photo, which pg2 does not read; {TO_JPEG}")
            elif file.suffix.lower() not in SUFFIXES:
                skipped.add(name, "not a picture by its file name")
            elif not _is_text(name):
                skipped.add(name, "a file name that is not valid text")
            else:
                files.append(file)
    if not files:
        loose = [file for file in raw.iterdir() if file.suffix.lower() in SUFFIXES]
        found = f"{len(loose):,} photos outside such folders" if loose else "no photo"
        if any(file.suffix.lower() in HEIF_SUFFIXES for file in raw.glob("*/*")):
            found = f"HEIC or AVIF photos only, which pg2 does not read ({TO_JPEG})"
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
    files: Iterable[Path],
    frame: tuple[int, int],
    test_share: float,
    poses: PoseJournal | Mapping[str, Points],
    skipped: Skipped,
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
        if isinstance(poses, PoseJournal):
            pose, reason = poses.pose(name, file, image), "no person found"
        else:
            size, reason = (image.shape[0], image.shape[1]), "no keypoints for it"
            pose = Pose(poses[name], size) if name in poses else None
        if pose is None or not pose.present.any():
            skipped.add(name, reason)
            continue
        pose, picture = framed(file, image, pose, frame)
        yield Record(name, person, split_of(person, test_share), pose.points), picture
