"""Pictures between files and networks: nothing is lost on the way there and back, nothing wraps around."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pg2.errors import Pg2Error
from pg2.io.pixels import from_images, to_images, to_uint8, to_unit


def test_the_ends_and_the_middle() -> None:
    images = to_unit(torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3))
    assert images.dtype == torch.float32
    assert images.flatten().tolist() == [-1.0, np.float32(51) / np.float32(127.5) - 1, 1.0]


def test_what_lies_beyond_is_clamped_and_does_not_wrap_around() -> None:
    values = torch.tensor([-1.5, -1.0, 0.0, 1.0, 7.0]).view(1, 1, 1, 5).expand(2, 3, 1, 5)
    assert to_uint8(values)[1, 2, 0].tolist() == [0, 0, 128, 255, 255]
    assert to_uint8(values).dtype == torch.uint8
    assert to_uint8(values.bfloat16())[1, 2, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_is_no_picture(value: float) -> None:
    images = torch.zeros(2, 3, 4, 4)
    images[1, 2, 3, 0] = value
    with pytest.raises(Pg2Error, match="not finite"):
        to_images(images)


def test_every_grey_level_survives_the_way_to_a_model_and_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert torch.equal(to_uint8(to_unit(levels)), levels)
    assert torch.equal(to_uint8(to_unit(levels.float())), levels)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_pictures_come_back_as_they_were(count: int, height: int, width: int, seed: int) -> None:
    pictures = list(np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8))
    batch = from_images(pictures)
    assert batch.shape == (count, 3, height, width)
    assert batch[-1, 2, 0, -1] == pictures[-1][0, -1, 2]
    back = to_images(to_unit(batch))
    assert len(back) == count
    assert all(np.array_equal(a, b) for a, b in zip(pictures, back, strict=True))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(-3, 3, width=32))
def test_any_value_is_off_by_half_a_level_at_most(value: float) -> None:
    (level,) = to_uint8(torch.tensor([value])).tolist()
    assert abs(level - (min(max(value, -1), 1) + 1) * 127.5) <= 0.5 + 1e-4


def test_a_batch_is_a_copy() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    batch = from_images([picture])
    picture[:] = 9
    assert batch.sum() == 0


def test_reading_pictures_does_not_load_pytorch() -> None:
    code = "import sys, pg2.io.pictures, pg2.reports.html; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
