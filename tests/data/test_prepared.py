"""Reading: what a prepared data set gives, and how damage shows."""

import hashlib
import io
import json
import multiprocessing
import pickle
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg2.data.prepared import FORMAT, PreparedDataset, Record, ordered_pairs
from pg2.errors import Pg2Error


def edit_manifest(prepared: Path, **changes) -> None:
    path = prepared / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_reading(prepared):
    data = PreparedDataset(prepared)
    assert (data.source, data.frame, len(data)) == ("market1501", (128, 64), 8)
    assert data.keypoints.shape == (8, 18, 2)
    assert data.keypoints.dtype == np.float32
    assert data.image(0).shape == (128, 64, 3)
    assert data.image(0).dtype == np.uint8
    assert data.index_of(data.records[3].name) == 3
    assert [data.records[i].split for i in data.usable("train")] == ["train"] * 6
    data.verify()


def test_scaled_down_pictures_and_poses_stay_together(prepared):
    data = PreparedDataset(prepared)
    small = data.scaled((32, 16))
    assert data.scaled((128, 64)) is data
    assert (small.frame, data.frame) == ((32, 16), (128, 64))
    means = data.image(0).reshape(32, 4, 16, 4, 3).mean((1, 3))
    np.testing.assert_allclose(small.image(0), means, atol=1)
    np.testing.assert_allclose(small.keypoints, (data.keypoints + 0.5) / 4 - 0.5)
    np.testing.assert_array_equal(small.records[3].points, small.keypoints[3])
    assert small.usable("test") == data.usable("test")
    for frame in ((256, 128), (64, 64)):
        with pytest.raises(Pg2Error, match="can be scaled down to the same shape, not brought to"):
            data.scaled(frame)


def test_unknown_names_are_refused(prepared):
    data = PreparedDataset(prepared)
    with pytest.raises(Pg2Error, match=r"out has no picture called .nobody\.jpg"):
        data.index_of("nobody.jpg")
    with pytest.raises(Pg2Error, match="train and test"):
        data.usable("validation")


def _sum(data: PreparedDataset) -> int:
    return sum(int(data.image(i % len(data)).sum()) for i in range(200))


def test_threads_and_worker_processes_read_the_same_pictures(prepared):
    data = PreparedDataset(prepared)
    alone = _sum(data)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(_sum, [data] * 4)) == [alone] * 4
    # Spawned, so that the data set must also survive pickling.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for index, image in enumerate(pool.map(data.image, range(len(data)))):
            np.testing.assert_array_equal(image, data.image(index))


