"""What a picture file may be: other kinds and those made to take time or memory are refused undecoded."""

import io
import os
import re
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import pg2
from pg2.errors import Pg2Error
from pg2.io import picture_files
from pg2.io.picture_files import open_picture, pictures_below
from pg2.io.pictures import load_image

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n"


def _saved(kind: str, mode: str = "RGB", side: int = 64, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (side, side)).save(buffer, kind, **options)
    return buffer.getvalue()


def _of_scans(number: int) -> bytes:
    """A progressive JPEG whose last scan, a few bytes that change nothing, is there again and again."""
    content = _saved("JPEG", side=256, progressive=True)
    last = content.rindex(b"\xff\xda")
    again = number - content.count(b"\xff\xda")
    return content[:-2] + content[last:-2] * again + content[-2:]


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _after_start(content: bytes, more: bytes) -> bytes:
    return content[:2] + more + content[2:]


def _png_of_chunks(number: int) -> bytes:
    content = _saved("PNG")
    at = content.index(b"IDAT") - 4
    return content[:at] + _chunk(b"teSt") * number + content[at:]


def _run_length() -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 64, 64, 1, 8, 1, 0, 0, 0, 256, 0)
    return (
        b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + header + bytes(1024) + b"\x40\x05" * 64 + b"\0\1"
    )


def _tiff_of_strips(number: int, order: str = "<", large: bool = False) -> bytes:
    """A grey TIFF, 16 pixels wide, of so many strips of one row; all lie where their places are written."""
    magic = order + ("HHHQ" if large else "HI")
    head = struct.pack(magic, *((43, 8, 0, 16) if large else (42, 8)))
    word, start = ("Q", 400) if large else ("I", 200)
    sizes = start + number * struct.calcsize(word)
    tags = {256: 16, 257: number, 258: 8, 259: 1, 262: 1, 273: start, 277: 1, 278: 1, 279: sizes}
    many = {273, 279}
    entries = b"".join(
        struct.pack(f"{order}HH{word}{word}", tag, 16 if large else 4, number if tag in many else 1, value)
        for tag, value in tags.items()
    )
    count = struct.pack(order + ("Q" if large else "H"), len(tags))
    content = (b"II" if order == "<" else b"MM") + head + count + entries + bytes(8 if large else 4)
    return content.ljust(start, b"\0") + struct.pack(order + word, 16) * 2 * number


def _webp_of(width: int, height: int) -> bytes:
    """A few bytes that claim to be so large; nothing else says how large a lossless WebP is."""
    content = bytearray(_saved("WEBP", lossless=True))
    content[21:25] = struct.pack(
        "<I", width - 1 | height - 1 << 14 | int.from_bytes(content[21:25], "little") >> 28 << 28
    )
    return bytes(content)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: _of_scans(3000), "a progressive JPEG of over 64 scans"),
        (lambda: _after_start(_saved("JPEG"), b"\xff\xe5\0\2" * 101_000), "over 100,000 parts"),
        (lambda: _after_start(_saved("JPEG"), b"\xff\xfe\0\2" + b"\xff" * 120_000), "over 100,000 parts"),
        (lambda: _after_start(_saved("JPEG"), b"\xff\xfe\0\2" + b"\1" * 120_000), "over 100,000 parts"),
        (lambda: _png_of_chunks(120_000), "over 100,000 parts"),
        (lambda: _tiff_of_strips(150_000), "over 100,000 parts"),
        (lambda: _tiff_of_strips(150_000, ">"), "over 100,000 parts"),
        (lambda: _tiff_of_strips(150_000, large=True), "over 100,000 parts"),
        (_run_length, "run-length"),
        (lambda: _webp_of(10_000, 5_000), "50 megapixels, over the limit of 32 for WebP"),
    ],
    ids=[
        *("scans", "segments", "padding", "junk", "chunks"),
        *("strips", "strips-big-endian", "strips-big-tiff", "runs", "webp"),
    ],
)
def test_what_takes_long_is_refused_at_once(make: Callable[[], bytes], words: str) -> None:
    content = make()
    start = time.process_time()
    with pytest.raises(Pg2Error, match=words):
        load_image(content)
    assert time.process_time() - start < 0.4


