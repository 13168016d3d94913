"""Writing down an evaluation: JSON, Markdown, a line a pair, and a picture of the best and the worst."""

import csv
import math
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pg2.data.prepared import PreparedDataset
from pg2.evaluation.protocol import COPY, LOWER_IS_BETTER, PROTOCOLS, Evaluation, Generate, pictures_of
from pg2.files import atomic_path, check_own, write_json, write_text
from pg2.images import Image8
from pg2.pose.render import draw_skeleton
from pg2.sheets import grid, to_images

FILES = ("scores.json", "scores.md", "pairs.csv", "grid.png")
"""What `write_report` puts into its folder."""

_HEADINGS = {
    "ssim": "SSIM",
    "ssim_gaussian": "SSIM (Gaussian)",
    "mask_ssim": "mask-SSIM",
    "mask_ssim_source": "mask-SSIM (source mask)",
    "psnr": "PSNR, dB",
    "l1": "L1",
    "feature_distance": "feature distance",
    "sharpness": "sharpness",
}
_DECIMALS = {"psnr": 2, "l1": 2}

_EXAMPLES = 6  # pairs in each part of the picture


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
    generate: Generate,
    data: PreparedDataset,
    *,
    model: str,
    data_name: str,
    seed: int | None = None,
    command: str | None = None,
) -> None:
    """Write scores.json, scores.md, pairs.csv and grid.png into the folder `out`, all or nothing.

    Args:
        out: a new folder, or one that holds an earlier report, which is replaced.
        evaluation: what `evaluate` gave.
        generate: the same model, to draw the examples once more.
        data: the data set that was evaluated on.
        model, data_name: what the model and the data set are called in the report.
        seed: of whatever was random, to be written down.
        command: that made the report, to be written down.

    Raises:
        Pg2Error: `out` holds something else, or the disk is full.
    """
    out = check_place(out)
    picture = examples(evaluation, generate, data)
    document = {
        "model": model,
        "data": data_name,
        "pairs": len(evaluation.pairs),
        "frame": list(data.frame),
        "rows": {row: _numbers(evaluation, row) for row in evaluation.rows},
        "confidence": "half_width is 1.96 standard deviations / sqrt(pairs), the pairs taken as independent",
        "protocols": {score: PROTOCOLS[score] for score in evaluation.scores},
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
        Image.fromarray(picture).save(new / "grid.png")


def _numbers(evaluation: Evaluation, row: str) -> dict[str, Any]:
    return {
        # JSON knows no NaN: of a single pair there is no confidence.
        score: {"mean": mean, "half_width": None if math.isnan(half_width) else half_width}
        for score in evaluation.scores
        for mean, half_width in [evaluation.estimate(row, score)]
    }


def markdown(evaluation: Evaluation, model: str, data_name: str, command: str | None = None) -> str:
    """The table of scores as a page, with how each is computed below it."""

    def cell(row: str, score: str) -> str:
        mean, half_width = evaluation.estimate(row, score)
        digits = _DECIMALS.get(score, 3)
        return f"{mean:.{digits}f}" + ("" if math.isnan(half_width) else f" ± {half_width:.{digits}f}")

    scores = evaluation.scores
    lower = " and ".join(_HEADINGS[score] for score in LOWER_IS_BETTER if score in scores)
    lines = [
        f"# {model} on {data_name}, {len(evaluation.pairs):,} pairs",
        "",
        "| | " + " | ".join(_HEADINGS[score] for score in scores) + " |",
        "|---" * (len(scores) + 1) + "|",
        *(f"| {row} | {' | '.join(cell(row, score) for score in scores)} |" for row in evaluation.rows),
        "",
        f"Mean ± half the 95 % confidence interval over the pairs. The row “{COPY}” is the source picture "
        f"itself, scored as if it were the result. Higher is better, except for {lower}.",
        "",
        *(f"- **{_HEADINGS[score]}**: {PROTOCOLS[score]}." for score in scores),
    ]
    if command:
        lines += ["", f"Made with `{command}` in {evaluation.seconds:.0f} s."]
    return "\n".join(lines) + "\n"


def _write_pairs(path: Path, evaluation: Evaluation) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["from", "to", "row", *evaluation.scores, "target_sharpness"])
        for row, scores in evaluation.rows.items():
            columns = torch.stack(
                [*(scores[score] for score in evaluation.scores), evaluation.target_sharpness], dim=1
            )
            for pair, values in zip(evaluation.pairs, columns.tolist(), strict=True):
                writer.writerow([*pair, row, *(f"{value:.6f}" for value in values)])


def _picked(scores: Tensor) -> dict[str, list[int]]:
    """Indices of the best, the median and the worst few scores; no index twice."""
    ranked = scores.argsort(descending=True, stable=True).tolist()
    few = max(min(_EXAMPLES, len(ranked) // 3), 1)
    first = (len(ranked) - few) // 2
    parts = {"best": ranked[:few], "median": ranked[first : first + few], "worst": ranked[-few:]}
    if len(ranked) < 3:
        del parts["median"]
    if len(ranked) < 2:
        del parts["worst"]
    return parts


def examples(evaluation: Evaluation, generate: Generate, data: PreparedDataset) -> Image8:
    """The best, median and worst pairs by mask-SSIM of the model's last picture, six each, as one sheet.

    Returns:
        uint8 [H, W, 3]: the three parts beside each other; in each, a pair a row: source, target
        skeleton, target, then the model's pictures (with the difference map between two stages).
    """
    final = list(evaluation.rows)[-1]
    scores = evaluation.rows[final]["mask_ssim"]
    sheets = []
    for part, picked in _picked(scores).items():
        columns = _columns(generate, data, [evaluation.pairs[index] for index in picked])
        labels = [f"{part} {number}\n{scores[index]:.3f}" for number, index in enumerate(picked, 1)]
        sheets.append(grid(list(zip(*columns.values(), strict=True)), list(columns), labels))
    return np.hstack(sheets)


def _columns(
    generate: Generate, data: PreparedDataset, pairs: Sequence[tuple[str, str]]
) -> dict[str, list[Image8]]:
    pictures = pictures_of(generate, data, pairs)
    # Drawn larger than the pictures, so that it stays crisp when they are enlarged.
    height, width = data.frame
    zoom = max(256 // height, 1)
    keypoints = torch.from_numpy(data.keypoints[[data.index_of(target) for _, target in pairs]])
    skeleton = draw_skeleton((keypoints + 0.5) * zoom - 0.5, (height * zoom, width * zoom))
    columns = {"source": pictures.pop("source"), "target\npose": skeleton, "target": pictures.pop("target")}
    if {"coarse", "refined"} <= pictures.keys():
        coarse, refined = pictures.pop("coarse"), pictures.pop("refined")
        columns |= {"coarse": coarse, "difference\nmap": refined - coarse, "refined": refined}
    return {label: to_images(images) for label, images in (columns | pictures).items()}
