"""Pictures, keypoints and an estimator to make small data sets from."""

from pathlib import Path

import numpy as np
from PIL import Image

from pg2.io.pixels import Image8
from pg2.pose.estimator import NoPersonError
from pg2.pose.keypoints import Points, Pose

SHARED = Path(__file__).parents[2].parent / "shared"


def standing(height: int, width: int) -> Points:
    """A standing figure that fills a picture: float32 [18, 2]."""
    x = np.array([50, 50, 35, 30, 28, 65, 70, 72, 40, 40, 40, 60, 60, 60, 47, 53, 44, 56]) / 100 * width
    y = np.array([10, 20, 20, 35, 50, 20, 35, 50, 50, 70, 92, 50, 70, 92, 8, 8, 9, 9]) / 100 * height
    return np.stack([x, y], axis=1).astype(np.float32).round()


def save_noise(path: Path, size: tuple[int, int] = (128, 64), seed: int = 0) -> None:
    """A picture of (height, width) that no two seeds share."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


class FakeEstimator:
    """Sees a standing figure in every picture that is not black; counts, and can break down."""

    def __init__(self, break_after: int | None = None) -> None:
        self.calls = 0
        self.break_after = break_after

    def __call__(self, image: Image8) -> Pose:
        if self.calls == self.break_after:
            raise KeyboardInterrupt
        self.calls += 1
        height, width = image.shape[:2]
        if not image.any():
            raise NoPersonError("nobody there")
        return Pose(standing(height, width), (height, width))