def test_carried_pictures_need_no_folder(prepared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(prepared, folder)
    data = PreparedDataset(folder)
    wanted = [len(data) - 1, 0]
    images, names = [data.image(index) for index in wanted], [data.records[index].name for index in wanted]
    packed = pickle.dumps(data.carried(wanted))
    shutil.rmtree(folder)
    carried = pickle.loads(packed)
    assert len(packed) < 100_000
    assert [record.name for record in carried.records] == names
    for number, (name, image) in enumerate(zip(names, images, strict=True)):
        assert carried.index_of(name) == number
        np.testing.assert_array_equal(carried.image(number), image)
        np.testing.assert_array_equal(carried.keypoints[number], data.keypoints[wanted[number]])


def test_ordered_pairs_counts_both_orders_of_usable_pictures_per_person():
    whole, headless = np.zeros((18, 2), np.float32), np.zeros((18, 2), np.float32)
    headless[0] = np.nan
    no_hip = whole.copy()
    no_hip[8] = np.nan
    rows = [
        ("a", whole),
        ("a", headless),
        ("a", whole),
        ("a", no_hip),
        ("b", whole),
        ("c", whole),
        ("c", whole),
    ]
    records = [Record(str(i), person, "train", points) for i, (person, points) in enumerate(rows)]
    assert ordered_pairs(records, "train") == 3 * 2 + 0 + 2 * 1
    assert ordered_pairs(records, "test") == 0


def test_absent_and_foreign(tmp_path):
    with pytest.raises(Pg2Error, match=r"no prepared data set at .*pg2 prepare"):
        PreparedDataset(tmp_path / "nowhere")
    with pytest.raises(Pg2Error, match=r"not a prepared data set .*pg2 prepare"):
        PreparedDataset(tmp_path)
    (tmp_path / "dataset.json").write_text('{"name": "something else"}')
    with pytest.raises(Pg2Error, match="not a prepared data set"):
        PreparedDataset(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(Pg2Error, match="not valid JSON"):
        PreparedDataset(tmp_path)


def test_newer_format_says_upgrade(prepared):
    edit_manifest(prepared, format=FORMAT + 1)
    with pytest.raises(Pg2Error, match=r"newer pg2.*upgrade pg2"):
        PreparedDataset(prepared)


@pytest.mark.parametrize("change", [{"frame": None}, {"parts": {}}, {"format": "one"}, {"parts": 3}])
def test_broken_manifest(prepared, change):
    edit_manifest(prepared, **change)
    with pytest.raises(Pg2Error, match="prepare"):
        PreparedDataset(prepared)


@pytest.mark.parametrize("part", ["images.zip", "records.csv"])
def test_missing_or_truncated_part(prepared, part):
    path = prepared / part
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Pg2Error, match=f"damaged.*{part} has"):
        PreparedDataset(prepared)
    path.unlink()
    with pytest.raises(Pg2Error, match=f"damaged.*{part} is missing"):
        PreparedDataset(prepared)


def rewrite(prepared: Path, part: str, content: bytes) -> None:
    """Put another file in the place of a part, and let the manifest say that it is right."""
    (prepared / part).write_bytes(content)
    parts = json.loads((prepared / "dataset.json").read_text())["parts"]
    parts[part] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    edit_manifest(prepared, parts=parts)


@pytest.mark.parametrize(
    "frame",
    [
        {"height": 10**6, "width": 10**6},
        {"height": 10**400, "width": 64},
        {"height": 0, "width": 64},
        {"height": float("inf"), "width": 64},
        {"height": float("nan"), "width": 64},
        {"height": [[]], "width": 64},
    ],
)
def test_a_frame_that_none_is(prepared, frame):
    edit_manifest(prepared, frame=frame)
    with pytest.raises(Pg2Error, match="is damaged; remove it"):
        PreparedDataset(prepared)


@pytest.mark.parametrize(
    "changed",
    [
        "a" * 200_000,  # longer than a field of Python's reader may be
        "1" * 400,
        "1e39",
        "-1e7",
        "inf",
        "x",
        "1,2",
        '"',
        "\0",
    ],
)
def test_records_that_cannot_be_read(prepared, changed):
    """Even where their checksum is right."""
    header, first, *rest = (prepared / "records.csv").read_text().splitlines()
    row = first.rpartition(",")[0] + "," + changed
    rewrite(prepared, "records.csv", "\n".join([header, row, *rest]).encode())
    with pytest.raises(Pg2Error, match="is damaged; remove it") as caught:
        PreparedDataset(prepared)
    assert len(str(caught.value)) < 600


def jpeg_of(size: tuple[int, int], form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 128\n",
        jpeg_of((64, 128))[:300],
        jpeg_of((64, 128), "PNG"),
        jpeg_of((64, 120)),
        jpeg_of((640, 1280)),
    ],
)
def test_what_is_no_picture_of_the_frame(prepared, content):
    """Even where its checksum is right."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(prepared / "images.zip") as old, zipfile.ZipFile(buffer, "w") as new:
        for number, name in enumerate(old.namelist()):
            new.writestr(name, content if number == 0 else old.read(name))
    rewrite(prepared, "images.zip", buffer.getvalue())
    data = PreparedDataset(prepared)
    data.verify()
    name = data.records[0].name
    with pytest.raises(Pg2Error, match=rf"{name} in images\.zip is not a JPEG of 128x64 pixels"):
        data.image(0)
    data.image(1)


def test_a_zip_that_is_none(prepared):
    content = bytearray((prepared / "images.zip").read_bytes())
    rewrite(prepared, "images.zip", bytes(content[:1000]))
    with pytest.raises(Pg2Error, match="is damaged; remove it"):
        PreparedDataset(prepared)
    # The version that is needed to read the first entry, and then where it lies.
    entry = content.index(b"PK\x01\x02")
    content[entry + 6 : entry + 8] = b"\xff\xff"
    rewrite(prepared, "images.zip", bytes(content))
    with pytest.raises(Pg2Error, match="is damaged; remove it"):
        PreparedDataset(prepared)


def test_changed_records_are_noticed_on_opening(prepared):
    path = prepared / "records.csv"
    path.write_text(path.read_text().replace("0007,", "0008,"))
    with pytest.raises(Pg2Error, match=r"content of records\.csv"):
        PreparedDataset(prepared)


def test_a_changed_picture_is_noticed_when_read(prepared):
    data = PreparedDataset(prepared)
    path = prepared / "images.zip"
    content = bytearray(path.read_bytes())
    content[content.index(b"\xff\xd8\xff") + 50] ^= 1
    path.write_bytes(content)
    with pytest.raises(Pg2Error, match=rf"{data.records[0].name} in images\.zip fails its checksum"):
        data.image(0)
    data.image(1)
    with pytest.raises(Pg2Error, match=r"content of images\.zip"):
        data.verify()


def test_a_data_set_removed_while_open(prepared):
    data = PreparedDataset(prepared)
    (prepared / "images.zip").unlink()
    with pytest.raises(Pg2Error, match="cannot read"):
        data.image(0)


def test_cached_pictures_make_room_for_others(prepared, monkeypatch):
    read = []
    real = PreparedDataset.image
    monkeypatch.setattr(PreparedDataset, "image", lambda self, i: read.append(i) or real(self, i))
    data = PreparedDataset(prepared)
    image = data.cached(2 * 128 * 64 * 3)
    for index in (0, 1, 0, 2, 0, 1, 1):
        np.testing.assert_array_equal(image(index), real(data, index))
    # 2 took the place of 1, which was used longer ago than 0.
    assert read == [0, 1, 2, 1]
    assert data.scaled((32, 16)).cached()(0).shape == (32, 16, 3)
