"""Squares around what people look at first: the head and both hands of a pose."""

from torch import Tensor

from pg2.pose.parts import PARTS, cell_centres, part_transforms

DETAILS = ("head", "right_hand", "left_hand")
"""The order of the squares."""

_PARTS = [PARTS.index(name) for name in ("head", "right_forearm", "left_forearm")]
# Where on its part a detail is, in lengths of that, and how far it reaches, in units of the body's scale S.
_ALONG, _REACH = (1.05, 1.25, 1.25), (0.46, 0.26, 0.26)


def detail_places(keypoints: Tensor, frame: tuple[int, int], side: int) -> tuple[Tensor, Tensor]:
    """Where in the picture of a pose its details are, for `pg2.pose.parts.sample`.

    Args:
        keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing.
        frame: (height, width) of the picture in pixels.
        side: of the squares that will be sampled.

    Returns:
        Places float32 [B, 3, side, side, 2], (x, y) in pixels, and bool [B, 3]: whether the pose has the
        detail, with its middle in the picture.
    """
    frames = part_transforms(keypoints, keypoints).target
    along = frames.along.new_tensor(_ALONG)[:, None]
    middle = frames.origin[:, _PARTS] + along * frames.along[:, _PARTS]
    reach = frames.along.new_tensor(_REACH) * frames.scale.nan_to_num(0.0)[:, None]
    steps = cell_centres((side, side), 1, keypoints.device) * (2 / (side - 1)) - 1
    height, width = frame
    inside = (middle > 0) & (middle < middle.new_tensor((width - 1, height - 1)))
    places = middle[:, :, None, None] + reach[..., None, None, None] * steps
    return places, frames.there[:, _PARTS] & inside.all(-1)
