"""What tests of several packages share: a tiny data set that trains in seconds."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from pg2.data.prepared import PreparedDataset, Record, Skipped, write_prepared

FRAME = (32, 16)


@pytest.fixture(autouse=True, scope="session")
def _two_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """6 people x 3 pictures of 32x16 for training, 2 x 3 for testing: smooth noise, random poses."""
    generator = np.random.default_rng(7)
    pictures = []
    for person in range(8):
        colour = generator.integers(0, 256, 3)
        for number in range(3):
            pixels = np.clip(colour + generator.normal(0, 12, (*FRAME, 3)), 0, 255).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "JPEG")
            points = generator.uniform((0, 0), (15, 31), (18, 2)).round().astype(np.float32)
            points[14 + number] = np.nan
            split = "train" if person < 6 else "test"
            pictures.append((Record(f"{person}_{number}.jpg", str(person), split, points), buffer.getvalue()))
    out = tmp_path_factory.mktemp("tiny") / "data"
    write_prepared(
        out, pictures, source="folder", frame=FRAME, keypoints="made up", inputs="made up", skipped=Skipped()
    )
    return PreparedDataset(out)
