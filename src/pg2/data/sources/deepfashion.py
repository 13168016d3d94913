"""DeepFashion, In-shop Clothes Retrieval, as its owners release it -> a prepared data set."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pg2.data.journal import Estimator, PoseJournal
from pg2.data.prepared import Record
from pg2.data.raw import as_jpeg, check_unspread, contents, fingerprint, keypoint_files
from pg2.data.writing import Report, Skipped, preparing, write_prepared
from pg2.errors import Pg2Error
from pg2.io.files import read_text, sha256
from pg2.io.pictures import load_image, to_jpeg
from pg2.io.pixels import Image8
from pg2.io.progress import tracked
from pg2.pose.formats import read_keypoints_csv, spelling
from pg2.pose.keypoints import Points, Pose

FRAME = (256, 256)
"""(height, width) of the released pictures: 174 columns of photograph between two flat borders."""

CROPPED = (256, 176)
"""(height, width) without the borders, as most later papers have it."""

SPLIT_OF = {"train": "train", "query": "test", "gallery": "test"}
"""The statuses of the owners' list and the split that each belongs to."""

PICTURES = ("Img/img", "Img/img/img", "img", "img/img", "Img/img_highres", "img_highres")
"""Where the pictures may lie: the first of these that holds WOMEN or MEN is taken."""

LIST = "list_eval_partition.txt"
"""The owners' list, looked for in Eval, beside that folder, and beside the pictures."""

KEYPOINT_FILES = "fas*ion*annotation*.csv"
"""Pattern of the published keypoints, looked for beside Img and Eval."""

_NAME = re.compile(
    r"(?P<person>(?P<gender>(?:WO)?MEN)/(?P<category>\w+)/id_(?P<item>\d+)/(?P<colour>\d+))_(?P<view>\w+)\.jpg"
)
_EXAMPLE = "WOMEN/Dresses/id_00000002/02_1_front.jpg"
# Where the crop begins in the released picture: in the middle, 40 pixels from either side.
_MARGIN = (FRAME[1] - CROPPED[1]) // 2
_STATUSES = ", ".join(SPLIT_OF)
_COUNT = re.compile(r"[0-9]{1,9}")
_MOST_LISTED = 100_000_000  # bytes; the owners' list has 5 MB
_BORDER_NOISE = 12  # grey levels; that of JPEG in the released borders reaches 9


def prepare_deepfashion(
    raw: str | Path,
    out: str | Path,
    keypoints: str | Path | Sequence[str | Path] | None = None,
    *,
    crop: bool = False,
    estimator: Estimator | None = None,
    progress: bool = True,
    ray: str | None = None,
) -> Report:
    """Prepare DeepFashion's In-shop Clothes Retrieval from the owners' layout.

    Pictures of 256 x 256 are stored as they are, byte for byte; larger ones (img_highres) become what the
    owners made of them: scaled to 256 pixels of height, with flat borders at the sides. One person is one
    item in one colour, such as WOMEN/Dresses/id_00000002/02. Pictures are called as in the published lists,
    fashionWOMENDressesid0000000202_1front.jpg. One that is damaged, of another size, not in the owners' list
    or without keypoints is named in the report and skipped. Run again after an interruption it continues;
    when `out` is complete already it does nothing.

    Args:
        raw: the folder that holds Img (or what is in it) and Eval.
        out: the folder to make.
        keypoints: keypoint files in the published CSV format, in pixels of the 256 x 256 pictures or of their
            176 wide middle (which of the two shows in the numbers); "auto" estimates them from the pictures;
            None takes the fashion-annotation*.csv in `raw`.
        crop: cut the borders, so that pictures are 176 wide. Keypoints move along; those cut off are missing.
        estimator: for "auto", instead of the one that ships with pg2.
        progress: show a progress bar when stderr is a terminal.
        ray: find keypoints by the processes of this Ray cluster; see `pg2.io.cluster.connected`.

    Raises:
        Pg2Error: not that layout, unreadable list or keypoints, keypoints of other pictures, `out` is taken,
            nothing usable, or the disk is full; no such cluster, or one for keypoints that are known.
    """
    raw, out = Path(raw), Path(out)
    root, listing = _check_layout(raw)
    splits = _read_splits(listing)
    files = sorted(
        file for gender in ("MEN", "WOMEN") for file in (root / gender).rglob("*") if file.is_file()
    )
    names = {file.relative_to(root).as_posix(): file for file in files}
    skipped = Skipped()
    for name in sorted(splits.keys() - names.keys()):
        skipped.add(name, "in the list, but not there")
    tables = _keypoint_tables(raw, keypoints)
    for table in tables or ():
        check_unspread(ray, table)
    annotations = None if tables is None else _read_tables(tables, names, skipped)
    digests = [sha256(table) for table in tables or ()]
    options = {"source": "deepfashion", "crop": crop, "keypoints": digests}
    inputs = fingerprint(options, raw, [listing, *files])
    with preparing(raw, out, inputs) as report:
        if report is not None:
            return report
        poses = PoseJournal(out, estimator) if annotations is None else annotations
        if isinstance(poses, PoseJournal) and ray is not None:
            matches = {name: match for name in names if name in splits and (match := _NAME.fullmatch(name))}
            photos = ((_flat(match), names[name], None) for name, match in matches.items())
            poses.foresee(photos, ray, len(matches), _framed, progress)
        pictures = _pictures(
            tracked(list(names.items()), "DeepFashion", progress), splits, poses, crop, skipped
        )
        return write_prepared(
            out,
            pictures,
            source="deepfashion",
            frame=CROPPED if crop else FRAME,
            keypoints="estimated by pg2" if tables is None else ", ".join(table.name for table in tables),
            inputs=inputs,
            skipped=skipped,
        )


