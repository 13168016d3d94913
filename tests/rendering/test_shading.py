import numpy as np
import pytest

from pg2.errors import Pg2Error
from pg2.rendering.camera import FAR, draw_camera
from pg2.rendering.shading import Light, Renderer

LIGHT = Light(np.array([0.0, -1.0, 0.0]), power=0.7, ambient=0.3)


def test_without_egl(monkeypatch):
    monkeypatch.setenv("GLCONTEXT_LINUX_LIBEGL", "libnowhere.so.1")
    with pytest.raises(Pg2Error, match="apt-get install libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri"):
        Renderer((32, 32))


@pytest.mark.usefixtures("egl")
def test_a_person_at_rest(people):
    person, size, light = people[0], (64, 64), LIGHT
    figure = person.figure
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


@pytest.mark.usefixtures("egl")
def test_which_place_is_seen_where(people):
    person, size = people[0], (96, 64)
    drawings = []
    for surface in (False, True):
        with Renderer(size, surface=surface) as renderer, renderer.loaded(person.layers) as layers:
            posed = [one.layer.vertices for one in layers]
            camera = draw_camera(
                np.concatenate(posed),
                person.figure.keypoints,
                size,
                upper=False,
                rng=np.random.default_rng(0),
            )
            drawings.append(renderer.draw(layers, posed, camera, LIGHT, person.figure.scale))
    without, drawing = drawings
    assert without.surface is None
    np.testing.assert_array_equal(drawing.rgba, without.rgba)
    np.testing.assert_array_equal(drawing.depth, without.depth)
    surface = drawing.surface
    assert surface is not None
    assert surface.shape == (48, 32, 4)
    seen = surface[..., 3] > 0
    covered = drawing.rgba[..., 3].reshape(48, 2, 32, 2).mean((1, 3))
    assert (seen[covered == 1]).all()
    assert not surface[covered == 0].any()
    # The person is at rest: each place is where the camera sees it, at the middle of 2 x 2 pixels.
    rows, columns = np.nonzero(seen)
    middles = np.stack([columns * 2 + 1, rows * 2 + 1], 1)
    np.testing.assert_allclose(camera.pixels(surface[seen][:, :3].astype(np.float64)), middles, atol=0.01)
    # The layers are counted as the person has them.
    numbers = surface[seen][:, 3]
    assert set(numbers) <= set(range(1, len(person.layers) + 1))
    for number in set(numbers):
        vertices = person.layers[int(number) - 1].vertices
        places = surface[surface[..., 3] == number][:, :3]
        distances = np.linalg.norm(places[:, None] - vertices, axis=2).min(1)
        assert np.median(distances) < 0.02
