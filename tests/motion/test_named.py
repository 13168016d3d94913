"""Motions that ship: in their canvas, without a jump, of a body that keeps its lengths."""

import numpy as np
import pytest

from pg2 import Pg2Error
from pg2.motion.named import MOTIONS, between, named_motion, through
from pg2.pose.facing import seen_from
from pg2.pose.keypoints import Pose
from pg2.pose.named import named_pose


@pytest.mark.parametrize("name", MOTIONS)
def test_a_motion_ends_where_it_begins(name: str) -> None:
    motion = named_motion(name)
    assert len(motion.poses) >= 40
    assert motion.empty == 0
    points = np.stack([pose.points for pose in motion.poses if pose is not None])
    assert np.nanmin(points) >= 0
    assert (np.nanmax(points, axis=(0, 1)) <= (63, 127)).all()
    steps = np.nanmax(np.abs(np.diff(points, axis=0)), axis=(1, 2))
    jump = np.nanmax(np.abs(points[0] - points[-1]))
    assert jump <= steps.max() + 1e-3 < 8


def test_a_walk_has_two_legs_that_take_turns_on_the_ground() -> None:
    poses = [pose for pose in named_motion("walk").poses if pose is not None]
    ankles = np.stack([pose.points[[10, 13], 1] for pose in poses])
    np.testing.assert_allclose(ankles.max(1), named_pose("front").points[[10, 13], 1].max(), atol=1e-3)
    assert 0.3 < (ankles[:, 0] > ankles[:, 1]).mean() < 0.7
    lengths = np.stack([np.linalg.norm(pose.points[9] - pose.points[8]) for pose in poses])
    assert lengths.max() < 25.1


def test_a_turn_shows_all_sides() -> None:
    motion = named_motion("turn", fps=10)
    sides = [seen_from(pose) for pose in motion.poses if pose is not None]
    assert (sides[0], sides[10], sides[20], sides[30]) == ("front", "side", "back", "side")
    first, half = motion.poses[0], motion.poses[20]
    assert first is not None
    assert half is not None
    assert first == named_pose("front")
    assert half.present[[0, 14, 15, 16, 17]].tolist() == [False, False, False, True, True]
    assert motion.poses[10] is not None
    assert motion.poses[10].present[[0, 14, 15]].tolist() == [True, True, False]


def test_how_long() -> None:
    assert len(named_motion("wave", fps=10, seconds=5).poses) == 50
    assert len(named_motion("wave", fps=10, seconds=0.1).poses) == 10
    with pytest.raises(Pg2Error, match="600 frames at up to 120"):
        named_motion("wave", fps=10, seconds=61)
    with pytest.raises(Pg2Error, match="there are walk, wave, turn"):
        named_motion("fly")


def test_from_pose_to_pose_and_back() -> None:
    front, left = named_pose("front"), named_pose("left")
    motion = through([front, left], fps=10)
    assert len(motion.poses) == 20
    assert motion.poses[0] == between(front, left, 0) == front
    assert motion.poses[10] == left
    assert motion.poses[4] == motion.poses[16]
    middle = between(front, left, 0.4)
    np.testing.assert_allclose(middle.points[8], 0.6 * front.points[8] + 0.4 * left.points[8], rtol=1e-5)
    np.testing.assert_array_equal(middle.points[3], front.points[3])  # "left" lacks the right elbow
    assert not between(front, left, 0.6).present[3]
    assert isinstance(middle, Pose)
