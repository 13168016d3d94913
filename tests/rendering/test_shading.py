import numpy as np
import pytest

from pg2.errors import Pg2Error
from pg2.rendering.camera import FAR, draw_camera
from pg2.rendering.shading import Light, Renderer


def test_without_egl(monkeypatch):
    monkeypatch.setenv("GLCONTEXT_LINUX_LIBEGL", "libnowhere.so.1")
    with pytest.raises(Pg2Error, match="apt-get install libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri"):
        Renderer((32, 32))


@pytest.mark.usefixtures("egl")
def test_a_person_at_rest(people):
    person, size = people[0], (64, 64)
    figure = person.figure
    light = Light(np.array([0.0, -1.0, 0.0]), power=0.7, ambient=0.3)
    with Renderer(size, supersampling=2) as renderer, renderer.loaded(person.layers) as layers:
        posed = [one.layer.vertices for one in layers]
        camera = draw_camera(
            np.concatenate(posed), figure.keypoints, size, upper=False, rng=np.random.default_rng(0)
        )
        drawing = renderer.draw(layers, posed, camera, light, figure.scale)
        again = renderer.draw(layers, posed, camera, light, figure.scale)
        dark = renderer.draw(layers, posed, camera, Light(light.direction, 0.0, 0.0), figure.scale)
    assert drawing.rgba.shape == (64, 64, 4)
    assert drawing.depth.shape == (128, 128)
    np.testing.assert_array_equal(drawing.rgba, again.rgba)
    mask = drawing.rgba[..., 3]
    assert 0.05 < mask.mean() < 0.5
    assert mask[0].max() == mask[:, 0].max() == 0
    # Colour is multiplied by alpha: nothing shines where nobody is.
    assert drawing.rgba[mask == 0].max() == 0
    assert dark.rgba[..., :3].sum() < 0.8 * drawing.rgba[..., :3].sum()
    assert drawing.depth.max() == pytest.approx(FAR, rel=1e-3)
    assert 4.5 < drawing.depth.min() < 5.5
