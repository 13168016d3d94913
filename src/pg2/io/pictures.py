"""Reading anybody's picture into plain RGB, with a clear sentence for what is not one."""

import io
import struct
import threading
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pg2.errors import Pg2Error
from pg2.io.pixels import Image8

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
"""File name endings taken as pictures when a folder is searched."""

MAX_PIXELS = 100_000_000
"""Pictures with more pixels are refused before a single one is decoded (bounded memory)."""

MIN_SIDE = 16
"""Pictures with a shorter side are refused: nothing can be seen in them."""

# Of bytes from anywhere only these are tried: some of Pillow's other readers start programs (EPS).
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

# Python's warning filters belong to the whole process: one thread at a time may change them.
_FILTERS = threading.Lock()


def to_rgb(image: Image.Image) -> Image.Image:
    """Bring a decoded picture of any mode upright and into 8-bit RGB; transparency becomes white.

    The EXIF orientation is applied, 16-bit and float greys are scaled to 8 bits, CMYK, palette, LAB
    and grey pictures are converted.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        grey = np.nan_to_num(np.asarray(image, dtype=np.float32))
        top = 65535.0 if image.mode.startswith("I") else max(float(grey.max()), 1.0)
        image = Image.fromarray(np.clip(grey / top * 255.0, 0, 255).round().astype(np.uint8))
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

    Of an animation the first frame is taken, with a warning. Of a content only JPEG, PNG, WebP, GIF, BMP and
    TIFF are read. It may be called from several threads at once.

    Raises:
        Pg2Error: no such file, not a picture, truncated, under 16 pixels or over 100 megapixels.
    """
    path = "the file" if isinstance(source, bytes) else Path(source)
    if isinstance(path, Path) and path.is_dir():
        raise Pg2Error(f"{path} is a folder, not a picture")
    try:
        with _FILTERS, warnings.catch_warnings():
            # Our own bound below replaces Pillow's warning; its hard error is turned into our sentence.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = (
                Image.open(io.BytesIO(source), formats=_FORMATS)
                if isinstance(source, bytes)
                else Image.open(source)
            )
        with opened:
            width, height = opened.size
            if width * height > MAX_PIXELS:
                raise Pg2Error(
                    f"{path} is {width} x {height} = {width * height // 1_000_000} megapixels, over the "
                    f"limit of {MAX_PIXELS // 1_000_000}; shrink it first"
                )
            if min(width, height) < MIN_SIDE:
                raise Pg2Error(
                    f"{path} is {width} x {height} pixels, too small to show a person; both sides must "
                    f"be at least {MIN_SIDE}"
                )
            # The further frames of an MPO, as many telephones write, are previews, no animation.
            if opened.format != "MPO" and getattr(opened, "is_animated", False):
                warnings.warn(f"{path} is animated; its first frame is used", stacklevel=2)
            opened.load()
            return np.asarray(to_rgb(opened))
    except FileNotFoundError as error:
        raise Pg2Error(f"there is no file {path}") from error
    except UnidentifiedImageError as error:
        raise Pg2Error(f"{path} is not a picture that can be read; give a JPEG, PNG or WebP file") from error
    except Image.DecompressionBombError as error:
        raise Pg2Error(
            f"{path} has far more than {MAX_PIXELS // 1_000_000} megapixels; shrink it first"
        ) from error
    except (OSError, EOFError, SyntaxError, ValueError, LookupError, RuntimeError, struct.error) as error:
        # Pillow's readers raise any of these for truncated or corrupt content.
        raise Pg2Error(f"{path} is damaged or truncated and cannot be decoded ({error})") from error
