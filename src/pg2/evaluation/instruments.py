"""Gathering what is measured with, from what is installed and from the weights files that are given."""

from pathlib import Path

from pg2.errors import Pg2Error
from pg2.evaluation.classifier import available
from pg2.evaluation.inception import Inception
from pg2.evaluation.judges import Judge
from pg2.evaluation.lpips import Lpips
from pg2.evaluation.scores import Instruments
from pg2.pose.estimator import PoseEstimator


def instruments(
    inception: str | Path | None = None,
    lpips: str | Path | None = None,
    lpips_linear: str | Path | None = None,
    bodies: int = 250,
) -> Instruments:
    """All instruments that can be had.

    EfficientNet-Lite0 is among them where the extra "metrics" is installed.

    Args:
        inception: the Inception weights, for IS, FID and KID proper.
        lpips, lpips_linear: AlexNet's weights and LPIPS's own, see `Lpips`.
        bodies: pairs that the pose estimator looks at; 0 leaves it out.

    Raises:
        Pg2Error: a file is absent, damaged or of another network, or `bodies` is negative.
    """
    if bodies < 0:
        raise Pg2Error(f"the number of pairs to look for poses in must not be negative: {bodies}")
    if lpips_linear is not None and lpips is None:
        raise Pg2Error("--lpips-linear goes with --lpips FILE, the weights of AlexNet")
    judges: list[Judge] = [] if inception is None else [Inception(inception)]
    offline = available()
    if offline is not None:
        judges.append(offline)
    learned = None if lpips is None else Lpips(lpips, lpips_linear)
    return Instruments(judges, learned, PoseEstimator() if bodies else None, bodies)
