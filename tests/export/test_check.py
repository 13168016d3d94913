"""The check of an export sees what is wrong."""

import numpy as np
import pytest
import torch
from export_samples import difference

from pg2.export.check import largest_difference, random_inputs
from pg2.export.picture_model import PictureModel


class Amiss:
    """Instead of a graph: the model itself, but for `levels` in one value of one pair's difference map."""

    def __init__(self, model: PictureModel, levels: int) -> None:
        self.model, self.levels = model, levels
        self.description = type("Said", (), {"frame": model.model.config.frame})

    def __call__(self, *inputs: np.ndarray) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            made = {name: value.numpy() for name, value in self.model(*map(torch.from_numpy, inputs)).items()}
        value = made["difference"][-1, 0, 0, 0]
        made["difference"][-1, 0, 0, 0] = value + self.levels if value < 128 else value - self.levels
        return made


@pytest.mark.parametrize("levels", [0, 1, 50])
def test_one_value_is_enough(levels: int) -> None:
    model = PictureModel(difference())
    largest, share = largest_difference(model, Amiss(model, levels))  # type: ignore[arg-type]
    # Another batch may round another way.
    assert levels <= largest <= levels + 1
    assert (share > 0) == (levels > 1)


def test_the_pairs_have_what_may_go_wrong() -> None:
    pictures, source, target = random_inputs((64, 32), 6)
    assert (pictures.shape, pictures.dtype) == ((6, 64, 32, 3), np.uint8)
    assert (source.shape, source.dtype) == ((6, 18, 2), np.float32)
    assert np.isnan(source[-1]).all(), "no pose at all"
    assert 0 < np.isnan(target[1]).mean() < 1, "a part of one"
    again = random_inputs((64, 32), 6)
    np.testing.assert_array_equal(pictures, again[0])
    assert (random_inputs((64, 32), 6, seed=1)[0] != pictures).any()
