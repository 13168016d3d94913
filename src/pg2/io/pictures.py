"""Reading anybody's picture into plain RGB, with a clear sentence for what is not one."""

import io
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from pg2.errors import Pg2Error
from pg2.io.picture_files import called, open_picture
from pg2.io.pixels import Image8

MIN_SIDE = 16
"""Pictures with a shorter side are refused: nothing can be seen in them."""

_TILE = 256  # pixels a side of what is converted at a time: little memory beside the picture, soon done

# Of each EXIF orientation: an upright picture, seen as it is stored.
_STORED: dict[int, Callable[[Image8], Image8]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


def orientation(image: Image.Image) -> int:
    """How a picture is stored, by EXIF: 1 upright, 2 to 4 mirrored or turned over, 5 to 8 on its side."""
    found = image.getexif().get(ExifTags.Base.Orientation, 1)
    return found if found in _STORED else 1


def to_array(image: Image.Image) -> Image8:
    """Bring a picture of any mode upright and into uint8 RGB [H, W, 3]; transparency becomes white.

    The EXIF orientation is applied, 16-bit and float greys are scaled to 8 bits, CMYK, palette, LAB
    and grey pictures are converted. The array is not to be written to.
    """
    image.load()
    turn = orientation(image)
    upright = np.empty((*(image.size if turn > 4 else image.size[::-1]), 3), np.uint8)
    stored = _STORED[turn](upright)
    tiles = [
        (left, top, min(left + _TILE, image.width), min(top + _TILE, image.height))
        for top in range(0, image.height, _TILE)
        for left in range(0, image.width, _TILE)
    ]
    white = 65535.0
    if image.mode.startswith("F"):
        white = max(1.0, *(float(_grey(image.crop(tile)).max()) for tile in tiles))
    for left, top, right, bottom in tiles:
        part = _rgb(image.crop((left, top, right, bottom)), white)
        stored[top:bottom, left:right] = np.asarray(part)
    upright.setflags(write=False)
    return upright


def _grey(image: Image.Image) -> npt.NDArray[np.float32]:
    return np.nan_to_num(np.asarray(image, dtype=np.float32))


def _rgb(image: Image.Image, white: float) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        grey = np.clip(_grey(image) / white * 255.0, 0, 255)
        image = Image.fromarray(grey.round().astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("RGB")


def shrink(image: Image8, longest: int) -> Image8:
    """A uint8 [H, W, 3] picture scaled down so that its longer side is `longest`; unchanged if it already is.

    The memory needed beyond the picture itself is bounded by `longest`, not by the picture.
    """
    height, width = image.shape[:2]
    if max(height, width) <= longest:
        return image
    # Pillow copies what it is given: a huge picture is thinned first, to twice the wanted size or more.
    step = max(max(height, width) // (2 * longest), 1)
    size = (
        max(round(width * longest / max(height, width)), 1),
        max(round(height * longest / max(height, width)), 1),
    )
    thinned = np.ascontiguousarray(image[::step, ::step])
    return np.asarray(Image.fromarray(thinned).resize(size, Image.Resampling.BOX))


def to_jpeg(image: Image8) -> bytes:
    """A uint8 [H, W, 3] picture as a JPEG file."""
    buffer = io.BytesIO()
    # Full colour resolution: halved, it would blur clothes at small sizes.
    Image.fromarray(image).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def load_image(source: str | Path | bytes) -> Image8:
    """Read a picture, a file or the content of one, as uint8 RGB [H, W, 3], upright.

    Of an animation the first frame is taken, with a warning. It may be called from several threads at once.

    Raises:
        Pg2Error: as `open_picture`, or it is under 16 pixels.
    """
    return _load(source, None)[0]


def load_shrunk(source: str | Path | bytes, longest: int) -> tuple[Image8, tuple[int, int]]:
    """The same where not all pixels are needed: large JPEGs are decoded to a half, quarter or eighth of them.

    Args:
        source: as of `load_image`.
        longest: pixels of the longer side that are enough.

    Returns:
        The picture, its longer side `longest` or more if the file has so many; (height, width) of the whole.
    """
    return _load(source, longest)


def _load(source: str | Path | bytes, longest: int | None) -> tuple[Image8, tuple[int, int]]:
    name = called(source) or "the file"
    with open_picture(source, name) as opened:
        width, height = opened.size
        if min(width, height) < MIN_SIDE:
            raise Pg2Error(
                f"{name} is {height}x{width} pixels, too small to show a person; both sides must "
                f"be at least {MIN_SIDE}"
            )
        # The further frames of an MPO, as many telephones write, are previews, no animation.
        animated = opened.format != "MPO" and getattr(opened, "is_animated", False)
        share = 1.0 if longest is None else longest / max(width, height)
        if share < 1.0:
            opened.draft(None, (math.ceil(width * share), math.ceil(height * share)))
        image = to_array(opened)
        on_its_side = orientation(opened) > 4
    if animated:
        warnings.warn(f"{name} is animated; its first frame is used", stacklevel=3)
    return image, (width, height) if on_its_side else (height, width)
