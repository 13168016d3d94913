"""Writing the table: Markdown, JSON, CSV, and one HTML page with the picture columns of Figure 4."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pg2.data.prepared import PreparedDataset
from pg2.evaluation.interval import mean_of
from pg2.evaluation.pair_lists import Pair, limited
from pg2.evaluation.protocol import pictures_of
from pg2.evaluation.scores import COPY, PAIR_SCORES, REAL
from pg2.io.files import write_json, write_text
from pg2.io.pixels import Image8, to_images
from pg2.pipeline import Pipeline
from pg2.pose.skeleton import draw_skeleton
from pg2.reports.html import bullets, page, paragraph, picture_table, table
from pg2.reports.tables import markdown_table
from pg2.table1.models import CLAIMS, FASHION, Claim
from pg2.table1.run import FILES, Experiment, Trained

_TITLES = {"market1501": "Market-1501", "deepfashion": "DeepFashion"}
_EXAMPLES = 10
_HOW_JUDGED = "Mean difference over the same pairs ± half its 95 % interval over people"
_BESIDE = {"ssim": "paper", "mask_ssim": "paper", "is": "paper's IS", "mask_is": "paper's mask-IS"}

Numbers = Mapping[str, Mapping[str, float | None]]


def _published(model: Trained, family: str) -> dict[str, float | None]:
    """The paper's scores by the names of ours."""
    paper = model.model.published[family]
    return {
        "ssim": paper.ssim,
        "mask_ssim": paper.mask_ssim,
        "is": paper.inception_score,
        "mask_is": paper.mask_inception_score,
    }


def _columns(experiment: Experiment) -> list[str]:
    """The scores that are shown, in order: the paper's first."""
    first = ["ssim", "mask_ssim", *(s for s in experiment.about if s.endswith(("is", "mask_is")))]
    rest = [score for score in experiment.about if score not in first and score not in ("psnr", "l1")]
    return [score for score in [*first, *rest] if score in experiment.about]


def _cell(scores: Sequence[Numbers], score: str) -> str:
    """Of one training a number, of several with other seeds their mean ± their standard deviation."""
    found = [value["mean"] for row in scores if (value := row.get(score)) and value["mean"] is not None]
    if len(found) < len(scores):
        return "–"
    digits = 4 if "kid" in score else 2 if "fid" in score else 3
    spread = f" ± {np.std(found, ddof=1):.{digits}f}" if len(found) > 1 else ""
    return f"{np.mean(found):.{digits}f}{spread}"


def _paper_of(score: str) -> str:
    """The paper's score that stands beside one of ours; its Inception Score beside any classifier's."""
    return score if score in ("ssim", "mask_ssim") else "mask_is" if score.endswith("mask_is") else "is"


def _rows(experiment: Experiment) -> tuple[list[str], list[list[str]]]:
    beside = [s for s in _columns(experiment) if s in ("ssim", "mask_ssim") or s.endswith("is")]
    paper_has = {
        score: any(_published(t, experiment.family)[_paper_of(score)] for t in experiment.trained)
        for score in beside
    }
    headings = ["model"]
    for score in _columns(experiment):
        headings.append(experiment.about[score])
        if paper_has.get(score):
            headings.append(_BESIDE[_paper_of(score)])
    headings += ["parameters", "steps", "minutes"]

    def line(
        name: str, scores: Sequence[Numbers], paper: Mapping[str, float | None], rest: list[str]
    ) -> list[str]:
        cells = [name]
        for score in _columns(experiment):
            cells.append(_cell(scores, score))
            if paper_has.get(score):
                published = paper.get(_paper_of(score))
                cells.append("–" if published is None else f"{published:.3f}")
        return cells + rest

    empty = ["–", "–", "–"]
    rows = [line(COPY, [experiment.copy], {}, empty)]
    for trainings in zip(*experiment.by_seed, strict=True):
        first = trainings[0]
        steps = " + ".join(f"{count:,}" for count in first.steps.values())
        rest = [f"{first.parameters:,}", steps, f"{np.mean([one.minutes for one in trainings]):.1f}"]
        scores = [one.scores for one in trainings]
        rows.append(line(first.model.name, scores, _published(first, experiment.family), rest))
    if experiment.real:
        rows.append(line(REAL, [experiment.real], {}, empty))
    return headings, rows


