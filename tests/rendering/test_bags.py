from dataclasses import replace

import numpy as np
import pytest

from pg2.rendering.bags import hanging, make_bag
from pg2.rendering.garments import Tights
from pg2.rendering.geometry import skinned, turn
from pg2.rendering.outfits import draw_outfit

DETAILS = draw_outfit(np.random.default_rng(1)).details


def bag(figure, kind):
    tights = Tights(figure)
    return make_bag(figure, replace(DETAILS, bag=kind), tights, np.full(len(tights.points), 0.02))


def test_who_has_none_has_none(figure):
    assert bag(figure, "none") == []


@pytest.mark.parametrize("kind", ["backpack", "crossbody"])
def test_a_bag_on_the_body_has_a_strap(figure, kind):
    body, strap = bag(figure, kind)
    for one in (body, strap):
        np.testing.assert_allclose(np.asarray(one.weights.sum(1)).ravel(), 1)
    middle = body.vertices.mean(0)
    if kind == "backpack":
        assert middle[1] > figure.head("spine03")[1]
        assert figure.hip < middle[2] < figure.neck
    else:
        assert middle[0] > 0.8 * figure.hip_half_width
        assert middle[2] < figure.waist
    drawn = strap.vertices[strap.source][strap.inside > 0]
    assert len(drawn) > 30
    # Over the shoulders.
    assert drawn[:, 2].max() > figure.clavicle
    assert drawn[:, 1].min() < figure.head("spine03")[1]


def test_a_handbag_hangs_straight_down_whatever_the_arm_does(figure):
    layers = bag(figure, "handbag")
    assert len(layers) == 3
    model = figure.model
    bones = np.tile(np.eye(4), (len(model.bones), 1, 1))
    hand = model.bones["finger3-1.L"]
    at_rest = layers[0].vertices - figure.heads[hand]
    for raised in (False, True):
        # The hand is turned over, and the person turned by a right angle.
        bones[hand, :3, :3] = turn("x", 130.0)
        bones[hand, :3, 3] = (
            np.array([0.1, -0.2, 0.6 if raised else -0.1])
            - (bones[hand, :3, :3] - np.eye(3)) @ figure.heads[hand]
        )
        # From the crook of the arm where the hand is above it.
        held = figure.head("lowerarm01.L") if raised else figure.heads[hand] + [0.1, -0.2, -0.1]
        posed = skinned(layers[0].vertices, layers[0].weights, hanging(model, bones, 90.0, figure.heads))
        np.testing.assert_allclose(posed - held, at_rest @ turn("z", 90.0).T, atol=1e-9)
        assert (posed[:, 2] < held[2]).all()
