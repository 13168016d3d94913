"""Inception-v3 of 2015-12-05, the network of the field's IS, FID and KID, from a weights file.

torchvision's Inception has other weights and other poolings, and gives other scores; the libraries that
carry this one need torchvision. So the layers stand here, named as in the published PyTorch conversion of
the TensorFlow graph, `pt_inception-2015-12-05-6726825d.pth`.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.evaluation.judges import Look
from pg2.evaluation.weights import load_state

PUBLISHED = "pt_inception-2015-12-05-6726825d.pth"
"""The file that is meant; the projects pytorch-fid and torch-fidelity release it."""

_SIDE = 299


class _Conv(nn.Module):
    def __init__(
        self, inputs: int, outputs: int, size: int | tuple[int, int], stride: int = 1, *, same: bool = False
    ) -> None:
        super().__init__()
        kernel = (size, size) if isinstance(size, int) else size
        padding = (kernel[0] // 2, kernel[1] // 2) if same else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def _average(x: Tensor) -> Tensor:
    # TensorFlow leaves the padding out of the mean.
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class _A(nn.Module):
    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = _Conv(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = _Conv(inputs, 48, 1), _Conv(48, 64, 5, same=True)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Conv(inputs, 64, 1), _Conv(64, 96, 3, same=True)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, same=True)
        self.branch_pool = _Conv(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat((self.branch1x1(x), five, three, self.branch_pool(_average(x))), 1)


class _B(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branch3x3 = _Conv(288, 384, 3, 2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Conv(288, 64, 1), _Conv(64, 96, 3, same=True)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        twice = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat((self.branch3x3(x), twice, F.max_pool2d(x, 3, 2)), 1)


class _C(nn.Module):
    def __init__(self, middle: int) -> None:
        super().__init__()
        across, down = (1, 7), (7, 1)
        self.branch1x1 = _Conv(768, 192, 1)
        self.branch7x7_1 = _Conv(768, middle, 1)
        self.branch7x7_2 = _Conv(middle, middle, across, same=True)
        self.branch7x7_3 = _Conv(middle, 192, down, same=True)
        self.branch7x7dbl_1 = _Conv(768, middle, 1)
        self.branch7x7dbl_2 = _Conv(middle, middle, down, same=True)
        self.branch7x7dbl_3 = _Conv(middle, middle, across, same=True)
        self.branch7x7dbl_4 = _Conv(middle, middle, down, same=True)
        self.branch7x7dbl_5 = _Conv(middle, 192, across, same=True)
        self.branch_pool = _Conv(768, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat((self.branch1x1(x), seven, twice, self.branch_pool(_average(x))), 1)


class _D(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = _Conv(768, 192, 1), _Conv(192, 320, 3, 2)
        self.branch7x7x3_1 = _Conv(768, 192, 1)
        self.branch7x7x3_2 = _Conv(192, 192, (1, 7), same=True)
        self.branch7x7x3_3 = _Conv(192, 192, (7, 1), same=True)
        self.branch7x7x3_4 = _Conv(192, 192, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        three = self.branch3x3_2(self.branch3x3_1(x))
        return torch.cat((three, self.branch7x7x3_4(seven), F.max_pool2d(x, 3, 2)), 1)


class _E(nn.Module):
    def __init__(self, inputs: int, *, last: bool) -> None:
        super().__init__()
        across, down = (1, 3), (3, 1)
        self.branch1x1 = _Conv(inputs, 320, 1)
        self.branch3x3_1 = _Conv(inputs, 384, 1)
        self.branch3x3_2a = _Conv(384, 384, across, same=True)
        self.branch3x3_2b = _Conv(384, 384, down, same=True)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Conv(inputs, 448, 1), _Conv(448, 384, 3, same=True)
        self.branch3x3dbl_3a = _Conv(384, 384, across, same=True)
        self.branch3x3dbl_3b = _Conv(384, 384, down, same=True)
        self.branch_pool = _Conv(inputs, 192, 1)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        # The graph of 2015 takes the maximum in its last block, where the paper has the mean.
        pooled = F.max_pool2d(x, 3, 1, 1) if self.last else _average(x)
        return torch.cat(
            (
                self.branch1x1(x),
                self.branch3x3_2a(three),
                self.branch3x3_2b(three),
                self.branch3x3dbl_3a(twice),
                self.branch3x3dbl_3b(twice),
                self.branch_pool(pooled),
            ),
            1,
        )


class InceptionV3(nn.Module):
    """The network: [B, 3, 299, 299] about [-1, 1] -> pooled features [B, 2048]; `fc` has 1,008 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3, same=True)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _A(192, 32), _A(256, 64), _A(288, 64)
        self.Mixed_6a = _B()
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = _C(128), _C(160), _C(160), _C(192)
        self.Mixed_7a = _D()
        self.Mixed_7b, self.Mixed_7c = _E(1280, last=False), _E(2048, last=True)
        self.fc = nn.Linear(2048, 1008)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return torch.as_tensor(self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))).mean((2, 3))


def resize_tf1(images: Tensor, side: int) -> Tensor:
    """Bilinear resizing as TensorFlow 1 does it: the first pixels of both grids coincide, without antialias.

    PyTorch's and Pillow's resizing shift by half a pixel and give other scores.

    Args:
        images: float [B, C, H, W].
        side: height and width to bring them to; proportions are not kept.

    Returns:
        float [B, C, side, side].
    """
    for axis in (2, 3):
        length = images.shape[axis]
        place = torch.arange(side, dtype=torch.float32, device=images.device) * (length / side)
        low = place.floor().long()
        high = (low + 1).clamp_max(length - 1)
        share = (place - low).view((-1, 1) if axis == 2 else (-1,))
        images = torch.lerp(images.index_select(axis, low), images.index_select(axis, high), share)
    return images


class Inception:
    """A `Judge` whose scores are the field's own: IS, FID and KID without a name before them."""

    name, key = "", ""
    words = "Inception-v3 of 2015-12-05 on pictures brought to 299x299 as TensorFlow 1 does"

    def __init__(self, weights: str | Path, device: torch.device | str = "cpu") -> None:
        """Load the network.

        Args:
            weights: the published PyTorch conversion, see `PUBLISHED`.
            device: where it runs.

        Raises:
            Pg2Error: the file is absent, damaged, or holds another network.
        """
        # Weights come from the file: their random start would only take time.
        with torch.device("meta"):
            network = InceptionV3()
        load_state(network, weights, f"Inception-v3 of 2015-12-05 ({PUBLISHED})")
        self._network = network.eval().requires_grad_(False).to(device)

    @torch.inference_mode()
    def look(self, images: Tensor) -> Look:
        """Probabilities of 1,008 classes, from logits without bias as the first code for the score has it,
        and pooled features [B, 2048].

        Args:
            images: uint8 or float [B, 3, H, W] in 0..255, of any size.
        """
        x = (resize_tf1(images.float(), _SIDE) - 128.0) / 128.0
        pooled = self._network(x)
        return Look((pooled @ self._network.fc.weight.T).softmax(1), pooled, None)
