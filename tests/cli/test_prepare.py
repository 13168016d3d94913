"""Data sets by command."""

import shutil
from pathlib import Path

from cli_samples import assert_refused
from data_samples import write_rendered

from pg2.data.prepared import PreparedDataset
from pg2.io.packaged import SAMPLES
from pg2.pose.formats import format_keypoints_csv, read_keypoints_csv


def test_the_samples_become_a_data_set(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("prepare", "samples", tmp_path / "data", "--test-share", 0.2)
    assert ran.code == 0, ran.err
    data = PreparedDataset(tmp_path / "data")
    assert (len(data), data.frame) == (144, (256, 256))
    assert {record.split for record in data.records} == {"train", "test"}
    assert data.jpeg(0) == (SAMPLES / data.records[0].name).read_bytes()
    assert len(data.usable("train")) + len(data.usable("test")) == 144


def test_deepfashion_without_its_borders(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    known = read_keypoints_csv(SAMPLES / "keypoints.csv")
    views = {"00003/00.jpg": "1_front", "00003/01.jpg": "3_back"}
    raw, rows, listed = tmp_path / "In-shop", [], "2\nimage_name item_id evaluation_status\n"
    (raw / "img/WOMEN/Dresses/id_00000002").mkdir(parents=True)
    for photo, view in views.items():
        path = f"img/WOMEN/Dresses/id_00000002/02_{view}.jpg"
        shutil.copy(SAMPLES / photo, raw / path)
        listed += f"{path} id_00000002 train\n"
        rows.append((f"fasionWOMENDressesid0000000202_{view.replace('_', '')}.jpg", known[photo]))
    (raw / "list_eval_partition.txt").write_text(listed)
    (tmp_path / "mine.csv").write_text(format_keypoints_csv(rows))
    made = pg2("prepare", "deepfashion", raw, tmp_path / "D", "--crop", "--keypoints", tmp_path / "mine.csv")
    assert made.code == 0, made.err
    assert "train: 2 images, 2 usable, 1 people, 2 ordered pairs" in made.out
    assert PreparedDataset(tmp_path / "D").frame == (256, 176)


def test_a_geometry_that_is_missing_or_foreign_is_named(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    raw = write_rendered(tmp_path / "raw")
    file = raw / "00001/00.geometry.npz"
    file.write_bytes((raw / "00000/00.geometry.npz").read_bytes())
    assert_refused(
        pg2("prepare", "folder", raw, tmp_path / "D"),
        "00001/00.geometry.npz is the geometry of another picture",
    )
    file.unlink()
    assert_refused(pg2("prepare", "folder", raw, tmp_path / "D"), "00001/00.geometry.npz")
    assert not (tmp_path / "D").exists()
