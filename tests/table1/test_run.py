"""The whole experiment on a tiny data set: it runs, goes on where it stopped, and its table is whole."""

import csv
import io
import json
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from rich.console import Console

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.evaluation.classifier import Classifier
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.scores import COPY, REAL
from pg2.table1 import run
from pg2.table1.models import MODELS
from pg2.table1.report import markdown, verdicts, write_table
from pg2.table1.run import FILES, Experiment, at_work, run_experiment
from pg2.training.settings import Recipe

QUIET = Console(quiet=True)
NAMES = [model.name for model in MODELS]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("table1")


@pytest.fixture(scope="module")
def experiment(place: Path, tiny: PreparedDataset) -> Experiment:
    found = run_experiment(
        tiny,
        place / "tiny",
        preset="debug",
        instruments=Instruments([Classifier()]),
        console=QUIET,
    )
    write_table(place, [found], "pg2 table1 tiny")
    return found


def test_every_model_is_trained_and_scored(experiment: Experiment) -> None:
    assert [trained.model.name for trained in experiment.trained] == NAMES
    for trained in experiment.trained:
        assert trained.steps == (
            {"coarse": 3, "refined": 2} if trained.model.name == "G1+G2+D" else {"coarse": 3}
        )
        assert trained.minutes > 0
        assert trained.scores.keys() >= {"ssim", "mask_ssim", "lite0_is", "lite0_fid_test"}
        assert len(trained.pairs["ssim"]) == len(experiment.pairs) == 12
        assert np.mean(trained.pairs["ssim"]) == pytest.approx(trained.scores["ssim"]["mean"], abs=1e-5)
    sizes = {trained.model.name: trained.parameters for trained in experiment.trained}
    assert sizes["G1-L1"] == sizes["G1-poseMaskLoss"] == sizes["G1+D"] < sizes["G1+G2+D"]
    assert sizes["G1-HME-L1"] > sizes["G1-L1"]
    assert "ssim" not in experiment.real
    assert len(set(experiment.people)) == 2, "pairs of two people"


def test_the_four_files(experiment: Experiment, place: Path) -> None:
    assert {file.name for file in place.iterdir() if file.is_file()} == set(FILES)
    text = (place / "table1.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == ["model", COPY, *NAMES, REAL]
    assert len({row.count("|") for row in rows}) == 1
    assert "EfficientNet-Lite0 IS" in rows[0]
    assert " IS " not in rows[0].replace("EfficientNet-Lite0 IS", "").replace("paper's IS", "")
    assert "0.735" in rows[NAMES.index("G1-L1") + 2] or "0.304" in rows[NAMES.index("G1-L1") + 2]

    document = json.loads((place / "table1.json").read_text())
    found = document["data"][experiment.data.path.name]
    assert found["source"] == "folder"
    assert "## " + experiment.data.path.name + ", beside the paper's Market-1501" in text
    assert list(found["rows"]) == [COPY, *NAMES, REAL]
    assert found["rows"]["G1-L1"]["scores"]["ssim"]["mean"] == experiment.trained[2].scores["ssim"]["mean"]
    with (place / "table1.csv").open(newline="") as lines:
        table = {row["model"]: row for row in csv.DictReader(lines)}
    assert list(table) == [COPY, *NAMES, REAL]
    assert float(table["G1-L1"]["ssim"]) == experiment.trained[2].scores["ssim"]["mean"]
    assert (table["G1-L1"]["paper_ssim"], table["G1-L1"]["paper_is"]) == ("0.304", "3.006")
    assert (table["G1+G2+D"]["steps_coarse"], table["G1+G2+D"]["steps_refined"]) == ("3", "2")
    assert table[REAL]["ssim"] == table[COPY]["paper_ssim"] == ""

    class Page(HTMLParser):
        pictures = 0

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "img":
                assert dict(attrs)["alt"]
                assert (dict(attrs)["src"] or "").startswith("data:image/png;base64,")
                self.pictures += 1
            assert tag not in ("script", "link"), "a report stands alone"

    page = Page()
    page.feed((place / "table1.html").read_text())
    assert page.pictures == 10 * (3 + 6), "ten pairs: source, pose, target, six models"


def test_going_on_does_nothing_twice(
    experiment: Experiment, place: Path, tiny: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = markdown([experiment])
    times = {file: file.stat().st_mtime_ns for file in (place / "tiny").rglob("*.safetensors")}
    monkeypatch.setattr(run, "score_and_report", lambda *_, **__: pytest.fail("scored again"))
    again = run_experiment(
        tiny, place / "tiny", preset="debug", instruments=Instruments([Classifier()]), console=QUIET
    )
    assert markdown([again]) == before
    assert {file: file.stat().st_mtime_ns for file in (place / "tiny").rglob("*.safetensors")} == times
    with pytest.raises(Pg2Error, match="begun with seed = 0, now it is 1"):
        run_experiment(tiny, place / "tiny", preset="debug", seed=1, console=QUIET)
    with pytest.raises(Pg2Error, match="begun with precision_of_scores = none, now it is bfloat16"):
        run_experiment(tiny, place / "tiny", preset="debug", dtype=torch.bfloat16, console=QUIET)
    with pytest.raises(Pg2Error, match=r"begun with settings = none, now it is coarse\.lr=0\.5"):
        run_experiment(tiny, place / "tiny", preset="debug", settings=["coarse.lr=0.5"], console=QUIET)


def test_other_instruments_score_anew(place: Path, tiny: PreparedDataset, experiment: Experiment) -> None:
    """Weights that arrive after the training are used, and nothing is trained again."""
    copied = place.parent / "instruments"
    shutil.copytree(place / "tiny", copied)
    times = {file: file.stat().st_mtime_ns for file in copied.rglob("*.safetensors")}
    found = run_experiment(tiny, copied, preset="debug", instruments=Instruments(), console=QUIET)
    assert "lite0_is" in experiment.about
    assert "lite0_is" not in found.about
    assert all("lite0_is" not in trained.scores for trained in found.trained)
    assert {file: file.stat().st_mtime_ns for file in copied.rglob("*.safetensors")} == times


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"pairs": [("a.jpg", "b.jpg")]}, "lacks 2 of the 2 pictures that the pair list names"),
        ({"preset": "quick"}, 'no preset "quick"'),
        ({"budget": "soon"}, "a budget is a time"),
        ({"seeds": 0}, "at least 1 seed, not 0"),
        ({"settings": ["seed=3"]}, "seed is not to be set: give --seed"),
        ({"settings": ["coarse.nothing=3"]}, "coarse.nothing"),
        ({"settings": ["coarse.validate_every=3"]}, "coarse.validate_every is not to be set"),
        ({"settings": ["coarse.steps=3"], "budget": "1m"}, "leave out --budget, or --set coarse.steps"),
    ],
)
def test_what_is_wrong_is_said_before_the_training(
    tiny: PreparedDataset, tmp_path: Path, wrong: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "train", lambda *_: pytest.fail("trained"))
    with pytest.raises(Pg2Error, match=words):
        run_experiment(tiny, tmp_path / "w", **{"preset": "debug", "console": QUIET, **wrong})
    assert not (tmp_path / "w").exists()


