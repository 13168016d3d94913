"""Each picture is looked at once, memory is bounded, and what is remembered is what a look gives."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pg2.evaluation.remembered import Remembered

PICTURES = torch.rand(6, 3, 8, 4, generator=torch.Generator().manual_seed(0))


class Looking:
    """A network of one layer and one mean; counts the pictures that it was given."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, pictures: Tensor, factors: Tensor) -> list[Tensor]:
        self.seen += len(pictures)
        layer = pictures * factors.view(-1, 1, 1, 1)
        return [layer.mean((2, 3)), layer.contiguous(memory_format=torch.channels_last)]


def ask(remembered: Remembered, numbers: Sequence[int]) -> list[Tensor]:
    indices = list(numbers)
    return remembered([f"{number}.jpg" for number in indices], PICTURES[indices], torch.tensor(indices) + 1.0)


def assert_right(found: Sequence[Tensor], numbers: Sequence[int]) -> None:
    wanted = Looking()(PICTURES[list(numbers)], torch.tensor(numbers) + 1.0)
    for value, expected in zip(found, wanted, strict=True):
        assert torch.equal(value, expected)
        assert value.stride() == expected.stride(), "layers lie in memory as the network gives them"


def test_a_picture_is_looked_at_once() -> None:
    look = Looking()
    remembered = Remembered(look, 6)
    for numbers, seen in (([0, 1, 0], 2), ([1, 0], 2), ([2, 0, 3, 2], 4), ([0, 1, 2, 3], 4)):
        assert_right(ask(remembered, numbers), numbers)
        assert look.seen == seen


def test_the_longest_unused_is_forgotten() -> None:
    look = Looking()
    each = (3 + 3 * 8 * 4) * 4
    remembered = Remembered(look, 6, size=3 * each + 5)
    for numbers, seen in (([0, 1], 2), ([2], 3), ([0], 3), ([3], 4), ([0, 2], 4), ([1], 5), ([3, 0], 6)):
        assert_right(ask(remembered, numbers), numbers)
        assert look.seen == seen, numbers


@pytest.mark.parametrize("first", [[0, 1, 2], [0]])
def test_a_batch_larger_than_the_memory_is_looked_at_all_the_same(first: list[int]) -> None:
    remembered = Remembered(Looking(), 6, size=1)
    for numbers in (first, [3, 4, 5, 3], [0, 1], [1]):
        assert_right(ask(remembered, numbers), numbers)
