"""What is behind a person, as the rest of the picture lets one guess."""

import torch
from torch import Tensor
from torch.nn import functional as F

_KNOWN = 0.5  # trust, from which on a place is taken as known

_AROUND = 32  # the colour of a place is a mean over this part of the height to each side

_CELLS = 64  # to the height, in which such means are worked out

_NOTHING = 1e-6  # trust in what is unknown, so that a mean is never one of nothing

_CALM = 0.02  # of a range of 2: differences that nobody sees


def continued(image: Tensor, known: Tensor) -> Tensor:
    """A picture with its unknown places filled in from the left and from the right of them.

    People are upright, and what is behind them mostly lies in layers: sky over trees over grass, a wall over
    a floor. So each row goes on behind the person as it is beside: with the colour at the nearest known place
    on either side, the left one fading into the right one, and with texture that is mirrored (`_mirrored`).
    Texture is what differs from the colour around it, and is not to be livelier than at the edge, so that no
    object is seen twice. Where a whole row is unknown, colours come from all around (`filled`).

    Args:
        image: float [B, C, H, W].
        known: how much each place is to be trusted, [B, 1, H, W] in [0, 1].

    Returns:
        float [B, C, H, W]; what is known is not quite the same in it.
    """
    trusted, width = known > _KNOWN, known.shape[3]
    last = float(width - 1)
    here = torch.arange(width, device=known.device, dtype=torch.float32).expand(known.shape)
    # As floats, which need half the memory of indices.
    left = running_maximum(torch.where(trusted, here, -1.0), 3)
    right = -running_maximum(torch.where(trusted, -here, -float(width)), 3, backwards=True)
    along = (here - left) / (right - left).clamp_min(1)
    to_right = along.square() * (3 - 2 * along)
    # Where the person leaves the picture, one side is all there is.
    to_right = to_right.masked_fill(right == width, 0.0).masked_fill(left < 0, 1.0)
    around, smooth = _around(image, trusted + _NOTHING)
    texture = torch.cat(((image - around[:, :-1]) * trusted, around[:, -1:]), 1)
    found = torch.zeros_like(image)
    for edge, columns, weight in (
        (left, _mirrored(left, here, trusted), 1 - to_right),
        (right, last - _mirrored(last - right, last - here, trusted), to_right),
    ):
        # What is at the edge, and what is mirrored.
        at_edge, there = _at_columns(around, edge), _at_columns(texture, columns)
        calm = (at_edge[:, -1:] / there[:, -1:].clamp_min(_CALM)).clamp_max(1)
        found = found + weight * (at_edge[:, :-1] + calm * there[:, :-1])
    found = found.clamp(image.amin((2, 3), keepdim=True), image.amax((2, 3), keepdim=True))
    # Without an edge to either side nothing sharp is known.
    return torch.where(trusted.any(3, keepdim=True), found, smooth)


def running_maximum(values: Tensor, dim: int, *, backwards: bool = False) -> Tensor:
    """The largest value so far along a dimension, as `cummax` gives it, which ONNX lacks.

    Each step doubles how far back a place has looked.

    Args:
        values: of any shape, without NaN.
        dim: along which; its size must be known when the model is exported.
        backwards: from the last place to the first.

    Returns:
        the same shape.
    """
    size, step = values.shape[dim], 1
    while step < size:
        first, last = values.narrow(dim, 0, size - step), values.narrow(dim, step, size - step)
        both, start = torch.maximum(first, last), size - step if backwards else 0
        ends = values.narrow(dim, start, step)
        values = torch.cat((both, ends) if backwards else (ends, both), dim)
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


def joined(mask: Tensor, start: Tensor, steps: int) -> Tensor:
    """What of a mask hangs together with a part of it.

    Args:
        mask: [B, C, H, W]; small, as it is pooled again and again.
        start: that part, the same shape, nowhere above the mask.
        steps: how many places further, at most.

    Returns:
        the same shape, nowhere above the mask.
    """
    for _ in range(steps):
        start = torch.minimum(mask, F.max_pool2d(start, 3, 1, 1))
    return start


