"""Writing down an evaluation: JSON, Markdown, a line a pair, and a picture of the best and the worst."""

import csv
import math
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pg2.data.prepared import PreparedDataset
from pg2.evaluation.pair_lists import Pair
from pg2.evaluation.protocol import Model, pictures_of
from pg2.evaluation.scores import COPY, REAL, Evaluation
from pg2.evaluation.stored import PANELS, StoredPictures
from pg2.io.files import atomic_path, write_json, write_text
from pg2.io.outputs import check_own
from pg2.io.pixels import Image8, to_images
from pg2.pose.skeleton import draw_skeleton
from pg2.reports.grids import grid
from pg2.reports.tables import markdown_table, print_table

FILES = ("scores.json", "scores.md", "pairs.csv", "grid.png", "failures.html")
"""What `write_report` puts into its folder."""

_EXAMPLES = 6  # pairs in each part of the picture
_WIDEST = 2560  # pixels of that picture's width


def check_place(out: str | Path) -> Path:
    """Refuse a place for a report that holds anything but an earlier one; returns it as an absolute path.

    Worth calling before the minutes of an evaluation; `write_report` calls it again.

    Raises:
        Pg2Error: `out` is a file, or a folder with something else in it.
    """
    return check_own(out, FILES)


def write_report(
    out: str | Path,
    evaluation: Evaluation,
    picture: Image8 | None,
    *,
    model: str,
    data_name: str,
    failures: str | None = None,
    seed: int | None = None,
    command: str | None = None,
) -> None:
    """Write the `FILES` into the folder `out`, all or nothing.

    Args:
        out: a new folder, or one that holds an earlier report, which is replaced.
        evaluation: what `evaluate` gave.
        picture: what `examples` gave; None leaves grid.png out.
        model, data_name: what the model and the data set are called in the report.
        failures: what `pg2.evaluation.failures.failures_page` gave; None leaves failures.html out.
        seed: of whatever was random, to be written down.
        command: that made the report, to be written down.

    Raises:
        Pg2Error: `out` holds something else, or the disk is full.
    """
    out = check_place(out)
    document = {
        "model": model,
        "data": data_name,
        "pairs": len(evaluation.pairs),
        "rows": {row: numbers(evaluation, row) for row in evaluation.rows},
        "confidence": f"half_width is half the 95 % confidence interval of the mean{_over(evaluation)}; of a "
        "score of the whole set the standard deviation over its splits or subsets",
        "measured": {score: evaluation.measured(score) for score in evaluation.about},
        "instruments": list(evaluation.instruments),
        "notes": list(evaluation.notes),
        "headings": {score: about.heading for score, about in evaluation.about.items()},
        "protocols": {score: about.words for score, about in evaluation.about.items()},
        "command": command,
        "seed": seed,
        "seconds": round(evaluation.seconds, 1),
        "versions": {"pg2": version("pg2"), "torch": torch.__version__},
    }
    with atomic_path(out) as new:
        new.mkdir()
        write_json(new / "scores.json", document)
        write_text(new / "scores.md", markdown(evaluation, model, data_name, command))
        _write_pairs(new / "pairs.csv", evaluation)
        if picture is not None:
            Image.fromarray(picture).save(new / "grid.png")
        if failures is not None:
            write_text(new / "failures.html", failures)


def numbers(evaluation: Evaluation, row: str) -> dict[str, Any]:
    """The scores of a row for JSON, which knows no NaN: score -> mean and half_width, or None."""
    found = {score: evaluation.estimate(row, score) for score in evaluation.about}
    return {
        score: {"mean": value.mean, "half_width": None if math.isnan(value.half_width) else value.half_width}
        for score, value in found.items()
        if value is not None
    }


