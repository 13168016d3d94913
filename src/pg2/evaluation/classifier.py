"""The offline classifier as a judge: EfficientNet-Lite0, see `pg2.models.lite0`."""

import torch
from torch import Tensor

from pg2.errors import Pg2Error
from pg2.evaluation.judges import Look
from pg2.metrics import exact
from pg2.models import lite0
from pg2.models.lite0 import NAME, Lite0


class Classifier:
    """EfficientNet-Lite0 with ImageNet weights (extra "metrics"): a `Judge`."""

    name, key = f"{NAME} ", "lite0_"
    words = f"{NAME} (ImageNet) on the pictures at their own size, in place of Inception"

    def __init__(self, device: torch.device | str = "cpu") -> None:
        """Load the weights, onto `device`.

        Raises:
            Pg2Error: the extra is not installed.
        """
        # Channels last is twice as fast on a CPU.
        self.network = Lite0().to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def look(self, images: Tensor) -> Look:
        """Class probabilities, pooled features [B, 1280], and features of five depths, in one pass.

        Args:
            images: uint8 or float [B, 3, H, W] in 0..255. A side under 64 pixels is doubled until it is not.

        Returns:
            With layers of [B, C, H / 2, W / 2] to [B, C, H / 32, W / 32].
        """
        logits, pooled, layers = self.network(images)
        return Look(logits.softmax(1), pooled, layers)


def available(device: torch.device | str = "cpu") -> Classifier | None:
    """The classifier where the extra "metrics" is installed, else None."""
    try:
        return Classifier(device)
    except Pg2Error:
        return None


def feature_distance(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """See `pg2.models.lite0.feature_distance`; float64 [B]."""
    return exact(lite0.feature_distance(a, b))
