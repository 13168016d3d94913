"""The named poses: complete, natural, right for their view, framed as the model knows people."""

import json
from pathlib import Path

import numpy as np
import pytest
from real_data import MARKET, needs

from pg2.errors import Pg2Error
from pg2.pose.formats import read_keypoints_csv
from pg2.pose.keypoints import KEYPOINTS, Pose
from pg2.pose.named import NAMES, contact_sheet, named_pose


def _at(pose: Pose, name: str) -> np.ndarray:
    return pose.points[KEYPOINTS.index(name)]


def _length(pose: Pose, start: str, end: str) -> float:
    return float(np.linalg.norm(_at(pose, start) - _at(pose, end)))


def _missing(pose: Pose) -> set[str]:
    return {name for name, there in zip(KEYPOINTS, pose.present, strict=True) if not there}


def test_there_are_seven() -> None:
    assert NAMES == ("front", "back", "left", "right", "walking", "arms-raised", "hands-on-hips")


@pytest.mark.parametrize("name", NAMES)
def test_whole_person_upright_inside_the_canvas(name: str) -> None:
    pose = named_pose(name)
    assert pose.size == (128, 64)
    assert pose.has_torso
    assert pose == pose.crop(0, 0, 64, 128)
    heights = [
        np.nanmin(pose.points[[0, 16, 17], 1]),
        *(pose.points[[KEYPOINTS.index(f"{s}_{j}") for s in ("left", "right")], 1].mean() for j in JOINTS),
    ]
    assert heights == sorted(heights)
    assert 105 < heights[-1] < 120


JOINTS = ("shoulder", "hip", "knee", "ankle")


@pytest.mark.parametrize("name", NAMES)
def test_limbs_have_human_proportions(name: str) -> None:
    pose = named_pose(name)
    for side in ("right", "left"):
        thigh = _length(pose, f"{side}_hip", f"{side}_knee")
        shin = _length(pose, f"{side}_knee", f"{side}_ankle")
        assert 0.8 < shin / thigh < 1.2
        if f"{side}_wrist" not in _missing(pose):
            upper = _length(pose, f"{side}_shoulder", f"{side}_elbow")
            assert 0.55 < upper / thigh < 0.85
            assert 0.7 < _length(pose, f"{side}_elbow", f"{side}_wrist") / upper < 1.15


@pytest.mark.parametrize("name", ["front", "back", "arms-raised", "hands-on-hips"])
def test_shoulders_are_as_broad_as_peoples(name: str) -> None:
    """About a quarter of the height from neck to ankles; a broader pose made everybody stout."""
    pose = named_pose(name)
    ankles = (_at(pose, "right_ankle") + _at(pose, "left_ankle")) / 2
    assert 0.22 < _length(pose, "right_shoulder", "left_shoulder") / (ankles - _at(pose, "neck"))[1] < 0.28


def test_the_right_side_is_on_the_viewers_left_from_the_front_only() -> None:
    for name in ("front", "walking", "arms-raised", "hands-on-hips"):
        assert _at(named_pose(name), "right_shoulder")[0] < _at(named_pose(name), "left_shoulder")[0]
        assert _at(named_pose(name), "right_hip")[0] < _at(named_pose(name), "left_hip")[0]
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "ear"):
        assert _at(named_pose("back"), f"right_{joint}")[0] > _at(named_pose("back"), f"left_{joint}")[0]


def test_the_face_fits_the_view() -> None:
    assert _missing(named_pose("front")) == set()
    assert _missing(named_pose("back")) == {"nose", "right_eye", "left_eye"}
    assert {"right_eye", "right_ear"} <= _missing(named_pose("left"))
    assert {"left_eye", "left_ear"} <= _missing(named_pose("right"))


def test_left_faces_the_viewers_left_and_right_is_its_mirror_image() -> None:
    left, right = named_pose("left"), named_pose("right")
    assert _at(left, "nose")[0] < _at(left, "left_eye")[0] < _at(left, "left_ear")[0]
    assert _at(right, "nose")[0] > _at(right, "right_eye")[0] > _at(right, "right_ear")[0]
    for joint in ("shoulder", "hip"):
        assert abs(_at(left, f"left_{joint}")[0] - _at(left, f"right_{joint}")[0]) < 5
    np.testing.assert_allclose(left.mirror().points, right.points, atol=1e-3)


def test_what_the_names_promise() -> None:
    raised, hips, walking = (named_pose(name) for name in ("arms-raised", "hands-on-hips", "walking"))
    for side in ("right", "left"):
        assert _at(raised, f"{side}_wrist")[1] < _at(raised, "nose")[1]
        assert _length(hips, f"{side}_wrist", f"{side}_hip") < 10
        assert abs(_at(hips, f"{side}_elbow")[0] - 32) > abs(_at(hips, f"{side}_wrist")[0] - 32) + 8
    assert abs(_at(walking, "right_ankle")[0] - _at(walking, "left_ankle")[0]) > 20


@needs(MARKET)
def test_framed_as_market_1501_and_copied_from_nobody() -> None:
    people = np.stack(list(read_keypoints_csv(MARKET / "market-annotation-train.csv").values()))
    mean = np.nanmean(people, axis=0)
    front = named_pose("front")
    trunk_and_legs = [KEYPOINTS.index(n) for n in KEYPOINTS if n.split("_")[-1] in ("neck", *JOINTS)]
    assert abs(front.points[trunk_and_legs, 1] - mean[trunk_and_legs, 1]).max() < 5
    for name in NAMES:
        off = np.nan_to_num(np.abs(people - named_pose(name).points).max(axis=2), nan=99.0)
        # Missing in both counts as equal.
        off[np.isnan(people[..., 0]) & ~named_pose(name).present] = 0
        assert (off.max(axis=1) > 1.5).all(), name


def test_underscores_and_capitals_are_forgiven() -> None:
    assert named_pose("Arms_Raised") == named_pose("arms-raised")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("frnot", "did you mean front"),
        ("hand-on-hips", "did you mean hands-on-hips"),
        ("xyz", "there are front, back"),
    ],
)
def test_an_unknown_name(wrong: str, words: str) -> None:
    with pytest.raises(Pg2Error, match=f'no pose named "{wrong}"; {words}'):
        named_pose(wrong)


def test_the_files_are_plain_openpose() -> None:
    folder = Path(__import__("pg2").__file__).parent / "pose" / "named"
    assert sorted(path.stem for path in folder.iterdir()) == sorted(NAMES)
    for path in folder.iterdir():
        assert len(json.loads(path.read_text())["people"][0]["pose_keypoints_2d"]) == 54


def test_contact_sheet_shows_all_seven() -> None:
    sheet = contact_sheet()
    assert sheet.dtype == np.uint8
    assert sheet.ndim == 3
    assert sheet.shape[1] > 7 * 150
    # In each seventh something coloured is drawn.
    for part in np.array_split(sheet.astype(int), 7, axis=1):
        assert (part.max(axis=2) - part.min(axis=2) > 100).sum() > 300
