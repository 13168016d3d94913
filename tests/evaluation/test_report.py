"""The written report: complete, atomic, readable by machines; and never over someone's files."""

import csv
import errno
import functools
import json
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_samples import FakeModel, darker, noise
from PIL import Image

from pg2.errors import Pg2Error
from pg2.evaluation import report
from pg2.evaluation.classifier import Classifier
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.protocol import evaluate
from pg2.evaluation.report import FILES, check_place, examples, markdown, write_report
from pg2.evaluation.scores import COPY, REAL, Evaluation
from pg2.io.pictures import load_image

COUNT = 20


DATA: Any = noise(COUNT, level=lambda i: 10 * i, high=50)
TWO_STAGES = FakeModel(darker, lambda source, _: source * 0.8)
ONE_STAGE = FakeModel(darker)
CLASSIFIER = Classifier()


@functools.cache
def evaluated(count: int = COUNT, model: FakeModel = TWO_STAGES) -> Evaluation:
    pairs = [(f"{i}.jpg", f"{i * 7 % COUNT}.jpg") for i in range(count)]
    with warnings.catch_warnings(action="ignore"):
        return evaluate(model, DATA, pairs, instruments=Instruments([CLASSIFIER]), progress=False)


def write(out: Path, evaluation: Evaluation, model: FakeModel = TWO_STAGES) -> None:
    write_report(
        out,
        evaluation,
        examples(evaluation, model, DATA),
        model="toy",
        data_name="fake",
        failures="<p>none</p>",
        seed=7,
        command="pg2 evaluate toy fake",
    )


