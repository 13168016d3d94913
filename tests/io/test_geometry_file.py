import io
import struct
import zipfile

import numpy as np
import pytest

from pg2.errors import Pg2Error
from pg2.io import geometry_file
from pg2.io.geometry_file import STEP, SUFFIX, Geometry, from_surface, parse_geometry, read_geometry

JPEG = b"what a camera made"


@pytest.fixture
def geometry() -> Geometry:
    generator = np.random.default_rng(0)
    surface = np.zeros((8, 4, 4), np.float32)
    surface[2:6, 1:3, :3] = generator.uniform(-2, 2, (4, 2, 3))
    surface[2:6, 1:3, 3] = generator.integers(1, 12, (4, 2))
    mask = generator.uniform(0, 1, (16, 8)).astype(np.float32)
    return from_surface(surface, mask, (3, 7), JPEG)


def test_what_is_written_is_read(geometry, tmp_path):
    path = tmp_path / f"00{SUFFIX}"
    path.write_bytes(geometry.to_bytes())
    found = read_geometry(path, JPEG)
    for name in ("place", "layer", "mask"):
        array = getattr(found, name)
        np.testing.assert_array_equal(array, getattr(geometry, name))
        assert array.dtype == getattr(geometry, name).dtype
    assert (found.person, found.picture, found.size) == ((3, 7), geometry.picture, (16, 8))
    # The same bytes whenever it is written.
    assert geometry.to_bytes() == path.read_bytes()
    dates = {part.date_time for part in zipfile.ZipFile(path).infolist()}
    assert dates == {(1980, 1, 1, 0, 0, 0)}


def test_places_are_kept_to_half_a_millimetre():
    surface = np.zeros((1, 3, 4), np.float32)
    surface[0, :, 0], surface[0, :, 3] = (-1.23449, 0.00051, 2.5), 1
    found = from_surface(surface, np.ones((2, 6), np.float32), (0, 0), JPEG)
    np.testing.assert_allclose(found.place[0] * STEP, surface[..., 0], atol=0.0005 + 1e-6)
    assert found.place[0].tolist() == [[-1234, 1, 2500]]
    assert found.mask.tolist() == [[255] * 6] * 2


def test_a_missing_file_and_one_of_another_picture(geometry, tmp_path):
    path = tmp_path / f"00{SUFFIX}"
    with pytest.raises(Pg2Error, match=r"cannot read the geometry .*00.geometry.npz: No such file.*--geom"):
        read_geometry(path, JPEG)
    path.write_bytes(geometry.to_bytes())
    with pytest.raises(Pg2Error, match=r"00.geometry.npz is the geometry of another picture"):
        read_geometry(path, JPEG + b"!")


def _zip(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _claiming(shape: str) -> bytes:
    """A zip whose arrays say that they are of this shape, and hold nothing."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as parts:
        for name in ("place", "layer", "mask", "person", "picture"):
            parts.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    return buffer.getvalue()


def _with_bytes(content, name):
    """The same archive with a part that is no array, of which NumPy gives the bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(buffer, "w") as parts:
        for part in whole.namelist():
            parts.writestr(part, b"no array" if part == f"{name}.npy" else whole.read(part))
    return buffer.getvalue()


def test_foreign_files_are_named(geometry):
    parts = dict(np.load(io.BytesIO(geometry.to_bytes())))
    for content in (
        b"",
        b"no zip at all",
        _zip(keypoints=np.zeros(3)),
        _zip(**parts | {"mask": parts["mask"][:-2]}),
        _zip(**parts | {"mask": parts["mask"][0]}),
        _zip(**parts | {"place": parts["place"].astype(np.float32)}),
        _zip(**parts | {"place": parts["place"][:2]}),
        _zip(**parts | {"person": np.array([{}, {}], object)}),
        _zip(
            **parts | {"mask": parts["mask"][:0], "layer": parts["layer"][:0], "place": parts["place"][:, :0]}
        ),
        *(_with_bytes(geometry.to_bytes(), name) for name in parts),
        _claiming("(1000000000000000,)"),
        _claiming("(-1,)"),
        _claiming("((" * 500),
        _zip(**parts | {"extra": np.zeros(60_000_000, np.uint8)}),
    ):
        with pytest.raises(Pg2Error, match=r"^03.geometry.npz is (damaged or )?not the geometry") as caught:
            parse_geometry(content, f"03{SUFFIX}")
        assert len(str(caught.value).splitlines()) == 1


def test_damage_is_found(geometry):
    content = geometry.to_bytes()
    for cut in (10, len(content) // 2, len(content) - 5):
        with pytest.raises(Pg2Error, match="is damaged or not the geometry"):
            parse_geometry(content[:cut], f"03{SUFFIX}")
    # In the middle of the compressed places.
    start = content.index(b"place.npy") + 60
    for place in range(start, start + 40):
        broken = bytearray(content)
        broken[place] ^= 255
        with pytest.raises(Pg2Error, match="geometry of a picture"):
            parse_geometry(bytes(broken), f"03{SUFFIX}")


def test_no_more_is_read_than_can_be_meant(geometry, tmp_path, monkeypatch):
    file = tmp_path / f"03{SUFFIX}"
    file.write_bytes(geometry.to_bytes())
    monkeypatch.setattr(geometry_file, "_MAX_BYTES", 100)
    with pytest.raises(Pg2Error, match="is far too large for the geometry of a picture"):
        read_geometry(file, b"")


def test_a_shape_that_is_no_number() -> None:
    """NumPy takes the header and fails at the array."""
    header = b"{'descr': '<i2', 'fortran_order': False, 'shape': (True,)}"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as parts:
        parts.writestr("place.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0\0")
    with pytest.raises(Pg2Error, match="is damaged or not the geometry"):
        parse_geometry(content.getvalue(), f"03{SUFFIX}")
