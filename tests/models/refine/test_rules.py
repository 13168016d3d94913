"""What is painted, by rules."""

import torch

from pg2.models.refine.rules import as_other_side, clothed
from pg2.pose.parts import cell_centres

FRAME = (64, 32)


def test_what_is_painted_of_a_garment_has_its_colours() -> None:
    """Red is fetched on the left half of a trunk; the right half is painted in grey, with fine checks."""
    height, width = FRAME
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    checks = (0.1 * (2 * ((x + y) % 2) - 1)).expand(1, 3, -1, -1)
    red = torch.tensor([0.8, -0.6, -0.6])[None, :, None, None].expand(1, 3, *FRAME)
    trunk, left = torch.zeros(1, 1, *FRAME), torch.zeros(1, 1, *FRAME)
    trunk[..., 8:40, 4:28], left[..., :16] = 1.0, 1.0
    made = clothed(checks, red, left, trunk, 8)
    inside = (..., slice(12, 36), slice(16, 24))
    torch.testing.assert_close(made[inside], (red + checks)[inside], atol=0.06, rtol=0)
    beside = trunk.expand_as(made) == 0
    assert torch.equal(made[beside], checks[beside])
    # Nothing is fetched, or next to nothing: what is painted stays.
    assert torch.equal(clothed(checks, red, 0 * left, trunk, 8), checks)
    corner = torch.zeros_like(left)
    corner[..., 8:10, 4:6] = 1.0
    torch.testing.assert_close(clothed(checks, red, corner, trunk, 8), checks, atol=0.05, rtol=0)


def test_what_is_painted_of_a_garment_is_as_on_its_other_side() -> None:
    """Stripes are fetched on the left half of a trunk; the right half is painted in grey."""
    width = FRAME[1]
    x = torch.arange(width, dtype=torch.float32)
    stripes = (0.5 * (x / 2).sin()).expand(1, 3, *FRAME)
    trunk, left = torch.zeros(1, 1, *FRAME), (x < width / 2).float().expand(1, 1, *FRAME)
    trunk[..., 8:40, 4:28] = 1.0
    places = cell_centres(FRAME, 1)[None]
    places = torch.stack((width - 1 - places[..., 0], places[..., 1]), -1)
    grey, front, side = torch.zeros_like(stripes), torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    made = as_other_side(grey, stripes, left, trunk, places, front)
    right, beyond = (..., slice(8, 40), slice(16, 28)), (..., slice(8, 40), slice(28, 32))
    torch.testing.assert_close(made[right], stripes.flip(-1)[right])
    assert not made[beyond].any()
    assert not made[..., :8, :].any()
    assert torch.equal(as_other_side(grey, stripes, left, trunk, places, side), grey)
    assert torch.equal(as_other_side(grey, stripes, 0 * left, trunk, places, front), grey)
