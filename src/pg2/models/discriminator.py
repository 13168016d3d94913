"""D: the DCGAN discriminator of stage II (paper, section 3.3), and its gentler variants."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from pg2.models.config import DiscriminatorConfig


class Discriminator(nn.Module):
    """5x5 stride-2 convs 64-128-256-512 with LeakyReLU 0.2 and one linear logit; weights ~ N(0, 0.02).

    `norm="spectral"` bounds the Lipschitz constant of every layer in place of batch norm; `norm="none"`
    leaves that to the penalty of the loss, and starts from He-normal weights, as nothing rescales them;
    `head="patch"` judges every patch with a 3x3 conv.
    """

    def __init__(self, config: DiscriminatorConfig, channels: int, frame: tuple[int, int]) -> None:
        """`channels`: 6 for pairs of images (paper), 3 for single images (released code)."""
        super().__init__()
        spectral = config.norm == "spectral"
        layers: list[nn.Module] = [nn.PixelUnshuffle(config.unshuffle)] if config.unshuffle > 1 else []
        before = channels * config.unshuffle**2
        height, width = (side // config.unshuffle for side in frame)
        for index in range(config.layers):
            after = config.width * min(2**index, 8)
            normed = config.norm == "batch" and index > 0
            layers.append(nn.Conv2d(before, after, 5, stride=2, padding=2, bias=not normed))
            if normed:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.LeakyReLU(0.2))
            before, height, width = after, (height + 1) // 2, (width + 1) // 2
        self.grid = (height, width) if config.head == "patch" else (1, 1)
        if config.head == "patch":
            layers.append(nn.Conv2d(before, 1, 3, padding=1))
        layers += [nn.Flatten()]
        if config.head == "linear":
            layers.append(nn.Linear(before * height * width, 1))
        self.layers = nn.Sequential(*layers)
        for module in self.layers:
            if isinstance(module, nn.Conv2d | nn.Linear):
                if config.norm == "none":
                    nn.init.kaiming_normal_(module.weight, 0.2)
                else:
                    nn.init.normal_(module.weight, 0.0, 0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
                if spectral:
                    spectral_norm(module)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)

    def activations(self, images: Tensor) -> list[Tensor]:
        """What each nonlinearity gives, then the logits, for images [B, channels, H, W] in [-1, 1]."""
        found = []
        for layer in self.layers:
            images = layer(images)
            if isinstance(layer, nn.LeakyReLU):
                found.append(images)
        return [*found, images]

    def forward(self, images: Tensor) -> Tensor:
        """Logits, higher = more real: [B, channels, H, W] in [-1, 1] -> [B, 1], or [B, patches]."""
        logits: Tensor = self.layers(images)
        return logits
