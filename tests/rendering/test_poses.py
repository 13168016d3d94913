import numpy as np
import pytest

from pg2.pose.keypoints import KEYPOINTS
from pg2.rendering.poses import _REACHES, VIEWS, VIEWS_OF_PHOTOGRAPHS, draw_pose, draw_views


@pytest.mark.parametrize("seed", range(12))
def test_a_pose_moves_bones_but_stretches_none(people, seed):
    person = people[seed % 2]
    figure = person.figure
    pose = draw_pose(person, "front", np.random.default_rng(seed))
    rotations = pose.bones[:, :3, :3]
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (len(rotations), 1, 1)), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1)

    def posed(bone: str) -> np.ndarray:
        place = figure.model.bones[bone]
        return pose.bones[place, :3, :3] @ figure.heads[place] + pose.bones[place, :3, 3]

    for side in "LR":
        shoulder, elbow, wrist = (posed(f"{bone}.{side}") for bone in ("upperarm01", "lowerarm01", "wrist"))
        assert np.linalg.norm(elbow - shoulder) == pytest.approx(figure.upper_arm, rel=1e-3)
        assert np.linalg.norm(wrist - elbow) == pytest.approx(figure.forearm, rel=1e-3)
        # No leg is thrown up, no knee bends forward far.
        hip, knee, ankle = (posed(f"{bone}.{side}") for bone in ("upperleg01", "lowerleg01", "foot"))
        assert hip[2] > knee[2] > ankle[2]
    assert pose.name.split(":")[1].split("/")[0] in {*_REACHES, "swing", "hip", "pocket"}


@pytest.mark.parametrize(("view", "low", "high"), [("front", 0, 14), ("side", 75, 105), ("back", 142, 218)])
def test_views_turn_the_person(people, view, low, high):
    for seed in range(5):
        pose = draw_pose(people[0], view, np.random.default_rng(seed))
        assert low <= abs(pose.yaw) <= high
        keypoints = people[0].figure.posed_keypoints(pose.bones)
        towards_left = (
            keypoints[KEYPOINTS.index("left_shoulder")] - keypoints[KEYPOINTS.index("right_shoulder")]
        )
        if view != "side":
            assert (towards_left[0] > 0) == (view == "front")


def test_in_photographs_heads_turn_to_the_camera_over_the_shoulder_too(people):
    """The camera looks along y: what faces it has a y below 0, at rest as well."""
    model = people[0].figure.model
    head, chest = (model.bones[bone] for bone in ("head", "spine01"))

    def facing(looks_around):
        poses = [
            draw_pose(people[0], "back", np.random.default_rng(seed), looks_around=looks_around)
            for seed in range(40)
        ]
        away = np.array([[pose.bones[bone, :3, :3] @ (0, -1, 0) for bone in (head, chest)] for pose in poses])
        assert (away[:, 1, 1] > 0).all(), "the chest is seen from behind"
        turns = np.degrees(np.arccos((away[:, 0, :2] * away[:, 1, :2]).sum(-1).clip(-1, 1)))
        assert turns.max() < 95, "no neck turns further"
        return (away[:, 0, 1] < 0.35).mean()

    assert facing(False) == 0
    assert 0.2 < facing(True) < 0.9


@pytest.mark.parametrize("order", [VIEWS, VIEWS_OF_PHOTOGRAPHS])
def test_all_views_are_among_few_pictures(order):
    views = draw_views(8, np.random.default_rng(0), order)
    assert views[0] == "front"
    assert set(views) == {"front", "three-quarter", "side", "back"}
    assert set(draw_views(4, np.random.default_rng(1), order)) == set(views)
    assert draw_views(1, np.random.default_rng(0), order) == ["front"]
