"""A pose put where a person stands: they keep place and size, and the picture keeps the crop of the photo."""

import torch

from pg2.errors import Pg2Error
from pg2.pose.keypoints import KEYPOINTS, Pose
from pg2.pose.parts import stand

_ANKLES = [KEYPOINTS.index(f"{side}_ankle") for side in ("right", "left")]
_LEGS = [
    [KEYPOINTS.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")] for side in ("right", "left")
]

# How much longer or shorter a trunk may become so that the legs are as long as the person's: legs may also be
# bent towards the camera.
_TRUNK = (0.8, 1.25)


def in_place(pose: Pose, person: Pose, within: tuple[float, float, float, float] | None = None) -> Pose:
    """A pose with the place and the size of another one.

    Both trunks get one length and both necks one place. Where both poses have a whole leg, trunk and leg
    together get one length, and the lowest feet one height, so that the person stays as tall, and on the
    ground. Keypoints that then lie outside the picture are missing: half a person stays half a person.

    Args:
        pose: what is to be put there, in any frame.
        person: who stands in a picture of a known size.
        within: (left, top, right, bottom) of that picture beyond which keypoints are missing, too.

    Raises:
        Pg2Error: one of the poses has neither shoulders nor a head to go by, or nothing stays in the picture.
    """
    if person.size is None:
        raise ValueError("the size of the person's picture is not known")
    points = torch.stack([torch.from_numpy(given.points.copy()) for given in (pose, person)])
    anchors, scales = stand(points)
    if anchors.isnan().any():
        raise Pg2Error(
            "a pose is put in place by shoulders, neck or head; the photo or the pose has none of them"
        )
    scale = scales[1] / scales[0]
    tall = scales[:, 0] + _leg(points)
    if not tall.isnan().any():
        scale = (tall[1] / tall[0]).clamp(_TRUNK[0] * scale, _TRUNK[1] * scale)
    moved = (points[0] - anchors[0]) * scale + anchors[1]
    lowest = [
        feet[~feet.isnan()].max()
        for feet in (moved[_ANKLES, 1], points[1, _ANKLES, 1])
        if not feet.isnan().all()
    ]
    if len(lowest) == 2:
        moved[:, 1] += lowest[1] - lowest[0]
    height, width = person.size
    left, top, right, bottom = within or (0, 0, width, height)
    outside = (moved < moved.new_tensor((left, top))) | (moved >= moved.new_tensor((right, bottom)))
    moved[outside.any(-1)] = torch.nan
    placed = Pose(moved.numpy(), person.size).crop(0, 0, width, height)
    if not placed.present.any():
        raise Pg2Error("nothing of the pose lies in the picture once it is where the person stands")
    return placed


def _leg(points: torch.Tensor) -> torch.Tensor:
    """The length of the longer leg in poses [B, 18, 2], by thigh and shin; NaN where none is whole. [B]"""
    lengths = (points[:, _LEGS][:, :, 1:] - points[:, _LEGS][:, :, :-1]).norm(dim=-1).sum(-1)
    longest: torch.Tensor = lengths.nan_to_num(-1.0).amax(1)
    return torch.where(longest < 0, torch.nan, longest)