def _mirrored(edge: Tensor, here: Tensor, trusted: Tensor) -> Tensor:
    """From which columns texture is mirrored, float [B, 1, H, W].

    A column is mirrored at one place in all of its rows: at the leftmost edge that any of them has. At each
    row's own edge lines of tiles would bend along the person. Where the picture ends on the way, it goes back
    from there; where that is not enough, the row's own edge is taken after all.

    Args:
        edge: of each place, the nearest known column to its left, float [B, 1, H, W]; -1: there is none.
        here: the column of each place, of the same shape.
        trusted: what is known, bool, of the same shape.
    """
    axis = torch.where(trusted | (edge < 0), float(edge.shape[3]), edge).amin(2, keepdim=True)
    axis = torch.where(trusted | (here > 3 * axis), edge, axis)
    columns = 2 * axis - here
    return torch.where((columns < 0) & (axis >= 0), -1 - columns, columns)


def _at_columns(picture: Tensor, columns: Tensor) -> Tensor:
    """What is in these columns of each row, 0 where there is no such column.

    A tenth of the time of `gather` in an exported graph, where that wants an index for each channel.

    Args:
        picture: [B, C, H, W].
        columns: whole numbers, float [B, 1, H, W].

    Returns:
        [B, C, H, W].
    """
    height, width = picture.shape[2:]
    rows = torch.arange(height, device=picture.device, dtype=torch.float32)[:, None]
    x = columns * (2 / width) + (1 / width - 1)
    grid = torch.cat((x, ((rows + 0.5) * (2 / height) - 1).expand_as(x)), 1).movedim(1, -1)
    return F.grid_sample(picture, grid, "nearest", "zeros", align_corners=False)


def _around(image: Tensor, trusted: Tensor) -> tuple[Tensor, Tensor]:
    """What the known places around each one tell.

    All of it is smooth, so it is worked out in cells.

    Returns:
        [B, C + 1, H, W]: their mean colours, and how far these are spread, `_CALM` added; and [B, C, H, W]:
        what is `filled` in from further off, for where nothing around is known.
    """
    cell, around = (max(image.shape[2] // part, 1) for part in (_CELLS, _AROUND))
    reach = around // cell
    seen = (image * trusted, image.square().mean(1, keepdim=True) * trusted, trusted)
    cells = torch.cat([F.avg_pool2d(part, cell, ceil_mode=True) for part in seen], 1)
    smooth = filled(cells[:, :-2] / cells[:, -1:], cells[:, -1:].sqrt())
    means = F.avg_pool2d(cells, 2 * reach + 1, 1, reach)
    colours, squares = means[:, :-2] / means[:, -1:], means[:, -2:-1] / means[:, -1:]
    spread = (squares - colours.square().mean(1, keepdim=True)).clamp_min(0).sqrt() + _CALM
    found = F.interpolate(torch.cat((colours, spread, smooth), 1), size=image.shape[2:], mode="bilinear")
    return found[:, : image.shape[1] + 1], found[:, image.shape[1] + 1 :]


def filled(image: Tensor, known: Tensor) -> Tensor:
    """A picture with its unknown places filled in from around them, from coarse to fine (push-pull).

    Args:
        image: float [B, C, H, W].
        known: how much each place is to be trusted, [B, 1, H, W] in [0, 1].

    Returns:
        float [B, C, H, W], smooth where nothing is known.
    """
    weight = known.square() + 1e-8  # so that a little trust counts for little beside full trust
    if min(image.shape[2:]) <= 4:
        mean = (image * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True)
        return mean.lerp(image, known)
    share = F.avg_pool2d(weight, 2)
    # Never the root of 0, whose slope is infinite.
    small = filled(F.avg_pool2d(image * weight, 2) / share, share.sqrt().clamp_max(1))
    return F.interpolate(small, size=image.shape[2:], mode="bilinear").lerp(image, known)