def test_what_is_usual_is_read() -> None:
    for content in (
        _of_scans(64),
        _saved("JPEG", progressive=True, subsampling=0, restart_marker_blocks=1),
        _after_start(_saved("JPEG"), b"\xff\xe5\0\2" * 2000),
        _png_of_chunks(2000),
        _tiff_of_strips(2000),
        _tiff_of_strips(2000, ">"),
        _tiff_of_strips(2000, large=True),
        _saved("MPO", save_all=True, append_images=[Image.new("RGB", (64, 64))]),
        # What follows the picture, as a film in some telephones' photos, is nobody's scan.
        _saved("JPEG") + b"\xff\xda\0\2" * 1000,
    ):
        assert load_image(content).shape[2] == 3


def test_a_jpeg_takes_memory_by_its_own_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by that of the largest that is read: 250 MB would be set aside for each photo."""
    photo = tmp_path / "a.jpg"
    photo.write_bytes(_saved("JPEG"))
    tracemalloc.start()
    try:
        load_image(photo)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    monkeypatch.setattr(picture_files, "_MAX_JPEG_BYTES", 500)
    for source in (photo, photo.read_bytes()):
        with pytest.raises(Pg2Error, match="a JPEG of over"):
            load_image(source)


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
def test_a_heic_photo_is_told_how_to_become_a_jpeg(tmp_path: Path, brand: bytes) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(100))
    with pytest.raises(
        Pg2Error, match=r"IMG_1\.HEIC is a HEIC or AVIF photo.*convert it to JPEG.*Most Compatible"
    ):
        load_image(tmp_path / "IMG_1.HEIC")


@pytest.mark.parametrize("as_file", [True, False])
def test_nothing_is_given_to_readers_that_start_programs(tmp_path: Path, as_file: bool) -> None:
    """Pillow hands EPS to Ghostscript, whatever the file is called."""
    (tmp_path / "photo.jpg").write_bytes(EPS)
    with (
        pytest.raises(Pg2Error, match="not a picture"),
        open_picture(tmp_path / "photo.jpg" if as_file else EPS),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(_saved("JPEG"))
    (tmp_path / "a.jpg").chmod(0)
    with pytest.raises(Pg2Error, match=r"a\.jpg may not be read"):
        load_image(tmp_path / "a.jpg")


def test_the_name_that_a_content_is_given() -> None:
    with (
        pytest.raises(Pg2Error, match=r"a\.jpg in images\.zip is not a picture"),
        open_picture(EPS, "a.jpg in images.zip"),
    ):
        pass


def test_damage_that_shows_when_the_pixels_are_used() -> None:
    with pytest.raises(Pg2Error, match="the file is damaged"), open_picture(_saved("JPEG")[:-200]) as picture:
        picture.load()


def test_there_is_no_other_way_to_open_a_picture() -> None:
    """So that each goes through these bounds."""
    other = re.compile(r"\bImage\.open\(|\bimread\(|from PIL\.Image import")
    found = [
        f"{file}: {line}"
        for file in Path(pg2.__file__).parent.rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if other.search(line)
    ]
    assert found == []


def test_a_folder_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.jpg", "b.txt", "c.jpg", "d.heic"):
        (tmp_path / name).write_bytes(b"x")
    assert [file.name for file in pictures_below(tmp_path)] == ["a.jpg", "c.jpg"]
    monkeypatch.setattr(picture_files, "_MOST_FILES", 3)
    with pytest.raises(Pg2Error, match="holds more than 3 files and folders; give a smaller folder"):
        pictures_below(tmp_path)