def test_stopped_in_the_middle(
    place: Path, tiny: PreparedDataset, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was trained before the stop is kept, and the end is the same as without one."""
    calls = []
    real = run.score_and_report

    def stop_at_the_third(*arguments: object, **keywords: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "score_and_report", stop_at_the_third)
    tools = Instruments([Classifier()])
    with pytest.raises(KeyboardInterrupt):
        run_experiment(tiny, place.parent / "stopped", preset="debug", instruments=tools, console=QUIET)
    monkeypatch.setattr(run, "score_and_report", real)
    found = run_experiment(tiny, place.parent / "stopped", preset="debug", instruments=tools, console=QUIET)
    for one, other in zip(found.trained, experiment.trained, strict=True):
        np.testing.assert_array_equal(one.pairs["ssim"], other.pairs["ssim"])


def test_other_pairs_are_scored_anew(place: Path, tiny: PreparedDataset, experiment: Experiment) -> None:
    copied = place.parent / "pairs"
    shutil.copytree(place / "tiny", copied)
    found = run_experiment(tiny, copied, preset="debug", limit=11, console=QUIET)
    assert len(found.pairs) == 11
    assert found.pairs[0] == experiment.pairs[0]
    assert found.pairs[-1] == experiment.pairs[-1]
    assert len(found.trained[0].pairs["ssim"]) == 11
    with pytest.raises(Pg2Error, match="at least 1"):
        run_experiment(tiny, copied, preset="debug", limit=0, console=QUIET)


def test_a_measured_budget(tmp_path: Path, tiny: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = run.step_seconds, Counter[str]()

    def measured(recipe: Recipe, data: PreparedDataset) -> dict[str, float]:
        """A real measurement of the right stages; then one number, as a busy machine would give others.

        Each model meets a slow moment, which is not to tell.
        """
        key = recipe.model_dump_json()
        if key not in asked:
            found = real(recipe, data)
            assert list(found) == list(recipe.stages)
            assert min(found.values()) > 0
        takes = {"input": 0.1, "coordinates": 0.11, "heatmaps": 0.2}[recipe.model.pose.embedding]
        asked[key] += 1
        slow = asked[key] == 1 + list(asked).index(key) % 3
        return dict.fromkeys(recipe.stages, takes * (7 if slow else 1))

    monkeypatch.setattr(run, "step_seconds", measured)
    said = io.StringIO()
    found = run_experiment(
        tiny,
        tmp_path / "b",
        preset="debug",
        budget="1s",
        settings=["coarse.lr=0.0007"],
        limit=1,
        console=Console(file=said),
    )
    assert "G1-L1: a step takes coarse 100 ms\n" in said.getvalue()
    for recipe in (tmp_path / "b").glob("*/run/recipe.yaml"):
        assert yaml.safe_load(recipe.read_text())["coarse"]["lr"] == 0.0007
    assert "Preset debug, coarse.lr=0.0007, 1s of training each" in markdown([found])
    assert set(asked.values()) == {3}
    steps = {trained.model.name: trained.steps for trained in found.trained}
    assert steps["G1-CE-L1"] == steps["G1-L1"] == steps["G1-poseMaskLoss"] == {"coarse": 9}
    assert steps["G1-HME-L1"] == {"coarse": 5}, "a step takes twice as long"
    assert steps["G1+G2+D"] == {"coarse": 6, "refined": 4}, "3 to 2, as in the recipe"
    assert json.loads((tmp_path / "b" / "plan.json").read_text())["steps"] == steps


def test_verdicts_are_judged_pair_by_pair(experiment: Experiment) -> None:
    trained = []
    for number, one in enumerate(experiment.trained):
        pairs = dict(one.pairs)
        # Each a little above the one before; the last two fall behind the fourth.
        pairs["ssim"] = np.linspace(0.2, 0.8, 12) + 0.01 * (number if number < 4 else 0)
        pairs["mask_ssim"] = np.linspace(0.2, 0.8, 12) + np.array([0.1, -0.1] * 6) * number
        trained.append(one.__class__(**{**one.__dict__, "pairs": pairs}))
    found = verdicts(Experiment(**{**experiment.__dict__, "by_seed": [trained]}))
    by_claim = {(v["score"], v["less"], v["more"]): v for v in found}
    first = by_claim["ssim", "G1-CE-L1", "G1-HME-L1"]
    assert (first["difference"], first["verdict"]) == (pytest.approx(0.01), "agrees")
    assert by_claim["mask_ssim", "G1-L1", "G1-poseMaskLoss"]["verdict"] == "undecided"
    trained[3].pairs["ssim"] -= 1  # type: ignore[index]
    found = verdicts(Experiment(**{**experiment.__dict__, "by_seed": [trained]}))
    assert found[2]["verdict"] == "disagrees"
    alone = {**experiment.__dict__, "by_seed": [trained], "people": np.zeros(12, np.int64)}
    found = verdicts(Experiment(**alone))
    assert {v["verdict"] for v in found} == {"undecided"}, "one person says nothing about others"
    assert {v["half_width"] for v in found} == {None}
    assert "undecided" in markdown([Experiment(**alone)])


def test_several_seeds(
    experiment: Experiment, place: Path, tiny: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More may be asked for later: what is there is not trained again."""
    copied, out = place.parent / "seeds/tiny", place.parent / "seeds"
    shutil.copytree(place / "tiny", copied)
    times = {file: file.stat().st_mtime_ns for file in copied.rglob("*.safetensors")}
    tools = Instruments([Classifier()])
    found = run_experiment(tiny, copied, preset="debug", seeds=2, instruments=tools, console=QUIET)
    assert times.items() <= {file: file.stat().st_mtime_ns for file in copied.rglob("*.safetensors")}.items()
    assert [[trained.seed for trained in models] for models in found.by_seed] == [[0] * 6, [1] * 6]
    reports = [json.loads(file.read_text()) for file in copied.glob("seed1/*/scores/scores.json")]
    assert [report["seed"] for report in reports] == [1] * 6
    first, second = (models[2] for models in found.by_seed)
    np.testing.assert_array_equal(first.pairs["ssim"], experiment.trained[2].pairs["ssim"])
    assert (first.steps, len(first.pairs["ssim"])) == (second.steps, len(second.pairs["ssim"]))
    assert (first.pairs["ssim"] != second.pairs["ssim"]).all()

    write_table(out, [found])
    row = next(line for line in (out / "table1.md").read_text().splitlines() if line.startswith("| G1-L1 "))
    means = [one.scores["ssim"]["mean"] or 0 for one in (first, second)]
    assert f" {np.mean(means):.3f} ± {np.std(means, ddof=1):.3f} " in row
    document = json.loads((out / "table1.json").read_text())["data"][tiny.path.name]
    assert document["rows"]["G1-L1"]["scores_by_seed"]["1"]["ssim"]["mean"] == means[1]
    with (out / "table1.csv").open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["model"] == "G1-L1"]
    assert [(row["seed"], float(row["ssim"])) for row in rows] == [("0", means[0]), ("1", means[1])]
    with pytest.raises(Pg2Error, match="seed"):
        run_experiment(tiny, copied, preset="debug", seed=2**32 - 3, seeds=4, console=QUIET)


