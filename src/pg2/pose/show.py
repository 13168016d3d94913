"""Poses shown on their photos, and many photos turned into pose files."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from pg2.errors import Pg2Error
from pg2.io.files import atomic_path
from pg2.io.pictures import load_shrunk, shrink
from pg2.io.pixels import Image8, from_images, to_images, to_unit
from pg2.pose.estimator import ENOUGH, NoPersonError, PoseEstimator, chosen
from pg2.pose.keypoints import Pose
from pg2.pose.skeleton import draw_skeleton

_LONGEST = 1600  # pixels of an overlay's longer side
_FAINT = 0.4  # strength of those who are not meant
_LEGIBLE = 12  # pixels of the smallest number


class PoseFiles(NamedTuple):
    """What was written of a photo, and how many people are on it."""

    keypoints: Path
    overlay: Path
    people: int


def overlay(image: Image8, poses: Sequence[Pose], person: int = 0) -> Image8:
    """Skeletons drawn on their photo, with lines and dots that suit each person's size.

    Args:
        image: uint8 RGB [H, W, 3].
        poses: of all people on it, in pixels of that photo or of a picture of its own size. Each but a single
            one gets its number, counted from 0.
        person: which of them is meant; the others are faint.

    Returns:
        uint8 [h, w, 3]; a photo with a side over 1600 pixels is shrunk to that.
    """
    shown = shrink(image, _LONGEST).copy()
    size = (shown.shape[0], shown.shape[1])
    whole = (image.shape[0], image.shape[1])
    people = [Pose(pose.points, pose.size or whole).resize(size) for pose in poses]
    # Who is meant comes last, over the others.
    for number in sorted(range(len(people)), key=lambda number: number == person):
        _draw(shown, people[number], 1.0 if number == person else _FAINT)
    if len(people) > 1:
        shown = _numbered(shown, people)
    return shown


def _thickness(pose: Pose) -> float:
    """Pixels of a limb of somebody of this size."""
    left, top, right, bottom = pose.box
    return max((bottom - top) / 64, (right - left) / 64, 1.5)


def _draw(picture: Image8, pose: Pose, strength: float) -> None:
    """Draw a skeleton into the picture: only where the person is, for photos are large and people many."""
    thickness = _thickness(pose)
    edge = round(2 * thickness) + 1
    left, top, right, bottom = pose.box
    x, y = max(int(left) - edge, 0), max(int(top) - edge, 0)
    here = picture[y : max(int(bottom) + edge, 0), x : max(int(right) + edge, 0)]
    if not here.size:
        return
    points = torch.from_numpy((pose.points - np.array((x, y), np.float32))[None])
    photo = to_unit(from_images([here]))
    drawn = draw_skeleton(points, (here.shape[0], here.shape[1]), photo, thickness)
    here[:] = to_images(torch.lerp(photo, drawn, strength))[0]


def _numbered(picture: Image8, people: Sequence[Pose]) -> Image8:
    """Each person's number above the head, within the picture."""
    labelled = Image.fromarray(picture)
    pen = ImageDraw.Draw(labelled)
    for number, pose in enumerate(people):
        thickness = _thickness(pose)
        height = max(round(6 * thickness), _LEGIBLE)
        left, top, right, _ = pose.box
        x = min(max((left + right) / 2, height), max(labelled.width - height, 0))
        # Keypoints end at the eyes: higher up there is a head still.
        place = (x, max(top - 6 * thickness, height + 2))
        font = ImageFont.load_default(height)
        edge = max(height // 8, 1)
        pen.text(place, str(number), "white", font, anchor="ms", stroke_width=edge, stroke_fill="black")
    return np.asarray(labelled)


def pose_photos(
    photos: Sequence[Path], out: Path, person: int | None = None, estimator: PoseEstimator | None = None
) -> list[PoseFiles]:
    """Estimate the pose in every photo and write `STEM.json` (OpenPose) and `STEM_overlay.png` into `out`.

    The JSON file has one person, the overlay shows and numbers all.

    Of several photos with one stem the later ones become `STEM_2`, `STEM_3`, ...; no photo is overwritten.

    Args:
        photos: the files.
        out: the folder; made if it is not there.
        person: which person of each photo, by size, largest first; None takes the largest.
        estimator: None loads the shipped one.

    Returns:
        For each photo the files written, and how many people are on it.

    Raises:
        Pg2Error: some photos could not be read or show no such person: each is named, after all the others
            have been written. Or `out` cannot be written to.
    """
    estimator = estimator or PoseEstimator()
    taken = {photo.resolve() for photo in photos}
    written: list[PoseFiles] = []
    problems: list[str] = []
    for photo in photos:
        try:
            image, size = load_shrunk(photo, ENOUGH)
            people = estimator.everybody(image)
            pose = chosen(people, person).resize(size)
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
            Image.fromarray(overlay(image, people, person or 0)).save(new)
        pose.save(files[0])
        written.append(PoseFiles(*files, len(people)))
    if problems:
        count = [f"{len(problems)} of {len(photos)} photos gave no pose:"] if len(photos) > 1 else []
        raise Pg2Error(*count, *problems)
    return written


def _outputs(out: Path, stem: str) -> tuple[Path, Path]:
    return out / f"{stem}.json", out / f"{stem}_overlay.png"
