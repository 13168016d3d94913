"""How close a generated picture is to the real one: pure functions of two batches of pictures.

All take uint8 or float [B, 3, H, W] in 0..255, compute in float64 where the pictures are and return float64
[B], one score a pair. The two SSIM protocols agree with scikit-image to 1e-6 a picture.
"""

import math
from collections.abc import Sequence
from itertools import pairwise, product

import torch
from torch import Tensor
from torch.nn import functional as F

_UNIFORM = [1 / 7] * 7
_SIGMA, _RADIUS = 1.5, 5  # scikit-image cuts the Gaussian at 3.5 sigma: 5 pixels each way
_WEIGHTS = [math.exp(-0.5 * (offset / _SIGMA) ** 2) for offset in range(-_RADIUS, _RADIUS + 1)]
_GAUSSIAN = [weight / sum(_WEIGHTS) for weight in _WEIGHTS]

# What stays in the processor's cache, which more than halves the time: pairs at a time, windows to a side of
# a tile of them, and pixels at a time.
_PART, _TILE, _PIXELS = 2, 64, 50_000

_LUMINANCE = (0.299, 0.587, 0.114)

MAX_PSNR = 120.0
"""What `psnr` gives for identical pictures, in place of infinity, so that a mean stays finite."""

_NO_FLOAT64 = ("mps",)


def exact(values: Tensor) -> Tensor:
    """The same in float64, in which scores are computed; on the CPU if their device has no such numbers."""
    return (values.cpu() if values.device.type in _NO_FLOAT64 else values).double()


