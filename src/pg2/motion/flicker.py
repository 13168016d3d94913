"""How much a moving person flickers: what changes from frame to frame beside the motion itself."""

from collections.abc import Sequence

import numpy as np
import torch

from pg2.io.pixels import Image8, from_images
from pg2.pose.keypoints import Pose
from pg2.pose.parts import part_priors, part_transforms, sample

_AT_A_TIME = 16
_SHARPNESS = 2.0  # of the choice between parts, as of a second stage that fetches


def flicker(images: Sequence[Image8], poses: Sequence[Pose]) -> float | None:
    """The mean difference between frames that follow one another, within the person.

    Each frame is first moved to the next one's pose, part by part (`pg2.pose.parts`), so that an arm which
    moves as a whole counts for nothing. What is left is flicker, and what geometry in the plane cannot tell:
    a body that turns shows another side.

    Args:
        images: uint8 [H, W, 3] each, of one size.
        poses: of the person in each.

    Returns:
        Grey levels, 0 to 255; None with fewer than two frames, or where no part of a body is seen.
    """
    size = (images[0].shape[0], images[0].shape[1])
    differences, pixels = 0.0, 0.0
    for first in range(0, len(images) - 1, _AT_A_TIME):
        last = min(first + _AT_A_TIME, len(images) - 1)
        pictures = from_images(images[first : last + 1]).float()
        points = torch.from_numpy(np.stack([pose.points for pose in poses[first : last + 1]]))
        parts = part_transforms(points[:-1], points[1:])
        odds = part_priors(parts, size)
        chosen = (_SHARPNESS * odds).softmax(1)
        matrices = torch.einsum("bphw,bpij->bhwij", chosen, parts.matrices)
        rows, columns = (torch.arange(side, dtype=torch.float32) for side in size)
        places = (
            matrices[..., 0] * columns[:, None] + matrices[..., 1] * rows[:, None, None] + matrices[..., 2]
        )
        moved = sample(pictures[:-1], places)
        person = (odds.amax(1, keepdim=True) > 0).float()
        differences += float(((moved - pictures[1:]).abs().mean(1, keepdim=True) * person).sum())
        pixels += float(person.sum())
    return differences / pixels if pixels else None
