"""Anyone's own photos, one folder a person -> a prepared data set."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pg2.data.journal import Estimator, PoseJournal
from pg2.data.prepared import SIDES, Record
from pg2.data.raw import check_frame, check_unspread, fingerprint, framed
from pg2.data.shares import check_share, split_of, warn_of_an_empty_split
from pg2.data.writing import Report, Skipped, preparing, write_prepared
from pg2.errors import Pg2Error
from pg2.io.files import read_json, sha256
from pg2.io.geometry_file import AGAIN, checked_geometry
from pg2.io.geometry_file import SUFFIX as GEOMETRY_SUFFIX
from pg2.io.picture_files import HEIF_SUFFIXES, SUFFIXES, TO_JPEG, Content
from pg2.io.pictures import MIN_SIDE, load_image
from pg2.io.progress import tracked
from pg2.io.remote import MOST_READ, RemoteFile, is_address, remote_files
from pg2.pose.formats import read_keypoints_csv
from pg2.pose.keypoints import Points, Pose

_File = Path | RemoteFile

KEYPOINT_FILE = "keypoints.csv"
"""Known keypoints, looked for beside the people's folders; `pg2 render` writes them there."""

_WANTED = "expected a folder for each person with that person's photos in it, RAW/person/photo.jpg"

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
        raw: the folder that holds a folder a person; or its address (see `pg2.io.remote`).
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
            no such address, or a store that cannot be read; no such cluster, or one for keypoints that are
            known.
    """
    out, listed = Path(out), _listed(raw)
    check_share(test_share)
    size, has_geometry = _rendered(listed) or (None, False)
    frame = frame or size or (128, 64)
    check_frame(frame)
    skipped = Skipped()
    photos = _photos(raw, listed, skipped)
    warn_of_an_empty_split({photo.person for photo in photos}, test_share)
    table = keypoints if keypoints is not None else listed.get(KEYPOINT_FILE) or "auto"
    options = {"source": "folder", "frame": list(frame), "test_share": test_share}
    with_geometry = has_geometry and size == frame
    if with_geometry:
        options["geometry"] = True
    known: dict[str, Points] | None = None
    if table != "auto":
        known = read_keypoints_csv(table)
        options["keypoints"] = sha256(table)
        check_unspread(ray, str(table))
    inputs = fingerprint(options, _root(raw, photos), [photo.file for photo in photos])
    with preparing(Path(raw), out, inputs) as report:
        if report is not None:
            return report
        poses = PoseJournal(out, estimator) if known is None else known
        if isinstance(poses, PoseJournal) and ray is not None:
            sent = ((photo.name, photo.file, photo.sent) for photo in photos)
            poses.foresee(sent, ray, len(photos), progress=progress)
        pictures = _pictures(tracked(photos, "Photos", progress), frame, test_share, poses, skipped)
        return write_prepared(
            out,
            pictures,
            source="folder",
            frame=frame,
            keypoints="estimated by pg2" if known is None else PurePosixPath(str(table)).name,
            inputs=inputs,
            skipped=skipped,
            geometry=_geometry_in(raw, listed) if with_geometry else None,
        )


@dataclass(frozen=True)
class _Photo:
    """A photo: its name in the data set, "person/photo.jpg", and its file."""

    name: str
    file: _File

    @property
    def person(self) -> str:
        return self.name.partition("/")[0]

    @property
    def sent(self) -> Callable[[], bytes] | None:
        """What fetches it from a store; None: it lies here."""
        return self.file.read if isinstance(self.file, RemoteFile) else None

    def content(self) -> Path | Content:
        """What to decode; of a store it is fetched.

        Raises:
            Pg2Error: the store does not give it.
        """
        return self.file.read() if isinstance(self.file, RemoteFile) else self.file


def _listed(raw: str | Path) -> dict[str, _File | None]:
    """What lies in the raw folder and in the folders of people, in order; None: a folder in one of these."""
    found: dict[str, _File | None] = {}
    if is_address(raw):
        for name, remote in remote_files(str(raw)).items():
            parts = name.split("/")
            found["/".join(parts[:2])] = remote if len(parts) <= 2 else None
    else:
        raw = Path(raw)
        if not raw.is_dir():
            raise Pg2Error(f"{raw} is {'a file' if raw.exists() else 'not there'}; {_WANTED}")
        for entry in raw.iterdir():
            if entry.name.startswith("."):
                continue
            files = entry.iterdir() if entry.is_dir() else [entry]
            found |= {file.relative_to(raw).as_posix(): None if file.is_dir() else file for file in files}
    seen = (name for name in found if not any(part.startswith(".") for part in name.split("/")))
    return {name: found[name] for name in sorted(seen, key=lambda name: name.split("/"))}


def _root(raw: str | Path, photos: Sequence[_Photo]) -> str | Path:
    """What is before the names of the photos."""
    first = photos[0]
    return str(first.file).removesuffix(first.name) if isinstance(first.file, RemoteFile) else Path(raw)


def _rendered(listed: Mapping[str, _File | None]) -> tuple[tuple[int, int], bool] | None:
    """(height, width) of what `pg2 render` made, and whether with geometry; None: it made nothing."""
    file = listed.get(_RENDERED)
    if file is None:
        return None
    try:
        options = read_json(file, "what people were rendered with")["options"]
        height, width = options["size"].split("x")
        size = int(height), int(width)
        if not all(side in SIDES for side in size):
            raise ValueError(f"a size of {height}x{width}")
        return size, bool(options.get("geometry", False))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Pg2Error(f"{file} was not written by `pg2 render`; give --size") from error


def _geometry_in(raw: str | Path, listed: Mapping[str, _File | None]) -> Callable[[Record, bytes], bytes]:
    """Reads the geometry beside a picture; it must be there, and of that picture."""

    def read(record: Record, picture: bytes) -> bytes:
        name = PurePosixPath(record.name).with_suffix(GEOMETRY_SUFFIX).as_posix()
        file = listed.get(name)
        if file is None:
            raise Pg2Error(f"cannot read the geometry {raw}/{name}: no such file; {AGAIN}")
        return checked_geometry(file, picture)

    return read


def _photos(raw: str | Path, listed: Mapping[str, _File | None], skipped: Skipped) -> list[_Photo]:
    """Every picture file RAW/person/file, in order; whatever lies elsewhere is noted as skipped."""
    photos: list[_Photo] = []
    loose, heif, too_large = 0, False, False
    for name, file in listed.items():
        suffix = PurePosixPath(name).suffix.lower()
        if "/" not in name:
            loose += suffix in SUFFIXES
            # What lies beside the pictures of a rendered set is no photo that someone might miss.
            if name not in _BESIDE:
                skipped.add(name, "not in the folder of a person")
        elif file is None:
            skipped.add(name, "a folder inside the folder of a person")
        elif name.endswith(GEOMETRY_SUFFIX):
            continue
        elif suffix in HEIF_SUFFIXES:
            heif = True
            skipped.add(name, f"a HEIC or AVIF photo, which pg2 does not read; {TO_JPEG}")
        elif suffix not in SUFFIXES:
            skipped.add(name, "not a picture by its file name")
        elif isinstance(file, RemoteFile) and file.size > MOST_READ:
            too_large = True
            skipped.add(name, f"larger than {MOST_READ / 1e6:g} MB")
        elif not _is_text(name):
            skipped.add(name, "a file name that is not valid text")
        else:
            photos.append(_Photo(name, file))
    if not photos:
        found = f"{loose:,} photos outside such folders" if loose else "no photo"
        if too_large:
            found = f"photos larger than {MOST_READ / 1e6:g} MB only"
        if heif:
            found = f"HEIC or AVIF photos only, which pg2 does not read ({TO_JPEG})"
        raise Pg2Error(f"{raw} has {found}; {_WANTED}")
    return photos


def _is_text(name: str) -> bool:
    """Whether a file name can be written as UTF-8 (a name of other bytes cannot)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pictures(
    photos: Iterable[_Photo],
    frame: tuple[int, int],
    test_share: float,
    poses: PoseJournal | Mapping[str, Points],
    skipped: Skipped,
) -> Iterator[tuple[Record, bytes]]:
    for photo in photos:
        name, content = photo.name, photo.content()
        try:
            image = load_image(content)
        except Pg2Error:
            skipped.add(
                name, f"damaged, not a picture, or of an unusable size (under {MIN_SIDE} pixels, or huge)"
            )
            continue
        if isinstance(poses, PoseJournal):
            pose, reason = poses.pose(name, photo.file, image), "no person found"
        else:
            size, reason = (image.shape[0], image.shape[1]), "no keypoints for it"
            pose = Pose(poses[name], size) if name in poses else None
        if pose is None or not pose.present.any():
            skipped.add(name, reason)
            continue
        pose, picture = framed(content, image, pose, frame)
        yield Record(name, photo.person, split_of(photo.person, test_share), pose.points), picture