def test_a_difference_that_hangs_on_the_seed_is_undecided(experiment: Experiment) -> None:
    """Over the people of each training it is certain, with one sign or the other."""

    def judged(*better: float) -> dict[str, Any]:
        by_seed = []
        for more in better:
            values = {"G1-L1": np.linspace(0.2, 0.8, 12), "G1-poseMaskLoss": np.linspace(0.2, 0.8, 12) + more}
            by_seed.append(
                [
                    one.__class__(
                        **{
                            **one.__dict__,
                            "pairs": one.pairs | {"ssim": values.get(one.model.name, one.pairs["ssim"])},
                        }
                    )
                    for one in experiment.trained
                ]
            )
        found = verdicts(Experiment(**{**experiment.__dict__, "by_seed": by_seed}))
        return next(v for v in found if (v["score"], v["more"]) == ("ssim", "G1-poseMaskLoss"))

    assert judged(0.01)["verdict"] == "agrees"
    assert "by_seed" not in judged(0.01)
    assert judged(0.01, 0.0101, 0.0099)["verdict"] == "agrees"
    found = judged(0.01, -0.004, 0.003)
    assert found["verdict"] == "undecided"
    assert found["by_seed"] == pytest.approx([0.01, -0.004, 0.003])
    # Three numbers: half of the interval is 4.30 standard errors.
    assert found["half_width"] == pytest.approx(4.303 * np.std(found["by_seed"], ddof=1) / 3**0.5, rel=1e-3)


