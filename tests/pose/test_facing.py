"""From which side, and what a photo does not show of a pose."""

import numpy as np
import pytest

from pg2.pose.facing import doubts, seen_from, shoulder_width, shown_by
from pg2.pose.keypoints import KEYPOINTS, Pose
from pg2.pose.named import NAMES, named_pose

SIDES = {"front": "front", "back": "back", "left": "side", "right": "side", "walking": "front"}


def without(pose: Pose, *joints: str) -> Pose:
    points = pose.points.copy()
    for number, name in enumerate(KEYPOINTS):
        if name.rpartition("_")[2] in joints:
            points[number] = np.nan
    return Pose(points, pose.size)


@pytest.mark.parametrize("name", NAMES)
def test_from_which_side(name: str) -> None:
    assert seen_from(named_pose(name)) == SIDES.get(name, "front")


def test_it_does_not_matter_how_the_body_leans_or_how_large_it_is() -> None:
    points = named_pose("back").points
    turned = np.stack((points[:, 1], -points[:, 0]), 1)
    widths = shoulder_width(np.stack((points, turned, 3 * points)))
    np.testing.assert_allclose(widths, widths[0], rtol=1e-4)
    assert widths[0] < -0.5
    assert seen_from(without(named_pose("front"), "hip")) is None


def test_a_photo_that_shows_all_leaves_no_doubt() -> None:
    for name in ("front", "walking", "arms-raised", "hands-on-hips", "left"):
        assert doubts(named_pose("front"), named_pose(name)) == ()


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("front", "back", "the photo shows the person from the front, the pose from behind"),
        ("back", "front", "the photo shows the person from behind, the pose from the front"),
        ("left", "front", "the photo shows the person from the side, the pose from the front"),
    ],
)
def test_other_sides(source: str, target: str, said: str) -> None:
    assert doubts(named_pose(source), named_pose(target)) == (said,)
    assert doubts(shown_by(named_pose(source)), shown_by(named_pose(target))) == (said,)


@pytest.mark.parametrize(
    ("joints", "said"),
    [
        (("knee", "ankle"), "the photo shows no legs"),
        (("ankle",), "the photo shows no feet"),
        (("elbow", "wrist"), "the photo shows no arms"),
        (("nose", "eye", "ear"), "the photo shows no face"),
    ],
)
def test_what_is_missing_counts_where_it_is_wanted(joints: tuple[str, ...], said: str) -> None:
    front = named_pose("front")
    part = without(front, *joints)
    assert doubts(part, front) == (said,)
    assert doubts(part, part) == ()
    assert doubts(front, part) == ()


def test_who_lies() -> None:
    front = named_pose("front")
    lying = Pose(np.stack((front.points[:, 1], 64 - front.points[:, 0]), 1), (64, 128))
    assert doubts(lying, front) == ("the body is not upright on the photo",)
    assert doubts(front, lying) == ("the body is not upright in the pose",)
