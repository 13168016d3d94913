"""How the benchmarks time: the median of some rounds, after a few that warm up."""

import statistics
import time
from collections.abc import Callable


def median_seconds(step: Callable[[], None], rounds: int = 7, warm_up: int = 2) -> float:
    """Median duration of `step` in seconds."""
    times = []
    for _ in range(warm_up + rounds):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times[warm_up:])
