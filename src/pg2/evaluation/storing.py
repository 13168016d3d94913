"""Keeping the pictures of an evaluation: what `pg2.evaluation.stored` reads."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from PIL import Image
from torch import Tensor

from pg2.io.background import in_background
from pg2.io.files import atomic_path, write_text
from pg2.io.pixels import Image8
from pg2.pose.formats import format_keypoints_csv
from pg2.pose.keypoints import Points

Keep = Callable[[int, Mapping[str, Tensor]], None]
"""Takes the number of the first pair of a batch, and its pictures: name of a folder -> uint8 [B, C, H, W] of
one or three channels."""


@contextlib.contextmanager
def storing(folder: Path | None, poses: Points) -> Iterator[Keep]:
    """Yield what keeps the pictures of a batch; on leaving without an error, `folder` holds all of them.

    Pictures are written in the background, numbered as the pairs.

    Args:
        folder: to be made; None: nothing is kept.
        poses: of the targets, [n, 18, 2], for its keypoints.csv.

    Raises:
        Pg2Error: the disk is full or the place cannot be written to; `folder` is not there then.
    """
    if folder is None:
        yield lambda start, pictures: None
        return
    with atomic_path(folder) as new, in_background() as later:

        def keep(start: int, pictures: Mapping[str, Tensor]) -> None:
            for name, images in pictures.items():
                (new / name).mkdir(parents=True, exist_ok=True)
                for number, image in enumerate(images.permute(0, 2, 3, 1).cpu().numpy(), start):
                    later(_save, image.squeeze(), new / name / _name(number))

        yield keep
        write_text(
            new / "keypoints.csv",
            format_keypoints_csv((_name(number), pose) for number, pose in enumerate(poses)),
        )


def _name(number: int) -> str:
    return f"{number:06d}.png"


def _save(picture: Image8, path: Path) -> None:
    Image.fromarray(picture).save(path)
