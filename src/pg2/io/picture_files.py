"""Opening anybody's picture file: the kinds that are read, and what is checked before a pixel is decoded."""

import contextlib
import io
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Literal

from PIL import Image

# Each registers its reader.
from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin  # noqa: F401  # isort: skip
from PIL import PngImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401  # isort: skip

from pg2.errors import Pg2Error

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
"""File name endings taken as pictures when a folder is searched."""

HEIF_SUFFIXES = {".heic", ".heif", ".hif", ".avif"}
"""File name endings of photos that are to be converted first, as of many telephones."""

MAX_PIXELS = 65_000_000
"""Larger pictures are refused undecoded. Cameras of 61 and telephones of 64 megapixels are below."""

TO_JPEG = (
    "convert it to JPEG (macOS: sips -s format jpeg IN --out OUT.jpg; Linux: heif-convert IN OUT.jpg); an "
    "iPhone takes JPEG with Settings > Camera > Formats > Most Compatible"
)
"""What to do about a HEIC photo."""

# The kinds, as Pillow calls them. Some of its other readers start programs (EPS) or are little tested.
_KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

# Pillow's reader of WebP takes twice the memory of the others, which take 7 to 10 bytes a pixel.
_MAX_WEBP_PIXELS = 32_000_000

# Each scan of a progressive JPEG passes over the whole picture, however few bytes it has. Usual are 10.
_MAX_SCANS = 64

# Pillow walks over the parts of a file in Python: a million empty ones take seconds.
_MAX_PARTS = 100_000
_MAX_JPEG_BYTES = 250_000_000

# Below one folder, whatever they are: somebody who names the root of a disk gets an answer.
_MOST_FILES = 1_000_000

_LARGE_TIFF = 43  # in place of 42: numbers of 8 bytes
_STORED_IN = {273, 324}  # tags of a TIFF: the places of its strips, of its tiles

_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}

# In a JPEG's pixels 0xFF is followed by 0 (it is a value) or D0 to D7 (a restart): neither ends a scan.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_ALONE, _END, _SCAN = (0x01, 0xD8), 0xD9, 0xDA