def cell(evaluation: Evaluation, row: str, score: str) -> str:
    """A score of a row as it stands in a table; a dash where the row does not have it."""
    value, digits = evaluation.estimate(row, score), evaluation.about[score].digits
    if value is None:
        return "–"
    spread = "" if math.isnan(value.half_width) else f" ± {value.half_width:.{digits}f}"
    return f"{value.mean:.{digits}f}{spread}"


def _over(evaluation: Evaluation) -> str:
    """What the interval of a mean over pairs is taken over."""
    if evaluation.people is None:
        return ", pairs taken as independent"
    count = len(set(evaluation.people.tolist()))
    if count == 1:
        return " (none here: all pairs are of one person)"
    return f" over {count:,} people, as the pairs of one person are not independent"


def markdown(evaluation: Evaluation, model: str, data_name: str, command: str | None = None) -> str:
    """The table of scores as a page, with how each is computed below it."""
    about = evaluation.about
    lower = ", ".join(score.heading for score in about.values() if score.lower)
    lines = [
        f"# {model} on {data_name}, {len(evaluation.pairs):,} pairs",
        "",
        *markdown_table(
            ["", *(score.heading for score in about.values())],
            [[row, *(cell(evaluation, row, score) for score in about)] for row in evaluation.rows],
        ),
        "",
        f"Mean ± half the 95 % confidence interval{_over(evaluation)}; for a score of the whole set ± the "
        f"standard deviation over its splits or subsets. Higher is better, except for {lower}.",
        "",
    ]
    if COPY in evaluation.rows:
        lines += [f"- **{COPY}**: the source picture itself, scored as if it were the result."]
    if REAL in evaluation.rows:
        lines += [f"- **{REAL}**: the target pictures themselves, where no pair is needed."]
    total = len(evaluation.pairs)
    for name, score in about.items():
        measured = evaluation.measured(name)
        part = f"; on {measured:,} of the {total:,} pairs" if measured < total else ""
        lines.append(f"- **{score.heading}**: {score.words}{part}.")
    lines += [f"- {note}." for note in evaluation.notes]
    if command:
        lines += ["", f"Made with `{command}` in {evaluation.seconds:.0f} s."]
    return "\n".join(lines) + "\n"


def print_scores(evaluation: Evaluation, model: str, data_name: str, out: str | Path) -> None:
    """Print the scores for people: a line a score, a column a picture; how each is computed is in `out`."""
    print(f"{model} on {data_name}, {len(evaluation.pairs):,} pairs")
    print_table(
        ["", *evaluation.rows],
        [
            [
                f"{score.heading} {'↓' if score.lower else '↑'}",
                *(cell(evaluation, row, name) for row in evaluation.rows),
            ]
            for name, score in evaluation.about.items()
        ],
    )
    print(f"↑ higher is better, ↓ lower is better; ± half the 95 % confidence interval{_over(evaluation)}")
    for note in evaluation.notes:
        print(f"{note}.")
    print(f"How each is computed, pairs and pictures: {out}")


def _write_pairs(path: Path, evaluation: Evaluation) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = [score for score in evaluation.about if score in evaluation.rows[final_row(evaluation)]]
        writer.writerow(["from", "to", "row", *names, "target_sharpness"])
        for row, scores in evaluation.rows.items():
            if row == REAL:
                continue
            columns = torch.stack([*(scores[score] for score in names), evaluation.target_sharpness], dim=1)
            for pair, values in zip(evaluation.pairs, columns.tolist(), strict=True):
                cells = ("" if math.isnan(value) else f"{value:.6f}" for value in values)
                writer.writerow([*pair, row, *cells])


def final_row(evaluation: Evaluation) -> str:
    """The row of the model's last picture."""
    return [row for row in evaluation.rows if row != REAL][-1]