def _pictures(
    files: Iterable[tuple[str, Path]],
    splits: Mapping[str, str],
    poses: PoseJournal | Mapping[str, Points],
    crop: bool,
    skipped: Skipped,
) -> Iterator[tuple[Record, bytes]]:
    for path, file in files:
        match = _NAME.fullmatch(path)
        if match is None:
            skipped.add(path, f"not named like {_EXAMPLE}")
            continue
        flat = _flat(match)
        if path not in splits:
            skipped.add(path, f"not in {LIST}")
            continue
        try:
            released = load_image(file)
        except Pg2Error:
            skipped.add(path, "damaged or not a picture")
            continue
        image = _framed(released)
        if image is None:
            skipped.add(path, "not 256x256 pixels, nor an upright picture of more")
            continue
        if isinstance(poses, PoseJournal):
            pose, reason = poses.pose(flat, file, image), "no person found"
        else:
            points, reason = poses.get(spelling(flat)), "no keypoints for it"
            pose = None if points is None else Pose(points, FRAME)
        if pose is None or not pose.present.any():
            skipped.add(path, reason)
            continue
        if crop:
            left = _crop_from(image)
            image, pose = image[:, left : left + CROPPED[1]], pose.crop(left, 0, CROPPED[1], CROPPED[0])
        data = as_jpeg(file, image) if image is released else to_jpeg(image)
        yield Record(flat, match["person"], splits[path], pose.points), data


def _flat(match: re.Match[str]) -> str:
    """The name of a picture in the published lists.

    That is its path without slashes: the category keeps its underscores, the item has none, the picture's own
    name keeps the first.
    """
    view = match["view"].replace("_", "")
    return f"fashion{match['gender']}{match['category']}id{match['item']}{match['colour']}_{view}.jpg"


def _framed(image: Image8) -> Image8 | None:
    """A picture as the owners framed it: 256 pixels high, in the middle of a flat 256 x 256 border.

    None for a small picture and one that is wider than high.
    """
    height, width = image.shape[:2]
    if (height, width) == FRAME:
        return image
    if height < FRAME[0] or width > height:
        return None
    width = round(width * FRAME[0] / height)
    scaled = np.asarray(Image.fromarray(image).resize((width, FRAME[0]), Image.Resampling.LANCZOS))
    left = (FRAME[1] - width) // 2
    framed = np.empty((*FRAME, 3), np.uint8)
    framed[:] = np.median(scaled[:, [0, -1]], axis=(0, 1))
    framed[:, left : left + width] = scaled
    return framed


def _crop_from(image: Image8) -> int:
    """The column where the crop of a framed picture begins.

    Between borders alike that is the same for all, as in other people's crops; where one border is wider, it
    moves until the whole photograph is in it.
    """
    left, right = _border(image.swapaxes(0, 1)), FRAME[1] - _border(image.swapaxes(0, 1)[::-1])
    if right - left > CROPPED[1]:
        return (left + right - CROPPED[1]) // 2
    return max(min(_MARGIN, left), right - CROPPED[1])


def _border(columns: Image8) -> int:
    """How many of the first columns, uint8 [W, H, 3], are all of one flat colour."""
    flat = np.abs(columns - np.median(columns[0], axis=0)).max(axis=(1, 2)) <= _BORDER_NOISE
    return len(flat) if flat.all() else int(flat.argmin())


def _read_tables(tables: Sequence[Path], names: Iterable[str], skipped: Skipped) -> dict[str, Points]:
    """The keypoints of all files by `spelling` of the name, in pixels of the 256 x 256 pictures."""
    wanted = {spelling(_flat(match)) for match in map(_NAME.fullmatch, names) if match}
    poses: dict[str, Points] = {}
    for table in tables:
        points = _read_table(table)
        for name in points:
            if spelling(name) not in wanted:
                skipped.add(name, "keypoints without a picture")
        poses.update((spelling(name), points[name]) for name in points)
    if wanted.isdisjoint(poses):
        raise Pg2Error(
            f"no name in {', '.join(map(str, tables))} is that of a picture here; that of {_EXAMPLE} "
            "would be fashionWOMENDressesid0000000202_1front.jpg"
        )
    return poses


