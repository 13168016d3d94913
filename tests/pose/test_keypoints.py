"""Pose: what it is, how it moves with its picture, and its OpenPose JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2.errors import Pg2Error
from pg2.pose.keypoints import KEYPOINTS, MIRRORED, Pose

# Eighths of a pixel are exact in float32, so that there and back again can be compared exactly.
coordinate = st.integers(-800, 8000).map(lambda eighths: eighths / 8)
keypoint = st.one_of(st.just((np.nan, np.nan)), st.tuples(coordinate, coordinate))
poses = st.lists(keypoint, min_size=18, max_size=18).map(lambda points: Pose(np.array(points), (900, 700)))


def _flat(points: int, step: float = 1.0) -> list[float]:
    return [value for k in range(points) for value in (10 + k * step, 20 + 2 * k * step, 0.9)]


def _document(*people: list[float], **more: Any) -> dict[str, Any]:
    return {"people": [{"pose_keypoints_2d": flat} for flat in people], **more}


def test_the_order_is_openposes() -> None:
    assert len(KEYPOINTS) == 18
    assert [
        KEYPOINTS.index(f"right_{n}") for n in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    ] == [*(2, 3, 4, 8, 9, 10)]
    assert MIRRORED.tolist() == [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]


def test_presence_torso_and_box() -> None:
    points = np.full((18, 2), np.nan)
    with pytest.raises(Pg2Error, match="no keypoint"):
        _ = Pose(points).box
    points[[2, 5, 8, 11]] = (10, 20), (30, 21), (12, 60), (28, 61)
    pose = Pose(points)
    assert pose.present.sum() == 4
    assert pose.has_torso
    assert pose.box == (10, 20, 30, 61)
    assert pose.area == 20 * 41
    points[8, 0] = np.nan  # half a point is none
    assert not Pose(points).has_torso
    assert Pose(points).present.sum() == 3


@pytest.mark.parametrize("points", [np.zeros((17, 2)), np.zeros((18, 3)), np.full((18, 2), np.inf)])
def test_an_array_that_is_no_pose(points: np.ndarray) -> None:
    with pytest.raises(Pg2Error):
        Pose(points)


def test_a_pose_cannot_be_changed_by_accident() -> None:
    points = np.zeros((18, 2))
    pose = Pose(points)
    points[0] = 99
    assert pose.points[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        pose.points[0] = 1


@given(poses)
def test_mirrored_twice_is_the_same(pose: Pose) -> None:
    assert pose.mirror().mirror() == pose


def test_mirror_moves_pixels_and_swaps_sides() -> None:
    points = np.full((18, 2), np.nan)
    points[KEYPOINTS.index("right_wrist")] = (0, 5)
    mirrored = Pose(points, (20, 10)).mirror()
    assert mirrored.points[KEYPOINTS.index("left_wrist")].tolist() == [9, 5]
    assert mirrored.present.sum() == 1
    assert Pose(points).mirror(10).points[7].tolist() == [9, 5]
    with pytest.raises(Pg2Error, match="width"):
        Pose(points).mirror()


@given(poses, st.integers(0, 300), st.integers(0, 300), st.integers(50, 400), st.integers(50, 400))
def test_crop_keeps_what_is_inside(pose: Pose, left: int, top: int, width: int, height: int) -> None:
    cut = pose.crop(left, top, width, height)
    x, y = pose.points.T
    inside = (abs(x - left - (width - 1) / 2) <= width / 2) & (abs(y - top - (height - 1) / 2) <= height / 2)
    assert cut.present.tolist() == inside.tolist()
    assert abs(cut.points[inside] + (left, top) - pose.points[inside]).max(initial=0) <= 0.5
    within = inside & (x >= left) & (x <= left + width - 1) & (y >= top) & (y <= top + height - 1)
    assert np.array_equal(cut.points[within] + (left, top), pose.points[within])
    assert ((cut.points[inside] >= 0) & (cut.points[inside] <= (width - 1, height - 1))).all()
    assert cut.size == (height, width)


@given(poses, st.sampled_from([0.25, 0.5, 2.0, 3.0]))
def test_scale_and_resize_keep_pixel_centres(pose: Pose, factor: float) -> None:
    scaled = pose.scale(factor)
    assert scaled.size == (900 * factor, 700 * factor)
    np.testing.assert_allclose((scaled.points + 0.5) / factor - 0.5, pose.points, atol=1e-3)
    np.testing.assert_allclose(pose.resize(scaled.size).points, scaled.points, atol=1e-3)


def test_resize_needs_a_size() -> None:
    with pytest.raises(Pg2Error, match="size"):
        Pose(np.zeros((18, 2))).resize((10, 10))


@given(poses)
def test_openpose_goes_round(pose: Pose) -> None:
    if pose.present.any():
        assert Pose.from_openpose(json.loads(json.dumps(pose.to_openpose()))) == pose


def test_saved_and_loaded(tmp_path: Path) -> None:
    pose = Pose(np.arange(36).reshape(18, 2), (128, 64))
    pose.save(tmp_path / "a.json")
    assert Pose.load(tmp_path / "a.json") == pose
    assert json.loads((tmp_path / "a.json").read_text())["canvas_height"] == 128


def test_18_and_25_points() -> None:
    eighteen = Pose.from_openpose(_document(_flat(18)))
    assert eighteen.points[:, 0].tolist() == list(range(10, 28))
    # BODY_25: point 8 is the middle of the hips, 9 the right hip, 19 and on are feet.
    body_25 = Pose.from_openpose(_document(_flat(25)))
    assert body_25.points[:, 0].tolist() == [*range(10, 18), *range(19, 29)]


def test_zero_confidence_is_missing() -> None:
    flat = _flat(18)
    flat[3 * 4 + 2] = 0.0
    assert np.flatnonzero(~Pose.from_openpose(_document(flat)).present).tolist() == [4]


def test_of_many_people_the_largest_or_the_one_asked_for() -> None:
    document = _document(_flat(18), _flat(18, 5.0), _flat(18, 2.0), [0.0] * 54)
    assert Pose.from_openpose(document).points[1, 0] == 15
    assert Pose.from_openpose(document, person=2).points[1, 0] == 12
    with pytest.raises(Pg2Error, match="person 3 has no keypoint"):
        Pose.from_openpose(document, person=3)
    for person in (4, -1):
        with pytest.raises(Pg2Error, match="holds 4 people, so --person must be 0 to 3"):
            Pose.from_openpose(document, person=person)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not valid JSON"),
        ("hello", "not valid JSON"),
        ("[1, 2]", "not an OpenPose document"),
        ('{"people": {}}', "not an OpenPose document"),
        ('{"people": []}', "holds no person"),
        ('{"people": [7]}', "without a list"),
        ('{"people": [{"pose_keypoints_2d": []}]}', "0 values for a person; needed are 54"),
        (json.dumps(_document([0.0] * 54)), "holds no person"),
        (json.dumps(_document(_flat(17))), "51 values for a person; needed are 54"),
        (json.dumps(_document([*_flat(17), float("nan"), 1, 1])), "finite"),
        (json.dumps(_document([*_flat(17), float("inf"), 1, 1])), "finite"),
        (json.dumps(_document([*_flat(17), "x", 1, 1])), "finite"),
        (json.dumps(_document([*_flat(17), 1e300, 1, 1])), "million"),
        (json.dumps(_document([*_flat(17), 10**400, 1, 1])), "million"),
        (json.dumps(_document([*_flat(17), -(10**400), 1, 1])), "million"),
        (json.dumps(_document([*_flat(17), 1, 1, 10**7])), "million"),
        (json.dumps(_document([*_flat(17), 1, 1, 1])).replace("10.0", "9" * 5000), "not valid JSON"),
        (json.dumps(_document(_flat(18), canvas_height=10**400, canvas_width=5)), "positive"),
        (json.dumps(_document(*[_flat(18)] * 1001)), "more than 1000 people"),
        ("[" * 100_000, "nests deeper than 32 levels"),
        ('{"people": [' + "[" * 40 + "]" * 40 + "]}", "nests deeper than 32 levels"),
        (" " * 4_000_001, "larger than 4 MB"),
        (json.dumps(_document(_flat(18), canvas_height=0, canvas_width=5)), "positive"),
        (json.dumps(_document(_flat(18), canvas_height="a", canvas_width=5)), "positive"),
    ],
)
def test_files_that_are_no_pose_are_named(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "pose.json"
    path.write_text(content)
    with pytest.raises(Pg2Error, match=rf"pose\.json.*{words}"):
        Pose.load(path)
