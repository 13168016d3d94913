"""The report counts what it says it counts, names its uncertainty, and shows who deceived."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from study_samples import GENERATED, REAL, fill, kinds, take_part

from pg2.errors import Pg2Error
from pg2.io.pictures import load_image
from pg2.userstudy import report
from pg2.userstudy.answers import Answers
from pg2.userstudy.intervals import cluster_bootstrap, wilson
from pg2.userstudy.report import FILES, contact_sheet, findings, markdown, write_report
from pg2.userstudy.study import Kind, Study, make_study


def by_name(study: Study, name: str) -> str:
    return next(p.id for p in study.pictures if p.kind == "generated" and p.name == name)


def test_r2g_and_g2r_are_shares_of_the_counted_answers(study: Study) -> None:
    """Two people: one always says real, one is always right; the first two answers of each do not count."""
    take_part(study, lambda _: "real", time=400)
    take_part(study, kinds(study).__getitem__, time=800)
    truth = kinds(study)
    shown = [[truth[picture] for picture in study.order(number)[2:]] for number in (0, 1)]
    real, generated = ([orders.count(kind) for orders in shown] for kind in ("real", "generated"))

    found = findings(study)
    assert (found.finished, found.unfinished, found.left_out) == (2, 0, 0)
    r2g, g2r = found.shares["R2G"], found.shares["G2R"]
    assert (r2g.wrong, r2g.answers, r2g.share) == (0, sum(real), 0.0)
    assert (g2r.wrong, g2r.answers) == (generated[0], sum(generated))
    assert g2r.share == generated[0] / sum(generated)
    assert g2r.wilson == wilson(generated[0], sum(generated))
    assert g2r.bootstrap == cluster_bootstrap([generated[0], 0], generated)
    assert found.median_milliseconds == 600
    assert sum(score.answers for score in found.pictures) == 8


def test_who_did_not_finish_is_told_and_left_out(study: Study) -> None:
    take_part(study, kinds(study).__getitem__)
    take_part(study, lambda _: "generated", count=5, time=9000)
    Answers(study).enter()
    found = findings(study)
    assert (found.finished, found.unfinished, found.left_out) == (1, 2, 5)
    assert found.shares["R2G"].wrong == 0
    assert found.shares["R2G"].bootstrap is None
    assert found.median_milliseconds == 500
    text = markdown(study, found)
    assert "1 person, 4 counted answers" in text
    assert "**Not finished**: 2; answers left out for that: 5." in text
    assert "one person: none" in text


def test_interrupted_answers_count_but_have_no_time(study: Study) -> None:
    take_part(study, kinds(study).__getitem__, time=None)
    found = findings(study)
    assert found.median_milliseconds is None
    assert "Median" not in markdown(study, found)
    assert sum(share.answers for share in found.shares.values()) == 4


def test_without_answers_there_is_no_report(study: Study) -> None:
    with pytest.raises(Pg2Error, match="has no answers yet"):
        findings(study)
    take_part(study, lambda _: "real", count=3)
    with pytest.raises(Pg2Error, match=r"nobody has finished .*\(people who began: 1, their answers: 3\)"):
        findings(study)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Ten pictures of each kind, no practice, and four people: 0 to 4 of them are deceived by the first five
    generated pictures, none by the others. Not to be changed.
    """
    place = tmp_path_factory.mktemp("large")
    folders = fill(place / "generated", 10, GENERATED), fill(place / "real", 10, REAL)
    study = make_study(*folders, place / "study", count=10, practice=0)
    truth = kinds(study)
    wrong = {by_name(study, f"{number:02}.png"): number for number in range(5)}

    def of(person: int) -> Callable[[str], Kind]:
        return lambda picture: "real" if wrong.get(picture, 0) > person else truth[picture]

    for person in range(4):
        take_part(study, of(person))
    return study


def test_pictures_are_ranked_by_how_often_they_deceived(
    large: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = findings(large)
    generated = [score for score in found.pictures if score.kind == "generated"]
    assert [(score.name, score.wrong) for score in generated[:4]] == [
        ("04.png", 4), ("03.png", 3), ("02.png", 2), ("01.png", 1)
    ]  # fmt: skip
    assert {score.answers for score in found.pictures} == {4}
    assert found.shares["G2R"].share == 10 / 40

    sheets = []
    real = report.grid
    monkeypatch.setattr(report, "grid", lambda *given: (sheets.append(given), real(*given))[1])
    sheet = contact_sheet(large, found)
    assert sheet.dtype == np.uint8
    (most, most_title, most_labels), (least, least_title, least_labels) = sheets
    assert (most_title, least_title) == (["most convincing"], ["least convincing"])
    assert most_labels == ["100 %\n4 of 4", "75 %\n3 of 4", "50 %\n2 of 4", "25 %\n1 of 4", "0 %\n0 of 4"]
    assert least_labels == ["0 %\n0 of 4"] * 5
    assert [int(row[0].mean()) for row in most[:4]] == [204, 203, 202, 201]
    assert not {int(row[0].mean()) for row in least} & {int(row[0].mean()) for row in most}


def test_one_picture_of_each_kind_has_a_report_too(folders: tuple[Path, Path], tmp_path: Path) -> None:
    study = make_study(*folders, tmp_path / "study", count=1, practice=0)
    take_part(study, lambda _: "real")
    found = findings(study)
    assert found.shares["G2R"].share == 1.0
    assert contact_sheet(study, found).shape[2] == 3


def test_a_report_has_its_three_files_and_their_content(large: Study, tmp_path: Path) -> None:
    found = findings(large)
    out = tmp_path / "deep" / "out"
    write_report(out, large, found, "pg2 userstudy report large")
    assert sorted(file.name for file in out.iterdir()) == sorted(FILES)
    assert [file.name for file in out.parent.iterdir()] == ["out"]
    document = json.loads((out / "report.json").read_text())
    assert document["shares"]["G2R"] == {
        "wrong": 10, "answers": 40, "share": 0.25,
        "wilson": list(found.shares["G2R"].wilson), "bootstrap": list(found.shares["G2R"].bootstrap or ()),
    }  # fmt: skip
    assert (document["finished"], document["study"]["seed"], len(document["pictures"])) == (4, 0, 20)
    assert document["command"] == "pg2 userstudy report large"
    text = (out / "report.md").read_text()
    low, high = (100 * bound for bound in wilson(10, 40))
    assert f"| **G2R**, generated judged real | 25.0 % | 10 of 40 | {low:.1f} to {high:.1f} % |" in text
    assert "| 04.png | 100 % | 4 of 4 |" in text
    assert load_image(out / "pictures.png").shape[2] == 3

    write_report(out, large, found)
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(Pg2Error, match=r"holds thesis\.tex"):
        write_report(out, large, found)


def test_every_line_of_a_table_has_as_many_cells(large: Study) -> None:
    for table in markdown(large, findings(large)).split("\n\n"):
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1


def test_a_picture_that_was_changed_is_named(large: Study, tmp_path: Path) -> None:
    shutil.copytree(large.folder, tmp_path / "study")
    large = Study.load(tmp_path / "study")
    found = findings(large)
    file = large.file(next(score.id for score in found.pictures if score.kind == "generated"))
    Image.new("RGB", (48, 48)).save(file)
    with pytest.raises(Pg2Error, match=rf"{file.name} is not of the study's 32x16 pixels"):
        contact_sheet(large, found)
