"""Anybody's picture files: converted, or refused with a sentence; always in bounded time and memory."""

import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from pg2.errors import Pg2Error
from pg2.io import pictures
from pg2.io.pictures import load_image, load_shrunk, shrink, to_array


def _quadrants(width: int = 40, height: int = 60) -> Image.Image:
    """Red top left, green top right, blue bottom left, white bottom right."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    return Image.fromarray(pixels)


def _corners(image: np.ndarray) -> list[tuple[int, ...]]:
    """The colours near the four corners, in reading order, rounded to 0 or 255."""
    return [tuple(int(v > 127) * 255 for v in image[y, x]) for y in (3, -4) for x in (3, -4)]


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def _png(path: Path, width: int, height: int) -> Path:
    """A valid 1-bit PNG of any size, whose compressed content is written without holding its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
def test_ordinary_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    _quadrants().save(path)
    image = load_image(path)
    assert image.dtype == np.uint8
    assert image.shape == (60, 40, 3)
    assert _corners(image) == [RED, GREEN, BLUE, WHITE]


def test_palette(tmp_path: Path) -> None:
    _quadrants().quantize(8).save(tmp_path / "a.png")
    assert _corners(load_image(tmp_path / "a.png")) == [RED, GREEN, BLUE, WHITE]


def test_cmyk(tmp_path: Path) -> None:
    _quadrants().convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert _corners(load_image(tmp_path / "a.jpg")) == [RED, GREEN, BLUE, WHITE]


def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    Image.fromarray(np.tile(ramp, (20, 1))).save(tmp_path / "a.png")
    image = load_image(tmp_path / "a.png")
    assert image.shape == (20, 256, 3)
    assert np.abs(image[0, :, 1].astype(int) - np.arange(256)).max() <= 1


def test_float_grey_with_nan(tmp_path: Path) -> None:
    grey = np.full((20, 20), 0.5, np.float32)
    grey[0, 0], grey[0, 1] = np.nan, 1.0
    Image.fromarray(grey).save(tmp_path / "a.tif")
    image = load_image(tmp_path / "a.tif")
    assert image[0, 0, 0] == 0
    assert abs(int(image[10, 10, 0]) - 128) <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_becomes_white(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (30, 30), (0, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (15, 0, 30, 30))
    picture.convert(mode).save(tmp_path / "a.png")
    image = load_image(tmp_path / "a.png")
    assert image[10, 5].tolist() == [0, 0, 0]
    assert image[10, 25].tolist() == [255, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int) -> None:
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    picture = _quadrants() if stored is None else _quadrants().transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    image = load_image(tmp_path / "a.jpg")
    assert image.shape == (60, 40, 3)
    assert _corners(image) == [RED, GREEN, BLUE, WHITE]


def test_animation_gives_its_first_frame_and_a_warning(tmp_path: Path) -> None:
    _quadrants().save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (40, 60))])
    with pytest.warns(UserWarning, match="animated"):
        image = load_image(tmp_path / "a.gif")
    assert _corners(image) == [RED, GREEN, BLUE, WHITE]


def test_a_telephones_preview_is_no_animation(tmp_path: Path) -> None:
    _quadrants().save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (40, 60))])
    assert _corners(load_image(tmp_path / "a.jpg")) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("side", [20_000, 12_000])
def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    """Above and below the size at which Pillow itself refuses."""
    path = _png(tmp_path / "huge.png", side, side)
    start = time.perf_counter()
    with pytest.raises(Pg2Error, match=r"megapixels.*shrink"):
        load_image(path)
    assert time.perf_counter() - start < 1.0


def test_the_hand_made_png_is_a_real_one(tmp_path: Path) -> None:
    assert load_image(_png(tmp_path / "a.png", 50, 20)).shape == (20, 50, 3)


