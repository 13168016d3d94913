import numpy as np
import pytest

from pg2.rendering.scenes.light import draw_light


@pytest.mark.parametrize("place", ["outside", "inside", "studio"])
def test_lights_are_drawn_from_the_generator(place):
    names = set()
    for seed in range(60):
        light, same = (draw_light(np.random.default_rng(seed), place, 3.0) for _ in range(2))
        names.add(light.name)
        np.testing.assert_array_equal(light.key, same.key)
        assert np.linalg.norm(light.direction) == pytest.approx(1)
        assert light.direction[2] > 0
        assert min(light.key.min(), light.sky.min(), light.ground.min()) > 0
        assert 0.2 < light.level < 3
        assert light.near == (3.0 if light.name == "flash" else 0.0)
    assert len(names) == {"outside": 4, "inside": 4, "studio": 1}[place]