def _read_table(table: Path) -> dict[str, Points]:
    poses = read_keypoints_csv(table)
    if not poses:
        raise Pg2Error(f"{table} holds no keypoints")
    points = np.stack(list(poses.values()))
    points = points[~np.isnan(points[..., 0])]
    if points.max(initial=0) > FRAME[0]:
        raise Pg2Error(
            f"{table} has keypoints beyond {FRAME[0]}x{FRAME[1]} pixels; they must be those published for "
            "the pictures in Img/img"
        )
    x = points[:, 0]
    # The lists called fasion-resize are of the 176 wide middle of the pictures, and do not say so. Columns 0
    # to 39 are where arms are in that, and nothing but border in the whole picture.
    if len(x) and x.max() < CROPPED[1] and (x < _MARGIN).mean() > 0.01:
        return {name: pose + np.array((_MARGIN, 0), np.float32) for name, pose in poses.items()}
    return poses


def _read_splits(listing: Path) -> dict[str, str]:
    """Path below the folder of the pictures -> split.

    Raises:
        Pg2Error: not the owners' list, or not all of it.
    """
    lines = read_text(listing, "the owners' list", _MOST_LISTED).splitlines()
    if len(lines) < 2 or not _COUNT.fullmatch(lines[0].strip()) or lines[1].split()[:1] != ["image_name"]:
        raise Pg2Error(f"{listing} is not the owners' list: it begins with a count and a line of headings")
    splits: dict[str, str] = {}
    for number, line in enumerate(lines[2:], start=3):
        if not line.strip():
            continue
        words = line.split()
        if len(words) != 3 or words[2] not in SPLIT_OF:
            raise Pg2Error(f"{listing}, line {number}: expected img/{_EXAMPLE}, the item, and {_STATUSES}")
        splits[words[0].partition("/")[2]] = SPLIT_OF[words[2]]
    if len(splits) != int(lines[0]):
        raise Pg2Error(
            f"{listing} lists {len(splits):,} pictures instead of the {int(lines[0]):,} that its first line "
            "says; take it from the owners again"
        )
    return splits


def _find(folder: Path) -> tuple[Path | None, Path | None]:
    """The folder of the pictures and the owners' list, as far as `folder` has them."""
    roots = (folder / name for name in PICTURES)
    root = next((root for root in roots if (root / "WOMEN").is_dir() or (root / "MEN").is_dir()), None)
    places = [folder / "Eval", folder, *([root.parent, root] if root else [])]
    return root, next((place / LIST for place in places if (place / LIST).is_file()), None)


def _check_layout(raw: Path) -> tuple[Path, Path]:
    """The folder of the pictures and the owners' list."""
    expected = f"{raw} is not DeepFashion In-shop as released: expected Img/img and Eval/{LIST} in it"
    if not raw.exists():
        raise Pg2Error(f"there is no folder {raw}; give the one that holds Img and Eval")
    if not raw.is_dir():
        raise Pg2Error(f"{expected}, but it is a file; unpack it and give the folder")
    root, listing = _find(raw)
    if root is not None and listing is not None:
        return root, listing
    here = raw.resolve()
    for above in list(here.parents)[:5]:
        if all(_find(above)):
            raise Pg2Error(f"{expected}; give the folder above, {above}")
    for below in sorted(entry for entry in here.iterdir() if entry.is_dir()):
        if all(_find(below)):
            raise Pg2Error(f"{expected}; give the folder below, {below}")
    packed = sorted(file for pattern in ("*.zip", "*/*.zip") for file in raw.glob(pattern))
    if root is None and packed:
        raise Pg2Error(
            f"{raw} has no pictures yet; unpack {packed[0]} where it lies, with the password that the owners "
            "send on request"
        )
    missing = [f"Eval/{LIST}"] if listing is None else []
    if root is None:
        missing.insert(0, "Img/img/WOMEN")
    raise Pg2Error(f"{expected}; missing: {' and '.join(missing)}; found: {contents(raw)}")


def _keypoint_tables(raw: Path, keypoints: str | Path | Sequence[str | Path] | None) -> list[Path] | None:
    """The keypoint files to read; None when the keypoints are to be estimated."""
    if keypoints is not None:
        return keypoint_files(keypoints)
    tables = sorted(raw.glob(KEYPOINT_FILES))
    if not tables:
        raise Pg2Error(
            f"{raw} lacks published keypoints, fashion-annotation*.csv; put them there, name them with "
            "--keypoints CSV, or take --keypoints auto"
        )
    return tables
