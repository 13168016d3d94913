"""Scores of stored pictures and the paper's Table 1, by command."""

import shutil
from pathlib import Path

import pytest
from cli_samples import assert_refused

from pg2.data.prepared import PreparedDataset
from pg2.io.packaged import SAMPLES


@pytest.mark.filterwarnings("ignore:.*fewer than the 10 splits")
def test_scoring_stored_pictures(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for folder, person in (("made", "00003"), ("real", "00005")):
        shutil.copytree(SAMPLES / person, tmp_path / folder)
    folders, out = [tmp_path / "made", tmp_path / "real"], tmp_path / "scores"
    ran = pg2("score", *folders, "--out", out, "--masks", "auto", "--bodies", 2)
    assert ran.code == 0, ran.err
    assert "generated" in ran.out
    assert "mask-SSIM ↑" in ran.out
    assert "|" not in ran.out
    assert max(map(len, ran.out.splitlines())) < 130, "a line a score, not a column"
    assert f"How each is computed, pairs and pictures: {out}" in ran.out
    assert sorted(file.name for file in out.iterdir()) == [
        "grid.png", "pairs.csv", "scores.json", "scores.md"
    ]  # fmt: skip
    (tmp_path / "real" / "05.jpg").unlink()
    assert_refused(pg2("score", *folders, "--out", out), "different numbers of pictures")
    assert_refused(
        pg2("score", folders[0], folders[0], "--inception", tmp_path / "no.pth"), "there is no file"
    )
    assert_refused(pg2("score", *folders[:1] * 2, "--device", "nowhere"), 'no device "nowhere" here')
    assert_refused(pg2("score", folders[0]), "give a folder of generated and one of target pictures")


@pytest.mark.filterwarnings("ignore:.*fewer than the 10 splits")
def test_table_one(pg2, tiny: PreparedDataset, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arguments = [
        "table1",
        tiny.path,
        "--preset",
        "debug",
        "--bodies",
        0,
        "--limit",
        3,
        "--device",
        "auto",
        "--out",
        tmp_path / "t",
    ]
    ran = pg2(*arguments)
    assert ran.code == 0, ran.err
    assert "| G1+G2+D |" in ran.out
    assert (tmp_path / "t" / "table1.html").exists()
    assert (tmp_path / "t" / "data" / "g1-ce-l1" / "run" / "coarse" / "model").is_dir()
    assert_refused(pg2(*arguments, "--seed", 1), "begun with seed = 0, now it is 1")
    assert_refused(pg2(*arguments, "--device", "nowhere"), 'no device "nowhere" here')
    assert_refused(pg2(*arguments, "--budget", "soon"), "a budget is a time for each model")
    assert_refused(pg2(*arguments[:1], tiny.path, *arguments[1:]), "the same folder name")
    assert_refused(pg2(*arguments, "--pairs", "a.csv", "--pairs", "b.csv"), "give --pairs for each of the 1")

    # What is wrong with the second data set is said before the first is trained.
    other = tmp_path / "other"
    pg2("prepare", "folder", SAMPLES, other, "--size", "32x24", "--test-share", 0.2)
    both = ["table1", tiny.path, other, "--preset", "debug", "--out", tmp_path / "both"]
    assert_refused(pg2(*both), "recipes for pictures twice as high as wide")
    assert not (tmp_path / "both").exists()
