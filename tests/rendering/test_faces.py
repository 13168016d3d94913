import numpy as np
import pytest

from pg2.rendering.faces import draw_shapes
from pg2.rendering.figure import Figure

_TRAITS = ("gender", "age", "muscle", "weight", "height", "proportions", "cupsize", "firmness")
AVERAGE = dict.fromkeys(_TRAITS, 0.6) | {"african": 0.3, "asian": 0.3, "caucasian": 0.4}


@pytest.mark.parametrize("ancestry", ["african", "asian", "caucasian"])
def test_every_shape_is_one_of_the_mesh(model, ancestry):
    names = {name for seed in range(40) for name in draw_shapes(np.random.default_rng(seed), 1.0, ancestry)}
    assert len(names) > 80
    for name in names:
        assert np.abs(model._shape(name)).max() > 0, name


def test_faces_differ_and_people_stay_people(model):
    figures = [
        Figure(model, AVERAGE, draw_shapes(np.random.default_rng(seed), 0.3, "asian")) for seed in range(3)
    ]
    plain = Figure(model, AVERAGE)
    head = plain.head_share > 0.5
    for figure in figures:
        moved = np.linalg.norm(
            (figure.vertices - figure.heads[0]) - (plain.vertices - plain.heads[0]), axis=1
        )
        assert 0.0015 < moved[head].mean() < 0.03
        assert abs(figure.stature - plain.stature) < 0.08
    assert np.abs(figures[0].vertices[head] - figures[1].vertices[head]).max() > 0.003
