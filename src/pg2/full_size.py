"""A result at its photo's own scale: what the small picture fetched is fetched again from the photo itself.

The model works on a frame of, say, 256x256 pixels; a photo has many times as many. Where the result was
copied from the photo, the same places are looked up in the photo at its own scale, and what that adds to the
enlarged small picture is added to the enlarged result.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional as F

from pg2.io.pixels import Image8
from pg2.pose.framing import Framing
from pg2.pose.parts import sample

# Places of neighbours in the frame that are further apart than this, in pixels of it, belong to two parts of
# the body: between them there is nothing to look up.
_JUMP = 4.0

_SOFT = 0.8  # pixels of the frame, over which the result passes into the photo

_MOST_PIXELS = 16_000_000  # of the photo, that are looked up in; a larger one is shrunk for that
_ROWS = 128  # at once, so that memory stays bounded


class Fetched(NamedTuple):
    """What a model fetched from the photo for a result.

    Attributes:
        places: float32 [h, w, 2], for each pixel of the frame the (x, y) in the source's frame.
        warped: uint8 [h, w, 3], what was found there in the frame.
        share: uint8 [h, w], how much of the result is that.
    """

    places: npt.NDArray[np.float32]
    warped: Image8
    share: npt.NDArray[np.uint8]


def at_full_size(
    photo: Image8,
    framing: Framing,
    result: Image8,
    where: npt.NDArray[np.uint8] | None = None,
    fetched: Fetched | None = None,
) -> Image8:
    """The photo with a result over its person, at the photo's scale.

    Args:
        photo: uint8 [H, W, 3].
        framing: of the person on the photo.
        result: uint8 [h, w, 3] of the frame's size.
        where: how much of each of its pixels is to be seen, uint8 [h, w]; None: all of it.
        fetched: what is to be looked up again; None: the result is enlarged as it is.
    """
    rows, columns = framing.inside
    pasted = photo.copy()
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return pasted
    enlarged = framing.enlarge(result, Image.Resampling.LANCZOS)
    if fetched is not None and max(framing.scale) < 1:
        _sharpen(enlarged, photo, framing, fetched)
    below = Image.fromarray(photo[rows, columns])
    seen = None
    if where is not None:
        # An edge as sharp as the frame's pixels would show them.
        soft = ImageFilter.GaussianBlur(_SOFT / max(framing.scale))
        seen = Image.fromarray(framing.enlarge(where, Image.Resampling.BILINEAR)).filter(soft)
    below.paste(Image.fromarray(enlarged), (0, 0), seen)
    pasted[rows, columns] = np.asarray(below)
    return pasted


def _sharpen(enlarged: Image8, photo: Image8, framing: Framing, fetched: Fetched) -> None:
    """Add to the enlarged result, in place, what the photo has more to show than the frame."""
    places = torch.from_numpy(fetched.places).movedim(-1, 0)[None]
    stretch, even = _evenness(places, torch.from_numpy(fetched.share.copy()))
    share = framing.enlarge((fetched.share * even).astype(np.uint8), Image.Resampling.BILINEAR)
    warped = framing.enlarge(fetched.warped, Image.Resampling.LANCZOS)

    rows, columns = framing.inside
    crop = photo[rows, columns]
    # What is fetched from further away than it is shown is shrunk first, or it would flicker.
    shrink = max(stretch, (crop.shape[0] * crop.shape[1] / _MOST_PIXELS) ** 0.5, 1.0)
    if shrink > 1:
        size = (max(round(crop.shape[1] / shrink), 1), max(round(crop.shape[0] / shrink), 1))
        crop = np.asarray(Image.fromarray(crop).resize(size, Image.Resampling.LANCZOS))
    looked = torch.from_numpy(crop.copy()).movedim(-1, 0)[None].float()
    sx, sy = framing.scale
    by = torch.tensor(
        (crop.shape[1] / (columns.stop - columns.start), crop.shape[0] / (rows.stop - rows.start))
    )
    start = torch.tensor((framing.left - columns.start, framing.top - rows.start))

    x = (torch.arange(columns.start, columns.stop) + 0.5 - framing.left) * sx - 0.5
    for first in range(rows.start, rows.stop, _ROWS):
        y = (torch.arange(first, min(first + _ROWS, rows.stop)) + 0.5 - framing.top) * sy - 0.5
        band = slice(first - rows.start, first - rows.start + len(y))
        if not share[band].any():
            continue
        grid = torch.stack((x.expand(len(y), -1), y[:, None].expand(-1, len(x))), -1)[None]
        # Places in the frame -> in the photo -> in the part of it that is looked up in.
        found = sample(places, grid)[0].movedim(0, -1)
        found = ((found + 0.5) / torch.tensor((sx, sy)) + start) * by - 0.5
        detail = sample(looked, found[None], "bicubic")[0].movedim(0, -1).numpy() - warped[band]
        sharp = enlarged[band] + detail * (share[band, :, None] / np.float32(255))
        enlarged[band] = sharp.round().clip(0, 255).astype(np.uint8)


def _evenness(places: Tensor, share: Tensor) -> tuple[float, npt.NDArray[np.bool_]]:
    """How many pixels lie between the places of neighbours, usually; and where they change evenly [h, w]."""
    padded = F.pad(places, (0, 1, 0, 1), "replicate")
    steps = torch.stack(
        (
            (padded[:, :, :-1, 1:] - places).norm(dim=1),
            (padded[:, :, 1:, :-1] - places).norm(dim=1),
        )
    ).amax(0)
    uneven = F.max_pool2d((steps > _JUMP).float(), 3, 1, 1)[0] > 0
    counted = steps[0][(share > 127) & ~uneven]
    stretch = float(counted.median()) if len(counted) else 1.0
    return stretch, (~uneven).numpy()
