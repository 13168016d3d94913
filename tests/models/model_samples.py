"""What tests give to models."""

import torch

from pg2.models.inputs import Inputs


def inputs(count: int = 2, frame: tuple[int, int] = (32, 16)) -> Inputs:
    """Noise as pictures, and keypoints anywhere in the frame, by PyTorch's random state."""
    height, width = frame
    corner = torch.tensor((width - 1.0, height - 1.0))
    source = torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8)
    return Inputs(source, torch.rand(count, 18, 2) * corner, torch.rand(count, 18, 2) * corner)
