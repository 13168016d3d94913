"""What a source does with the raw folder it is given, before it prepares anything."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pg2.data.prepared import SIDES
from pg2.errors import Pg2Error
from pg2.io.picture_files import open_picture
from pg2.io.pictures import to_jpeg
from pg2.io.pixels import Image8
from pg2.io.remote import RemoteFile
from pg2.pose.framing import Framing
from pg2.pose.keypoints import Pose


def fingerprint(options: Mapping[str, Any], root: str | Path, files: Iterable[Path | RemoteFile]) -> str:
    """A hash of everything a preparation depends on: its options, and name, size and time of each file.

    Args:
        options: what can be written as JSON.
        root: the folder that names begin below; of files of a store its address.
        files: all that is read.
    """
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


def check_unspread(ray: str | None, keypoints: str | Path) -> None:
    """Refuse a Ray cluster where there is nothing to do for it.

    Raises:
        Pg2Error: the keypoints are in a file.
    """
    if ray is not None:
        raise Pg2Error(f"--ray is for keypoints that are to be found, and {keypoints} has them; leave it out")


def contents(folder: Path) -> str:
    """What a folder holds, in a few words, for someone who gave the wrong one."""
    found = sorted(entry.name for entry in folder.iterdir())
    return (
        ", ".join(found[:5]) + (f" and {len(found) - 5:,} more" if len(found) > 5 else "")
        or "an empty folder"
    )


def check_frame(frame: tuple[int, int]) -> None:
    """Refuse a (height, width) that shows nobody.

    Raises:
        Pg2Error: a side is not among `SIDES`.
    """
    if not set(frame) <= set(SIDES):
        raise Pg2Error(
            f"a frame of {frame[0]}x{frame[1]} is not possible; a side has {SIDES[0]} to {SIDES[-1]} pixels"
        )


def framed(file: Path | bytes, image: Image8, pose: Pose, frame: tuple[int, int]) -> tuple[Pose, bytes]:
    """A photo cut to the frame around its person, as a JPEG file; one of the frame's size stays as it is.

    Args:
        file: the photo, or the content of its file.
        image: the same, decoded: upright uint8 RGB [H, W, 3].
        pose: in its pixels.
        frame: (height, width).

    Returns:
        The pose in pixels of the frame, and the JPEG file.
    """
    if image.shape[:2] == frame:
        return pose, as_jpeg(file, image)
    framing = Framing.around(pose, (image.shape[0], image.shape[1]), frame)
    return framing.pose(pose), to_jpeg(framing.image(image))


def as_jpeg(file: Path | bytes, image: Image8) -> bytes:
    """A picture as a JPEG file: `file` as it is, or where that is another format, turned or tagged, `image`.

    Args:
        file: the picture, or the content of its file.
        image: the same, decoded: upright uint8 RGB [H, W, 3].
    """
    with open_picture(file) as picture:
        plain = picture.format == "JPEG" and picture.mode == "RGB" and not picture.getexif()
    if not plain:
        return to_jpeg(image)
    return file.read_bytes() if isinstance(file, Path) else file
