"""Pictures, keypoints and an estimator to make small data sets from."""

import contextlib
import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pg2.data.prepared import PreparedDataset, Record
from pg2.data.writing import Skipped, write_prepared
from pg2.io.geometry_file import Geometry
from pg2.io.pixels import Image8
from pg2.pose.estimator import NoPersonError
from pg2.pose.formats import format_keypoints_csv
from pg2.pose.keypoints import Points, Pose


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


def prepared_market(
    out: Path, people: Sequence[int] = (2, 7, 11, 30), size: tuple[int, int] = (32, 16)
) -> PreparedDataset:
    """A prepared set that is named as Market-1501: 3 pictures of each person, and of person 1501 for testing.

    No two pictures or poses are the same.
    """
    generator, pictures = np.random.default_rng(5), []
    for person, split in [*((person, "train") for person in people), (1501, "test")]:
        for camera in (1, 3, 6):
            points = standing(*size) + generator.uniform(-0.5, 0.5, (18, 2)).astype(np.float32)
            points = np.clip(points, 0, (size[1] - 1, size[0] - 1)).astype(np.float32).round(3)
            buffer = io.BytesIO()
            pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(buffer, "JPEG", quality=95, subsampling=0)
            name = f"{person:04d}_c{camera}s1_{person:06d}_01.jpg"
            pictures.append((Record(name, f"{person:04d}", split, points), buffer.getvalue()))
    write_prepared(
        out, pictures, source="market1501", frame=size, keypoints="made up", inputs="", skipped=Skipped()
    )
    return PreparedDataset(out)


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


def as_the_library_reads(shards: str) -> list[tuple[str, dict[str, bytes]]]:
    """The samples of shards by the library webdataset: keys, and files by their endings.

    Its `WebDataset` does the same, but leaves the files open.
    """
    from webdataset.shardlists import expand_urls
    from webdataset.tariterators import group_by_keys, tar_file_expander

    with contextlib.ExitStack() as stack:
        opened = [
            {"url": url, "stream": stack.enter_context(Path(url).open("rb"))} for url in expand_urls(shards)
        ]
        return [
            (sample["__key__"], {name: value for name, value in sample.items() if not name.startswith("__")})
            for sample in group_by_keys(tar_file_expander(opened))
        ]


_SIZE = (64, 64)
_POINTS = np.stack([np.linspace(20, 40, 18), np.linspace(10, 55, 18)], 1).astype(np.float32)


def _flat_person(number: int, left: int) -> tuple[bytes, Geometry]:
    """A flat person, 20 pixels wide, whose left edge is at `left`; a pixel is a centimetre at rest."""
    mask = np.zeros(_SIZE, np.uint8)
    mask[8:56, left : left + 20] = 255
    place = np.zeros((3, 32, 32), np.int16)
    rows, columns = np.nonzero(mask[::2, ::2])
    place[0, rows, columns] = (columns * 2 - left) * 10
    place[2, rows, columns] = 500 - rows * 20
    layer = (mask[::2, ::2] > 0).astype(np.uint8)
    pixels = np.full((*_SIZE, 3), 200, np.uint8)
    pixels[mask > 0] = (number * 40, 90, 60)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=92, subsampling=0)
    picture = file.getvalue()
    return picture, Geometry(place, layer, mask, (1, number), zlib.crc32(picture))


def write_rendered(raw: Path) -> Path:
    """Two people in two places, in the layout of `pg2 render --geometry`."""
    rows = []
    for person in (0, 1):
        folder = raw / f"{person:05d}"
        folder.mkdir(parents=True)
        for number, left in enumerate((10, 30)):
            picture, geometry = _flat_person(person, left)
            (folder / f"{number:02d}.jpg").write_bytes(picture)
            (folder / f"{number:02d}.geometry.npz").write_bytes(geometry.to_bytes())
            rows.append((f"{person:05d}/{number:02d}.jpg", _POINTS))
    (raw / "keypoints.csv").write_text(format_keypoints_csv(rows))
    settings = {"kind": "pg2 rendered people", "options": {"size": "64x64", "geometry": True}}
    (raw / "render.json").write_text(json.dumps(settings))
    return raw
