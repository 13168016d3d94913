"""How long finding the pose on a photo takes, beside a single look of the network.

    python benchmarks/photo_to_pose.py [PHOTO ...]

Without photos: the first one of each rendered person who ships. Decoding is not counted.
"""

import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from timing import median_seconds

from pg2.io.packaged import SAMPLES
from pg2.io.pictures import load_image
from pg2.io.pixels import Image8
from pg2.pose.estimator import PoseEstimator


def milliseconds(work: Callable[[Image8], object], images: Sequence[Image8], rounds: int = 3) -> list[float]:
    """Of each picture the median of some rounds."""
    return [1000 * median_seconds(lambda image=image: work(image), rounds, 1) for image in images]  # type: ignore[misc]


def main() -> None:
    """Print both."""
    photos = [Path(name) for name in sys.argv[1:]] or sorted(SAMPLES.glob("*/00.jpg"))
    images, estimator = [load_image(photo) for photo in photos], PoseEstimator()
    looks = milliseconds(estimator.look, images)
    for what, times in (
        ("a single look", looks),
        ("everybody on the photo", milliseconds(estimator.estimate_all, images)),
    ):
        middle = statistics.median(times)
        print(
            f"{len(images)} photos, {what}: median {middle:.1f} ms, at most {max(times):.1f}, "
            f"{middle / statistics.median(looks):.2f} times a look"
        )


if __name__ == "__main__":
    main()
