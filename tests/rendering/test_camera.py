import numpy as np
import pytest

from pg2.pose.keypoints import KEYPOINTS
from pg2.rendering.camera import FAR, NEAR, depth_in_metres, draw_camera, visible_keypoints


@pytest.mark.parametrize("size", [(64, 64), (128, 64), (64, 128)])
def test_a_whole_person_fills_the_picture(figure, size):
    for seed in range(5):
        camera = draw_camera(
            figure.vertices[:13380], figure.keypoints, size, upper=False, rng=np.random.default_rng(seed)
        )
        seen = camera.pixels(figure.vertices[:13380])
        assert (seen > 0).all()
        assert (seen < size[::-1]).all()
        height, width = np.ptp(seen[:, 1]) / size[0], np.ptp(seen[:, 0]) / size[1]
        assert max(height, width) > 0.8


def test_an_upper_body_is_cut_above_the_knees(figure):
    size = (64, 64)
    for seed in range(5):
        camera = draw_camera(
            figure.vertices[:13380], figure.keypoints, size, upper=True, rng=np.random.default_rng(seed)
        )
        y = dict(zip(KEYPOINTS, camera.pixels(figure.keypoints)[:, 1], strict=True))
        assert 0 < y["nose"] < y["neck"] < y["left_hip"] < 64.5
        assert y["left_knee"] > 64


def test_left_is_right_in_a_frontal_picture_and_near_is_near(figure):
    camera = draw_camera(
        figure.vertices[:13380], figure.keypoints, (64, 64), upper=False, rng=np.random.default_rng(0)
    )
    x = dict(zip(KEYPOINTS, camera.pixels(figure.keypoints)[:, 0], strict=True))
    assert x["left_shoulder"] > x["right_shoulder"]
    nose, ear = camera.distances(figure.keypoints)[[KEYPOINTS.index("nose"), KEYPOINTS.index("left_ear")]]
    assert 4 < nose < ear < 6


def test_depth_in_metres():
    np.testing.assert_allclose(depth_in_metres(np.array([0.0, 1.0])), [NEAR, FAR])


def test_what_is_hidden_or_outside_is_missing(figure):
    camera = draw_camera(
        figure.vertices[:13380], figure.keypoints, (64, 64), upper=False, rng=np.random.default_rng(0)
    )
    open_air, wall = np.full((128, 128), FAR), np.full((128, 128), 1.0)
    there = visible_keypoints(camera, figure.keypoints, open_air, figure.scale)
    assert np.isfinite(there).all()
    np.testing.assert_array_equal(there, np.floor(camera.pixels(figure.keypoints)))
    behind_wall = visible_keypoints(camera, figure.keypoints, wall, figure.scale)
    hidden = [name for name, (x, _) in zip(KEYPOINTS, behind_wall, strict=True) if np.isnan(x)]
    assert hidden == ["nose", "right_eye", "left_eye", "right_ear", "left_ear"]
    far_left = figure.keypoints - [10, 0, 0]
    assert np.isnan(visible_keypoints(camera, far_left, open_air, figure.scale)).all()