def test_a_report_has_its_files_and_their_content(tmp_path: Path) -> None:
    found = evaluated()
    write(tmp_path / "deep" / "out", found)
    out = tmp_path / "deep" / "out"
    assert sorted(file.name for file in out.iterdir()) == sorted(FILES)
    assert [file.name for file in out.parent.iterdir()] == ["out"]

    document = json.loads((out / "scores.json").read_text())
    assert list(document["rows"]) == [COPY, "stage I (coarse)", "stage II (refined)", REAL]
    for row, scores in document["rows"].items():
        for score in found.about:
            estimate = found.estimate(row, score)
            if estimate is None:
                assert score not in scores
            else:
                assert scores[score]["mean"] == estimate.mean
                assert (scores[score]["half_width"] is None) == math.isnan(estimate.half_width)
    assert document["rows"][COPY].keys() == found.about.keys()
    assert document["pairs"] == COUNT
    assert (document["model"], document["data"], document["seed"]) == ("toy", "fake", 7)
    assert document["command"] == "pg2 evaluate toy fake"
    assert document["versions"]["torch"] == torch.__version__
    assert document["protocols"].keys() == found.about.keys()

    with (out / "pairs.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 3 * COUNT
    last = lines[-1]
    assert (last["from"], last["to"], last["row"]) == (*found.pairs[-1], "stage II (refined)")
    assert float(last["mask_ssim"]) == pytest.approx(
        float(found.rows["stage II (refined)"]["mask_ssim"][-1]), abs=1e-6
    )

    text = (out / "scores.md").read_text()
    mean, half_width = found.estimate(COPY, "ssim") or (0, 0)
    assert f"| {COPY} | {mean:.3f} ± {half_width:.3f} |" in text
    assert "pg2 evaluate toy fake" in text
    assert all(score.words in text for score in found.about.values())
    assert load_image(out / "grid.png").shape[2] == 3


def test_every_line_of_the_table_has_as_many_cells() -> None:
    found = evaluated()
    table = [line for line in markdown(found, "toy", "fake").splitlines() if line.startswith("|")]
    assert len(table) == 2 + 4
    assert {line.count("|") for line in table} == {len(found.about) + 2}
    assert "EfficientNet-Lite0 IS" in table[0]
    assert "| IS" not in table[0], "the field's name is for the field's network"
    assert table[-1].startswith(f"| {REAL} | – |")


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_pairs_make_a_report_too(tmp_path: Path, count: int) -> None:
    write(tmp_path / "out", evaluated(count))
    document = json.loads((tmp_path / "out" / "scores.json").read_text())
    half_width = document["rows"][COPY]["ssim"]["half_width"]
    assert (half_width is None) == (count == 1)
    assert ("±" in (tmp_path / "out" / "scores.md").read_text().split("\n\n")[1]) == (count > 1)


def test_the_picture_shows_the_best_the_median_and_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    found = evaluated()
    sheets: list[tuple[list[Any], list[str], list[str]]] = []
    real = report.grid

    def spy(rows: list[Any], columns: list[str], labels: list[str]) -> np.ndarray:
        sheets.append((rows, columns, labels))
        return real(rows, columns, labels)

    monkeypatch.setattr(report, "grid", spy)
    sheet = examples(found, TWO_STAGES, DATA)
    assert sheet.dtype == np.uint8
    assert 500 < sheet.shape[1] <= 2560
    shown = [[float(label.split("\n")[1]) for label in labels] for _, _, labels in sheets]
    ranked = sorted(found.rows["stage II (refined)"]["mask_ssim"].tolist(), reverse=True)
    assert shown == [
        pytest.approx(ranked[:6], abs=5e-4),
        pytest.approx(ranked[7:13], abs=5e-4),
        pytest.approx(ranked[-6:], abs=5e-4),
    ]
    assert sheets[0][2][0].startswith("best 1\n")
    assert sheets[2][2][-1].startswith("worst 6\n")
    # What stands in a row belongs together.
    rows, columns, _ = sheets[2]
    assert [label.replace("\n", " ") for label in columns] == [
        "source", "target pose", "target", "stage I", "difference map", "result"
    ]  # fmt: skip
    worst = int(found.rows["stage II (refined)"]["mask_ssim"].argmin())
    source, target = (DATA.image(DATA.index_of(name)) for name in found.pairs[worst])
    assert np.array_equal(rows[-1][0], source)
    assert np.array_equal(rows[-1][2], target)
    coarse, difference, refined = (rows[-1][column].astype(float) for column in (3, 4, 5))
    assert np.abs(coarse + 2 * (difference - 127.5) - refined).max() <= 2


def test_the_picture_is_never_too_wide_to_be_looked_at() -> None:
    """Parts stand beside each other while there is room, then below each other, and then they shrink."""

    def parts(*widths: int) -> list[np.ndarray]:
        return [np.full((100, width, 3), 7, np.uint8) for width in widths]

    assert report._together(parts(700, 700, 700)).shape == (100, 2100, 3)
    assert report._together(parts(5120, 5120, 5120)).shape == (150, 2560, 3)
    below = report._together(parts(1000, 990, 900))
    assert below.shape == (300, 1000, 3)
    assert (below[250, [0, 899, 900, 999], 0] == [7, 7, 255, 255]).all()


def test_a_model_of_one_stage_has_no_difference_map(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    real = report.grid
    monkeypatch.setattr(report, "grid", lambda r, c, n: (seen.append(c), real(r, c, n))[1])
    examples(evaluated(6, ONE_STAGE), ONE_STAGE, DATA)
    assert seen[0] == ["source", "target\npose", "target", "stage\nI"]


def test_an_earlier_report_is_replaced_and_anything_else_refused(tmp_path: Path) -> None:
    out, found = tmp_path / "out", evaluated(3)
    write(out, found)
    write(out, evaluated(4))
    assert json.loads((out / "scores.json").read_text())["pairs"] == 4
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(Pg2Error, match=r"holds thesis\.tex"):
        write(out, found)
    assert (out / "thesis.tex").read_text() == "mine"
    with pytest.raises(Pg2Error, match="is a file"):
        check_place(out / "thesis.tex")
    assert check_place(tmp_path / "new") == (tmp_path / "new").resolve()


def test_what_was_left_out_is_written_down(tmp_path: Path) -> None:
    few = evaluated(5)
    write(tmp_path, few)
    assert "- 5 pictures are fewer than the 10 splits of IS, which is left out.\n" in markdown(few, "m", "d")
    document = json.loads((tmp_path / "scores.json").read_text())
    assert document["notes"] == ["5 pictures are fewer than the 10 splits of IS, which is left out"]
    assert document["measured"]["ssim"] == 5
    assert document["instruments"] == [CLASSIFIER.words]
    assert evaluated().notes == []


def test_it_says_what_an_interval_is_over(tmp_path: Path) -> None:
    found = evaluated(5)
    people = torch.tensor([3, 3, 7, 8, 8])
    for known, words in (
        (people, " over 3 people, as the pairs of one person are not independent;"),
        (people[:1].expand(5), " (none here: all pairs are of one person);"),
        (None, ", pairs taken as independent;"),
    ):
        write(tmp_path, replace(found, people=known))
        text = (tmp_path / "scores.md").read_text()
        assert f"Mean ± half the 95 % confidence interval{words} for a score" in text
        document = json.loads((tmp_path / "scores.json").read_text())
        assert f"half the 95 % confidence interval of the mean{words} of a score" in document["confidence"]


def test_a_full_disk_leaves_the_earlier_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    write(out, evaluated(3))
    before = {file.name: file.read_bytes() for file in out.iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(Pg2Error, match="no space left"):
        write(out, evaluated(4))
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_examples_leave_out_what_has_no_score() -> None:
    picked = report._picked(torch.tensor([0.3, torch.nan, 0.1, 0.2]))
    assert picked == {"best": [0], "median": [3], "worst": [2]}