def _check(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3:
        raise ValueError(
            f"two batches of pictures [B, 3, H, W] of one shape are needed, not {list(a.shape)} and "
            f"{list(b.shape)}"
        )


def _doubles(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    _check(a, b)
    return exact(a), exact(b)


def _band(taps: Sequence[float], size: int, like: Tensor) -> Tensor:
    """The matrix [size - k + 1, size] that takes a line of pixels to the weighted means of its windows."""
    if size < len(taps):
        raise ValueError(f"SSIM needs pictures of at least {len(taps)} x {len(taps)} pixels")
    places = torch.eye(size - len(taps) + 1, dtype=like.dtype, device=like.device)
    shifted = [tap * F.pad(places, (i, len(taps) - 1 - i)) for i, tap in enumerate(taps)]
    return torch.stack(shifted).sum(0)


def _tiles(size: int, window: int) -> list[slice]:
    """Even parts of a line of pixels, which overlap so that every window lies in exactly one."""
    windows = size - window + 1
    count = -(-windows // _TILE)
    cuts = [number * windows // count for number in range(count + 1)]
    return [slice(start, end + window - 1) for start, end in pairwise(cuts)]


def _ssim(a: Tensor, b: Tensor, taps: Sequence[float], data_range: Tensor, correction: float) -> Tensor:
    # Two products with banded matrices: many times faster here than a depthwise convolution in float64. In
    # tiles, as most of the matrix of a long line is zeros.
    c1 = (0.01 * data_range).square().view(-1, 1, 1, 1)
    c2 = (0.03 * data_range).square().view(-1, 1, 1, 1) / correction
    rows, columns = (_band(taps, size, a) for size in a.shape[-2:])

    def tile(a: Tensor, b: Tensor, c1: Tensor, c2: Tensor) -> Tensor:
        # The upper left corner of a band is the band of a shorter line.
        down, across = (
            band[: size - len(taps) + 1, :size]
            for band, size in zip((rows, columns), a.shape[-2:], strict=True)
        )
        moments = torch.stack([a, b, a * a + b * b, a * b])
        mean_a, mean_b, square, both = torch.matmul(down, moments @ across.T)
        means = mean_a * mean_b
        squares = mean_a * mean_a + mean_b * mean_b
        # The two variances are only ever needed as their sum, square - squares.
        above: Tensor = (2 * means + c1) * (2 * (both - means) + c2)
        below = (squares + c1) * (square - squares + c2)
        return torch.sum(above / below, dim=(1, 2, 3))

    tiles = list(product(*(_tiles(size, len(taps)) for size in a.shape[-2:])))
    parts = zip(*(torch.split(tensor, _PART) for tensor in (a, b, c1, c2)), strict=True)
    sums = [
        torch.stack([tile(x[..., down, across], y[..., down, across], *c) for down, across in tiles]).sum(0)
        for x, y, *c in parts
    ]
    return torch.cat(sums) / (a.shape[1] * rows.shape[0] * columns.shape[0])


def _window_sums(flat: Tensor, step: int) -> Tensor:
    """Sums of seven (as many as a uniform window has) values that lie `step` apart, [n] -> [n - 6 step]."""
    pairs = flat[:-step] + flat[step:]
    fours = pairs[: -2 * step] + pairs[2 * step :]
    sums = flat[6 * step :] + fours[: -3 * step]
    return sums.add_(pairs[4 * step :][: len(sums)])


def _ssim_of_bytes(a: Tensor, b: Tensor) -> Tensor:
    """`_ssim` of uint8 pictures by the paper's protocol, in half the time: sums of whole numbers are exact.

    All that is below 2^31: 49 times a sum over 49 windows of a^2 + b^2 of bytes is 312 million at most.
    """
    height, width = a.shape[-2:]
    count, beyond = len(_UNIFORM) ** 2, len(_UNIFORM) - 1
    c1 = (0.01 * 255) ** 2 * count**2
    c2 = (0.03 * 255) ** 2 * count * (count - 1)
    found = []
    planes = (torch.split(side.flatten(0, 1), max(_PIXELS // (height * width), 1)) for side in (a, b))
    for x, y in zip(*planes, strict=True):
        one, other = (side.flatten().int() for side in (x, y))
        moments = (one, other, one * one + other * other, one * other)
        # The planes are one line here: windows go on into the next row, too, and those are cut off below.
        sum_a, sum_b, square, both = (_window_sums(_window_sums(moment, 1), width) for moment in moments)
        means = sum_a * sum_b
        squares = sum_a * sum_a + sum_b * sum_b
        above = exact(2 * means).add_(c1).mul_(exact((both * count).sub_(means).mul_(2)).add_(c2))
        below = exact(squares).add_(c1).mul_(exact((square * count).sub_(squares)).add_(c2))
        shape = (len(x), height - beyond, width - beyond)
        found.append(above.div_(below).as_strided(shape, (height * width, width, 1)).mean((1, 2)))
    return torch.cat(found).view(a.shape[:2]).mean(1)


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """SSIM by the paper's protocol (section 4.2): 7x7 uniform windows, sample covariance, range 255.

    The same as scikit-image's `structural_similarity(a, b, channel_axis=-1, data_range=255)`: the mean
    over the channels and over the windows that lie wholly inside the picture.

    Args:
        a, b: uint8 or float [B, 3, H, W] in 0..255, at least 7 x 7 pixels. Their order does not matter.

    Returns:
        float64 [B] in [-1, 1]; 1 for identical pictures.

    Raises:
        ValueError: shapes that differ, that are not [B, 3, H, W] or that are too small.
    """
    _check(a, b)
    if a.dtype == b.dtype == torch.uint8 and min(a.shape[-2:]) >= len(_UNIFORM):
        return _ssim_of_bytes(a, b)
    a, b = exact(a), exact(b)
    samples = len(_UNIFORM) ** 2
    return _ssim(a, b, _UNIFORM, a.new_full((len(a),), 255.0), samples / (samples - 1))


def ssim_gaussian(generated: Tensor, target: Tensor) -> Tensor:
    """SSIM by the protocol of later papers: 11x11 Gaussian windows, range of the generated picture.

    The same as scikit-image's `structural_similarity(target, generated, gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, channel_axis=-1, data_range=generated.max() - generated.min())`.
    A generated picture of one single value, where scikit-image gives NaN, counts as of range 1.

    Args:
        generated, target: uint8 or float [B, 3, H, W] in 0..255, at least 11 x 11 pixels.

    Returns:
        float64 [B] in [-1, 1]; 1 for identical pictures.

    Raises:
        ValueError: shapes that differ, that are not [B, 3, H, W] or that are too small.
    """
    generated, target = _doubles(generated, target)
    data_range = generated.amax((1, 2, 3)) - generated.amin((1, 2, 3))
    data_range = torch.where(data_range == 0, 1.0, data_range)
    return _ssim(generated, target, _GAUSSIAN, data_range, 1.0)


def mask_ssim(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """Mask-SSIM (paper, section 4.2): `ssim` of both pictures with everything but the body made black.

    The mean is over the whole frame, black background included.

    Args:
        a, b: uint8 or float [B, 3, H, W] in 0..255.
        mask: [B, 1, H, W] of zeros and ones.

    Returns:
        float64 [B] in [-1, 1].
    """
    return ssim(a * mask, b * mask)


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, over all three channels; `MAX_PSNR` for identical pictures.

    Args:
        a, b: uint8 or float [B, 3, H, W] in 0..255.
    """
    a, b = _doubles(a, b)
    error = (a - b).square().mean((1, 2, 3))
    return (10 * torch.log10(255.0**2 / error)).clamp_max(MAX_PSNR)


def l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute error over pixels and channels, in grey levels (0..255).

    Args:
        a, b: uint8 or float [B, 3, H, W] in 0..255.
    """
    a, b = _doubles(a, b)
    return (a - b).abs().mean((1, 2, 3))


def sharpness(a: Tensor) -> Tensor:
    """Mean gradient magnitude of the luminance, in grey levels a pixel; 0 for a flat picture.

    Only a comparison means something: generated over real, below 1, says how much detail is missing.

    Args:
        a: uint8 or float [B, 3, H, W] in 0..255, at least 2 x 2 pixels.
    """
    a = _doubles(a, a)[0]
    luminance = torch.einsum("bchw,c->bhw", a, a.new_tensor(_LUMINANCE))
    corner = luminance[:, :-1, :-1]
    return torch.hypot(luminance[:, :-1, 1:] - corner, luminance[:, 1:, :-1] - corner).mean((1, 2))
