"""A user study by command."""

import shutil
from pathlib import Path

from cli_samples import assert_refused

from pg2.io.packaged import SAMPLES


def test_a_user_study_from_pictures_to_its_report(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from pg2.userstudy.answers import Answers
    from pg2.userstudy.study import Study

    folders, study = [tmp_path / "generated", tmp_path / "real"], tmp_path / "study"
    for folder, person in zip(folders, ("00003", "00005"), strict=True):
        shutil.copytree(SAMPLES / person, folder)
    made = pg2("userstudy", "make", *folders, study, "--count", 2, "--practice", 1)
    assert (made.code, made.out.strip()) == (0, str(study)), made.err
    again = pg2("userstudy", "make", *folders, study, "--count", 2, "--practice", 1)
    assert (again.code, again.out.strip()) == (0, str(study)), "the same command again does no harm"
    other = pg2("userstudy", "make", *folders, study, "--count", 2, "--practice", 1, "--seed", 1)
    assert_refused(other, "is there already")
    assert_refused(pg2("userstudy", "report", study, "--out", tmp_path / "report"), "no answers yet")
    answers = Answers(Study.load(study), create=True)
    token = answers.enter()
    for position in range(4):
        answers.record(token, position, "real", 500)
    ran = pg2("userstudy", "report", study, "--out", tmp_path / "report")
    assert ran.code == 0, ran.err
    assert "| **R2G**, real judged generated | 0.0 % |" in ran.out
    assert "| **G2R**, generated judged real | 100.0 % |" in ran.out
    assert (tmp_path / "report/report.md").read_text().strip() == ran.out.strip()
    assert pg2("userstudy", "report", study).out.startswith("# User study: 1 person, 3 counted answers")