def _picked(scores: Tensor) -> dict[str, list[int]]:
    """Indices of the best, the median and the worst few scores; no index twice, and none without a score."""
    order = scores.argsort(descending=True, stable=True).tolist()
    ranked = [index for index in order if not scores[index].isnan()]
    few = max(min(_EXAMPLES, len(ranked) // 3), 1)
    first = (len(ranked) - few) // 2
    parts = {"best": ranked[:few], "median": ranked[first : first + few], "worst": ranked[-few:]}
    if len(ranked) < 3:
        del parts["median"]
    if len(ranked) < 2:
        del parts["worst"]
    return parts


def ranking(evaluation: Evaluation) -> tuple[str, Tensor]:
    """What examples are picked by: a score of the model's last picture, and its values [n].

    mask-SSIM, which is NaN for pairs without a mask; SSIM where no pair has one.
    """
    scores = evaluation.rows[final_row(evaluation)]
    masked = "mask_ssim" in scores and not bool(scores["mask_ssim"].isnan().all())
    score = "mask_ssim" if masked else "ssim"
    return score, scores[score]


def _sheet(evaluation: Evaluation, columns: Callable[[list[int]], dict[str, list[Image8]]]) -> Image8:
    (_, scores), sheets = ranking(evaluation), []
    for part, picked in _picked(scores).items():
        shown = columns(picked)
        labels = [f"{part} {number}\n{scores[index]:.3f}" for number, index in enumerate(picked, 1)]
        sheets.append(grid(list(zip(*shown.values(), strict=True)), list(shown), labels))
    return _together(sheets)


def _together(sheets: Sequence[Image8]) -> Image8:
    """Sheets beside each other, or below each other where they would be too wide to be looked at."""
    if sum(sheet.shape[1] for sheet in sheets) > _WIDEST:
        width = max(sheet.shape[1] for sheet in sheets)
        whole = np.vstack(
            [
                np.pad(sheet, ((0, 0), (0, width - sheet.shape[1]), (0, 0)), constant_values=255)
                for sheet in sheets
            ]
        )
    else:
        whole = np.hstack(sheets)
    height, width = whole.shape[:2]
    if width <= _WIDEST:
        return whole
    size = (_WIDEST, round(height * _WIDEST / width))
    return np.asarray(Image.fromarray(whole).resize(size, Image.Resampling.LANCZOS))


def examples(evaluation: Evaluation, model: Model, data: PreparedDataset) -> Image8:
    """The best, median and worst pairs by mask-SSIM of the model's last picture, six each, as one sheet.

    Returns:
        uint8 [H, W, 3], at most 2560 pixels wide: the three parts beside each other, or below each other
        where they are wide; in each, a pair a row: source, target skeleton, target, then the model's
        pictures, the result last.
    """
    return _sheet(
        evaluation,
        lambda picked: _columns(model, data, [evaluation.pairs[index] for index in picked]),
    )


def examples_of(evaluation: Evaluation, stored: StoredPictures) -> Image8:
    """The same of stored pictures: source where there is one, target, generated."""

    def columns(picked: list[int]) -> dict[str, list[Image8]]:
        found = [stored.pictures(index) for index in picked]
        sides = [side for side in PANELS if side in found[0]]
        return {side: [pictures[side] for pictures in found] for side in sides}

    return _sheet(evaluation, columns)


def _columns(model: Model, data: PreparedDataset, pairs: Sequence[Pair]) -> dict[str, list[Image8]]:
    pictures = pictures_of(model, data, pairs)
    # Drawn larger than the pictures, so that it stays crisp when they are enlarged.
    height, width = data.frame
    zoom = max(256 // height, 1)
    keypoints = torch.from_numpy(data.keypoints[[data.index_of(target) for _, target in pairs]])
    skeleton = draw_skeleton((keypoints + 0.5) * zoom - 0.5, (height * zoom, width * zoom))
    columns = {"source": pictures.pop("source"), "target\npose": skeleton, "target": pictures.pop("target")}
    columns |= {heading.replace(" ", "\n"): images for heading, images in pictures.items()}
    return {label: to_images(images) for label, images in columns.items()}
