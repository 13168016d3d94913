import numpy as np
import pytest

from pg2.rendering.viewpoint import SHOTS, draw_shot, draw_viewpoint

STATURE = 1.7


def seen(camera, height):
    """Where a height above the origin is seen, as a share of the picture from its top."""
    return camera.pixels(np.array([[0.0, 0.0, height]]))[0, 1] / camera.size[0]


@pytest.mark.parametrize("framing", list(SHOTS))
def test_shots_are_as_often_as_they_should_be(framing):
    rng = np.random.default_rng(0)
    names = [draw_shot(framing, rng).name for _ in range(300)]
    for name, share in SHOTS[framing].items():
        assert abs(names.count(name) / 300 - share) < 0.08


@pytest.mark.parametrize("size", [(64, 64), (128, 64)])
def test_a_picture_shows_what_its_shot_says(size):
    found = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        viewpoint = draw_viewpoint("any", rng)
        camera, shot = viewpoint.frame(size, STATURE, rng)
        found.add(shot)
        head, floor, knees, hips = (seen(camera, share * STATURE) for share in (1.0, 0.0, 0.2, 0.38))
        assert head > -0.01
        if shot in ("whole", "far"):
            assert floor < 1.02
            assert (floor - head < 0.67) == (shot == "far")
        elif shot == "knees":
            assert knees > 0.95
        else:
            assert hips > 0.95
    assert found == set(SHOTS["any"])


def test_a_fixed_camera_hardly_moves():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        viewpoint = draw_viewpoint("any", rng)
        heads = np.array([seen(viewpoint.frame((64, 64), STATURE, rng)[0], STATURE) for _ in range(5)])
        if viewpoint.fixed:
            assert np.ptp(heads) < 0.09
        assert 0.9 < viewpoint.distance < 16
