"""What makes an evaluation quick, as ratios within one run: whole numbers for SSIM, real pictures seen once.

Synthetic pairs in which real pictures come again as often as in Market-1501's list. The model, which takes
time of its own, is left out: its two pictures are the source, darker and darker still.

    python benchmarks/evaluation.py --pairs 320
"""

import argparse
import warnings
from collections.abc import Callable, Iterator, Sequence

import torch
from timing import Ratio, median_seconds, ratio_table
from torch import Tensor

from pg2 import metrics
from pg2.evaluation import measuring
from pg2.evaluation.classifier import available
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.measuring import Measuring
from pg2.evaluation.remembered import Remembered
from pg2.evaluation.scores import COPY
from pg2.evaluation.tally import Tally

FRAME = (128, 64)
AGAIN = 19  # times that a picture comes in Market-1501's pairs, as source or target
BATCH = 16


class Forgetful(Remembered):
    """Looks at every picture anew."""

    def __call__(self, names: Sequence[str], *batch: Tensor) -> list[Tensor]:
        return list(self._look(*batch))


def scored(tools: Instruments, count: int) -> Callable[[], None]:
    """What scores so many pairs, with masks."""
    random = torch.Generator().manual_seed(0)
    different = max(2 * count // AGAIN, 2)
    pictures = torch.randint(0, 256, (different, 3, *FRAME), generator=random, dtype=torch.uint8)
    masks = torch.zeros(different, 1, *FRAME, dtype=torch.uint8)
    masks[..., 10:120, 16:48] = 1
    sides = torch.randint(0, different, (2, count), generator=random).split(BATCH, 1)

    def score() -> None:
        found, measured = Tally(tools, count), Measuring(tools, count)
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of so few pairs no Inception Score is taken
            for number, (source, target) in enumerate(sides):
                rows = {
                    COPY: pictures[source],
                    "coarse": pictures[source] // 2,
                    "refined": pictures[source] // 3,
                }
                batch = measured.batch(
                    rows,
                    pictures[target],
                    [str(index) for index in target.tolist()],
                    which=found.judged[number * BATCH :][: len(target)],
                    target_mask=masks[target],
                    source_mask=masks[source],
                    real={COPY: [str(index) for index in source.tolist()]},
                )
                found.add(batch)
            found.evaluation([("", "")] * count)

    return score


def ratios(pairs: int = 320, rounds: int = 3) -> Iterator[Ratio]:
    """Seconds for a thousand pairs, three rows each."""

    def thousand(tools: Instruments) -> float:
        return median_seconds(scored(tools, pairs), rounds, 1) * 1000 / pairs

    pixels = thousand(Instruments())
    of_bytes, remembered = metrics._ssim_of_bytes, measuring.Remembered
    try:
        metrics._ssim_of_bytes = lambda a, b: metrics.ssim(a.double(), b.double())
        without = thousand(Instruments())
    finally:
        metrics._ssim_of_bytes = of_bytes
    yield Ratio("pixel scores of 1,000 pairs: SSIM in whole numbers", without, pixels)
    judge = available()
    if judge is None:
        return
    tools = Instruments([judge])
    every = thousand(tools)
    try:
        measuring.Remembered = Forgetful  # type: ignore[misc]
        without = thousand(tools)
    finally:
        measuring.Remembered = remembered  # type: ignore[misc]
    yield Ratio("and EfficientNet-Lite0's: a real picture is looked at once", without, every)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=320)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(ratio_table(ratios(options.pairs, options.rounds)))
    if available() is None:
        print('The scores of a network need the extra "metrics".')


if __name__ == "__main__":
    main()
