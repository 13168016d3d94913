"""What the tests of the user study share."""

from pathlib import Path

import pytest
from study_samples import GENERATED, REAL, fill

from pg2.userstudy.study import Study, make_study


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Generated and real pictures, ten of each, 32 high and 16 wide."""
    return fill(tmp_path / "generated", 10, GENERATED), fill(tmp_path / "real", 10, REAL)


@pytest.fixture
def study(folders: tuple[Path, Path], tmp_path: Path) -> Study:
    """3 + 3 pictures, 2 answers of practice."""
    return make_study(*folders, tmp_path / "study", count=3, practice=2, seconds=0.1)
