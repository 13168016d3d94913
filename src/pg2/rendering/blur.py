"""Blur at a price that does not grow with its width: boxes that together are about a Gaussian."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d


def blurred(grid: npt.NDArray[Any], width: float, edge: str = "constant") -> npt.NDArray[np.float32]:
    """Blurred along its first two axes.

    Args:
        grid: [H, W] or [H, W, channels].
        width: about the standard deviation of the Gaussian, in cells; below 0.87 nothing changes.
        edge: what lies outside, as in scipy.ndimage: "constant" (0) or "nearest".
    """
    result = np.asarray(grid, np.float32)
    # Three boxes of n cells have a variance of (n^2 - 1) / 4; an even n would move the picture.
    size = 2 * round((float(np.sqrt(4 * width**2 + 1)) - 1) / 2) + 1
    if size > 1:
        for axis in (0, 1, 0, 1, 0, 1):
            result = uniform_filter1d(result, size, axis, mode=edge)
    return result
