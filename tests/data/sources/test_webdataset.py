"""Shards of pictures with what is known of them, and what may be wrong in those of others."""

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_samples import FakeEstimator, standing
from PIL import Image

from pg2.data.prepared import PreparedDataset
from pg2.data.sources.webdataset import prepare_webdataset
from pg2.data.writing import Report
from pg2.errors import Pg2Error
from pg2.io.shards import write_shard
from pg2.pose.formats import to_list

SIZE = (96, 48)
KNOWN = to_list(standing(*SIZE))


def picture(seed: int, kind: str = "JPEG", size: tuple[int, int] = SIZE) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def sample(seed: int, **about: Any) -> dict[str, bytes]:
    return {"jpg": picture(seed), "json": json.dumps({"keypoints": KNOWN, **about}).encode()}


def write(folder: Path, *shards: Mapping[str, Mapping[str, bytes]]) -> Path:
    for number, samples in enumerate(shards):
        write_shard(folder / f"s-{number:03}.tar", samples.items())
    return folder


def prepare(raw: Path, out: Path, estimator: FakeEstimator | None = None, **options: Any) -> Report:
    # Without one of the test's own: nobody is to be looked for.
    estimator = estimator or FakeEstimator(break_after=0)
    return prepare_webdataset(raw, out, SIZE, estimator=estimator, progress=False, **options)


def test_people_splits_and_keypoints_of_the_json(tmp_path: Path) -> None:
    points = to_list(standing(*SIZE) + 0.125)
    points[3] = None
    raw = write(
        tmp_path / "raw",
        {
            "x/1": sample(1, person="ann", keypoints=points, note={"deep": [1]}),
            "x/2": sample(2, person="ann", split="train"),
        },
        {"x/3": sample(3, person=7, split="test"), "x/4": sample(4, person=7.0, split="test")},
    )
    report = prepare(raw, tmp_path / "out")
    assert report.skipped == {}
    assert [count["ordered_pairs"] for count in report.splits.values()] == [2, 2]
    data = PreparedDataset(tmp_path / "out")
    assert [(record.name, record.person, record.split) for record in data.records] == [
        ("x/1.jpg", "ann", "train"), ("x/2.jpg", "ann", "train"),
        ("x/3.jpg", "7", "test"), ("x/4.jpg", "7", "test"),
    ]  # fmt: skip
    assert (data.source, data.frame) == ("webdataset", SIZE)
    # A picture of the frame's size stays as it is, byte for byte.
    assert data.jpeg(0) == picture(1)
    assert np.isnan(data.keypoints[0, 3]).all()
    np.testing.assert_array_equal(data.keypoints[0, 4:], standing(*SIZE)[4:] + 0.125)


def test_pictures_alone(tmp_path: Path) -> None:
    """Who it is stands in the name; the pose is found, and the picture is cut to the frame around it."""
    large = (150, 120)
    raw = write(
        tmp_path / "raw",
        {
            "ann/1": {"png": picture(1, "PNG", large)},
            "ann_2": {"webp": picture(2, "WEBP", large), "cls": b"3"},
            "bob/1/2": {"jpeg": picture(3, size=large)},
            "bob_x/1": {"jpg": picture(4, size=large), "json": b"{}"},
        },
    )
    report = prepare(raw, tmp_path / "out", estimator := FakeEstimator())
    assert (report.skipped, estimator.calls) == ({}, 4)
    data = PreparedDataset(tmp_path / "out")
    assert [(record.name, record.person) for record in data.records] == [
        ("ann/1.png", "ann"), ("ann_2.webp", "ann"), ("bob/1/2.jpeg", "bob"), ("bob_x/1.jpg", "bob"),
    ]  # fmt: skip
    assert {data.image(index).shape for index in range(4)} == {(*SIZE, 3)}


