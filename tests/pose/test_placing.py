"""Poses put where a person stands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2.errors import Pg2Error
from pg2.pose.keypoints import KEYPOINTS, Pose
from pg2.pose.named import NAMES, named_pose
from pg2.pose.placing import in_place

FRAME = (256, 256)
ANKLES = [KEYPOINTS.index(f"{side}_ankle") for side in ("right", "left")]


def without(pose: Pose, *joints: str) -> Pose:
    points = pose.points.copy()
    for joint in joints:
        points[[number for number, name in enumerate(KEYPOINTS) if name.endswith(joint)]] = np.nan
    return Pose(points, pose.size)


def trunk(pose: Pose) -> float:
    neck, hips = pose.points[[2, 5]].mean(0), pose.points[[8, 11]].mean(0)
    return float(np.linalg.norm(neck - hips))


@pytest.mark.parametrize("name", NAMES)
def test_in_its_own_place_a_pose_stays(name: str) -> None:
    pose = named_pose(name)
    placed = in_place(pose, pose)
    np.testing.assert_allclose(placed.points, pose.points, atol=1e-3)
    assert placed.size == pose.size


@given(scale=st.floats(0.3, 1.0), x=st.floats(0, 60), y=st.floats(0, 60))
def test_a_person_keeps_place_and_size(scale: float, x: float, y: float) -> None:
    """However large the pose was, and wherever it was."""
    person = named_pose("front")
    moved = Pose(named_pose("walking").points * scale + np.float32([x, y]), FRAME)
    placed, wanted = in_place(moved, person), in_place(named_pose("walking"), person)
    np.testing.assert_allclose(placed.points, wanted.points, atol=0.05)
    assert trunk(placed) == pytest.approx(trunk(person), rel=0.05)  # a leg in stride is seen shorter


def test_a_person_with_long_legs_stays_as_tall() -> None:
    """The photo is taken from below, say. A trunk alone would make somebody small of them."""
    tall = named_pose("front").points * 0.7 + np.float32([40, 10])
    legs = [KEYPOINTS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle")]
    hips = tall[[8, 11], 1].mean()
    tall[legs, 1] = hips + 1.3 * (tall[legs, 1] - hips)
    person = Pose(tall, FRAME)
    placed = in_place(named_pose("front"), person)
    assert placed.box[3] - placed.box[1] == pytest.approx(person.box[3] - person.box[1], rel=0.03)
    # Where no leg is whole, the trunk tells the size; and legs bent to the camera do not make a giant.
    half = in_place(named_pose("front"), without(person, "ankle"))
    assert trunk(half) == pytest.approx(trunk(person), rel=0.02)
    sitting = tall.copy()
    sitting[legs, 1] = hips + 0.1 * (sitting[legs, 1] - hips)
    bent = Pose(sitting, FRAME)
    assert trunk(in_place(bent, named_pose("front"))) < 1.3 * trunk(named_pose("front"))


def test_feet_stay_on_the_ground() -> None:
    person = named_pose("front")
    placed = in_place(named_pose("arms-raised"), person)
    assert placed.points[ANKLES, 1].max() == pytest.approx(person.points[ANKLES, 1].max(), abs=1e-3)


def test_half_a_person_stays_half() -> None:
    """As large as they are; the legs lie below the picture."""
    front = named_pose("front")
    cut = Pose(front.points * 4 - np.float32([front.points[1, 0], 50]), FRAME).crop(0, 0, 256, 256)
    assert not cut.present[ANKLES].any()
    placed = in_place(front, cut)
    assert not placed.present[ANKLES].any()
    np.testing.assert_allclose(placed.points[[1, 2, 5]], cut.points[[1, 2, 5]], atol=1e-3)


def test_a_face_is_enough() -> None:
    face = without(named_pose("front"), "shoulder", "neck", "hip", "elbow", "wrist", "knee", "ankle")
    placed = in_place(named_pose("walking"), face)
    assert placed.present.any()
    assert np.nanmax(np.abs(placed.points)) < 1000


def test_what_there_is_nothing_to_go_by() -> None:
    arms = without(named_pose("front"), "shoulder", "neck", "hip", "knee", "ankle", "nose", "eye", "ear")
    with pytest.raises(Pg2Error, match="none of them"):
        in_place(named_pose("walking"), arms)
    with pytest.raises(Pg2Error, match="none of them"):
        in_place(arms, named_pose("walking"))


def test_nothing_of_it_in_the_picture() -> None:
    feet_and_neck = without(
        named_pose("front"), "shoulder", "hip", "elbow", "wrist", "knee", "nose", "eye", "ear"
    )
    far = Pose(feet_and_neck.points.copy(), FRAME)
    person = Pose(named_pose("front").points + np.float32([0, -400]), FRAME)
    with pytest.raises(Pg2Error, match="nothing of the pose"):
        in_place(far, person)
