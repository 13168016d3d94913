"""Squares around head and hands."""

import torch

from pg2.pose.details import DETAILS, detail_places
from pg2.pose.keypoints import KEYPOINTS, MIRRORED
from pg2.pose.named import named_pose

SIZE = (256, 256)
POSE = torch.tensor(named_pose("front").resize(SIZE).points)[None]


def point(name: str) -> torch.Tensor:
    return POSE[0, KEYPOINTS.index(name)]


def test_the_squares_hold_what_they_are_called_after() -> None:
    places, there = detail_places(POSE, SIZE, 9)
    assert places.shape == (1, 3, 9, 9, 2)
    assert there.all()
    low, high = places[0].amin((1, 2)), places[0].amax((1, 2))
    for name in ("nose", "right_eye", "left_eye"):
        assert (low[0] < point(name)).all()
        assert (point(name) < high[0]).all()
    for at, side in enumerate(("right", "left"), 1):
        wrist, elbow = point(f"{side}_wrist"), point(f"{side}_elbow")
        assert (low[at] < wrist).all()
        assert (wrist < high[at]).all()
        # Fingers are beyond the wrist.
        middle = (low[at] + high[at]) / 2
        assert (middle - elbow).norm() > (wrist - elbow).norm()


def test_mirrored_poses_have_mirrored_squares() -> None:
    mirrored = POSE[:, MIRRORED].clone()
    mirrored[..., 0] = SIZE[1] - 1 - mirrored[..., 0]
    places, _ = detail_places(POSE, SIZE, 9)
    other, _ = detail_places(mirrored, SIZE, 9)
    turned = other[:, [0, 2, 1]].flip(3)
    turned[..., 0] = SIZE[1] - 1 - turned[..., 0]
    torch.testing.assert_close(turned, places, atol=1e-3, rtol=0)


def test_what_is_missing_or_outside_is_not_there_and_nothing_is_nan() -> None:
    poses = POSE.repeat(3, 1, 1)
    poses[0, KEYPOINTS.index("right_wrist")] = torch.nan
    poses[1] += 1000
    poses[2] = torch.nan
    places, there = detail_places(poses, SIZE, 9)
    assert places.isfinite().all()
    assert there.tolist() == [[True, False, True], [False] * 3, [False] * 3]
    assert len(DETAILS) == 3
