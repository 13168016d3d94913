"""Writing: the files, and what becomes of them when something is in the way."""

import csv
import errno
import json
import zipfile

import pytest
from data_samples import FakeEstimator, save_noise

from pg2.data.prepared import FORMAT, PreparedDataset
from pg2.data.sources.market1501 import prepare_market1501
from pg2.errors import Pg2Error
from pg2.io.outputs import exclusive
from pg2.pose.formats import format_keypoints_csv


def test_written_in_formats_anyone_can_read(prepared, market):
    with zipfile.ZipFile(prepared / "images.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    with (prepared / "records.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == names
    assert rows[0]["person"] == "0010"
    assert rows[0]["nose_x"] == "32"
    manifest = json.loads((prepared / "dataset.json").read_text())
    assert manifest["format"] == FORMAT
    assert manifest["frame"] == {"height": 128, "width": 64}
    assert manifest["splits"]["train"] == {"images": 6, "usable": 6, "people": 2, "ordered_pairs": 12}
    assert sorted(file.name for file in prepared.iterdir()) == [
        "dataset.json", "images.zip", "records.csv", "report.json", "report.md"
    ]  # fmt: skip


def test_same_input_gives_same_bytes(prepared, market, tmp_path, contents):
    prepare_market1501(market, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(prepared)


def test_nothing_usable_leaves_nothing_behind(market, tmp_path):
    for name in ("train", "test"):
        (market / f"market-annotation-{name}.csv").write_text(format_keypoints_csv([]))
    with pytest.raises(Pg2Error, match=r"nothing to prepare.*skipped, no keypoints for it: 8"):
        prepare_market1501(market, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [market]


def test_other_inputs_or_a_foreign_folder_are_refused(market, tmp_path, contents):
    out = tmp_path / "out"
    prepare_market1501(market, out)
    before = contents(out)
    with pytest.raises(Pg2Error, match="other files or options"):
        prepare_market1501(market, out, "auto", estimator=FakeEstimator())
    save_noise(next((market / "bounding_box_train").iterdir()), seed=99)
    with pytest.raises(Pg2Error, match="other files or options"):
        prepare_market1501(market, out)
    assert contents(out) == before
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("mine")
    with pytest.raises(Pg2Error, match="already exists and is not a prepared data set"):
        prepare_market1501(market, home)
    with pytest.raises(Pg2Error, match="lies inside"):
        prepare_market1501(market, market / "out")
    (tmp_path / "new.partial").mkdir()
    (tmp_path / "new.partial" / "thesis.txt").write_text("mine")
    with pytest.raises(Pg2Error, match=r"holds thesis\.txt"):
        prepare_market1501(market, tmp_path / "new")
    assert (tmp_path / "new.partial" / "thesis.txt").read_text() == "mine"
    assert contents(home) == {"thesis.txt": b"mine"}


def test_a_second_preparation_is_refused(market, tmp_path):
    out, partial = tmp_path / "out", tmp_path / "out.partial"
    making = partial / ".dataset.abcdefgh" / "dataset"
    making.mkdir(parents=True)
    with exclusive(out), pytest.raises(Pg2Error, match=r"another command is at work on .*out; wait"):
        prepare_market1501(market, out)
    assert making.exists()


def test_what_a_kill_left_is_gone_before_anything_is_written(market, tmp_path, monkeypatch):
    """Each may be as large as the data set; and a kill can come when that is there already."""
    out, partial = tmp_path / "out", tmp_path / "out.partial"
    for folder in (".dataset.abcdefgh/dataset", "dataset"):
        (partial / folder).mkdir(parents=True)
        (partial / folder / "images.zip").write_text("half")
    (partial / "journal.jsonl").write_text("")
    real, there = zipfile.ZipFile.writestr, []

    def look(*args, **kwargs):
        there.append(sorted(file.name[:9] for file in partial.iterdir()))
        real(*args, **kwargs)

    monkeypatch.setattr(zipfile.ZipFile, "writestr", look)
    prepare_market1501(market, out)
    assert there[0] == [".dataset.", "journal.j"], "its own work, and poses that are kept"
    assert sorted(tmp_path.iterdir()) == [market, out]
    (partial / "dataset").mkdir(parents=True)
    (partial / "journal.jsonl").write_text("")
    assert prepare_market1501(market, out).already_prepared
    assert sorted(tmp_path.iterdir()) == [market, out]


def test_an_empty_folder_is_a_free_place(market, tmp_path):
    (tmp_path / "out").mkdir()
    prepare_market1501(market, tmp_path / "out")
    assert len(PreparedDataset(tmp_path / "out")) == 8


def test_disk_full(market, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(Pg2Error, match="no space left on device"):
        prepare_market1501(market, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [market]
