"""Scoring a model and writing the report in one go; and places that are refused before any work."""

import json
from pathlib import Path

import pytest
from evaluation_samples import FakeModel, darker

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.pair_lists import all_test_pairs
from pg2.evaluation.report import FILES
from pg2.evaluation.run import check_places, score_and_report
from pg2.io.outputs import exclusive
from pg2.io.pictures import load_image


def test_a_report_of_a_model(tiny: PreparedDataset, tmp_path: Path) -> None:
    found = score_and_report(
        tmp_path / "out",
        FakeModel(darker),
        tiny,
        all_test_pairs(tiny),
        name="a model",
        data_name="tiny",
        instruments=Instruments(),
        store=tmp_path / "kept",
        seed=3,
        command="pg2 evaluate",
    )
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(FILES)
    document = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert (document["model"], document["data"]) == ("a model", "tiny")
    assert (document["seed"], document["command"]) == (3, "pg2 evaluate")
    assert document["pairs"] == len(found.pairs) == 12
    assert "over 2 people" in document["confidence"]
    assert load_image(tmp_path / "out" / "grid.png").shape[2] == 3
    assert "Failure cases of a model" in (tmp_path / "out" / "failures.html").read_text()
    assert len(list((tmp_path / "kept" / "coarse").iterdir())) == 12


@pytest.mark.parametrize(
    ("out", "store", "words"),
    [
        ("a", "a/pictures", "lie in one another"),
        ("b/scores", "b", "lie in one another"),
        ("c", "c", "lie in one another"),
        ("d", "there", "there exists and was not made by"),
        ("there", None, r"holds thesis\.tex"),
    ],
)
def test_places_are_refused_before_any_work(
    out: str, store: str | None, words: str, tiny: PreparedDataset, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "thesis.tex").write_text("mine")
    places = tmp_path / out, None if store is None else tmp_path / store
    with pytest.raises(Pg2Error, match=words):
        check_places(*places)
    with pytest.raises(Pg2Error, match=words):
        score_and_report(
            places[0],
            FakeModel(lambda *_: pytest.fail("was run")),
            tiny,
            all_test_pairs(tiny),
            name="",
            data_name="",
            instruments=Instruments(),
            store=places[1],
        )
    assert [file.name for file in tmp_path.iterdir()] == ["there"]


def test_places_apart_are_taken(tmp_path: Path) -> None:
    check_places(tmp_path / "a")
    check_places(tmp_path / "a", tmp_path / "b")
    check_places(tmp_path / "scores", tmp_path / "scores-pictures")


def evaluated(tiny: PreparedDataset, place: Path, limit: int) -> None:
    score_and_report(
        place / "out",
        FakeModel(darker),
        tiny,
        all_test_pairs(tiny)[:limit],
        name="a model",
        data_name="tiny",
        instruments=Instruments(),
        store=place / "kept",
    )


def test_killed_between_the_pictures_and_the_report_the_same_command_goes_on(
    tiny: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pg2.evaluation.run.write_report", killed)
        with pytest.raises(KeyboardInterrupt):
            evaluated(tiny, tmp_path, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    (tmp_path / ".kept.abcdefgh" / "kept").mkdir(parents=True)  # and once before, while they were written
    evaluated(tiny, tmp_path, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "out"]
    assert len(list((tmp_path / "kept" / "coarse").iterdir())) == 4


@pytest.mark.parametrize("busy", ["out", "kept"])
def test_a_place_that_another_command_is_at_work_on(
    tiny: PreparedDataset, tmp_path: Path, busy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pg2.evaluation.run.evaluate", lambda *_, **__: pytest.fail("was run"))
    with (
        exclusive(tmp_path / busy),
        pytest.raises(Pg2Error, match=f"another command is at work on .*{busy}"),
    ):
        evaluated(tiny, tmp_path, 4)
    assert list(tmp_path.iterdir()) == []
