"""A sequence of poses: made steady, complete, and seen through one camera."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from pg2.errors import Pg2Error
from pg2.pose.framing import Framing
from pg2.pose.keypoints import COUNT, Pose

MOST_FRAMES = 600
"""Of a motion; longer ones are cut."""

Missing = Literal["hold", "skip"]
"""What becomes of a frame that shows nobody: the pose before it is held, or the frame is left out."""

_GAP = 0.25  # seconds for which a keypoint may be lost and is still filled in
_CAMERA = 0.4  # seconds over which the camera's way is smoothed where it follows the person
_WALKS_OFF = 1.3  # so much larger a picture of the whole way must be before the camera follows the person
_ROOM = 1.05  # around somebody who is followed


@dataclass(frozen=True)
class Motion:
    """Poses at equal distances in time, all in one picture.

    Attributes:
        poses: one a frame; None where nobody is seen.
        fps: frames a second.
        cut: whether there was more than is taken.
    """

    poses: tuple[Pose | None, ...]
    fps: float
    cut: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 120:
            raise Pg2Error(f"a motion has up to 120 frames a second, not {self.fps:g}")
        if len(self.poses) < 2:
            raise Pg2Error(f"a motion has two poses or more, not {len(self.poses)}; pg2 generate shows one")
        if len(self.poses) > MOST_FRAMES:
            raise Pg2Error(f"a motion has at most {MOST_FRAMES} poses, not {len(self.poses)}")
        if not any(pose is not None and pose.present.any() for pose in self.poses):
            raise Pg2Error("no frame of the motion shows a person")
        sizes = {pose.size for pose in self.poses if pose is not None}
        if len(sizes) > 1:
            raise Pg2Error(f"the poses of a motion lie in one picture, not in some of the sizes {sizes}")

    @property
    def empty(self) -> int:
        """How many frames show nobody."""
        return sum(not _shows(pose) for pose in self.poses)

    def complete(self, missing: Missing) -> tuple[Pose, ...]:
        """The poses with nobody missing. Before the first person is seen, the first pose is held."""
        shown = [pose for pose in self.poses if pose is not None and _shows(pose)]
        if missing == "skip":
            return tuple(shown)
        poses, last = [], shown[0]
        for pose in self.poses:
            last = pose if pose is not None and _shows(pose) else last
            poses.append(last)
        return tuple(poses)

    def smoothed(self, seconds: float) -> "Motion":
        """The same with steady keypoints.

        A keypoint that is lost for a quarter of a second at most is filled in. One that jumps in a single
        frame is put back. Then each becomes a mean over its time, by a bell of the standard deviation
        `seconds`. Frames of nobody stay so.
        """
        if not seconds:
            return self
        empty = np.array([not _shows(pose) for pose in self.poses])
        points = np.stack(
            [np.full((COUNT, 2), np.nan) if pose is None else pose.points for pose in self.poses]
        ).astype(np.float64)
        size = next(pose.size for pose in self.poses if pose is not None)
        tracks = points.reshape(len(points), -1)
        for track in tracks.T:
            _fill(track, round(_GAP * self.fps))
        tracks[1:-1] = np.where(
            np.isnan(tracks[:-2] + tracks[1:-1] + tracks[2:]),
            tracks[1:-1],
            np.median(np.stack((tracks[:-2], tracks[1:-1], tracks[2:])), axis=0),
        )
        steady = _blurred(tracks, seconds * self.fps).reshape(points.shape)
        poses = (
            None if nobody else Pose(frame.astype(np.float32), size)
            for nobody, frame in zip(empty, steady, strict=True)
        )
        return replace(self, poses=tuple(poses))


def _shows(pose: Pose | None) -> bool:
    return pose is not None and bool(pose.present.any())


def _fill(track: npt.NDArray[np.float64], longest: int) -> None:
    """Fill gaps of so many values, at most, on a straight line; in place."""
    there = np.flatnonzero(~np.isnan(track))
    for before, after in pairwise(there):
        if 1 < after - before <= longest + 1:
            track[before : after + 1] = np.linspace(track[before], track[after], after - before + 1)


def _blurred(values: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """A mean over time by a bell, [n, k] -> [n, k]; NaN counts for nothing, and stays."""
    times = np.arange(len(values))
    bell = np.exp(-0.5 * ((times[:, None] - times) / max(sigma, 1e-6)) ** 2)
    there = ~np.isnan(values)
    weights = bell @ there
    mean = bell @ np.where(there, values, 0.0) / np.where(there, weights, 1.0)
    return np.where(there, mean, np.nan)


def framed(poses: Sequence[Pose], frame: tuple[int, int], fps: float) -> list[Pose]:
    """Poses of one picture in a model's frame, all at one scale.

    The camera stands still where the whole way fits; somebody who walks out of a picture of their own size is
    followed by a camera that moves smoothly.

    Args:
        poses: one a frame, of one picture.
        frame: (height, width).
        fps: frames a second.
    """
    size = poses[0].size
    boxes = np.array([pose.box for pose in poses])
    way = Framing.around(_around(boxes, size), size, frame)
    high = max(_height(Framing.around(pose, None, frame)) for pose in poses)
    if _height(way) <= _WALKS_OFF * high:
        return [way.pose(pose) for pose in poses]
    high *= _ROOM
    wide = high * frame[1] / frame[0]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    # As if the way went on at both ends: a mean of one side alone would lag behind.
    beyond = min(round(3 * _CAMERA * fps), len(centres) - 1)
    longer = np.pad(centres, ((beyond, beyond), (0, 0)), "reflect", reflect_type="odd")
    centres = _blurred(longer, _CAMERA * fps)[beyond : beyond + len(centres)]
    cameras = [
        Framing(x - wide / 2, y - high / 2, x + wide / 2, y + high / 2, size or frame, frame)
        for x, y in centres
    ]
    return [camera.pose(pose) for camera, pose in zip(cameras, poses, strict=True)]


def _height(framing: Framing) -> float:
    return framing.bottom - framing.top


def _around(boxes: npt.NDArray[np.float64], size: tuple[int, int] | None) -> Pose:
    """Somebody who reaches as far as all boxes [n, 4] together."""
    points = np.full((COUNT, 2), np.nan, np.float32)
    points[0], points[1] = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    return Pose(points, size)
