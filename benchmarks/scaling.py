"""How cost grows: steps over batch, size, width and processes, a model of their time, what it predicts.

    python benchmarks/scaling.py --budget 40 --out scaling.json

Each step's operations, FLOPs and bytes are counted without computing it; as many steps as the budget allows
are timed (warm, the median of several). The model, time = operations * a + FLOPs / b + bytes / c, is fitted
to half of the timed steps, and its error is that on the other half. What is too long or too large to be timed
is predicted by it. The same command goes on where it stopped; `--budget 0` only prints.

Prints the tables of docs/scaling.md; the file has every measurement, machine, versions and threads.
"""

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from cost_study.crew import Crew
from cost_study.rates import H100, Rates, fitted, relative_errors
from cost_study.steps import INFERENCE, TASKS, Point, cost, work
from machine import described, machine

from pg2.io.files import read_object, write_json
from pg2.reports.tables import markdown_table
from pg2.training.recipe import load_recipe

PAPER = ("paper/market1501", "paper/deepfashion")
RELEASED = {"coarse": "4.6 to 5.3", INFERENCE: "2.13"}
"""Seconds of the released TensorFlow graph, 4 pairs at 128x64, measured earlier on such a machine."""

GOOD = 0.15
"""A prediction that is off by no more is a good one."""

_FIRST_GUESS = Rates(2e-5, 1e-11, 1e-10)  # for what to leave out, until there are enough measurements
_ENOUGH = 6
_ROUNDS = range(3, 8)
_PATIENCE = 6.0  # seconds of rounds of a short step
_START = 600  # seconds for processes to start, on a busy machine
_MEMORY = 0.6  # share of what is free that a step may take; the rest is for what convolutions set aside


class Group(NamedTuple):
    """What has rates of its own."""

    precision: str
    processes: int


