import numpy as np
import pytest

from pg2.rendering.camera import aimed_camera
from pg2.rendering.scenes.drawing import SceneDrawer
from pg2.rendering.scenes.light import SceneLight
from pg2.rendering.scenes.pieces import Finish, Paint, quad
from pg2.rendering.scenes.scene import Scene
from pg2.rendering.shading import SHADOW_MAP, Renderer

SIZE = (64, 64)
GREY = np.full(3, 0.5)
LIGHT = SceneLight("sun", np.array([0.0, -0.8, 0.6]), np.ones(3), np.full(3, 0.2), np.full(3, 0.1), 1.0)
NO_FEET = np.array([[0.0, 0, 0, 1], [0, 0, 0, 1]])


def paint(finish: Finish) -> Paint:
    return Paint(finish, GREY, GREY * 0.5, 0.5, 3.0)


@pytest.mark.usefixtures("egl")
def test_every_finish_draws_and_distances_are_metres():
    camera = aimed_camera(np.array([0.0, -4.0, 1.0]), SIZE, 0.0, 2.0, 0.0)
    with Renderer(SIZE, photo=True) as renderer:
        drawer = SceneDrawer(renderer)
        looks = {}
        for finish in Finish:
            wall = quad((-5, 2, -5), (10, 0, 0), (0, 0, 10), paint(finish))
            leaf = quad((0, -1, -5), (3, 0, 0), (0, 0, 10), paint(Finish.PLAIN))
            with drawer.loaded(
                Scene("wall", [wall], [leaf] if finish == Finish.PLAIN else [], LIGHT, 0.0)
            ) as scene:
                behind, before = drawer.draw(scene, camera, np.eye(4) * [9, 9, 9, 1], NO_FEET)
            looks[finish] = behind
            assert (before is None) == (finish != Finish.PLAIN)
            if before is not None:
                assert before[32, 8].max() == 0
                assert before[32, 60, 3] == 1
    for finish, behind in looks.items():
        assert behind.shape == (*SIZE, 4)
        assert np.isfinite(behind).all()
        assert behind[..., :3].max() > 0.02, finish
    assert looks[Finish.PLAIN][32, 32, 3] == pytest.approx(6, rel=0.02)
    flat = [looks[finish][..., :3].std() for finish in (Finish.PLAIN, Finish.BRICK, Finish.FACADE)]
    assert flat[0] < 0.5 * min(flat[1:])


@pytest.mark.usefixtures("egl")
def test_things_throw_shadows():
    camera = aimed_camera(np.array([0.0, -4.0, 9.0]), SIZE, -2.0, 3.0, 0.0)
    floor = quad((-9, -9, 0), (18, 0, 0), (0, 18, 0), paint(Finish.PLAIN), throws=False)
    board = quad((-0.5, 0.5, 0), (1, 0, 0), (0, 0, 1), paint(Finish.PLAIN))
    pictures = []
    with Renderer(SIZE, photo=True) as renderer:
        drawer = SceneDrawer(renderer)
        for pieces in ([floor], [floor, board]):
            with drawer.loaded(Scene("wall", pieces, [], LIGHT, 0.0)) as scene:
                pictures.append(drawer.draw(scene, camera, np.eye(4) * [9, 9, 9, 1], NO_FEET)[0])
    x, y = (camera.pixels(np.array([[0.0, 1.4, 0.0]]))[0]).astype(int)
    bare, shaded = (picture[y, x, 0] for picture in pictures)
    # On the floor behind the board, seen from above it.
    assert shaded < 0.8 * bare
    assert SHADOW_MAP == 512
