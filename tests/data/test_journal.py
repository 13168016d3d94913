"""The journal of estimated poses: what a run that stopped leaves to the next."""

import errno
import json
import zipfile

import pytest
from data_samples import FakeEstimator, save_noise
from PIL import Image

from pg2.data.sources.folder import prepare_folder
from pg2.data.sources.market1501 import prepare_market1501
from pg2.errors import Pg2Error


def test_automatic_keypoints_resume_where_they_stopped(market, tmp_path):
    out, partial = tmp_path / "out", tmp_path / "out.partial"
    with pytest.raises(KeyboardInterrupt):
        prepare_market1501(market, out, "auto", estimator=FakeEstimator(break_after=5))
    assert not out.exists()
    assert [file.name for file in partial.iterdir()] == ["journal.jsonl"]
    # As a kill in the middle of a line leaves it: the fifth result is lost, four are kept.
    journal = partial / "journal.jsonl"
    journal.write_text(journal.read_text()[:-20])
    with pytest.raises(KeyboardInterrupt):
        prepare_market1501(market, out, "auto", estimator=FakeEstimator(break_after=2))
    # A photo that changed in between is looked at again.
    save_noise(sorted((market / "bounding_box_test").iterdir())[0], seed=1234)
    estimator = FakeEstimator()
    resumed = prepare_market1501(market, out, "auto", estimator=estimator)
    assert estimator.calls == 8 - 4 - 2 + 1
    assert not partial.exists()
    straight = prepare_market1501(market, tmp_path / "straight", "auto", estimator=FakeEstimator())
    assert resumed == straight
    assert (out / "records.csv").read_bytes() == (tmp_path / "straight" / "records.csv").read_bytes()


def test_the_disk_filling_up_loses_no_estimate(market, tmp_path, monkeypatch):
    calls = 0
    real = zipfile.ZipFile.writestr

    def full_at_the_end(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*args, **kwargs)

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full_at_the_end)
    with pytest.raises(Pg2Error, match="no space left"):
        prepare_market1501(market, tmp_path / "out", "auto", estimator=FakeEstimator())
    assert [file.name for file in (tmp_path / "out.partial").iterdir()] == ["journal.jsonl"]
    estimator = FakeEstimator()
    prepare_market1501(market, tmp_path / "out", "auto", estimator=estimator)
    assert estimator.calls == 0


def test_nobody_in_the_picture_is_remembered_too(market, tmp_path):
    black = sorted((market / "bounding_box_train").iterdir())[0]
    Image.new("RGB", (64, 128)).save(black)
    with pytest.raises(KeyboardInterrupt):
        prepare_market1501(market, tmp_path / "out", "auto", estimator=FakeEstimator(break_after=5))
    estimator = FakeEstimator()
    report = prepare_market1501(market, tmp_path / "out", "auto", estimator=estimator)
    assert estimator.calls == 3
    assert report.skipped == {"no person found": [black.name]}


def test_poses_of_another_estimator_are_not_taken_up(photos, tmp_path):
    class Other(FakeEstimator):
        pass

    with pytest.raises(KeyboardInterrupt):
        prepare_folder(photos, tmp_path / "out", estimator=FakeEstimator(break_after=4))
    other = Other()
    prepare_folder(photos, tmp_path / "out", estimator=other)
    assert other.calls == 6


def test_damaged_lines_are_work_to_do_again(market, tmp_path):
    journal = tmp_path / "out.partial" / "journal.jsonl"
    with pytest.raises(KeyboardInterrupt):
        prepare_market1501(market, tmp_path / "out", "auto", estimator=FakeEstimator(break_after=5))
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len(lines) == 5
    for line, points in zip(
        lines, (5, [5] * 18, [[1, 2]] * 3, [["x", 2]] * 18, [[1, 2, 3]] * 18), strict=True
    ):
        line["points"] = points
    deep = '{"key": ' + "[" * 5000
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + f"{deep}\n[1]\nnull\n")
    estimator = FakeEstimator()
    prepare_market1501(market, tmp_path / "out", "auto", estimator=estimator)
    assert estimator.calls == 8