Measured = dict[Point, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure within the budget, then print all that is known."""
    options = _options(arguments)
    study = Study(options.out, machine(options.threads), check=options.budget > 0)
    measure(study, _points(options), options)
    rates = {group: fit_and_check(study.measured, group) for group in groups(study.measured)}
    study.rates = [group._asdict() | vars(checked.rates) | checked.said for group, checked in rates.items()]
    if study.measured:
        study.save()
    fits = {group: checked.rates for group, checked in rates.items()}
    lines = [
        "",
        described(study.machine),
        *_accuracy(rates),
        *_grid(options, study.measured, fits),
        *_released(study.measured),
        *_schedule(fits),
    ]
    print("\n".join(lines))


class Study:
    """All that is measured, and the file that keeps it.

    Attributes:
        machine: what it was measured on.
        measured: seconds of each step.
        left_out: why a step was not measured this time.
        rates: of the model, for the file.
    """

    def __init__(self, file: Path, here: dict[str, Any], check: bool) -> None:
        """Take up what an earlier run has measured; `check` that it was on the machine that is `here`."""
        self.machine, self.measured = here, dict[Point, float]()
        self.left_out: dict[Point, str] = {}
        self.rates: list[dict[str, Any]] = []
        self._file = file
        if not file.exists():
            return
        document = read_object(file, "measurements of scaling.py")
        if check and document["machine"] != here:
            raise SystemExit(
                f"{file} was measured with another machine, other versions or threads; give another --out"
            )
        self.machine = document["machine"]
        for row in document["points"]:
            self.measured[Point(**{name: row[name] for name in Point._fields})] = row["seconds"]

    def save(self) -> None:
        """Write the file anew."""
        points = [
            point._asdict() | {"seconds": seconds, "work": vars(work(point))}
            for point, seconds in self.measured.items()
        ]
        left_out = [point._asdict() | {"why": why} for point, why in self.left_out.items()]
        document = {"machine": self.machine, "rates": self.rates, "points": points, "left_out": left_out}
        write_json(self._file, document)


def measure(study: Study, points: Sequence[Point], options: argparse.Namespace) -> None:
    """Measure one after the other what is not measured yet, until the budget is spent."""
    end = time.monotonic() + 60 * options.budget
    with ExitStack() as stack:
        crews: dict[int, Crew] = {}
        for number, point in enumerate(points, 1):
            if time.monotonic() > end:
                return
            if point in study.measured:
                continue
            estimate = guess(study.measured, point)
            rounds = min(max(int(_PATIENCE / estimate), _ROUNDS[0]), _ROUNDS[-1])
            warm_up = 1 if estimate > _PATIENCE / 2 else 2
            if (warm_up + rounds) * estimate > options.longest:
                study.left_out[point] = "too long"
                continue
            if point.processes * work(point).memory > _MEMORY * psutil.virtual_memory().available:
                study.left_out[point] = "too large"
                continue
            if point.processes not in crews:
                crew = Crew(point.processes, max(options.threads // point.processes, 1))
                crews[point.processes] = stack.enter_context(crew)
            deadline = _START + 5 * options.longest
            try:
                seconds = crews[point.processes].seconds(point, warm_up, rounds, deadline)
            except RuntimeError as error:
                study.left_out[point] = said = str(error)
                del crews[point.processes]
            else:
                study.measured[point], said = seconds, f"{seconds:.3f} s"
            print(f"{number} of {len(points)}: {_named(point)}: {said}", flush=True)
            study.save()


def _points(options: argparse.Namespace) -> list[Point]:
    """Those of the comparison with the released graph, and then the grid, in the order of measuring."""
    compared = [
        Point(PAPER[0], task, 4, 128, 128, 1, precision)
        for task in RELEASED
        for precision in options.precisions
    ]
    grid = itertools.product(
        options.recipes,
        options.tasks,
        options.batches,
        options.sizes,
        options.widths,
        options.processes,
        options.precisions,
    )
    points = [point for point in (Point(*values) for values in grid) if point.batch % point.processes == 0]
    return list(dict.fromkeys([*compared, *in_order(points)]))


def in_order(points: Sequence[Point]) -> list[Point]:
    """By work, and of these always the one in the middle of what is still unknown: few already span all.

    What has rates of its own takes turns.
    """
    ordered = []
    for group in groups(points):
        rows = [point for point in points if Group(point.precision, point.processes) == group]
        rows.sort(key=lambda point: (work(point).flops, point))
        digits = max(len(rows) - 1, 1).bit_length()
        turns = (int(f"{number:0{digits}b}"[::-1], 2) for number in range(2**digits))
        ordered.append([rows[turn] for turn in turns if turn < len(rows)])
    taken = itertools.chain.from_iterable(itertools.zip_longest(*ordered))
    return [point for point in taken if point is not None]


def groups(measured: Iterable[Point]) -> list[Group]:
    """Those that are measured."""
    return sorted({Group(point.precision, point.processes) for point in measured})


def _of(measured: Measured, group: Group) -> Measured:
    """The measurements of a group, by work."""
    rows = [point for point in measured if Group(point.precision, point.processes) == group]
    return {point: measured[point] for point in sorted(rows, key=lambda point: (work(point).flops, point))}


def guess(measured: Measured, point: Point) -> float:
    """Seconds that a step will take, about."""
    known = _of(measured, Group(point.precision, point.processes))
    rates = _FIRST_GUESS
    if len(known) >= _ENOUGH:
        rates = fitted([work(other) for other in known], list(known.values()), point.processes)
    return rates.seconds(work(point), point.processes)


class Checked(NamedTuple):
    """Rates, and how far off they were on steps that they were not fitted to."""

    rates: Rates
    fitted: int
    errors: list[float]

    @property
    def said(self) -> dict[str, float | int | None]:
        """The same as numbers for a file."""
        off = sorted(abs(error) for error in self.errors)
        return {
            "fitted_to": self.fitted,
            "checked_on": len(off),
            "median_error": statistics.median(off) if off else None,
            "largest_error": off[-1] if off else None,
            "within": sum(error <= GOOD for error in off) / len(off) if off else None,
        }


def fit_and_check(measured: Measured, group: Group) -> Checked:
    """Fit to every second step, by work; look at the others."""
    known = _of(measured, group)
    works, seconds = [work(point) for point in known], list(known.values())
    rates = fitted(works[::2], seconds[::2], group.processes)
    errors = relative_errors(rates, works[1::2], seconds[1::2], group.processes)
    return Checked(rates, len(works[::2]), errors)


def _named(point: Point) -> str:
    return (
        f"{point.recipe} {point.task}, {point.batch} pairs, height {point.size}, width {point.width}, "
        f"{point.processes} processes, {point.precision}"
    )


def _per_second(seconds: float, unit: float) -> str:
    return f"{1 / seconds / unit:,.0f}" if seconds else "–"


def _accuracy(rates: dict[Group, Checked]) -> list[str]:
    """How well the model predicts."""
    rows = []
    for group, (found, count, errors) in rates.items():
        said = Checked(found, count, errors).said
        off = [f"{said[name]:.0%}" if errors else "–" for name in ("median_error", "largest_error", "within")]
        rows.append(
            [
                group.precision,
                str(group.processes),
                f"{1e6 * found.operation:.0f}",
                _per_second(found.flop, 1e9),
                _per_second(found.byte, 1e9),
                _per_second(found.exchanged, 1e9),
                f"{count} + {len(errors)}",
                *off,
            ]
        )
    headings = ["precision", "processes", "µs an operation", "GFLOP/s", "GB/s", "GB/s of gradients"]
    headings += ["steps: fitted + checked", "median error", "largest", f"within {GOOD:.0%}"]
    return [
        "",
        "### The model, and its error on steps that it was not fitted to",
        "",
        *markdown_table(headings, rows),
    ]


def _grid(options: argparse.Namespace, measured: Measured, fits: dict[Group, Rates]) -> list[str]:
    """Steps over batch, size and width as multiples of one of them; how much faster several processes are."""
    lines = []
    kinds = itertools.product(options.recipes, options.tasks, options.precisions)
    for recipe, task, precision in kinds:
        single = fits.get(Group(precision, 1))
        if single is None:
            continue
        own = load_recipe(recipe).model
        unit = Point(recipe, task, 4, own.frame[0], own.coarse.width, 1, precision)
        base, _ = _seconds(measured, single, unit)
        several = [count for count in options.processes if Group(precision, count) in fits and count > 1]
        rows = []
        for size, batch in itertools.product(options.sizes, options.batches):
            cells = []
            for width in options.widths:
                point = unit._replace(batch=batch, size=size, width=width)
                one, timed = _seconds(measured, single, point)
                cell = _cell(one / base, timed)
                for count in several:
                    if batch % count == 0:
                        other = point._replace(processes=count)
                        together, timed = _seconds(measured, fits[Group(precision, count)], other)
                        cell += f" ({_cell(one / together, timed)})"
                cells.append(cell)
            rows.append([f"{size}x{own.frame[1] * size // own.frame[0]}", str(batch), *cells])
        lines += [
            "",
            f"### {recipe}, {task}, {precision}: multiples of {_named(unit)}, which takes {base:.2f} s",
            "",
            "In italics: predicted."
            + "".join(f" In brackets: times as fast with {n} processes." for n in several),
            "",
            *markdown_table(["frame", "batch", *(f"width {width}" for width in options.widths)], rows),
        ]
    return lines


def _seconds(measured: Measured, rates: Rates, point: Point) -> tuple[float, bool]:
    """Of a step, and whether that was measured."""
    if point in measured:
        return measured[point], True
    return rates.seconds(work(point), point.processes), False


def _cell(value: float, timed: bool) -> str:
    digits = f"{value:.3g}" if value < 100 else f"{value:,.0f}"
    return digits if timed else f"*{digits}*"


def _released(measured: Measured) -> list[str]:
    """Beside the released graph."""
    rows = []
    for task, seconds in RELEASED.items():
        ours = {
            precision: measured.get(Point(PAPER[0], task, 4, 128, 128, 1, precision))
            for precision in ("fp32", "bf16")
        }
        rows.append([task, seconds, *("–" if took is None else f"{took:.2f}" for took in ours.values())])
    headings = ["4 pairs, 128x64, exact networks", "TensorFlow, s (earlier)", "pg2 fp32, s", "pg2 bf16, s"]
    return ["", "### The released graph", "", *markdown_table(headings, rows)]


def _schedule(fits: dict[Group, Rates]) -> list[str]:
    """What the paper's own schedule would cost: all of it predicted."""
    here = [group for group in fits if group.processes == 1]
    rows = []
    for recipe in PAPER:
        loaded = load_recipe(recipe)
        for task, stage in loaded.stages.items():
            each = cost(recipe, task, loaded.model.frame[0], loaded.model.coarse.width)
            times = [fits[group].seconds(each.at(stage.batch)) for group in here]
            times += [H100.seconds(each, stage.batch, gpus) for gpus in (1, 8)]
            rows.append(
                [
                    f"{recipe} {task}",
                    f"{stage.steps:,} of {stage.batch}",
                    f"{each.at(stage.batch).flops / 1e12:.2f}",
                    *(f"{seconds:.3g} s, {_long(seconds * stage.steps)}" for seconds in times),
                ]
            )
    headings = ["", "steps, pairs each", "TFLOP a step", *(f"here, {group.precision}" for group in here)]
    headings += [f"one {H100.name}, bf16", f"eight {H100.name}, bf16"]
    return ["", "### The paper's schedule: predictions", "", *markdown_table(headings, rows)]


def _long(seconds: float) -> str:
    hours = seconds / 3600
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--budget", type=float, default=30, help="minutes of measuring; 0: only print")
    parser.add_argument("--longest", type=float, default=60, help="seconds for all rounds of one step")
    parser.add_argument("--recipes", nargs="+", default=[PAPER[0]], help="shipped recipes")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["coarse"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16, 64])
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=[64, 128, 256, 512], help="heights of the frame"
    )
    parser.add_argument(
        "--widths", nargs="+", type=int, default=[16, 32, 64, 128], help="channels of G1's stem"
    )
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), default=["fp32"])
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of all processes together")
    parser.add_argument("--out", type=Path, default=Path("scaling.json"), help="measurements are kept there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