def test_the_share_is_of_people_without_a_split(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(8)]
    raw = write(tmp_path / "raw", {f"{name}/{n}": sample(n) for name in names for n in (1, 2)})
    write_shard(raw / "s-001.tar", {f"q/{n}": sample(n, split="train") for n in (1, 2)}.items())
    prepare(raw, tmp_path / "out", test_share=0.5)
    tested = {record.person for record in PreparedDataset(tmp_path / "out").records if record.split == "test"}
    assert 0 < len(tested) < 8
    with pytest.warns(UserWarning, match="takes none of these 8 people"):
        prepare(raw, tmp_path / "none", test_share=0.001)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare(raw / "s-001.tar", tmp_path / "known", test_share=0.001)
    with pytest.raises(Pg2Error, match="between 0 and 1"):
        prepare(raw, tmp_path / "other", test_share=2)


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    whole = picture(5)
    wrong: list[Any] = [
        [], {"split": "val"}, {"person": True}, {"person": ["ann"]}, {"person": "x" * 300},
        {"keypoints": KNOWN[:17]}, {"keypoints": [[1, 2, 3]] * 18}, {"keypoints": [["1", "2"]] * 18},
        {"keypoints": [[1, 1e7]] * 18}, {"keypoints": [[1, float("nan")]] * 18},
    ]  # fmt: skip
    raw = write(
        tmp_path / "raw",
        {
            "ann/1": sample(1),
            "ann/2": sample(2),
            "ann/3": {"json": b"{}"},
            "ann/4": {"jpg": picture(4), "png": picture(4, "PNG")},
            "ann/5": {"jpg": whole[: len(whole) // 2]},
            "ann/6": {"jpg": picture(6, size=(8, 8))},
            "ann/7": sample(7, keypoints=[None] * 18),
            "ann/\n8": sample(8),
            "_9": sample(9),
            "ann/10": sample(10, person="a\u202eb"),
            "ann/1.a": sample(11),
        },
        {f"ann/json{n}": {"jpg": whole, "json": json.dumps(wrong[n]).encode()} for n in range(len(wrong))},
        {
            "ann/2": sample(12),
            "ann/deep": {"jpg": whole, "json": b"[" * 9000},
            "ann/text": {"jpg": whole, "json": b'{"person": "\\ud800"}'},
        },
    )
    report = prepare(raw, tmp_path / "out")
    assert [record.name for record in PreparedDataset(tmp_path / "out").records] == ["ann/1.jpg", "ann/2.jpg"]
    assert report.skipped == {
        "no picture (jpeg, jpg, png, webp)": ["ann/3", "ann/1"],
        "more than one picture or .json": ["ann/4"],
        "damaged, not a picture, or of an unusable size (under 16 pixels, or huge)": ["ann/5", "ann/6"],
        "no keypoint": ["ann/7"],
        "a name that is not plain text": ["ann/\n8"],
        "no person: neither in its .json nor before the first / or _ of its name": ["_9", "ann/10"],
        "a .json that is no object of person, split (train or test) and 18 keypoints": [
            *(f"ann/json{number}" for number in range(len(wrong))),
            "ann/deep",
            "ann/text",
        ],
        "the same name twice": ["ann/2"],
    }


def test_a_bad_shard_is_found_before_anything_is_looked_at(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", *({f"{n}/1": {"jpg": picture(n)}} for n in range(3)))
    last = raw / "s-002.tar"
    last.write_bytes(last.read_bytes()[:700])
    with pytest.raises(Pg2Error, match=r"s-002\.tar is damaged, cut off"):
        prepare(raw, tmp_path / "out", estimator := FakeEstimator())
    assert estimator.calls == 0
    assert [file.name for file in tmp_path.iterdir()] == ["raw"]


def test_what_was_begun_goes_on(tmp_path: Path) -> None:
    people = [f"p{number}" for number in range(3)]
    raw = write(tmp_path / "raw", *({f"{p}/{n}": {"jpg": picture(n)} for n in (1, 2)} for p in people))
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        prepare(raw, out, FakeEstimator(break_after=4))
    assert not out.exists()
    done = prepare(raw, out, estimator := FakeEstimator())
    assert estimator.calls == 2
    assert not (tmp_path / "out.partial").exists()
    assert prepare(raw, tmp_path / "straight", FakeEstimator()) == done
    for name in ("images.zip", "records.csv", "dataset.json"):
        assert (out / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    assert prepare(raw, out).already_prepared
    write_shard(raw / "s-003.tar", {"ann/1": sample(1)}.items())
    with pytest.raises(Pg2Error, match="other files or options"):
        prepare(raw, out)


def test_the_place_of_the_output(tmp_path: Path) -> None:
    """Beside shards that are named there is room; in a folder of them there is none."""
    raw = write(tmp_path / "raw", {f"ann/{n}": sample(n) for n in (1, 2)})
    with pytest.raises(Pg2Error, match=r"lies inside .*raw, which is only read"):
        prepare(raw, raw / "out")
    assert prepare(raw / "s-{000..000}.tar", raw / "out").splits["train"]["images"] == 2