def verdicts(experiment: Experiment) -> list[dict[str, Any]]:
    """Whether each ordering of the paper holds here, judged pair by pair.

    Returns:
        For each claim that the paper makes of this data set its score and models, the mean difference
        (more - less) with half its 95 % interval, and "agrees", "disagrees" or "undecided" where the interval
        spans zero. People are taken as independent, the pairs of one person are not; with a single person
        there is no interval (None), and nothing is decided. With several seeds the difference is that of the
        means over seeds, its interval also covers what other seeds would give (Student's t, added in
        quadrature), and "by_seed" has the difference with each.
    """
    found = []
    for claim in CLAIMS:
        if not claim.made_for(experiment.family):
            continue
        differences = [_difference(claim, trained) for trained in experiment.by_seed]
        known = [difference for difference in differences if difference is not None]
        if len(known) < len(differences):
            continue
        # NaN: targets without a pose have no mask-SSIM.
        mean, spread = mean_of(torch.from_numpy(np.mean(known, axis=0)), torch.from_numpy(experiment.people))
        if math.isnan(mean):
            continue
        by_seed = [float(np.nanmean(difference)) for difference in known]
        spread = math.hypot(spread, _over_seeds(by_seed))
        undecided = not abs(mean) > spread  # of one person nothing is known: NaN
        verdict = "undecided" if undecided else "agrees" if mean > 0 else "disagrees"
        half_width = None if math.isnan(spread) else spread
        judged = {"difference": mean, "half_width": half_width, "verdict": verdict}
        found.append(claim._asdict() | judged | ({"by_seed": by_seed} if len(by_seed) > 1 else {}))
    return found


def _difference(claim: Claim, trained: Sequence[Trained]) -> npt.NDArray[np.float64] | None:
    """More - less for each pair, [n]; None: the score was not taken."""
    by_name = {one.model.name: one for one in trained}
    more, less = (by_name[name].pairs.get(claim.score) for name in (claim.more, claim.less))
    if more is None or less is None:
        return None
    if claim.score == "sharpness":
        return np.asarray((more - less) / by_name[claim.more].pairs["target_sharpness"].mean())
    return np.asarray(more - less)


def _over_seeds(values: Sequence[float]) -> float:
    """Half the 95 % interval of the mean of values of a seed each; of a single one, which says nothing, 0."""
    if len(values) < 2:
        return 0.0
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)


def _in_words(verdict: Mapping[str, Any]) -> str:
    claim = Claim(verdict["score"], verdict["less"], verdict["more"])
    heading = PAIR_SCORES[claim.score].heading
    spread = "" if verdict["half_width"] is None else f" ± {verdict['half_width']:.3f}"
    return (
        f"{heading}, {claim.more} above {claim.less}: {verdict['difference']:+.3f}{spread}, "
        f"{verdict['verdict']}"
    )


def _title(experiment: Experiment) -> str:
    paper = _TITLES[experiment.family]
    if experiment.data.source == experiment.family:
        return paper
    return f"{_key(experiment)}, beside the paper's {paper}"


def _key(experiment: Experiment) -> str:
    """What the data set is called in files: its folder, which differs between those of one table."""
    return experiment.data.path.resolve().name


def _summary(experiment: Experiment) -> str:
    seeds = f"seed {experiment.seed}"
    if len(experiment.by_seed) > 1:
        seeds = f"seeds {experiment.seed} to {experiment.by_seed[-1][0].seed}"
    budget = f"{experiment.budget} of training each" if experiment.budget else "the recipes' own steps"
    height, width = experiment.data.frame
    borders = ", side borders included" if experiment.data.source == FASHION else ""
    preset = ", ".join((experiment.preset, *experiment.settings))
    return (
        f"Preset {preset}, {budget}, {seeds}, {len(experiment.pairs):,} pairs of "
        f"{len(np.unique(experiment.people)):,} people, pictures of {height}x{width}{borders}."
    )


def _notes(experiment: Experiment) -> list[str]:
    notes = [
        "Minutes are those of the training loop, validation included.",
        "The paper's numbers are of its own networks, trained for days, on the official test set.",
    ]
    if len(experiment.by_seed) > 1:
        notes += [
            "The ± of a model is the standard deviation over its seeds.",
            "The ± of a difference covers people and seeds: half its 95 % interval over people, and over "
            "seeds by Student's t, added in quadrature.",
        ]
    else:
        notes.append("An order is judged by one training of each model: another seed is not in its interval.")
    if any(score.startswith("lite0_") for score in experiment.about):
        notes.append(
            "EfficientNet-Lite0's scores stand in for Inception's: they compare with each other, not with "
            "the paper's."
        )
    return notes


def markdown(experiments: Sequence[Experiment], command: str | None = None) -> str:
    """The tables as a page."""
    lines = ["# Table 1", ""]
    for experiment in experiments:
        lines += [f"## {_title(experiment)}", "", _summary(experiment), ""]
        lines += markdown_table(*_rows(experiment))
        lines += [
            "",
            f"Does the paper's order hold? {_HOW_JUDGED}:",
            "",
        ]
        lines += [f"- {_in_words(verdict)}" for verdict in verdicts(experiment)]
        lines += ["", *(f"{note}" for note in _notes(experiment)), ""]
    if command:
        lines += [f"Made with `{command}`."]
    return "\n".join(lines).rstrip() + "\n"


