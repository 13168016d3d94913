"""`pg2 augment`, by command: what it writes, says and refuses."""

import re
from pathlib import Path

from cli_samples import assert_refused
from data_samples import prepared_market


def test_pictures_are_made_and_kept(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    prepared_market(tmp_path / "data")
    command = ["augment", tmp_path / "data", tmp_path / "out", "--model", model, "--precision", "fp32"]
    ran = pg2(*command, "--limit", 5)
    assert ran.code == 0, ran.err
    said = r".*manifest\.jsonl: 5 pictures of 4 people made in \d+\.\d s, 0 were there already\n"
    assert re.fullmatch(said, ran.out)
    assert len(list((tmp_path / "out/bounding_box_train").glob("*_made00.jpg"))) == 5
    ran = pg2(*command, "--per-picture", 2)
    assert "19 pictures of 4 people made" in ran.out
    assert "5 were there already" in ran.out


def test_what_is_refused(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    prepared_market(tmp_path / "data")
    (tmp_path / "names.txt").write_text("1501_c1s1_001501_01.jpg\n")
    command = ["augment", tmp_path / "data", tmp_path / "out", "--model", model]
    assert_refused(pg2("augment", tmp_path, tmp_path / "out"), "is not a prepared data set")
    assert_refused(pg2(*command, "--pictures", tmp_path / "names.txt"), "is a picture of the test split")
    assert_refused(pg2(*command, "--pictures", tmp_path / "none.txt"), "cannot read")
    assert_refused(pg2(*command, "--per-person", 2, "--per-picture", 2), "two ways to say how many")
    assert not (tmp_path / "out").exists()
