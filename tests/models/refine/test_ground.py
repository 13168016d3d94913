"""The ground behind a person: what it must be where the rest of the picture leaves no doubt."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pg2.models.refine.ground import continued, filled, joined, running_maximum, spread_out


def hole(size: tuple[int, int] = (32, 32)) -> torch.Tensor:
    known = torch.ones(1, 1, *size)
    known[..., 9:21, 11:19] = 0.0
    return known


def test_the_ground_is_filled_in_from_around_the_person() -> None:
    image = torch.full((1, 3, 32, 32), 0.25)
    image[..., 10:20, 12:18] = -1.0
    known = torch.ones(1, 1, 32, 32)
    known[..., 9:21, 11:19] = 0.0
    torch.testing.assert_close(filled(image, known), torch.full_like(image, 0.25), atol=1e-3, rtol=0)
    assert filled(image, torch.zeros_like(known)).isfinite().all()
    for trust in (known, torch.zeros_like(known)):
        trust.requires_grad_()
        filled(image, trust).square().sum().backward()
        assert trust.grad is not None
        assert trust.grad.isfinite().all(), "a mask that is quite sure still learns"


def test_layers_go_on_behind_the_person() -> None:
    torch.manual_seed(0)
    layers = torch.rand(1, 3, 32, 1).expand(-1, -1, -1, 32)
    # At the corners of the hole the mean colour is one of other rows.
    torch.testing.assert_close(continued(layers, hole()), layers, atol=0.08, rtol=0)
    blocks = layers.clone()
    blocks[:] = torch.arange(32).div(8, rounding_mode="floor").div(4).view(1, 1, 32, 1)
    torch.testing.assert_close(continued(blocks, hole()), blocks, atol=1e-3, rtol=0)


def test_what_lies_beyond_the_wall_is_not_mirrored_into_it() -> None:
    """A picture with a white border: a person close to it once had a white shadow."""
    image = torch.full((1, 3, 64, 64), -0.2)
    image[..., :12] = 1.0
    known = torch.ones(1, 1, 64, 64)
    known[..., 10:50, 18:34] = 0.0
    made = continued(image, known)
    torch.testing.assert_close(made[..., 18:34], image[..., 18:34], atol=0.05, rtol=0)


def test_texture_is_mirrored_at_the_nearer_edge() -> None:
    torch.manual_seed(0)
    image, known = torch.rand(1, 3, 32, 32), hole()
    made = continued(image, known)
    # One pixel inside: nearly all is of the one pixel outside.
    torch.testing.assert_close(made[..., 9:21, 11], image[..., 9:21, 9], atol=0.16, rtol=0)
    torch.testing.assert_close(made[..., 9:21, 18], image[..., 9:21, 20], atol=0.16, rtol=0)


@pytest.mark.parametrize("middle", [48, 32, 66])
def test_lines_of_tiles_do_not_bend_along_the_person(middle: int) -> None:
    """Upright stripes, and a round hole in them: what is filled in is upright stripes.

    Also where the hole is near the border of the picture.
    """
    torch.manual_seed(0)
    image = (torch.rand(1, 3, 1, 4) - 0.5).expand(-1, -1, 96, -1).tile(24)
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    known = ((y - 48).square() + (x - middle).square()).sqrt()[None, None] > 20
    known[..., 5, 3] = False  # a stray place changes nothing
    made = continued(image, known.float())
    stripes = made[..., 40:57, middle - 16 : middle + 16]  # all of it in the hole
    assert stripes.std(2).mean() < 0.3 * stripes.std(3).mean()
    # Stripes that are as upright as that, and as lively as those around them.
    assert stripes.std(3).mean() > 0.4 * image.std(3).mean()


def test_at_the_edge_of_the_picture_one_side_is_enough() -> None:
    layers = torch.rand(1, 3, 32, 1).expand(-1, -1, -1, 32)
    known = torch.ones(1, 1, 32, 32)
    known[..., :, 26:] = 0.0
    torch.testing.assert_close(continued(layers, known), layers)
    torch.testing.assert_close(continued(layers, known.flip(3)), layers)


@given(st.integers(0, 2**16), st.sampled_from([0.0, 0.3, 0.9, 1.0]))
def test_any_mask_gives_a_picture_within_the_range_of_the_image(seed: int, share: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(2, 3, 16, 24, generator=generator)
    known = (torch.rand(2, 1, 16, 24, generator=generator) < share).float()
    made = continued(image, known)
    assert made.isfinite().all()
    assert made.min() >= -1e-4
    assert made.max() <= 1 + 1e-4


@pytest.mark.parametrize("background", [0.0, 1.0])
def test_nothing_known_is_no_crash(background: float) -> None:
    image = torch.full((1, 3, 16, 16), background)
    torch.testing.assert_close(continued(image, torch.zeros(1, 1, 16, 16)), image, atol=1e-3, rtol=0)


def test_where_nothing_can_be_mirrored_the_layers_go_on_too() -> None:
    """The hole is wider than what is beside it: its middle once was one grey for all rows."""
    layers = torch.linspace(-1, 1, 32).view(1, 1, 32, 1).expand(-1, 3, -1, 32)
    known = torch.ones(1, 1, 32, 32)
    known[..., 5:28] = 0.0
    torch.testing.assert_close(continued(layers, known), layers, atol=0.1, rtol=0)


def test_far_inside_a_hole_colours_are_those_of_its_own_side() -> None:
    top = torch.full((1, 3, 64, 32), -1.0)
    top[..., 32:, :] = 1.0
    known = torch.zeros(1, 1, 64, 32)
    known[..., :16, :] = known[..., 48:, :] = 1.0
    made = filled(top, known)
    assert made[..., 18, 16].max() < -0.2 < 0.2 < made[..., 45, 16].min()


@pytest.mark.parametrize("size", [1, 2, 5, 8, 13])
def test_the_running_maximum_is_that_of_pytorch(size: int) -> None:
    torch.manual_seed(size)
    for values in (torch.randn(2, 3, size, 4), torch.randint(-9, 9, (2, 3, size, 4))):
        assert running_maximum(values, 2).equal(values.cummax(2).values)
        turned = values.flip(2).cummax(2).values.flip(2)
        assert running_maximum(values, 2, backwards=True).equal(turned)


@pytest.mark.parametrize("reach", [0, 1, 2, 3, 4, 6, 8])
def test_a_mask_spreads_as_by_pooling_with_stride_1(reach: int) -> None:
    mask = torch.rand(2, 3, 17, 21)
    largest = torch.nn.functional.max_pool2d(mask, 2 * reach + 1, 1, reach)
    assert spread_out(mask, reach).equal(largest)


def test_what_hangs_together_with_a_part_is_found_so_far_and_no_further() -> None:
    mask, start = torch.zeros(1, 1, 8, 12), torch.zeros(1, 1, 8, 12)
    mask[..., 2:5, :6], mask[..., 2:5, 7:] = 0.8, 1.0  # a gap between them
    start[..., 3, 0] = 0.8
    found = joined(mask, start, 3)
    assert (found[..., 2:5, :4] == 0.8).all()
    assert not found[..., 4:].any()
    assert not joined(mask, start, 12)[..., 6:].any()  # nothing leads over the gap
