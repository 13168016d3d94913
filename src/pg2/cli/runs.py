"""`pg2 runs`: what was trained, how well it went, and how two runs differ."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pg2.training.history import Run

_NO_VALUE = "–"


def runs(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="folders of runs, or folders above them; default: runs", show_default=False),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="write an HTML page: the runs, the settings that differ, the curves of validation"),
    ] = None,
) -> None:
    """List training runs; for several, the settings in which they differ."""
    from pg2.reports.tables import print_table
    from pg2.training.history import differences, find_runs

    found = find_runs(folders or [Path("runs")])
    names = [str(run.folder) for run in found]
    print_table(_HEADINGS, [_row(run) for run in found])
    different = differences(found) if len(found) > 1 else {}
    if len(found) == 2:
        print("Settings that differ:" if different else "The settings are the same.")
        if different:
            print_table(["", *names], [[name, *values] for name, values in different.items()])
    if page is not None:
        _write(page, found, different)
        print(f"page: {page}")


_HEADINGS = (
    "run",
    "data",
    "stage I",
    "stage II",
    "minutes",
    "SSIM",
    "mask-SSIM",
    "sharpness",
    "commit",
    "scores",
)


def _row(run: "Run") -> list[str]:
    stages = []
    for name in ("coarse", "refined"):
        wanted, done = run.recipe.stages.get(name), run.stages.get(name)
        if wanted is None:
            stages.append(_NO_VALUE)
        else:
            stages.append(f"{0 if done is None else done.step:,} of {wanted.steps:,}")
    minutes = sum(stage.seconds for stage in run.stages.values()) / 60
    last = list(run.stages.values())[-1].validation if run.stages else {}
    values = [f"{last[score][-1][1]:.4f}" if last.get(score) else _NO_VALUE for score in _VALIDATED]
    scores = "; ".join(
        f"{place}: " + ", ".join(f"{name} {score[name]:.3f}" for name in _SCORED if name in score)
        for place, score in run.scores.items()
    )
    begun = run.begun
    data = " + ".join(str(begun[key]) for key in ("path", "flow_path") if begun.get(key))
    commit = str(begun.get("commit") or _NO_VALUE)
    return [str(run.folder), data, *stages, f"{minutes:.0f}", *values, commit, scores or _NO_VALUE]


_VALIDATED = ("ssim", "mask_ssim", "sharpness")
_SCORED = ("ssim", "mask_ssim", "feature_distance", "pckh")


def _write(page: Path, found: "list[Run]", different: dict[str, list[str]]) -> None:
    from pg2.io.files import write_text
    from pg2.reports import html
    from pg2.reports.curves import chart

    parts = [html.table(_HEADINGS, [_row(run) for run in found])]
    if different:
        names = [str(run.folder) for run in found]
        parts += ["<h2>Settings that differ</h2>"]
        parts += [html.table(["", *names], [[name, *values] for name, values in different.items()])]
    for stage in ("coarse", "refined"):
        scores = dict.fromkeys(
            score for run in found if stage in run.stages for score in run.stages[stage].validation
        )
        if scores:
            parts.append(f"<h2>Validation of stage {'I' if stage == 'coarse' else 'II'}</h2>")
        for score in scores:
            curves = {
                str(run.folder): run.stages[stage].validation[score]
                for run in found
                if stage in run.stages and run.stages[stage].validation.get(score)
            }
            if curves:
                parts.append(chart(score, curves, "steps"))
    write_text(page, html.page("Training runs", "\n".join(parts)))
