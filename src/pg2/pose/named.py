"""Seven target poses that ship with the package, framed as the pictures of Market-1501 are.

The numbers are ours: drawn by hand on the mean heights of head, shoulders, hips, knees and feet there, and
with shoulders as broad as people's: Market-1501's pictures are stretched, and such a pose makes anyone else
stout. "left" is the person facing the viewer's left, "right" the viewer's right.
"""

import difflib

import numpy as np

from pg2.errors import Pg2Error
from pg2.io.packaged import NAMED_POSES
from pg2.io.pixels import Image8, to_images
from pg2.pose.keypoints import Pose
from pg2.reports.grids import strip

NAMES = ("front", "back", "left", "right", "walking", "arms-raised", "hands-on-hips")
"""What the poses are called. An underscore is taken for a hyphen."""

_ENLARGED = 2.5  # the contact sheet's figures against the canvas


def is_named(pose: object) -> bool:
    """Whether this is the name of a pose."""
    return isinstance(pose, str) and pose.replace("_", "-") in NAMES


def named_pose(name: str) -> Pose:
    """The pose of that name, on a canvas of 128 x 64 (height, width).

    Raises:
        Pg2Error: there is no such pose.
    """
    known = name.lower().replace("_", "-")
    if known not in NAMES:
        raise Pg2Error(f'there is no pose named "{name}"; {suggestion(name)}')
    return Pose.load(NAMED_POSES / f"{known}.json")


def suggestion(name: str) -> str:
    """What to say to somebody who gave a name that no pose has."""
    near = difflib.get_close_matches(name[:100].lower().replace("_", "-"), NAMES)
    return f"did you mean {' or '.join(near)}" if near else f"there are {', '.join(NAMES)}"


def contact_sheet() -> Image8:
    """A picture of all named poses side by side under their names, uint8 [H, W, 3]."""
    # PyTorch takes a second to load, and the poses themselves do without it.
    import torch

    from pg2.pose.skeleton import draw_skeleton

    poses = [named_pose(name).scale(_ENLARGED) for name in NAMES]
    points = torch.from_numpy(np.stack([pose.points for pose in poses]))
    assert poses[0].size is not None  # the shipped files have a canvas
    return strip(to_images(draw_skeleton(points, poses[0].size)), NAMES)