def pictures_below(folder: Path, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """The picture files of a folder and the folders below it, by their endings, in order of their names.

    Hidden files and folders are left out: other computers leave "._picture.jpg", which is none.

    Raises:
        Pg2Error: there are too many files below the folder, whatever they are.
    """
    found = []
    for count, file in enumerate(folder.rglob("*")):
        if count >= _MOST_FILES:
            raise Pg2Error(
                f"{folder} holds more than {_MOST_FILES:,} files and folders; give a smaller folder"
            )
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.suffix.lower() in suffixes and not hidden and file.is_file():
            found.append(file)
    return sorted(found)


@contextlib.contextmanager
def open_picture(source: str | Path | bytes, name: str | None = None) -> Iterator[Image.Image]:
    """Open a picture, a file or the content of one, within bounds; it is decoded when its pixels are used.

    Only JPEG, PNG, WebP, GIF, BMP and TIFF are read, whatever the file is called. Whatever goes wrong inside
    the `with` is taken for damage of the picture, so do no more in it than read. May be called from several
    threads at once.

    Args:
        source: a path, or a file's content.
        name: what to call it in errors; None: its path, or "the file".

    Raises:
        Pg2Error: no such file, not such a picture, damaged, or more than can be decoded in little time and
            memory.
    """
    name = name or ("the file" if isinstance(source, bytes) else str(source))
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
            yield _opened(file, name)
    except (Pg2Error, MemoryError):
        raise
    except FileNotFoundError as error:
        raise Pg2Error(f"there is no file {name}") from error
    except PermissionError as error:
        raise Pg2Error(f"{name} may not be read; change its permissions") from error
    except IsADirectoryError as error:
        raise Pg2Error(f"{name} is a folder, not a picture") from error
    except Exception as error:  # Pillow's readers raise almost anything for damaged content
        raise Pg2Error(f"{name} is damaged or truncated and cannot be decoded ({error})") from error


def _opened(file: IO[bytes], name: str) -> Image.Image:
    start = file.read(16)
    # Not `Image.open`: it warns of large pictures in words of its own, also of those we refuse.
    readers = ((kind, *Image.OPEN[kind]) for kind in _KINDS)
    found = ((kind, reader) for kind, reader, takes in readers if takes is not None and takes(start) is True)
    kind, reader = next(found, (None, None))
    if kind is None or reader is None:
        if start[4:8] == b"ftyp" and start[8:12] in _BRANDS:
            raise Pg2Error(f"{name} is a HEIC or AVIF photo, which pg2 does not read; {TO_JPEG}")
        raise Pg2Error(f"{name} is not a picture that can be read; give a JPEG, PNG or WebP file")
    file.seek(0)
    if kind == "JPEG":
        _check_jpeg(file, name)
    elif kind == "PNG":
        _check_png(file, name)
    elif kind == "TIFF":
        _check_tiff(file, name)
    file.seek(0)
    picture = reader(file, "")
    if picture.tile and picture.tile[0][0] == "bmp_rle":  # decoded in Python, a value at a time
        raise Pg2Error(f"{name} is a BMP with run-length encoding; save it as PNG")
    limit = _MAX_WEBP_PIXELS if kind == "WEBP" else MAX_PIXELS
    width, height = picture.size
    if width * height > limit:
        raise Pg2Error(
            f"{name} is {height}x{width} = {width * height // 1_000_000} megapixels, over the limit of "
            f"{limit // 1_000_000}{' for WebP' if kind == 'WEBP' else ''}; shrink it first"
        )
    return picture


def _check_jpeg(file: IO[bytes], name: str) -> None:
    """Count what takes time whatever the size of the picture, as libjpeg will find it."""
    size = file.seek(0, io.SEEK_END)
    if size > _MAX_JPEG_BYTES:
        raise Pg2Error(f"{name} is a JPEG of over {_MAX_JPEG_BYTES // 1_000_000} MB; save it smaller")
    file.seek(0)
    content = file.read(size)  # told how much: memory is set aside for all that is asked for
    at, parts, scans = 2, 0, 0
    while found := _MARKER.search(content, at):
        # Before the pixels also what lies between two parts is looked at byte by byte.
        parts += 1 if scans else 1 + found.start() - at
        at, kind = found.end(), content[found.end() - 1]
        if kind == _END:
            return
        scans += kind == _SCAN
        if scans > _MAX_SCANS:
            raise Pg2Error(
                f"{name} is a progressive JPEG of over {_MAX_SCANS} scans; save it as an ordinary JPEG"
            )
        if parts > _MAX_PARTS:
            raise _in_too_many_parts(name)
        if kind not in _ALONE:
            at += max(int.from_bytes(content[at : at + 2]), 2)


def _check_png(file: IO[bytes], name: str) -> None:
    file.seek(8)
    for _ in range(_MAX_PARTS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        file.seek(int.from_bytes(head[:4]) + 4, io.SEEK_CUR)
    raise _in_too_many_parts(name)


def _check_tiff(file: IO[bytes], name: str) -> None:
    """Count the tags of the first page, and the strips or tiles of its pixels, as Pillow will find them."""
    file.seek(0)
    head = file.read(16)
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
    large = head[2] == _LARGE_TIFF
    entry, word = (20, 8) if large else (12, 4)
    file.seek(int.from_bytes(head[8:] if large else head[4:8], order))
    tags = int.from_bytes(file.read(8 if large else 2), order)
    parts = tags
    for _ in range(min(tags, _MAX_PARTS)):
        tag = file.read(entry)
        if int.from_bytes(tag[:2], order) in _STORED_IN:
            parts += int.from_bytes(tag[4 : 4 + word], order)
    if parts > _MAX_PARTS:
        raise _in_too_many_parts(name)


def _in_too_many_parts(name: str) -> Pg2Error:
    return Pg2Error(f"{name} consists of over {_MAX_PARTS:,} parts, and no photo does; save it again")
