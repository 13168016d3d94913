"""Pose -> heat maps, coordinates, body mask: what networks and losses take of it. Batched, on any device.

Nothing but PyTorch is needed here, so that a model can draw what it needs from keypoints itself.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Pairs of keypoint indices, from 0, in the order of the paper's released mask (which counts from 1).
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
"""The 17 limbs that are drawn as a skeleton."""

FILLING = ((1, 16), (1, 17), (8, 11), (11, 5), (8, 2), (16, 17))
"""Further limbs that close the body's outline in the pose mask (head, trunk)."""


def pixel_grid(keypoints: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Row and column of every pixel, float32 [1, 1, H, 1] and [1, 1, 1, W], on the keypoints' device."""
    height, width = size
    ys = torch.arange(height, device=keypoints.device, dtype=torch.float32).view(1, 1, -1, 1)
    xs = torch.arange(width, device=keypoints.device, dtype=torch.float32).view(1, 1, 1, -1)
    return ys, xs


def heatmaps(keypoints: Tensor, size: tuple[int, int], radius: float = 4.0, shrink: int = 1) -> Tensor:
    """Pose heat maps P_B (paper, section 3.1): a disc a keypoint.

    Args:
        keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing.
        size: (height, width) of the picture, which `shrink` divides.
        radius: of the discs in pixels of the picture.
        shrink: the maps are drawn at this fraction of the size, with a soft edge that keeps the place of a
            keypoint to a part of a pixel; 1 draws the paper's hard discs.

    Returns:
        float32 [B, 18, H / shrink, W / shrink]: 1 within `radius` of the keypoint, -1 elsewhere; -1
        throughout where missing.
    """
    small = (size[0] // shrink, size[1] // shrink)
    keypoints = (keypoints.float() + 0.5) / shrink - 0.5
    ys, xs = pixel_grid(keypoints, small)
    x, y = (keypoints[..., axis][..., None, None] for axis in (0, 1))
    square = (xs - x) ** 2 + (ys - y) ** 2
    radius = radius / shrink
    if shrink > 1:
        # The maps are small and mostly far from any keypoint; NaN, which marks a missing one, goes first: not
        # every engine that runs an exported graph keeps it when it clamps.
        return (radius + 0.5 - square.sqrt()).nan_to_num(0.0).clamp(0.0, 1.0) * 2.0 - 1.0
    # A comparison with NaN is False, so a missing keypoint leaves its channel empty.
    return (square <= radius**2).float() * 2.0 - 1.0


def coordinates(keypoints: Tensor, size: tuple[int, int]) -> Tensor:
    """The pose as numbers, for the coordinate embedding (CE) of Table 1.

    The paper does not say how it scales them or marks a missing keypoint; this is our choice.

    Args:
        keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing.
        size: (height, width) of the picture.

    Returns:
        float32 [B, 18, 3]: x and y from -1 (centre of the first pixel) to 1 (of the last), and 1 for a
        keypoint that is there; three zeros for one that is missing.
    """
    last = torch.tensor((size[1] - 1, size[0] - 1), dtype=torch.float32, device=keypoints.device)
    scaled = keypoints.float() / last * 2.0 - 1.0
    present = ~scaled.isnan().any(-1, keepdim=True)
    return torch.cat((torch.where(present, scaled, 0.0), present.float()), -1)


def pose_input(
    keypoints: Tensor, size: tuple[int, int], *, embedding: str, radius: float, shrink: int
) -> Tensor:
    """What a generator takes as its pose: `heatmaps`, or `coordinates` for the embedding of that name.

    Args:
        keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing.
        size: (height, width) of the picture.
        embedding, radius, shrink: the generator's `PoseConfig`.
    """
    if embedding == "coordinates":
        return coordinates(keypoints, size)
    return heatmaps(keypoints, size, radius, shrink)


def pose_mask(keypoints: Tensor, size: tuple[int, int], radius: float = 4.0) -> Tensor:
    """Pose mask M_B (paper, section 3.1): limbs drawn thick, then a 5x5 morphological closing.

    A limb is drawn as the released code does, on which the published mask-SSIM rests: a disc at each end and
    at every int(length / radius)th of the way, each at its whole pixel. (A continuous stroke covers a little
    more, and raises mask-SSIM by about 0.004.) A limb with a missing end is skipped.

    Args:
        keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing.
        size: (height, width) of the mask.
        radius: of the discs in pixels, half the thickness of a limb.

    Returns:
        float32 [B, 1, H, W]: 1 on the body, 0 on the background.
    """
    height, width = size
    ends = keypoints.float()[:, torch.tensor(LIMBS + FILLING, device=keypoints.device)]
    start, span = ends[:, :, 0, None], (ends[:, :, 1] - ends[:, :, 0])[:, :, None]
    parts = (span.norm(dim=-1) / radius).floor().clamp_min(1.0)
    if keypoints.device.type == "cpu":
        longest = int(parts.nan_to_num(1.0).max()) if parts.numel() else 1
    else:
        # Asking an accelerator would be waiting for it; within the picture none is longer than this.
        longest = int(math.hypot(height, width) / radius) + 1
        parts = parts.clamp_max(longest)
    step = torch.arange(longest + 1, device=keypoints.device, dtype=torch.float32)
    centres = (start + span * step[:, None] / parts[..., None]).trunc()

    # Discs that reach in from beyond the picture are kept by a border as wide as their radius.
    reach = int(radius)
    x, y = centres[..., 0] + reach, centres[..., 1] + reach
    drawn = (step <= parts) & (x >= 0) & (y >= 0) & (x < width + 2 * reach) & (y < height + 2 * reach)
    place = torch.where(drawn, y * (width + 2 * reach) + x, 0.0).long().flatten(1)
    dots = torch.zeros(len(keypoints), (height + 2 * reach) * (width + 2 * reach), device=keypoints.device)
    dots = dots.scatter_reduce(1, place, drawn.float().flatten(1), "amax")
    dots = dots.view(-1, 1, height + 2 * reach, width + 2 * reach)

    across = torch.arange(-reach, reach + 1, device=keypoints.device)
    disc = (across[:, None] ** 2 + across**2 <= radius**2).float()
    # None or at least one: right in whatever precision surrounds this.
    body = (F.conv2d(dots, disc[None, None]) > 0.5).float()
    grown = F.max_pool2d(body, 5, stride=1, padding=2)
    return -F.max_pool2d(-grown, 5, stride=1, padding=2)
