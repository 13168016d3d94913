"""What a pose is: 18 keypoints and which of them are there; its OpenPose JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pg2.errors import Pg2Error
from pg2.io.files import read_json, write_json

Points = npt.NDArray[np.float32]

MOST = 1e6
"""Pixels from the corner of a picture that a coordinate may be, at most, either way."""

_MOST_BYTES = 4_000_000  # of an OpenPose document; a person takes 1 kB, with face and hands 5

_MOST_PEOPLE = 1000

KEYPOINTS = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
"""The 18 keypoints in OpenPose's COCO order (paper, section 3.1)."""

COUNT = len(KEYPOINTS)

MIRRORED = np.array(
    [
        KEYPOINTS.index(
            name.replace("right_", "left_") if name.startswith("right_") else name.replace("left_", "right_")
        )
        for name in KEYPOINTS
    ]
)
"""Which keypoint each becomes in a mirror: left and right swap."""

TORSO = [KEYPOINTS.index(f"{side}_{joint}") for joint in ("shoulder", "hip") for side in ("right", "left")]
"""Both shoulders and both hips: with these present a picture takes part in pairs."""

# BODY_25 has the middle of the hips as its point 8 and six points of the feet at its end.
_BODY_25 = [*range(8), *range(9, 19)]


@dataclass(frozen=True, eq=False)
class Pose:
    """18 keypoints of one person, and optionally the size of the picture they lie in.

    Attributes:
        points: float32 [18, 2], (x, y) in pixels from the top left corner, NaN where missing.
        size: (height, width) in pixels of the picture or canvas, or None when it is not known.
    """

    points: Points
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        points = np.array(self.points, dtype=np.float32)
        if points.shape != (COUNT, 2):
            raise Pg2Error(f"a pose has {COUNT} keypoints with x and y, not an array of shape {points.shape}")
        if np.isinf(points).any():
            raise Pg2Error("a pose has an infinite coordinate")
        points[np.isnan(points).any(axis=1)] = np.nan
        points.setflags(write=False)
        object.__setattr__(self, "points", points)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Pose)
            and self.size == other.size
            and np.array_equal(self.points, other.points, equal_nan=True)
        )

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """bool [18]: which keypoints are there."""
        return ~np.isnan(self.points[:, 0])

    @property
    def has_torso(self) -> bool:
        """Whether both shoulders and both hips are present."""
        return bool(self.present[TORSO].all())

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of the present keypoints.

        Raises:
            Pg2Error: no keypoint is present.
        """
        if not self.present.any():
            raise Pg2Error("the pose has no keypoint at all")
        (left, top), (right, bottom) = np.nanmin(self.points, axis=0), np.nanmax(self.points, axis=0)
        return float(left), float(top), float(right), float(bottom)

    @property
    def area(self) -> float:
        """Of `box`, in square pixels: by this people are called larger or smaller."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    def mirror(self, width: int | None = None) -> "Pose":
        """The pose in the picture mirrored left to right; left and right keypoints swap names.

        Args:
            width: of the picture in pixels; taken from `size` when that is known.
        """
        if width is None:
            if self.size is None:
                raise Pg2Error("to mirror a pose, the width of its picture must be known")
            width = self.size[1]
        points = self.points[MIRRORED].copy()
        # Pixel x of the mirrored picture shows pixel width - 1 - x of the original.
        points[:, 0] = width - 1 - points[:, 0]
        return replace(self, points=points)

    def affine(
        self, scale: tuple[float, float], offset: tuple[float, float], size: tuple[int, int]
    ) -> "Pose":
        """Scale by (x, y) factors, then move by (x, y) pixels, into a picture of `size` (height, width)."""
        moved = self.points * np.array(scale, np.float32) + np.array(offset, np.float32)
        return Pose(moved, size)

    def crop(self, left: int, top: int, width: int, height: int) -> "Pose":
        """The pose in the picture cut to this rectangle; points that fall outside become missing.

        A pixel reaches half a pixel beyond its centre: points there, at the edge, move to the centre.
        """
        points = self.points - np.array((left, top), np.float32)
        last = np.array((width - 1, height - 1), np.float32)
        inside = ((points >= -0.5) & (points <= last + 0.5)).all(axis=1)
        points[~inside] = np.nan
        return Pose(points.clip(0, last), (height, width))

    def scale(self, factor: float) -> "Pose":
        """The pose in the picture enlarged by `factor` (pixel centres stay pixel centres)."""
        size = self.size and (round(self.size[0] * factor), round(self.size[1] * factor))
        return Pose((self.points + 0.5) * factor - 0.5, size)

    def resize(self, size: tuple[int, int]) -> "Pose":
        """The pose in its picture stretched to `size` (height, width).

        Raises:
            Pg2Error: the size of its picture is not known.
        """
        if self.size is None:
            raise Pg2Error("to resize a pose, the size of its picture must be known")
        x, y = size[1] / self.size[1], size[0] / self.size[0]
        # Keypoints count pixel centres from 0: hence the halves.
        return self.affine((x, y), (x / 2 - 0.5, y / 2 - 0.5), size)

    def to_openpose(self) -> dict[str, Any]:
        """As an OpenPose JSON document of one person, 18 points (COCO); missing ones are 0, 0, 0."""
        flat = [
            value
            for (x, y), there in zip(self.points.tolist(), self.present, strict=True)
            for value in ((round(x, 3), round(y, 3), 1.0) if there else (0.0, 0.0, 0.0))
        ]
        document: dict[str, Any] = {"version": 1.3, "people": [{"pose_keypoints_2d": flat}]}
        if self.size is not None:
            document["canvas_height"], document["canvas_width"] = self.size
        return document

    def save(self, path: str | Path) -> None:
        """Write as OpenPose JSON, atomically."""
        write_json(path, self.to_openpose())

    @classmethod
    def load(cls, path: str | Path, person: int | None = None) -> "Pose":
        """Read OpenPose JSON with 18 (COCO) or 25 (BODY_25) points a person.

        Args:
            path: the file.
            person: which person (0 is the first); None takes the largest.

        Raises:
            Pg2Error: not such a file, no person in it, or not that many.
        """
        return cls.from_openpose(read_json(path, "OpenPose keypoints", _MOST_BYTES), str(path), person)

    @classmethod
    def from_openpose(cls, document: Any, source: str = "the pose", person: int | None = None) -> "Pose":
        """Read a decoded OpenPose document; `source` names it in errors. See `load`."""
        people = cls.everybody(document, source)
        poses = [pose for pose in people if pose.present.any()]
        if not poses:
            raise Pg2Error(f"{source} holds no person: no keypoint is present")
        if person is not None:
            if not 0 <= person < len(people):
                raise Pg2Error(
                    f"{source} holds {len(people)} people, so --person must be 0 to {len(people) - 1}, "
                    f"not {person}"
                )
            if not people[person].present.any():
                raise Pg2Error(f"{source}: person {person} has no keypoint at all")
            return people[person]
        return max(poses, key=lambda pose: pose.area)

    @classmethod
    def everybody(cls, document: Any, source: str = "the pose") -> "list[Pose]":
        """All people of a decoded OpenPose document, in its order: perhaps none, some without a point.

        Raises:
            Pg2Error: it is not such a document.
        """
        if not isinstance(document, Mapping) or not isinstance(document.get("people"), list):
            raise Pg2Error(f'{source} is not an OpenPose document: it has no list "people"')
        if len(document["people"]) > _MOST_PEOPLE:
            raise Pg2Error(f"{source} holds more than {_MOST_PEOPLE} people")
        size = _canvas(document, source)
        return [cls(_person_points(entry, source), size) for entry in document["people"]]


