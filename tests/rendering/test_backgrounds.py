import numpy as np
import pytest

from pg2.rendering.backgrounds import FootShadow, foot_shadows, street, studio
from pg2.rendering.camera import draw_camera

SHADOW = FootShadow(x=20, y=50, half_width=6, half_height=3, strength=1)


@pytest.mark.parametrize("size", [(64, 48), (32, 128)])
def test_backgrounds_are_pictures_with_darker_feet(size):
    for make in (
        lambda shadows: studio(size, shadows, np.ones(3)),
        lambda shadows: street(size, shadows, np.random.default_rng(1)),
    ):
        bare, shaded = make([]), make([FootShadow(10, size[0] - 6, 6, 3, 1)])
        assert bare.shape == (*size, 3)
        assert bare.min() >= 0
        assert bare.max() <= 1
        assert shaded[size[0] - 6, 10].sum() < 0.8 * bare[size[0] - 6, 10].sum()
        np.testing.assert_allclose(shaded[0], bare[0], atol=1e-3)


def test_streets_differ_by_their_generator_only():
    one, same, other = (street((32, 32), [SHADOW], np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).mean() > 0.01


def test_a_raised_foot_throws_less_shadow(figure):
    camera = draw_camera(
        figure.vertices[:13380], figure.keypoints, (64, 64), upper=False, rng=np.random.default_rng(0)
    )
    right, left = foot_shadows(camera, figure.keypoints, figure.floor)
    assert right.x < left.x
    assert 40 < right.y < 64
    assert foot_shadows(camera, figure.keypoints, figure.floor - 0.2)[0].strength < right.strength
