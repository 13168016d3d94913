"""Poses shown on their photos, and many photos turned into pose files."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from pg2.errors import Pg2Error
from pg2.io.files import atomic_path
from pg2.io.pictures import load_shrunk, shrink
from pg2.io.pixels import Image8, from_images, to_images, to_unit
from pg2.pose.estimator import ENOUGH, NoPersonError, PoseEstimator
from pg2.pose.keypoints import Pose
from pg2.pose.skeleton import draw_skeleton

_LONGEST = 1600  # pixels of an overlay's longer side


def overlay(image: Image8, pose: Pose) -> Image8:
    """The skeleton drawn on its photo.

    Args:
        image: uint8 RGB [H, W, 3].
        pose: in pixels of that photo, or of a picture of its own size.

    Returns:
        uint8 [h, w, 3]; a photo with a side over 1600 pixels is shrunk to that.
    """
    small = shrink(image, _LONGEST)
    size = (small.shape[0], small.shape[1])
    points = Pose(pose.points, pose.size or (image.shape[0], image.shape[1])).resize(size).points
    photo = to_unit(from_images([small]))
    return to_images(draw_skeleton(torch.from_numpy(points.copy())[None], size, photo))[0]


def pose_photos(
    photos: Sequence[Path], out: Path, person: int | None = None, estimator: PoseEstimator | None = None
) -> list[tuple[Path, Path]]:
    """Estimate the pose in every photo and write `STEM.json` (OpenPose) and `STEM_overlay.png` into `out`.

    Of several photos with one stem the later ones become `STEM_2`, `STEM_3`, ...; no photo is overwritten.

    Args:
        photos: the files.
        out: the folder; made if it is not there.
        person: which person of each photo, by size, largest first; None takes the largest.
        estimator: None loads the shipped one.

    Returns:
        For each photo the JSON file and the overlay written.

    Raises:
        Pg2Error: some photos could not be read or show no such person: each is named, after all the others
            have been written. Or `out` cannot be written to.
    """
    estimator = estimator or PoseEstimator()
    taken = {photo.resolve() for photo in photos}
    written: list[tuple[Path, Path]] = []
    problems: list[str] = []
    for photo in photos:
        try:
            image, size = load_shrunk(photo, ENOUGH)
            pose = estimator.estimate(image, person).resize(size)
        except NoPersonError as error:
            problems.append(f"{photo}: {error}")
            continue
        except Pg2Error as error:
            problems.append(str(error))
            continue
        number, files = 1, _outputs(out, photo.stem)
        while taken & {file.resolve() for file in files}:
            number += 1
            files = _outputs(out, f"{photo.stem}_{number}")
        taken |= {file.resolve() for file in files}
        with atomic_path(files[1]) as new:
            Image.fromarray(overlay(image, pose)).save(new)
        pose.save(files[0])
        written.append(files)
    if problems:
        count = f"{len(problems)} of {len(photos)} photos gave no pose:\n" if len(photos) > 1 else ""
        raise Pg2Error(count + "\n".join(problems))
    return written


def _outputs(out: Path, stem: str) -> tuple[Path, Path]:
    return out / f"{stem}.json", out / f"{stem}_overlay.png"
