"""Gathering what is measured with, from what is installed and from the weights files that are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pg2.errors import Pg2Error
from pg2.evaluation.classifier import available
from pg2.evaluation.inception import Inception
from pg2.evaluation.judges import Judge
from pg2.evaluation.lpips import Lpips
from pg2.io.devices import choose_device
from pg2.pose.estimator import PoseEstimator


@dataclass(frozen=True)
class Instruments:
    """What is measured with, beside plain arithmetic.

    Attributes:
        judges: classifiers for scores of sets; the first with layers gives the feature distance, too.
        lpips: for LPIPS.
        estimator: for PCKh and the certainty of a person.
        bodies: how many pairs, evenly spread, the estimator looks at; it is the slowest of all.
        device: where the judges and LPIPS are, and where all scores are computed; the estimator alone runs on
            the CPU.
    """

    judges: Sequence[Judge] = ()
    lpips: Lpips | None = None
    estimator: PoseEstimator | None = None
    bodies: int = 250
    device: torch.device | str = "cpu"

    @property
    def names(self) -> list[str]:
        """What they are, in words: scores taken with others do not compare."""
        found = [judge.words for judge in self.judges]
        if self.lpips is not None:
            found.append("LPIPS")
        if self.estimator is not None:
            found.append(f"pose estimator on {self.bodies:,} pairs")
        return found


def instruments(
    inception: str | Path | None = None,
    lpips: str | Path | None = None,
    lpips_linear: str | Path | None = None,
    bodies: int = 250,
    device: str | torch.device = "cpu",
) -> Instruments:
    """All instruments that can be had.

    EfficientNet-Lite0 is among them where the extra "metrics" is installed.

    Args:
        inception: the Inception weights, for IS, FID and KID proper.
        lpips, lpips_linear: AlexNet's weights and LPIPS's own, see `Lpips`.
        bodies: pairs that the pose estimator, which runs on the CPU, looks at; 0 leaves it out.
        device: where everything else is measured: "cpu", "cuda", "mps", or "auto".

    Raises:
        Pg2Error: a file is absent, damaged or of another network, `bodies` is negative, or there is no such
            device.
    """
    if bodies < 0:
        raise Pg2Error(f"the number of pairs to look for poses in must not be negative: {bodies}")
    if lpips_linear is not None and lpips is None:
        raise Pg2Error("--lpips-linear goes with --lpips FILE, the weights of AlexNet")
    device = choose_device(device)
    judges: list[Judge] = [] if inception is None else [Inception(inception, device)]
    offline = available(device)
    if offline is not None:
        judges.append(offline)
    learned = None if lpips is None else Lpips(lpips, lpips_linear, device)
    return Instruments(judges, learned, PoseEstimator() if bodies else None, bodies, device)
