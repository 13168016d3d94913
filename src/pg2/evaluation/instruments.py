"""Gathering what is measured with, from what is installed and from the weights files that are given."""

from pathlib import Path

import torch

from pg2.errors import Pg2Error
from pg2.evaluation.classifier import available
from pg2.evaluation.inception import Inception
from pg2.evaluation.judges import Judge
from pg2.evaluation.lpips import Lpips
from pg2.evaluation.scores import Instruments
from pg2.io.devices import choose_device
from pg2.pose.estimator import PoseEstimator


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
