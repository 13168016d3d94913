"""The geometry of a rendered picture: which place on the person each pixel shows. Written, read, checked.

`pg2 render --geometry` writes one beside each picture, NUMBER.geometry.npz: a zip of NumPy arrays that anyone
can read without pg2, about 13 kB for a picture of 256 x 256 (whose JPEG has 10 kB):

- `place`: int16 [3, H / 2, W / 2], coordinates at rest in millimetres: x to the person's left, y backwards,
  z up; 0 where nobody is. All pictures of a person share them, whatever the pose.
- `layer`: uint8 [H / 2, W / 2], which of the person's layers (garments, bags, skin, hair) it is; 0 where
  nobody is, or where something else stands before them.
- `mask`: uint8 [H, W], how much of a pixel the person covers, 255 for all of it.
- `person`: int64 [2], the seed of the set and the number of the person.
- `picture`: uint32, the CRC-32 of the picture's file.

The first two tell what is seen at the centre of each square of 2 x 2 pixels.
"""

import io
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pg2.errors import Pg2Error
from pg2.io.files import Stored

SUFFIX = ".geometry.npz"
"""What a geometry's file name has in place of its picture's suffix."""

STEP = 0.001
"""Metres from one value of `place` to the next."""

_MAX_BYTES = 50_000_000

# What NumPy and zipfile raise for content that was made up; a MemoryError is an array of a petabyte.
_DAMAGED = (
    OSError, TypeError, ValueError, EOFError, RuntimeError, MemoryError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip

AGAIN = "make it again with `pg2 render --geometry`"
"""What to do about a geometry that cannot be used."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """Which place on the person each pixel of one picture shows.

    Attributes:
        place: int16 [3, H / 2, W / 2], coordinates at rest, in steps of `STEP`.
        layer: uint8 [H / 2, W / 2], from 1; 0 where nobody is.
        mask: uint8 [H, W], how much of a pixel the person covers, 255 for all of it.
        person: the seed of the set and the number of the person.
        picture: the CRC-32 of the picture's file.
    """

    place: npt.NDArray[np.int16]
    layer: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    person: tuple[int, int]
    picture: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture in pixels."""
        return self.mask.shape[0], self.mask.shape[1]

    def to_bytes(self) -> bytes:
        """As a file; the same geometry gives the same bytes."""
        buffer = io.BytesIO()
        # NumPy dates all parts of the zip 1980.
        np.savez_compressed(
            buffer,
            place=self.place,
            layer=self.layer,
            mask=self.mask,
            person=np.array(self.person, np.int64),
            picture=np.uint32(self.picture),
        )
        return buffer.getvalue()


def from_surface(
    surface: npt.NDArray[np.float32], mask: npt.NDArray[np.float32], person: tuple[int, int], picture: bytes
) -> Geometry:
    """The geometry of a picture that was drawn.

    Args:
        surface: float32 [H / 2, W / 2, 4], coordinates at rest in metres, and the number of the layer or 0.
        mask: float32 [H, W], 0 to 1.
        person: the seed of the set and the number of the person.
        picture: the picture's file.
    """
    return Geometry(
        place=np.round(surface[..., :3] / np.float32(STEP)).astype(np.int16).transpose(2, 0, 1),
        layer=surface[..., 3].astype(np.uint8),
        mask=(mask * 255 + 0.5).astype(np.uint8),
        person=person,
        picture=zlib.crc32(picture),
    )


def read_geometry(path: Path | Stored, picture: bytes) -> Geometry:
    """Read the geometry of a picture; see `checked_geometry`."""
    return parse_geometry(checked_geometry(path, picture), str(path))


def checked_geometry(path: Path | Stored, picture: bytes) -> bytes:
    """The content of the file of a picture's geometry.

    Args:
        path: the file.
        picture: the content of the picture's file.

    Raises:
        Pg2Error: the file is missing, damaged, no geometry, or of another picture.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise Pg2Error(f"cannot read the geometry {path}: {error.strerror}; {AGAIN}") from error
    if len(content) > _MAX_BYTES:
        raise Pg2Error(f"{path} is far too large for the geometry of a picture; {AGAIN}")
    if parse_geometry(content, str(path)).picture != zlib.crc32(picture):
        raise Pg2Error(f"{path} is the geometry of another picture than the one beside it; {AGAIN}")
    return content


def parse_geometry(content: bytes, name: str) -> Geometry:
    """Read the content of a file of geometry; `name` names it in errors.

    Raises:
        Pg2Error: it is damaged, or no geometry.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > _MAX_BYTES:
                raise ValueError("it is far too large")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            place, layer, mask, person, picture = (
                arrays[key] for key in ("place", "layer", "mask", "person", "picture")
            )
    except KeyError as error:
        raise Pg2Error(f"{name} is not the geometry of a picture ({error.args[0]}); {AGAIN}") from error
    except _DAMAGED as error:
        raise Pg2Error(f"{name} is damaged or not the geometry of a picture ({error}); {AGAIN}") from error
    # A part that is no array comes as bytes.
    height, width = mask.shape if isinstance(mask, np.ndarray) and mask.ndim == 2 else (0, 0)
    wanted = (
        (place, np.int16, (3, height // 2, width // 2)),
        (layer, np.uint8, (height // 2, width // 2)),
        (mask, np.uint8, (height, width)),
        (person, np.int64, (2,)),
        (picture, np.uint32, ()),
    )
    right = (
        isinstance(array, np.ndarray) and array.dtype == kind and array.shape == shape
        for array, kind, shape in wanted
    )
    if not all(right) or not mask.size:
        raise Pg2Error(f"{name} is not the geometry of a picture: its arrays have other shapes; {AGAIN}")
    return Geometry(place, layer, mask, (int(person[0]), int(person[1])), int(picture))
