"""The shipped models' pictures stay what they are, pixel by pixel: two photos in two poses each.

tests/golden holds a sheet a model: a row a photo and pose, a column a picture (the result, then those that
the model made on the way). After a shipped model has changed, `python tests/test_golden.py` prints the new
hashes and writes the sheets.
"""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg2 import Pipeline, Pose
from pg2.io.packaged import SAMPLES
from pg2.io.pictures import Image8
from pg2.pose.formats import read_keypoints_csv

GOLDEN = Path(__file__).parent / "golden"
HASHES = {
    "fast/market1501": "c027dd9888f6dffbbbcf8b03d58133f42294ae13c314689ff3eb0a83baa8b770",
    "fast/photo256": "38f4d8067c3dcc851e811df30345f64fbb840d9d8de74e4d56c316b6b4451fbd",
    "fast/people256": "ec6bef6c2d3fbfcab39ea32d25a217541fdaca8bdf73aa163c2648adf6800d80",
}
"""SHA-256 of the sheets' pixels."""


def sha256(pixels: Image8) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def sheet(model: str) -> Image8:
    pipe, keypoints = Pipeline.from_pretrained(model), read_keypoints_csv(SAMPLES / "keypoints.csv")
    rows = []
    for photo in ("00003/00.jpg", "00015/00.jpg"):
        for pose in ("walking", "left"):
            result = pipe(SAMPLES / photo, pose, source_pose=Pose(keypoints[photo], (256, 256)))
            pictures = (result.image, *result.pictures.values())
            rows.append(np.concatenate([np.asarray(picture) for picture in pictures], 1))
    return np.concatenate(rows)


def assert_nearly(made: Image8, expected: Image8) -> None:
    """At most one grey level off, in at most one of 1,000 values.

    Another processor sums in another order; among instruction sets it was one value of 50,000.
    """
    assert made.shape == expected.shape
    off = np.abs(made.astype(int) - expected)
    assert off.max() <= 1
    assert (off > 0).mean() <= 1 / 1000


@pytest.mark.parametrize("model", HASHES)
def test_the_shipped_models_draw_what_they_drew(model: str) -> None:
    made = sheet(model)
    if sha256(made) != HASHES[model]:
        with Image.open(GOLDEN / f"{model.partition('/')[2]}.png") as opened:
            expected = np.asarray(opened)
        assert_nearly(made, expected)


@pytest.mark.parametrize("model", HASHES)
def test_the_stored_sheets_are_those_of_the_hashes(model: str) -> None:
    with Image.open(GOLDEN / f"{model.partition('/')[2]}.png") as opened:
        assert sha256(np.asarray(opened)) == HASHES[model]


def test_what_is_not_nearly_the_same() -> None:
    expected = np.full((10, 100, 3), 100, np.uint8)
    for values, level, same in ((3, 1, True), (4, 1, False), (1, 2, False), (0, 0, True)):
        made = expected.copy()
        made.flat[:values] += level
        if same:
            assert_nearly(made, expected)
        else:
            with pytest.raises(AssertionError):
                assert_nearly(made, expected)


if __name__ == "__main__":
    for name in HASHES:
        drawn = sheet(name)
        Image.fromarray(drawn).save(GOLDEN / f"{name.partition('/')[2]}.png")
        print(name, sha256(drawn))
