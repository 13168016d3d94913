"""What is behind a person, as the rest of the picture lets one guess."""

import torch
from torch import Tensor
from torch.nn import functional as F

_KNOWN = 0.5  # trust, from which on a place is taken as known

_AROUND = 32  # the colour of a place is a mean over this part of the height to each side

_CALM = 0.02  # of a range of 2: differences that nobody sees


def continued(image: Tensor, known: Tensor) -> Tensor:
    """A picture with its unknown places filled in from the left and from the right of them.

    People are upright, and what is behind them mostly lies in layers: sky over trees over grass, a wall over
    a floor. So each row goes on behind the person as it is beside: with the colour at the nearest known place
    on either side, the left one fading into the right one, and with the texture that is mirrored there.
    Texture is what differs from the colour around it, and is not to be livelier than at the edge, so that no
    object is seen twice. Where a whole row is unknown, colours come from all around (`filled`).

    Args:
        image: float [B, C, H, W].
        known: how much each place is to be trusted, [B, 1, H, W] in [0, 1].

    Returns:
        float [B, C, H, W]; what is known is not quite the same in it.
    """
    trusted, width = known > _KNOWN, known.shape[3]
    here = torch.arange(width, device=known.device).expand(known.shape)
    left = running_maximum(torch.where(trusted, here, -1), 3)
    right = -running_maximum(torch.where(trusted, -here, -width).flip(3), 3).flip(3)
    along = (here - left).float() / (right - left).clamp_min(1)
    to_right = along.square() * (3 - 2 * along)
    # Where the person leaves the picture, one side is all there is.
    to_right = to_right.masked_fill(right == width, 0.0).masked_fill(left < 0, 1.0)
    colours, spread = _around(image, trusted.to(image.dtype))
    found = torch.zeros_like(image)
    for edge, weight in ((left, 1 - to_right), (right, to_right)):
        mirrored = 2 * edge - here
        inside = (mirrored >= 0) & (mirrored < width)
        edge, mirrored = (places.clamp(0, width - 1) for places in (edge, mirrored))
        inside &= trusted.gather(3, mirrored)
        calm = ((spread.gather(3, edge) + _CALM) / (spread.gather(3, mirrored) + _CALM)).clamp_max(1)
        there, average, colour = (
            picture.gather(3, places.expand_as(picture))
            for picture, places in ((image, mirrored), (colours, mirrored), (colours, edge))
        )
        found = found + weight * (colour + inside * calm * (there - average))
    lowest, highest = image.amin((2, 3), keepdim=True), image.amax((2, 3), keepdim=True)
    found = torch.minimum(torch.maximum(found, lowest), highest)
    return torch.where(trusted.any(3, keepdim=True), found, filled(image, known))


def running_maximum(values: Tensor, dim: int) -> Tensor:
    """The largest value so far along a dimension, as `cummax` gives it, which ONNX lacks.

    Each step doubles how far back a place has looked.

    Args:
        values: of any shape, without NaN.
        dim: along which; its size must be known when the model is exported.

    Returns:
        the same shape.
    """
    size, step = values.shape[dim], 1
    while step < size:
        before, here = values.narrow(dim, 0, size - step), values.narrow(dim, step, size - step)
        values = torch.cat((values.narrow(dim, 0, step), torch.maximum(before, here)), dim)
        step *= 2
    return values


def _around(image: Tensor, trusted: Tensor) -> tuple[Tensor, Tensor]:
    """Mean colours of the known places around each one, [B, C, H, W], and their spread, [B, 1, H, W]."""
    around = max(image.shape[2] // _AROUND, 1)
    seen = torch.cat((image * trusted, image.square().mean(1, keepdim=True) * trusted, trusted), 1)
    means = F.avg_pool2d(seen, 2 * around + 1, 1, around)
    share = means[:, -1:].clamp_min(1e-6)
    colours, squares = means[:, :-2] / share, means[:, -2:-1] / share
    spread = (squares - colours.square().mean(1, keepdim=True)).clamp_min(0).sqrt()
    return colours, spread


def filled(image: Tensor, known: Tensor) -> Tensor:
    """A picture with its unknown places filled in from around them, from coarse to fine (push-pull).

    Args:
        image: float [B, C, H, W].
        known: how much each place is to be trusted, [B, 1, H, W] in [0, 1].

    Returns:
        float [B, C, H, W], smooth where nothing is known.
    """
    # The square makes a little trust count for little beside full trust.
    weight = known.square() + 1e-8
    if min(image.shape[2:]) <= 4:
        mean = (image * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True)
        return known * image + (1 - known) * mean
    share = F.avg_pool2d(weight, 2)
    # Never the root of 0, whose slope is infinite.
    below = filled(F.avg_pool2d(image * weight, 2) / share, share.sqrt().clamp_max(1))
    below = F.interpolate(below, size=image.shape[2:], mode="bilinear")
    return known * image + (1 - known) * below
