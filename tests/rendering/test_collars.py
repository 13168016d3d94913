from dataclasses import replace

import numpy as np
import pytest

from pg2.rendering.attributes import draw_attributes
from pg2.rendering.collars import make_collar
from pg2.rendering.garments import draw_dyes
from pg2.rendering.outfits import draw_outfit

BARE = replace(draw_outfit(np.random.default_rng(1)).details, collar="none", scarf=False)


@pytest.mark.parametrize(
    ("changed", "count"), [({}, 0), ({"collar": "shirt"}, 1), ({"collar": "hood"}, 1), ({"scarf": True}, 2)]
)
def test_what_goes_around_the_neck(figure, changed, count):
    wear = replace(
        draw_attributes(np.random.default_rng(0)), top="long sleeve", details=replace(BARE, **changed)
    )
    layers = make_collar(figure, wear, draw_dyes(wear, np.random.default_rng(0)))
    assert len(layers) == count
    for one in layers:
        np.testing.assert_allclose(np.asarray(one.weights.sum(1)).ravel(), 1)
        assert np.isfinite(one.vertices).all()
    if layers:
        around = layers[0].vertices
        assert np.abs(around[:, 0].mean()) < 0.01
        assert figure.clavicle - 0.12 < around[:, 2].mean() < figure.neck + 0.06
