"""LPIPS (Zhang et al., 2018) on AlexNet, version 0.1, from weights files; without torchvision."""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from pg2.errors import Pg2Error
from pg2.evaluation.weights import load_state
from pg2.io.pixels import to_unit
from pg2.metrics import exact
from pg2.models.blocks import double

PUBLISHED = "alexnet-owt-7be5be79.pth"
"""The file that is meant: torchvision's AlexNet (`alexnet-owt-4df8aa71.pth`, the same weights, does, too)."""

_MEAN, _SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)

_SMALLEST = 64

# Index of AlexNet's convs in `features`, and what comes before each.
_CONVS = {0: (3, 64, 11, 4, 2), 3: (64, 192, 5, 1, 2), 6: (192, 384, 3, 1, 1), 8: (384, 256, 3, 1, 1)}
_CONVS |= {10: (256, 256, 3, 1, 1)}


class _AlexNet(nn.Module):
    """The convs of AlexNet under their published names; gives what follows each of the five ReLUs."""

    def __init__(self) -> None:
        super().__init__()
        convs = {
            str(index): nn.Conv2d(inputs, outputs, size, stride, padding)
            for index, (inputs, outputs, size, stride, padding) in _CONVS.items()
        }
        self.features = nn.ModuleDict(convs)
        self.pool = nn.MaxPool2d(3, 2)

    def forward(self, x: Tensor) -> list[Tensor]:
        found: list[Tensor] = []
        for number, conv in enumerate(self.features.values()):
            x = conv(self.pool(x) if number in (1, 2) else x).relu()
            found.append(x)
        return found


class _Linear(nn.Module):
    """The learned weights of the channels, `lin0.model.1.weight` [1, C, 1, 1] and so on."""

    def __init__(self) -> None:
        super().__init__()
        for number, conv in enumerate(_CONVS.values()):
            # A dropout stood before each conv when they were learned; only the numbering is left of it.
            layer = nn.ModuleDict({"model": nn.ModuleDict({"1": nn.Conv2d(conv[1], 1, 1, bias=False)})})
            self.add_module(f"lin{number}", layer)

    def weights(self) -> list[Tensor]:
        return list(self.state_dict().values())


class Lpips:
    """The learned perceptual distance of the field ("LPIPS, AlexNet, v0.1"); lower is more alike."""

    def __init__(
        self, alexnet: str | Path, linear: str | Path | None = None, device: torch.device | str = "cpu"
    ) -> None:
        """Load both files.

        Args:
            alexnet: AlexNet's weights, see `PUBLISHED`.
            linear: the learned channel weights, `weights/v0.1/alex.pth` of the LPIPS project; None takes
                the copy inside the package torchmetrics (extra "metrics").
            device: where it runs.

        Raises:
            Pg2Error: a file is absent, damaged, or holds another network.
        """
        network, learned = _AlexNet(), _Linear()
        load_state(network, alexnet, f"AlexNet ({PUBLISHED})")
        load_state(learned, _installed() if linear is None else linear, "LPIPS v0.1 for AlexNet (alex.pth)")
        self._network = network.eval().requires_grad_(False).to(device)
        self._weights = learned.to(device).weights()

    @torch.inference_mode()
    def look(self, images: Tensor) -> list[Tensor]:
        """Features after each of AlexNet's five ReLUs, each place of length 1.

        Args:
            images: uint8 or float [B, 3, H, W] in 0..255. A side under 64 pixels is doubled until it is not.
        """
        mean, spread = (torch.tensor(value, device=images.device).view(3, 1, 1) for value in (_MEAN, _SPREAD))
        x = (to_unit(images) - mean) / spread
        while min(x.shape[2:]) < _SMALLEST:
            x = double(x)
        return [part / (part.square().sum(1, keepdim=True).sqrt() + 1e-10) for part in self._network(x)]

    def distance(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        """LPIPS of what `look` saw in two batches: float64 [B], 0 for identical pictures."""
        layers = [
            ((x - y).square() * weight).sum(1).mean((1, 2))
            for x, y, weight in zip(a, b, self._weights, strict=True)
        ]
        return exact(torch.stack(layers).sum(0))


def _installed() -> Path:
    # Found without importing the package, which takes seconds.
    package = find_spec("torchmetrics")
    if package is None or package.origin is None:
        raise Pg2Error('LPIPS needs the extra "metrics" for its channel weights: pip install "pg2[metrics]"')
    return Path(package.origin).parent / "functional" / "image" / "lpips_models" / "alex.pth"
