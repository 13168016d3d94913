"""A pose as a drawn skeleton, to be looked at."""

import torch
from torch import Tensor

from pg2.io.pixels import to_unit
from pg2.pose.maps import LIMBS, pixel_grid

COLOURS = (
    (255, 85, 0), (0, 170, 255), (255, 140, 0), (255, 200, 0), (0, 110, 255), (60, 60, 255),
    (220, 30, 60), (255, 60, 110), (255, 120, 160), (0, 190, 140), (0, 215, 100), (110, 235, 60),
    (200, 200, 200), (255, 170, 120), (255, 210, 170), (130, 190, 255), (180, 220, 255),
)  # fmt: skip
"""A hue a limb (RGB): right side warm, left side cool, so that they are told apart at a glance."""


def _segment_distance(keypoints: Tensor, limbs: tuple[tuple[int, int], ...], size: tuple[int, int]) -> Tensor:
    """Distance of every pixel to every limb, [B, limbs, H, W]; NaN where a limb lacks an end."""
    ys, xs = pixel_grid(keypoints, size)
    start = keypoints[:, [a for a, _ in limbs]].float()[..., None, None, :]
    end = keypoints[:, [b for _, b in limbs]].float()[..., None, None, :]
    dx, dy = (end - start).unbind(-1)
    px, py = xs - start[..., 0], ys - start[..., 1]
    along = ((px * dx + py * dy) / (dx**2 + dy**2).clamp_min(1e-8)).clamp(0.0, 1.0)
    return torch.hypot(px - along * dx, py - along * dy)


def draw_skeleton(
    keypoints: Tensor, size: tuple[int, int], background: Tensor | None = None, thickness: float | None = None
) -> Tensor:
    """Draw the coloured skeleton, antialiased: right side warm, left side cool colours.

    Args:
        keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing.
        size: (height, width) of the pictures.
        background: image [B, 3, H, W] in [-1, 1] to draw on; None draws on black.
        thickness: of a limb in pixels; None takes a 64th of the height, at least 1.5.

    Returns:
        float32 [B, 3, H, W] in [-1, 1].
    """
    thickness = max(size[0] / 64, 1.5) if thickness is None else thickness
    if background is None:
        picture = keypoints.new_full((len(keypoints), 3, *size), -1.0, dtype=torch.float32)
    else:
        picture = background.float().clone()
    ys, xs = pixel_grid(keypoints, size)
    colours = to_unit(torch.tensor(COLOURS, device=keypoints.device).view(-1, 3, 1, 1))
    # One limb at a time keeps the memory of a large overlay at a few planes.
    for limb, colour in zip(LIMBS, colours, strict=True):
        distance = _segment_distance(keypoints, (limb,), size)
        cover = (thickness / 2 + 0.5 - distance).clamp(0.0, 1.0).nan_to_num(0.0)
        picture = torch.lerp(picture, colour, cover)
    for index in range(keypoints.shape[1]):
        x, y = (keypoints[:, index, axis].float().view(-1, 1, 1, 1) for axis in (0, 1))
        cover = (thickness * 0.8 + 0.5 - torch.hypot(xs - x, ys - y)).clamp(0.0, 1.0).nan_to_num(0.0)
        picture = torch.lerp(picture, torch.ones_like(picture), cover)
    return picture
