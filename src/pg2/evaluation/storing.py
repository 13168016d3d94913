"""Keeping the pictures of an evaluation: what `pg2.evaluation.stored` reads."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from PIL import Image
from torch import Tensor

from pg2.errors import Pg2Error
from pg2.io.background import in_background
from pg2.io.files import atomic_path, read_json, write_json, write_text
from pg2.io.pixels import Image8
from pg2.pose.formats import format_keypoints_csv
from pg2.pose.keypoints import Points

_ABOUT, _KEYPOINTS, _KIND = "store.json", "keypoints.csv", "pg2 stored pictures"

Keep = Callable[[int, Mapping[str, Tensor]], None]
"""Takes the number of the first pair of a batch, and its pictures: name of a folder -> uint8 [B, C, H, W] of
one or three channels."""


def check_store(folder: Path) -> None:
    """Refuse a place for pictures that holds anything but those of an earlier evaluation.

    Raises:
        Pg2Error: it does.
    """
    if not folder.exists():
        return
    about = read_json(folder / _ABOUT, "what is stored") if (folder / _ABOUT).is_file() else None
    if not isinstance(about, dict) or about.get("kind") != _KIND or not isinstance(about.get("holds"), list):
        raise Pg2Error(
            f"{folder} exists and was not made by `pg2 evaluate --store`; give a new folder to --store"
        )
    strangers = sorted(
        inside.name for inside in folder.iterdir() if inside.name not in (_ABOUT, *about["holds"])
    )
    if strangers:
        raise Pg2Error(f"{folder} holds {strangers[0]}, which is not ours; give a new folder to --store")


@contextlib.contextmanager
def storing(folder: Path | None, poses: Points) -> Iterator[Keep]:
    """Yield what keeps the pictures of a batch; on leaving without an error, `folder` holds all of them.

    Pictures are written in the background, numbered as the pairs.

    Args:
        folder: to be made, or of an earlier evaluation, which is replaced; None: nothing is kept.
        poses: of the targets, [n, 18, 2], for its keypoints.csv.

    Raises:
        Pg2Error: `folder` holds something else, the disk is full or the place cannot be written to;
            `folder` is as it was then.
    """
    if folder is None:
        yield lambda start, pictures: None
        return
    check_store(folder)
    with atomic_path(folder) as new, in_background() as later:

        def keep(start: int, pictures: Mapping[str, Tensor]) -> None:
            for name, images in pictures.items():
                (new / name).mkdir(parents=True, exist_ok=True)
                for number, image in enumerate(images.permute(0, 2, 3, 1).cpu().numpy(), start):
                    later(_save, image.squeeze(), new / name / _name(number))

        yield keep
        write_text(
            new / _KEYPOINTS,
            format_keypoints_csv((_name(number), pose) for number, pose in enumerate(poses)),
        )
        holds = sorted(inside.name for inside in new.iterdir())
        write_json(new / _ABOUT, {"kind": _KIND, "pg2": version("pg2"), "holds": holds})


def _name(number: int) -> str:
    return f"{number:06d}.png"


def _save(picture: Image8, path: Path) -> None:
    Image.fromarray(picture).save(path)
