"""Every place: what stands in it, and what must not."""

import numpy as np
import pytest

from pg2.rendering.scenes import things
from pg2.rendering.scenes.open_air import park, shore
from pg2.rendering.scenes.papers import paper
from pg2.rendering.scenes.rooms import room
from pg2.rendering.scenes.scene import draw_scene
from pg2.rendering.scenes.streets import street, wall

DISTANCE = 4.0
CAMERA = np.array([0.0, -DISTANCE, 1.5])


@pytest.mark.parametrize("make", [paper, room, street, wall, park, shore])
def test_nothing_stands_where_the_person_does_or_before(make):
    for seed in range(12):
        pieces = make(np.random.default_rng(seed), DISTANCE)
        points = np.concatenate([piece.points for piece in pieces if piece.throws] or [np.zeros((0, 3))])
        assert not (
            (np.abs(points[:, 0]) < 0.25) & (np.abs(points[:, 1]) < 0.25) & (points[:, 2] > 0.05)
        ).any()
        # The floor reaches from below the camera to behind the person.
        low = np.concatenate([piece.points for piece in pieces])
        low = low[np.abs(low[:, 2]) < 0.1]
        assert low[:, 1].min() < -DISTANCE
        assert low[:, 1].max() > 0.3


def test_all_things_stand_on_the_floor():
    for make in (
        things.bed, things.sofa, things.shelf, things.cupboard, things.table, things.chair, things.lamp,
        things.house_plant, things.door, things.car, things.lamp_post, things.bench, things.passer_by,
    ):  # fmt: skip
        points = np.concatenate([piece.points for piece in make(np.random.default_rng(0))])
        assert -0.05 < points[:, 2].min() < 0.2, make.__name__
        assert 0.4 < points[:, 2].max() < 7, make.__name__


def test_places_and_lights_vary_and_depend_on_the_generator_alone():
    scenes = [draw_scene(np.random.default_rng(seed), CAMERA, (0.0, 1.8)) for seed in range(60)]
    again = draw_scene(np.random.default_rng(3), CAMERA, (0.0, 1.8))
    assert {scene.place for scene in scenes} == {"paper", "room", "street", "wall", "park", "shore"}
    assert len({scene.light.name for scene in scenes}) == 9
    finishes = [[piece.paint.finish for piece in scene.behind] for scene in (scenes[3], again)]
    assert finishes[0] == finishes[1]
    rows = [np.concatenate([piece.rows() for piece in scene.behind]) for scene in (scenes[3], again)]
    np.testing.assert_array_equal(*rows)


def test_what_is_before_a_person_never_hides_most_of_them():
    occluded = 0
    for seed in range(80):
        scene = draw_scene(np.random.default_rng(seed), CAMERA, (0.0, 1.8))
        if scene.before:
            occluded += 1
            points = np.concatenate([piece.points for piece in scene.before])
            assert points[:, 1].mean() < -0.3
            assert scene.place != "paper"
            # From the camera the head is seen: nothing of it lies before a cone around it.
            ahead = (points[:, 1] - CAMERA[1]) / -CAMERA[1]
            offset = points - (CAMERA + ahead[:, None] * (np.array([0.0, 0.0, 1.6]) - CAMERA))
            assert not ((np.abs(offset[:, [0, 2]]) < 0.02).all(1)).any()
    assert 2 <= occluded <= 20
    assert not any(draw_scene(np.random.default_rng(seed), CAMERA).before for seed in range(80))
