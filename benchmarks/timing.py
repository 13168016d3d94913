"""How the benchmarks time: the median of some rounds, after a few that warm up; and how they tell it."""

import statistics
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pg2.reports.tables import markdown_table


def median_seconds(step: Callable[[], object], rounds: int = 7, warm_up: int = 2) -> float:
    """Median duration of `step` in seconds."""
    times = []
    for _ in range(warm_up + rounds):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times[warm_up:])


class Ratio(NamedTuple):
    """What a way of doing something gains: seconds without and with it, both measured in one run."""

    what: str
    without: float
    seconds: float

    @property
    def times(self) -> float:
        """Times as fast."""
        return self.without / self.seconds


def ratio_table(ratios: Iterable[Ratio]) -> str:
    """Ratios as a table in Markdown."""
    rows = [
        [ratio.what, f"{ratio.without:.3g}", f"{ratio.seconds:.3g}", f"{ratio.times:.2f}"] for ratio in ratios
    ]
    return "\n".join(markdown_table(["", "without, s", "with, s", "times as fast"], rows))
