import json
import shutil

import numpy as np
import pytest
from data_samples import save_noise, standing
from PIL import Image
from real_data import MARKET, needs

from pg2.data.prepared import PreparedDataset
from pg2.data.sources.market1501 import prepare_market1501
from pg2.errors import Pg2Error
from pg2.io.pictures import load_image
from pg2.pose.formats import format_keypoints_csv


def test_pictures_are_stored_byte_for_byte(market, tmp_path):
    report = prepare_market1501(market, tmp_path / "out")
    assert report.skipped == {}
    data = PreparedDataset(tmp_path / "out")
    for index, record in enumerate(data.records):
        [original] = market.glob(f"bounding_box_*/{record.name}")
        assert data.jpeg(index) == original.read_bytes()
        assert record.split == original.parent.name.removeprefix("bounding_box_")
        assert record.person == record.name[:4]
        assert (record.points == standing(128, 64)).all()


def test_another_format_under_the_name_of_a_jpeg_becomes_one(market, tmp_path):
    file = sorted((market / "bounding_box_train").glob("*.jpg"))[0]
    pixels = load_image(file)
    Image.fromarray(pixels).save(file, "PNG")
    prepare_market1501(market, tmp_path / "out")
    data = PreparedDataset(tmp_path / "out")
    found = data.image(data.index_of(file.name)).astype(int)
    assert np.abs(found - pixels).mean() < 20


def test_bad_files_are_counted_named_and_skipped(market, tmp_path):
    train = market / "bounding_box_train"
    truncated, wrong_size, no_row = sorted(file.name for file in train.iterdir())[:3]
    whole = (train / truncated).read_bytes()
    (train / truncated).write_bytes(whole[: len(whole) - len(whole) // 4])
    save_noise(train / wrong_size, size=(64, 64))
    csv = market / "market-annotation-train.csv"
    csv.write_text(csv.read_text().replace(no_row, "0099_c1s1_000451_01.jpg"))
    save_noise(train / "0000_c1s1_000451_01.jpg")
    save_noise(train / "-1_c1s1_000451_01.jpg")
    (train / "Thumbs.db").write_bytes(b"x")
    report = prepare_market1501(market, tmp_path / "out")
    assert report.skipped == {
        "keypoints without a picture": ["0099_c1s1_000451_01.jpg"],
        "distractor or junk (id -1 or 0000)": ["-1_c1s1_000451_01.jpg", "0000_c1s1_000451_01.jpg"],
        "damaged or not a picture": [truncated],
        "not 128x64 pixels": [wrong_size],
        "no keypoints for it": [no_row],
        "not named like 0002_c1s1_000451_03.jpg": ["Thumbs.db"],
    }
    assert report.splits["train"] == {"images": 3, "usable": 3, "people": 1, "ordered_pairs": 6}
    assert json.loads((tmp_path / "out" / "report.json").read_text())["skipped"] == report.skipped
    assert f"damaged or not a picture: 1: `{truncated}`" in (tmp_path / "out" / "report.md").read_text()
    assert "skipped, no keypoints for it: 1" in report.summary()


def test_a_picture_without_its_torso_is_kept_but_not_paired(market, tmp_path):
    path = market / "market-annotation-test.csv"
    half = standing(128, 64)
    half[8] = float("nan")
    names = sorted(file.name for file in (market / "bounding_box_test").iterdir())
    path.write_text(format_keypoints_csv([(names[0], half), (names[1], standing(128, 64))]))
    report = prepare_market1501(market, tmp_path / "out")
    assert report.splits["test"] == {"images": 2, "usable": 1, "people": 1, "ordered_pairs": 0}
    data = PreparedDataset(tmp_path / "out")
    assert [data.records[i].name for i in data.usable("test")] == [names[1]]


def test_query_pictures_belong_to_the_test_split(market, tmp_path):
    name = "0010_c6s1_000001_00.jpg"
    save_noise(market / "query" / name)
    extra = tmp_path / "query.csv"
    extra.write_text(format_keypoints_csv([(name, standing(128, 64))]))
    tables = [market / "market-annotation-train.csv", market / "market-annotation-test.csv", extra]
    prepare_market1501(market, tmp_path / "out", tables)
    data = PreparedDataset(tmp_path / "out")
    assert data.records[data.index_of(name)].split == "test"


def test_wrong_folders_get_a_hint(market, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Pg2Error, match=f"expected the folders .*give the folder above, {market}$"):
        prepare_market1501(market / "bounding_box_train", out)
    with pytest.raises(Pg2Error, match=f"give the folder below, {market}$"):
        prepare_market1501(tmp_path, out)
    with pytest.raises(Pg2Error, match="there is no folder"):
        prepare_market1501(tmp_path / "nowhere", out)
    with pytest.raises(Pg2Error, match="it is a file; unpack it and give the folder"):
        prepare_market1501(market / "market-annotation-test.csv", out)
    shutil.rmtree(market / "bounding_box_test")
    with pytest.raises(Pg2Error, match="missing: bounding_box_test; found: bounding_box_train, market-anno"):
        prepare_market1501(market, out)
    assert not out.exists()


def test_keypoint_options(market, tmp_path):
    (market / "market-annotation-test.csv").unlink()
    with pytest.raises(Pg2Error, match=r"lacks .*market-annotation-test\.csv.*--keypoints auto"):
        prepare_market1501(market, tmp_path / "out")
    with pytest.raises(Pg2Error, match="either auto or"):
        prepare_market1501(market, tmp_path / "out", ["auto", market / "market-annotation-train.csv"])
    report = prepare_market1501(market, tmp_path / "out", market / "market-annotation-train.csv")
    assert len(report.skipped["no keypoints for it"]) == 2


def test_run_again_does_nothing(market, tmp_path, contents):
    out = tmp_path / "out"
    first = prepare_market1501(market, out)
    before = contents(out), out.stat().st_mtime_ns
    again = prepare_market1501(market, out)
    assert not first.already_prepared
    assert again.already_prepared
    assert again.summary() == "already prepared\n" + first.summary()
    assert (contents(out), out.stat().st_mtime_ns) == before


@needs(MARKET)
def test_counts_on_the_real_data(tmp_path):
    report = prepare_market1501(MARKET, tmp_path / "out")
    assert report.splits == {
        "train": {"images": 10_554, "usable": 9_877, "people": 595, "ordered_pairs": 222_004},
        "test": {"images": 1_427, "usable": 1_346, "people": 100, "ordered_pairs": 20_846},
    }
    assert report.skipped == {}
