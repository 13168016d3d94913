import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pg2.rendering.blur import blurred


@pytest.mark.parametrize("width", [1.5, 4.0, 9.0])
def test_it_is_about_a_gaussian(width):
    spot = np.zeros((81, 81), np.float32)
    spot[40, 40] = 1
    found, expected = blurred(spot, width), gaussian_filter(spot, width)
    assert found.sum() == pytest.approx(1, rel=1e-3)
    assert (found * (np.arange(81) - 40)).sum() == pytest.approx(0, abs=1e-3)
    spread = np.sqrt((found * (np.arange(81) - 40) ** 2).sum())
    assert spread == pytest.approx(width, rel=0.35)
    assert np.abs(found - expected).max() < 0.4 * expected.max()


def test_it_leaves_what_it_is_given_and_small_widths_alone():
    grid = np.random.default_rng(0).random((8, 9, 3)).astype(np.float32)
    before = grid.copy()
    np.testing.assert_array_equal(blurred(grid, 0.8), grid)
    assert blurred(grid, 2.0, "nearest").std() < 0.5 * grid.std()
    np.testing.assert_array_equal(grid, before)
    np.testing.assert_allclose(blurred(np.full((9, 9), 2.0), 2.0, "nearest"), 2, rtol=1e-6)
