"""What is behind a person, as the rest of the picture lets one guess."""

import torch
from torch import Tensor
from torch.nn import functional as F

_KNOWN = 0.5  # trust, from which on a place is taken as known

_AROUND = 32  # the colour of a place is a mean over this part of the height to each side

_CELLS = 64  # to the height, in which such means are worked out

_SMOOTH = 4  # times as small, rows that are wholly unknown are filled in

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
    trusted, width, channels = known > _KNOWN, known.shape[3], image.shape[1]
    here = torch.arange(width, device=known.device, dtype=torch.float32).expand(known.shape)
    # From the left and, turned over, from the right; as floats, which need half the memory of indices.
    sides = torch.cat((trusted, trusted.flip(3)), 1)
    nearest = running_maximum(torch.where(sides, here, -1.0), 3)
    left, right = nearest[:, :1], width - 1 - nearest[:, 1:].flip(3)
    along = (here - left) / (right - left).clamp_min(1)
    to_right = along.square() * (3 - 2 * along)
    # Where the person leaves the picture, one side is all there is.
    to_right = to_right.masked_fill(right == width, 0.0).masked_fill(left < 0, 1.0)
    around = _around(image, trusted.to(image.dtype))
    # Gathered together, what is seen at the edge, and what is mirrored there.
    mirrors = torch.cat((image - around[:, :channels], around[:, channels:], trusted), 1)
    found = torch.zeros_like(image)
    for edge, weight in ((left, 1 - to_right), (right, to_right)):
        mirrored = 2 * edge - here
        inside = (mirrored >= 0) & (mirrored < width)
        edge, mirrored = (places.clamp(0, width - 1).long() for places in (edge, mirrored))
        at_edge = around.gather(3, edge.expand_as(around))
        there = mirrors.gather(3, mirrored.expand_as(mirrors))
        calm = inside * there[:, -1:] * (at_edge[:, -1:] / there[:, -2:-1]).clamp_max(1)
        found = found + weight * (at_edge[:, :channels] + calm * there[:, :channels])
    found = found.clamp(image.amin((2, 3), keepdim=True), image.amax((2, 3), keepdim=True))
    # Without an edge to either side nothing sharp is known.
    return torch.where(trusted.any(3, keepdim=True), found, _smooth(image, known, _SMOOTH))


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


def spread_out(mask: Tensor, reach: int) -> Tensor:
    """The largest value in the square around each place, as `max_pool2d` gives it in ten times the time.

    Args:
        mask: [B, C, H, W], nowhere below 0.
        reach: places to each side, so that a square is 2 * reach + 1 places wide.

    Returns:
        the same shape.
    """
    for dim, padding in ((3, (reach, reach)), (2, (0, 0, reach, reach))):
        mask, size = F.pad(mask, padding), 1
        while size <= 2 * reach:
            step = min(size, 2 * reach + 1 - size)
            count = mask.shape[dim] - step
            mask, size = torch.maximum(mask.narrow(dim, 0, count), mask.narrow(dim, step, count)), size + step
    return mask


def _around(image: Tensor, trusted: Tensor) -> Tensor:
    """Mean colours of the known places around each one, and their spread and `_CALM`, [B, C + 1, H, W].

    Both are smooth, so they are worked out in cells.
    """
    cell, around = (max(image.shape[2] // part, 1) for part in (_CELLS, _AROUND))
    reach = around // cell
    seen = torch.cat((image * trusted, image.square().mean(1, keepdim=True) * trusted, trusted), 1)
    means = F.avg_pool2d(F.avg_pool2d(seen, cell, ceil_mode=True), 2 * reach + 1, 1, reach)
    share = means[:, -1:].clamp_min(1e-6)
    colours, squares = means[:, :-2] / share, means[:, -2:-1] / share
    spread = (squares - colours.square().mean(1, keepdim=True)).clamp_min(0).sqrt() + _CALM
    return F.interpolate(torch.cat((colours, spread), 1), size=image.shape[2:], mode="bilinear")


def filled(image: Tensor, known: Tensor) -> Tensor:
    """A picture with its unknown places filled in from around them, from coarse to fine (push-pull).

    Args:
        image: float [B, C, H, W].
        known: how much each place is to be trusted, [B, 1, H, W] in [0, 1].

    Returns:
        float [B, C, H, W], smooth where nothing is known.
    """
    if min(image.shape[2:]) <= 4:
        weight = _weight(known)
        mean = (image * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True)
        return mean.lerp(image, known)
    return _smooth(image, known, 2).lerp(image, known)


def _smooth(image: Tensor, known: Tensor, factor: int) -> Tensor:
    """A picture that was `filled` at a size `factor` times as small, [B, C, H, W]."""
    weight = _weight(known)
    share = F.avg_pool2d(weight, factor)
    # Never the root of 0, whose slope is infinite.
    small = filled(F.avg_pool2d(image * weight, factor) / share, share.sqrt().clamp_max(1))
    return F.interpolate(small, size=image.shape[2:], mode="bilinear")


def _weight(known: Tensor) -> Tensor:
    # The square makes a little trust count for little beside full trust.
    return known.square() + 1e-8
