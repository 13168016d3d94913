"""What networks do not learn in so short a training: rules for what is painted, which need no training."""

import torch
from torch import Tensor
from torch.nn import functional as F

from pg2.pose.parts import Face, sample

# Masks are made steeper by this before they mix two pictures: what is nine tenths sure should not be seen
# through.
STEEP = 2.0

# The part of a face's reach over which it becomes hair.
_FACE_EDGE = 0.3

_CLEARLY = 0.3  # squared, of a range of 2: hair is so far from the colour of the skin

_STRANDS = 0.5  # how much of the light and dark of what is painted is left in hair

_TELLING = 0.2  # so much of a trunk, if it is fetched, tells the colours of the rest

_NEIGHBOURS = 4  # cells to each side, from which a painted one of the trunk takes its colours

_LITTLE, _NOTHING = 1e-3, 1e-6  # weight of all places together that says next to nothing, or nothing


def in_lost(places: Tensor, face: Face) -> Tensor:
    """Which places in the source, [B, H, W, 2], lie in a face that is lost, [B, 1, H, W] in [0, 1]."""
    apart = places.movedim(-1, 1) - face.middle[..., None, None]
    distance = apart.square().sum(1, keepdim=True).sqrt()
    reach = face.lost[..., None, None]
    return ((reach - distance) / (_FACE_EDGE * reach).clamp_min(1.0)).clamp(0, 1)


def with_hair(painted: Tensor, hair: Tensor, small: Tensor, stood: Tensor, face: Face, stride: int) -> Tensor:
    """What is painted, in place of a lost face and around another in the colour of the source's hair.

    What a network does not know it paints brown, with blots of skin. Hair is what of the person around
    the forehead is unlike the skin. Of what is painted, half of the light and dark stays, and no colour.

    Args:
        painted: [B, 3, H, W].
        hair: where in it hair is to be, [B, 1, H, W].
        small: the source on the grid of 1/`stride`, [B, 3, h, w].
        stood: where the person is in the source, [B, 1, H, W].
        face: of the source: where its skin and hair may be seen.

    Returns:
        [B, 3, H, W].
    """
    skin, there = (
        sample(small, (places[:, None] + 0.5) / stride - 0.5) for places in (face.cheeks, face.hair)
    )
    # Beyond a clear difference a larger one says no more: it may be the sky.
    unlike = (there - skin.mean(3, keepdim=True)).square().sum(1, keepdim=True).clamp_max(_CLEARLY)
    on_person = (STEEP * sample(stood, face.hair[:, None]) - 1).clamp(0, 1)
    weight = unlike.square() * on_person
    mean = (painted * hair).sum((2, 3), keepdim=True) / hair.sum((2, 3), keepdim=True).clamp_min(1.0)
    # Together nearly 1, or nearly 0 where no hair is found: what is painted stays as it is then.
    shares = weight / (weight.sum(3, keepdim=True) + _LITTLE)
    change = ((there - mean) * shares).sum(3, keepdim=True)
    apart = painted - mean
    plain = _STRANDS * apart.mean(1, keepdim=True) - apart
    return painted + hair * (change + plain * shares.sum(3, keepdim=True))


def as_other_side(
    painted: Tensor, warped: Tensor, shown: Tensor, trunk: Tensor, places: Tensor, facing: Tensor
) -> Tensor:
    """What is painted, on the trunk as what is fetched on its other side: most garments are symmetrical.

    Args:
        painted, warped: [B, 3, H, W].
        shown: how much of the fetched is seen, [B, 1, H, W] in [0, 1].
        trunk: where it is the trunk that is seen, [B, 1, H, W] in [0, 1].
        places, facing: see `pg2.pose.parts.other_side`.

    Returns:
        [B, 3, H, W].
    """
    seen = shown * trunk
    there = sample(torch.cat((warped * seen, seen), 1), places)
    told = there[:, 3:]
    return painted.lerp(there[:, :3] / (told + _NOTHING), trunk * told * facing)


def clothed(painted: Tensor, warped: Tensor, shown: Tensor, trunk: Tensor, cell: int) -> Tensor:
    """What is painted, on the trunk in the colours of what is fetched there.

    What a network does not know of a garment it paints pale, or in the colours of skin. What is finer
    than a few cells stays of the paint.

    Args:
        painted, warped: [B, 3, H, W].
        shown: how much of the fetched is seen, [B, 1, H, W] in [0, 1].
        trunk: where it is the trunk that is seen, [B, 1, H, W] in [0, 1].
        cell: pixels to a side of the cells in which colours are compared; it divides H and W.

    Returns:
        [B, 3, H, W].
    """
    seen = shown * trunk
    small = shrunk(torch.cat((warped * seen, seen, trunk, painted), 1), cell)
    near = F.avg_pool2d(small[:, :4], 2 * _NEIGHBOURS + 1, 1, _NEIGHBOURS)
    colours, told = near[:, :3] / (near[:, 3:] + _NOTHING), near[:, 3:] / (near[:, 3:] + _LITTLE)
    # A few places do not tell what a whole trunk looks like.
    known, whole = small[:, 3:5].sum((2, 3), keepdim=True).chunk(2, 1)
    enough = (known / (_TELLING * whole + _LITTLE)).clamp_max(1)
    smooth = F.avg_pool2d(F.pad(small[:, 5:], (1, 1, 1, 1), "replicate"), 3, 1)
    change = (colours - smooth) * (told * enough)
    change = F.interpolate(change, scale_factor=float(cell), mode="bilinear")
    return painted + trunk * change


def shrunk(picture: Tensor, factor: int) -> Tensor:
    """Means of cells, as by `avg_pool2d`, which takes OpenVINO three times as long."""
    cells = F.pixel_unshuffle(picture, factor)
    return cells.view(-1, picture.shape[1], factor**2, *cells.shape[2:]).mean(2)
