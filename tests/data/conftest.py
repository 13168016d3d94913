"""Small made-up data sets in the owners' layouts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from data_samples import save_noise, standing

from pg2.data.sources.market1501 import prepare_market1501
from pg2.pose.formats import format_keypoints_csv


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """Market-1501 in small: 2 people x 3 pictures for training, 1 person x 2 for testing, all in order."""
    raw = tmp_path / "Market-1501"
    names = {
        "train": [f"{p}_c{c}s1_00045{c}_01.jpg" for p in ("0002", "0007") for c in (1, 2, 3)],
        "test": [f"0010_c{c}s1_00045{c}_01.jpg" for c in (1, 2)],
    }
    for number, (split, files) in enumerate(names.items()):
        for seed, name in enumerate(files):
            save_noise(raw / f"bounding_box_{split}" / name, seed=100 * number + seed)
        rows = [(name, standing(128, 64)) for name in files]
        (raw / f"market-annotation-{split}.csv").write_text(format_keypoints_csv(rows))
    return raw


@pytest.fixture
def prepared(market: Path, tmp_path: Path) -> Path:
    """The same, prepared."""
    out = tmp_path / "out"
    prepare_market1501(market, out)
    return out


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos of 3 people, two each, of several sizes and formats."""
    raw = tmp_path / "photos"
    for number, name in enumerate(
        ["ann/1.png", "ann/2.jpg", "bob/1.jpg", "bob/2.bmp", "cy/a.jpg", "cy/b.webp"]
    ):
        save_noise(raw / name, size=(150 + 10 * number, 100 + 30 * number), seed=number)
    return raw


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder with its content, to tell whether anything changed."""
    return lambda root: {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}
