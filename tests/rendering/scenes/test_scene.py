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
    scenes = [draw_scene(np.random.default_rng(seed), DISTANCE) for seed in range(60)]
    again = draw_scene(np.random.default_rng(3), DISTANCE)
    assert {scene.place for scene in scenes} == {"paper", "room", "street", "wall", "park", "shore"}
    assert len({scene.light.name for scene in scenes}) == 9
    assert [piece.paint.finish for piece in scenes[3].behind] == [
        piece.paint.finish for piece in again.behind
    ]
    np.testing.assert_array_equal(
        np.concatenate([piece.rows() for piece in scenes[3].behind]),
        np.concatenate([piece.rows() for piece in again.behind]),
    )
    occluded = [scene for scene in scenes if scene.before]
    assert 1 <= len(occluded) <= 20
    for scene in occluded:
        points = np.concatenate([piece.points for piece in scene.before])
        assert points[:, 1].mean() < -0.3