def _document(experiments: Sequence[Experiment], command: str | None) -> dict[str, Any]:
    return {
        "data": {
            _key(experiment): {
                "source": experiment.data.source,
                "family": experiment.family,
                "frame": {"height": experiment.data.frame[0], "width": experiment.data.frame[1]},
                "preset": experiment.preset,
                "budget": experiment.budget,
                "settings": list(experiment.settings),
                "seed": experiment.seed,
                "pairs": len(experiment.pairs),
                "people": len(np.unique(experiment.people)),
                "rows": {
                    COPY: {"scores": experiment.copy},
                    **{
                        trained.model.name: {
                            "scores": trained.scores,
                            "paper": _published(trained, experiment.family),
                            "parameters": trained.parameters,
                            "steps": trained.steps,
                            "minutes": round(trained.minutes, 2),
                            **_further_seeds(experiment, number),
                        }
                        for number, trained in enumerate(experiment.trained)
                    },
                    REAL: {"scores": experiment.real},
                },
                "order": verdicts(experiment),
            }
            for experiment in experiments
        },
        "command": command,
        "versions": {"pg2": version("pg2"), "torch": torch.__version__},
    }


def _further_seeds(experiment: Experiment, number: int) -> dict[str, Any]:
    """The scores of one model with each seed, where there are several."""
    if len(experiment.by_seed) < 2:
        return {}
    return {"scores_by_seed": {str(one[number].seed): one[number].scores for one in experiment.by_seed}}


def _table_csv(experiments: Sequence[Experiment]) -> str:
    """A line a model and seed of each data set; of each score the mean, half_width and the paper's number."""
    lines: list[dict[str, Any]] = []
    for experiment in experiments:
        rows: list[tuple[str, Numbers, Trained | None]] = [(COPY, experiment.copy, None)]
        for models in experiment.by_seed:
            rows += [(trained.model.name, trained.scores, trained) for trained in models]
        rows += [(REAL, experiment.real, None)] if experiment.real else []
        for name, scores, trained in rows:
            line: dict[str, Any] = {"data": _key(experiment), "model": name}
            for score in _columns(experiment):
                found = scores.get(score, {})
                line |= {score: found.get("mean"), f"{score}_half_width": found.get("half_width")}
            if trained is not None:
                published = _published(trained, experiment.family)
                line |= {f"paper_{score}": value for score, value in published.items()}
                line |= {"seed": trained.seed, "parameters": trained.parameters}
                line |= {"minutes": round(trained.minutes, 2)}
                line |= {f"steps_{stage}": count for stage, count in trained.steps.items()}
            lines.append(line)
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(dict.fromkeys(key for line in lines for key in line)), lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _examples(experiment: Experiment) -> tuple[list[str], list[list[Image8]]]:
    """The columns of Figure 4: source, target pose, target, then the picture of each model."""
    pairs = limited(experiment.pairs, _EXAMPLES)
    columns: dict[str, list[Image8]] = {}
    for trained in experiment.trained:
        found = pictures_of(Pipeline.from_pretrained(trained.folder), experiment.data, pairs)
        if not columns:
            columns["source"] = to_images(found["source"])
            columns["target pose"] = _skeletons(experiment.data, pairs)
            columns["target"] = to_images(found["target"])
        columns[trained.model.name] = to_images(list(found.values())[-1])
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def _skeletons(data: PreparedDataset, pairs: Sequence[Pair]) -> list[Image8]:
    keypoints = torch.from_numpy(data.keypoints[[data.index_of(target) for _, target in pairs]])
    return to_images(draw_skeleton(keypoints, data.frame))


def html(experiments: Sequence[Experiment], command: str | None = None) -> str:
    """The tables and the pictures as one HTML page."""
    parts = []
    for experiment in experiments:
        headings, rows = _rows(experiment)
        parts += [f"<h2>{escape(_title(experiment))}</h2>", paragraph(_summary(experiment))]
        parts += [table(headings, rows), *(paragraph(note, "note") for note in _notes(experiment))]
        parts.append("<h3>Does the paper's order hold?</h3>")
        parts.append(paragraph(f"{_HOW_JUDGED}."))
        parts.append(bullets([_in_words(verdict) for verdict in verdicts(experiment)]))
        parts.append("<h3>Pictures</h3>")
        parts.append(picture_table(*_examples(experiment)))
    if command:
        parts.append(paragraph(f"Made with: {command}", "note"))
    return page("Table 1 of PG2", "\n".join(parts))


def write_table(out: Path, experiments: Sequence[Experiment], command: str | None = None) -> None:
    """Write the four files into `out`; each replaces an earlier one atomically."""
    write_text(out / FILES[0], markdown(experiments, command))
    write_json(out / FILES[1], _document(experiments, command))
    write_text(out / FILES[2], _table_csv(experiments))
    write_text(out / FILES[3], html(experiments, command))