def test_a_pair_without_a_score_is_left_out_of_the_order(experiment: Experiment) -> None:
    """A target without a pose has no mask-SSIM; the others decide."""

    def judged(missing: slice) -> list[str]:
        trained = []
        for number, one in enumerate(experiment.trained):
            values = np.linspace(0.2, 0.8, 12) + 0.01 * number
            values[missing] = np.nan
            trained.append(one.__class__(**{**one.__dict__, "pairs": {**one.pairs, "mask_ssim": values}}))
        found = verdicts(Experiment(**{**experiment.__dict__, "by_seed": [trained]}))
        return [verdict["verdict"] for verdict in found if verdict["score"] == "mask_ssim"]

    assert judged(slice(0, 0)) == judged(slice(0, 1)) == ["agrees"]
    assert judged(slice(0, None)) == []


def test_one_table_at_a_time_and_nothing_else_in_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "table"
    with (
        at_work(out),
        pytest.raises(Pg2Error, match="another command is at work on"),
        at_work(out),
    ):
        pytest.fail("let in twice")
    (out / "market").mkdir(parents=True)
    (out / "market" / "plan.json").write_text("{}")
    (out / "market" / ".plan.json.abcdefgh").mkdir()
    (out / "begun" / ".plan.json.abcdefgh").mkdir(parents=True)
    (out / ".table1.md.abcdefgh").mkdir()
    (out / "table1.md").write_text("a table")
    with at_work(out):
        assert not list(out.rglob(".*"))
    (out / "begun" / "thesis.txt").write_text("mine")
    with pytest.raises(Pg2Error, match="holds begun, which is no part of a table"), at_work(out):
        pytest.fail("let in")
    with pytest.raises(Pg2Error, match="is a file"), at_work(out / "table1.md"):
        pytest.fail("let in")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("scores.json", "[]"),
        ("scores.json", "{}"),
        ("scores.json", '{"rows": {"copy source": {}}, "headings": {}}'),
        ("scores.json", '{"rows": {"copy source": {}, "coarse": {"ssim": {"mean": "x"}}}, "headings": {}}'),
        ("scores.json", '{"rows": {"copy source": {}, "coarse": {"ssim": {}}}, "headings": {}}'),
        ("pairs.csv", ""),
        ("pairs.csv", "row,from,to,ssim\n"),
        ("pairs.csv", "row,from,to,ssim\ncoarse,a,b,much\n"),
        ("pairs.csv", "\xff"),
    ],
)
def test_damaged_scores_are_refused(tmp_path: Path, file: str, content: str) -> None:
    number = {"mean": 0.5, "half_width": None}
    document = {"rows": {COPY: {"ssim": number}, "coarse": {"ssim": number}}, "headings": {"ssim": "SSIM"}}
    (tmp_path / "scores.json").write_text(json.dumps(document))
    (tmp_path / "pairs.csv").write_text("row,from,to,ssim\ncoarse,a,b,0.5\n")
    assert run._read_scores(tmp_path, "coarse").pairs["ssim"].tolist() == [0.5]
    (tmp_path / file).write_text(content, encoding="latin1")
    with pytest.raises(Pg2Error, match=r"are damaged; remove that folder|is not the scores of a model"):
        run._read_scores(tmp_path, "coarse")