def test_tiny(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    with pytest.raises(Pg2Error, match=r"dot\.png is 1x1 pixels, too small"):
        load_image(tmp_path / "dot.png")


def test_not_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("a letter to a friend")
    with pytest.raises(Pg2Error, match="not a picture"):
        load_image(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"")
    with pytest.raises(Pg2Error, match="not a picture"):
        load_image(tmp_path / "b.jpg")


def test_folder_and_missing(tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match="is a folder"):
        load_image(tmp_path)
    with pytest.raises(Pg2Error, match="there is no file"):
        load_image(tmp_path / "nowhere.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_truncated(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(Pg2Error, match=rf"a\{suffix} is (damaged|not a picture)"):
        load_image(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_damage_never_escapes_as_another_error(tmp_path: Path, form: str) -> None:
    generator = np.random.default_rng(1)
    path = tmp_path / f"a.{form.lower()}"
    Image.fromarray(generator.integers(0, 256, (24, 20, 3), np.uint8)).save(path, form)
    whole = path.read_bytes()
    refused = 0
    for _ in range(40):
        damaged = bytearray(whole)
        for at in generator.integers(0, min(len(whole), 200), 4):
            damaged[at] = generator.integers(0, 256)
        path.write_bytes(damaged)
        try:
            assert load_image(path).shape[2] == 3
        except Pg2Error:
            refused += 1
    assert refused > 0


def test_shrink() -> None:
    ramp = np.tile(np.linspace(0, 255, 400).astype(np.uint8)[None, :, None], (200, 1, 3))
    assert shrink(ramp, 400) is ramp
    small = shrink(ramp, 40)
    assert small.shape == (20, 40, 3)
    assert np.abs(small[10, :, 0].astype(float) - np.linspace(3, 252, 40)).max() < 6


def test_shrink_needs_no_copy_of_a_huge_picture() -> None:
    """3.6 GB if it were ever copied: a view without memory of its own stands in for it."""
    huge = np.broadcast_to(np.uint8(77), (40_000, 30_000, 3))
    small = shrink(huge, 400)
    assert small.shape == (400, 300, 3)
    assert (small == 77).all()


@pytest.mark.parametrize("form", ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_content_of_a_file_is_as_good_as_the_file(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a"
    _quadrants().save(path, form)
    np.testing.assert_array_equal(load_image(path.read_bytes()), load_image(path))


def _in_mode(mode: str) -> Image.Image:
    generator = np.random.default_rng(3)
    if mode == "F":
        grey = generator.uniform(-50, 900, (40, 30)).astype(np.float32)
        grey[3, 4] = np.nan
        return Image.fromarray(grey)
    if mode.startswith("I"):
        return Image.fromarray(generator.integers(0, 65536, (40, 30)).astype(np.uint16)).convert(mode)
    picture = Image.fromarray(generator.integers(0, 256, (40, 30, 4), np.uint8), "RGBA")
    if mode == "P":
        palette = picture.convert("RGB").quantize(16)
        palette.info["transparency"] = 3
        return palette
    return picture.convert("RGB").convert(mode) if mode in ("CMYK", "1", "LAB") else picture.convert(mode)


def _plainly(image: Image.Image) -> np.ndarray:
    """What `to_array` does, by Pillow, on the whole picture."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("F", "I", "I;16"):
        grey = np.nan_to_num(np.asarray(image, dtype=np.float32))
        top = max(float(grey.max()), 1.0) if image.mode == "F" else 65535.0
        image = Image.fromarray(np.clip(grey / top * 255.0, 0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1", "CMYK", "I;16", "I", "F"])
@pytest.mark.parametrize("turn", [1, 3, 5, 6])
def test_a_tile_at_a_time_gives_what_the_whole_does(
    mode: str, turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = _in_mode(mode)
    picture.getexif()[0x0112] = turn
    monkeypatch.setattr(pictures, "_TILE", 7)
    np.testing.assert_array_equal(to_array(picture), _plainly(picture))


def test_pictures_are_not_to_be_written_to(tmp_path: Path) -> None:
    """They may be kept and handed out again."""
    image = load_image(_png(tmp_path / "a.png", 20, 20))
    with pytest.raises(ValueError, match="read-only"):
        image[0] = 0


def test_a_large_jpeg_is_shrunk_as_it_is_decoded(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    _quadrants(1203, 802).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a.jpg", exif=exif)
    image, size = load_shrunk(tmp_path / "a.jpg", 300)
    assert size == (802, 1203)
    assert image.shape == (201, 301, 3)
    assert _corners(image) == [RED, GREEN, BLUE, WHITE]
    image, size = load_shrunk(tmp_path / "a.jpg", 700)
    assert image.shape == (802, 1203, 3)
    np.testing.assert_array_equal(image, load_image(tmp_path / "a.jpg"))
    assert load_shrunk(tmp_path / "a.jpg", 5000)[0].shape == (802, 1203, 3)


def test_other_pictures_are_whole_where_less_is_enough(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a.png", "a.tif"):
        _quadrants(90, 60).save(tmp_path / name, exif=exif)
        image, size = load_shrunk(tmp_path / name, 20)
        assert image.shape[:2] == size == (90, 60)
        np.testing.assert_array_equal(image, load_image(tmp_path / name))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells how much memory was used")
@pytest.mark.parametrize("name", ["turned.jpg", "see-through.png"])
def test_memory_a_pixel(tmp_path: Path, name: str) -> None:
    """4 bytes are Pillow's and 3 ours; each needless copy would be 3 or 4 more."""
    exif = Image.Exif()
    exif[0x0112] = 6
    colour = (90, 120, 40, 200) if name.endswith("png") else (90, 120, 40)
    Image.new("RGBA" if len(colour) == 4 else "RGB", (3000, 2000), colour).save(tmp_path / name, exif=exif)
    code = (
        "import sys; from pg2.io import pictures\n"
        "def peak(): return int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) * 1024\n"
        "before = peak(); image = pictures.load_image(sys.argv[1]); "
        "print((peak() - before) / (image.size / 3))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, tmp_path / name], capture_output=True, text=True, check=True
    )
    assert 6 < float(found.stdout) < 8.5
