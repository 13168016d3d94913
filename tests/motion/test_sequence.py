"""A sequence of poses: steady, complete, through one camera."""

import numpy as np
import pytest

from pg2 import Pg2Error
from pg2.motion.sequence import MOST_FRAMES, Motion, framed
from pg2.pose.keypoints import Pose
from pg2.pose.named import named_pose

FRONT = named_pose("front")


def moved(x: float, y: float = 0.0, size: tuple[int, int] = (400, 1000)) -> Pose:
    return Pose(FRONT.points + np.array((x, y)), size)


def points(motion: Motion) -> np.ndarray:
    return np.stack([pose.points for pose in motion.poses if pose is not None])


def test_what_is_no_motion() -> None:
    for poses, fps, said in (
        ([FRONT], 25, "two poses or more"),
        ([None, None], 25, "no frame of the motion shows a person"),
        ([FRONT] * (MOST_FRAMES + 1), 25, "at most 600 poses"),
        ([FRONT, FRONT], 0, "frames a second"),
        ([FRONT, moved(0)], 25, "lie in one picture"),
    ):
        with pytest.raises(Pg2Error, match=said):
            Motion(tuple(poses), fps)


def test_frames_without_a_person_are_held_or_skipped() -> None:
    a, b = moved(0), moved(5)
    motion = Motion((None, a, None, None, b, None), 25)
    assert motion.empty == 4
    assert motion.complete("hold") == (a, a, a, a, b, b)
    assert motion.complete("skip") == (a, b)
    assert [pose is None for pose in motion.smoothed(0.1).poses] == [True, False, True, True, False, True]


def test_noise_goes_and_the_motion_stays() -> None:
    random = np.random.default_rng(0)
    way = [moved(3 * number) for number in range(60)]
    noisy = [Pose(pose.points + random.normal(0, 2, (18, 2)), pose.size) for pose in way]
    steady = points(Motion(tuple(noisy), 25).smoothed(0.12))
    exact = points(Motion(tuple(way), 25))
    inner = slice(10, -10)
    error = np.abs(steady - exact)[inner].mean()
    assert error < 0.4 * np.abs(points(Motion(tuple(noisy), 25)) - exact)[inner].mean()
    still = Motion((FRONT,) * 9, 25)
    np.testing.assert_allclose(points(still.smoothed(0.2)), points(still), rtol=1e-5)
    assert still.smoothed(0) is still


def test_one_jump_is_put_back_and_a_short_gap_filled() -> None:
    poses = [moved(0) for _ in range(40)]
    jump, short = poses[10].points.copy(), poses[20].points.copy()
    jump[4] += 80
    short[7] = np.nan
    poses[10], poses[20], poses[21] = (Pose(given, (400, 1000)) for given in (jump, short, short))
    for number in range(28, 38):
        poses[number] = Pose(short, (400, 1000))
    steady = points(Motion(tuple(poses), 25).smoothed(0.05))
    np.testing.assert_allclose(steady[10, 4], moved(0).points[4], atol=1e-3)
    np.testing.assert_allclose(steady[20:22, 7], moved(0).points[[7, 7]], atol=1e-3)
    assert np.isnan(steady[30, 7]).all(), "what is long gone stays so"


def test_the_camera_stands_still_where_it_can() -> None:
    poses = [moved(100 + 10 * np.sin(number), 50) for number in range(20)]
    seen = np.stack([pose.points for pose in framed(poses, (256, 256), 25)])
    assert not np.isnan(seen).any()
    given = np.stack([pose.points for pose in poses])
    scale = (seen[:, 10, 1] - seen[:, 1, 1]) / (given[:, 10, 1] - given[:, 1, 1])
    np.testing.assert_allclose(scale, scale[0], rtol=1e-4)
    np.testing.assert_allclose(np.diff(seen[:, 1, 0]), np.diff(given[:, 1, 0]) * scale[0], atol=1e-2)


def test_the_camera_follows_who_walks_off() -> None:
    poses = [moved(8 * number, 50) for number in range(100)]
    seen = np.stack([pose.points for pose in framed(poses, (128, 64), 25)])
    assert not np.isnan(seen).any()
    heights = seen[:, 10, 1] - seen[:, 1, 1]
    np.testing.assert_allclose(heights, heights[0], rtol=1e-4)
    assert heights[0] > 60, "large, though the way is 800 pixels long"
    assert np.ptp(seen[10:-10, 1, 0]) < 2