def _canvas(document: Mapping[str, Any], source: str) -> tuple[int, int] | None:
    height, width = document.get("canvas_height"), document.get("canvas_width")
    if height is None or width is None:
        return None
    if not all(isinstance(side, int) and 0 < side < 1_000_000 for side in (height, width)):
        raise Pg2Error(f"{source}: canvas_height and canvas_width must be positive whole numbers")
    return height, width


def _person_points(entry: Any, source: str) -> Points:
    flat = entry.get("pose_keypoints_2d") if isinstance(entry, Mapping) else None
    if not isinstance(flat, list):
        raise Pg2Error(f'{source}: a person without a list "pose_keypoints_2d"')
    if len(flat) not in (3 * COUNT, 75):
        raise Pg2Error(
            f"{source}: {len(flat)} values for a person; needed are 54 (18 points, COCO order) or 75 "
            "(25 points, BODY_25), each x, y, confidence"
        )
    # Compared before they become floats: a whole number may have any number of digits.
    if not all(isinstance(value, int | float) and -MOST <= value <= MOST for value in flat):
        raise Pg2Error(
            f"{source}: every keypoint value must be a finite number within a million pixels (a missing "
            "point is 0, 0, 0)"
        )
    triples = np.array(flat, dtype=np.float64).reshape(-1, 3)
    if len(triples) == 25:
        triples = triples[_BODY_25]
    # OpenPose marks a missing point with zeros in all three places.
    return np.where(triples[:, 2:] > 0, triples[:, :2], np.nan).astype(np.float32)
