"""Flicker: nothing for what moves along, what was put in for the rest."""

import numpy as np
import pytest

from pg2.motion.flicker import flicker
from pg2.pose.keypoints import Pose
from pg2.pose.named import named_pose

FRONT = named_pose("front")
SMOOTH = np.add.outer(np.linspace(0, 150, 128), np.linspace(0, 90, 64))[..., None].repeat(3, 2)


def shown(x: int) -> tuple[np.ndarray, Pose]:
    """A picture that moves with its person."""
    return np.roll(SMOOTH, x, axis=1).astype(np.uint8), Pose(FRONT.points + np.array((x, 0)), FRONT.size)


def test_what_moves_with_the_body_is_no_flicker() -> None:
    pictures, poses = zip(*(shown(x) for x in range(4)), strict=True)
    moving = flicker(pictures, poses)
    assert moving is not None
    assert moving < 1.0
    still = flicker(pictures, [FRONT] * 4)
    assert still is not None
    assert still > moving + 0.4, "the same pictures of somebody who stands still do flicker"
    assert flicker([pictures[0]] * 40, [FRONT] * 40) == pytest.approx(0, abs=1e-3)


def test_a_change_of_light_is_counted_within_the_person_alone() -> None:
    picture = np.full((128, 64, 3), 100, np.uint8)
    assert flicker([picture, picture + 7, picture], [FRONT] * 3) == pytest.approx(7, abs=1e-3)
    corner = picture.copy()
    corner[:5, :5] = 255
    assert flicker([picture, corner], [FRONT] * 2) == pytest.approx(0, abs=1e-3)


def test_nothing_to_compare() -> None:
    picture = np.zeros((128, 64, 3), np.uint8)
    assert flicker([picture], [FRONT]) is None
    nobody = Pose(np.full((18, 2), np.nan), (128, 64))
    assert flicker([picture] * 2, [nobody] * 2) is None
