from dataclasses import replace

import numpy as np
import pytest

from pg2.pose.keypoints import KEYPOINTS
from pg2.rendering.headwear import make_headwear
from pg2.rendering.outfits import draw_outfit

DETAILS = replace(draw_outfit(np.random.default_rng(1)).details, hat="none", glasses="none")


def test_who_wears_nothing_on_the_head(figure):
    assert make_headwear(figure, DETAILS) == []


@pytest.mark.parametrize(("hat", "count"), [("beanie", 1), ("brim", 2), ("headscarf", 2)])
def test_hats_are_on_the_head_and_leave_the_eyes_free(figure, hat, count):
    layers = make_headwear(figure, replace(DETAILS, hat=hat))
    assert len(layers) == count
    eye = figure.keypoints[KEYPOINTS.index("left_eye")]
    crown = max(one.vertices[one.source][one.inside > 0][:, 2].max() for one in layers)
    assert crown > figure.floor + figure.stature
    for one in layers:
        np.testing.assert_allclose(np.asarray(one.weights.sum(1)).ravel(), 1)
        drawn = one.vertices[one.source][one.inside > 0]
        before = drawn[(drawn[:, 1] < eye[1]) & (np.abs(drawn[:, 2] - eye[2]) < 0.01)]
        assert not len(before[np.abs(before[:, 0] - eye[0]) < 0.015])


def test_glasses_sit_before_the_eyes(figure):
    clear, dark = (
        make_headwear(figure, replace(DETAILS, glasses=kind)) for kind in ("glasses", "sunglasses")
    )
    assert len(dark) == len(clear) + 2
    eye = figure.keypoints[KEYPOINTS.index("left_eye")]
    lens = dark[-2].vertices
    assert np.abs(lens.mean(0) - eye).max() < 0.03
    assert lens[:, 1].mean() < eye[1]
