"""Photo -> pose: MoveNet, which ships with the package, made to see every person in a picture."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

from pg2.errors import Pg2Error
from pg2.io.packaged import WEIGHTS
from pg2.io.pictures import shrink
from pg2.io.pixels import Image8
from pg2.pose.facing import NARROW, shoulder_width
from pg2.pose.keypoints import KEYPOINTS, MIRRORED, Points, Pose

MOVENET = WEIGHTS / "movenet_thunder.onnx"

# Which of our 18 keypoints each of MoveNet's 17 is (COCO's order: nose, left eye, ...); it has no neck.
_COCO = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]
_NECK, _RIGHT_SHOULDER, _LEFT_SHOULDER, _FACE = 1, 2, 5, [0, 14, 15]

_INPUT = 256  # pixels a side of the square that MoveNet sees
_WORKING = 1280  # pixels of the longer side that a photo is shrunk to first: bounded time and memory

ENOUGH = 2 * _WORKING
"""Pixels of a photo's longer side of which no person is found better in more; see `load_shrunk`."""

_STRIPS_FROM = 1.2  # width against height from which a picture is searched in strips
_ROOM = 0.15  # of the picture's height: narrower gaps beside people are not searched

_Person = TypeVar("_Person")
_Window = tuple[int, int, int, int]  # left, top, right, bottom in pixels; may reach beyond the picture

# Chosen by measurement. Keypoints: most of Market-1501's annotation at little loss of precision. Seen from
# behind: the presence of nose and eyes agrees with Market-1501 for 86 % of them instead of 59 %. Person: no
# noise, blobs or drawn furniture reached 0.27 in any window; of 204 Market-1501 pictures two fell below.
_POINT_SCORE = 0.3  # a keypoint below is missing
_PERSON_SCORE = 0.33  # the mean of the best eight keypoints of a person
_FEWEST_POINTS = 4  # of a person

# When a person is not looked at again.
_CLOSE = 0.8  # a look from as near as this, against the square around the person, shows no more from nearer
_CERTAIN = 0.5  # the mean of the best eight keypoints, below which another look may help

# A part of a picture is plain, and nobody stands there, where hardly any neighbouring samples differ.
_SAMPLES = 64  # of the longer side
_EDGE, _EDGES = 12, 0.005  # grey levels; share of the samples
_LINE = 0.8  # share of the samples across, from which on an edge is a border
_FLESH = 0.12  # of the picture's height: what of a person may be beyond the keypoints, beside them


class NoPersonError(Pg2Error):
    """The picture shows nobody, or not as many people as were asked for."""


@dataclass(frozen=True)
class _Found:
    """What one look at one square shows: points [18, 2] in the working picture, scores [18], its side."""

    points: Points
    scores: npt.NDArray[np.float32]
    side: int

    @property
    def certainty(self) -> float:
        return float(np.sort(self.scores)[-8:].mean())

    @cached_property
    def pose(self) -> Pose:
        """The keypoints that are certain enough."""
        points = self.points.copy()
        # MoveNet also guesses a face through the back of a head; OpenPose does not.
        if shoulder_width(points) < -NARROW:
            points[_FACE] = np.nan
        points[self.scores < _POINT_SCORE] = np.nan
        return Pose(points)

    @property
    def is_person(self) -> bool:
        return self.certainty >= _PERSON_SCORE and int(self.pose.present.sum()) >= _FEWEST_POINTS

    def same_person(self, other: "_Found") -> bool:
        """Whether at least half of the keypoints that both show lie at one place, or do when mirrored."""
        left, top, right, bottom = self.pose.box
        near = 0.1 * max(right - left, bottom - top)
        for points in (other.pose.points, other.pose.points[MIRRORED]):
            distance = np.linalg.norm(self.pose.points - points, axis=1)
            distance = distance[~np.isnan(distance)]
            if len(distance) and (distance < near).mean() >= 0.5:
                return True
        return False


def chosen(people: Sequence[_Person], person: int | None) -> _Person:
    """One of the people of a picture, who are at least one, largest first; None: the largest.

    Raises:
        NoPersonError: there are fewer.
    """
    if person is not None and not 0 <= person < len(people):
        number = "one person is" if len(people) == 1 else f"{len(people)} people are"
        raise NoPersonError(
            f"{number} seen in the picture, so there is no person {person} (0 is the largest)"
        )
    return people[person or 0]


def _told() -> int:
    """How many threads PyTorch's variable gives, which onnxruntime does not heed; 0: it says nothing."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and len(given) < 5 else 0


class PoseEstimator:
    """MoveNet SinglePose Thunder on the CPU, made to see several people.

    MoveNet sees one person in a square. So it looks at the whole picture and, if that is wide, at overlapping
    strips of it; only if nobody is found there, at smaller squares; then at a square around each person
    found, where it is most exact; and last at what is free beside these people. A photo of one person, who
    fills it, on plain ground takes one look: what cannot show anything new is not looked at.
    """

    def __init__(
        self, weights: Path | None = None, threads: int | None = None, thorough: bool = False
    ) -> None:
        """Load the network.

        Args:
            weights: the ONNX file; None takes the one shipped with pg2.
            threads: CPU threads to use; None: as many as `OMP_NUM_THREADS` says, or one a core.
            thorough: look everywhere and twice at each person, as scores that were published are taken.

        Raises:
            Pg2Error: the file is missing, truncated, or not this network.
        """
        self._given = weights, threads, thorough
        weights = MOVENET if weights is None else Path(weights)
        if not weights.is_file():
            raise Pg2Error(f"the pose estimator's weights {weights} are missing; install pg2 again")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads or _told()
        options.inter_op_num_threads = 1
        # Idle threads sleep instead of spinning, so that the cores are free for the generator.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            raise Pg2Error(
                f"{weights} is damaged or not an ONNX file; install pg2 again, or give MoveNet Thunder"
            ) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shapes = [(node.type, node.shape) for node in (*inputs, *outputs)]
        if shapes != [("tensor(int32)", [1, _INPUT, _INPUT, 3]), ("tensor(float)", [1, 1, len(_COCO), 3])]:
            raise Pg2Error(f"{weights} is another network than MoveNet SinglePose Thunder")
        self._input = inputs[0].name
        self._thorough = thorough

    def __reduce__(self) -> tuple[type["PoseEstimator"], tuple[Path | None, int | None, bool]]:
        """As another process is given it, which loads the network itself."""
        return type(self), self._given

    def estimate(self, image: Image8, person: int | None = None) -> Pose:
        """The pose of one person.

        Args:
            image: uint8 RGB [H, W, 3] of any size.
            person: which one, counted from 0 by size, largest first; None takes the largest.

        Returns:
            The pose in pixels of `image`, with its `size`.

        Raises:
            NoPersonError: nobody is seen, or fewer people than `person` asks for.
        """
        return chosen(self.everybody(image), person)

    def estimate_all(self, image: Image8) -> list[Pose]:
        """The poses of all people seen in a uint8 RGB [H, W, 3] picture, largest first; may be empty."""
        small = shrink(image, _WORKING)
        height, width = small.shape[:2]
        found = self._people(small, self._worth(small, _strips(height, width))) or self._people(
            small, self._worth(small, _squares(height, width))
        )
        gaps = self._worth(small, _gaps(found, height, width), round(_FLESH * height))
        found = _distinct([*found, *self._people(small, gaps)])
        size = (image.shape[0], image.shape[1])
        # Points guessed beyond the photo's edge are missing.
        poses = [
            Pose(person.pose.points, (height, width)).resize(size).crop(0, 0, size[1], size[0])
            for person in found
        ]
        poses = [pose for pose in poses if pose.present.any()]
        return sorted(poses, key=lambda pose: pose.area, reverse=True)

    def everybody(self, image: Image8) -> list[Pose]:
        """The same, of at least one.

        Raises:
            NoPersonError: nobody is seen.
        """
        poses = self.estimate_all(image)
        if not poses:
            raise NoPersonError("no person is seen in the picture; use a photo that shows one more clearly")
        return poses

    def look(self, image: Image8) -> tuple[Points, float]:
        """One look at a whole picture of one person, which is what a generated picture should be.

        Args:
            image: uint8 RGB [H, W, 3].

        Returns:
            Keypoints [18, 2] as (x, y) in its pixels, NaN where the network is not certain enough; and how
            certain it is to see a person at all, 0 to 1: the mean score of its best eight keypoints.
        """
        found = self._look(image, 0, 0, image.shape[1], image.shape[0])
        return found.pose.points, found.certainty

    def _people(self, image: Image8, windows: Sequence[_Window]) -> list[_Found]:
        """The people in these windows, seen roughly in the window, then close up where that shows more."""
        first = _distinct([self._look(image, *window) for window in windows])
        return _distinct([self._closer(image, person) for person in first])

    def _closer(self, image: Image8, person: _Found) -> _Found:
        left, top, right, bottom = _around(person.pose)
        near = right - left >= _CLOSE * person.side and person.certainty >= _CERTAIN
        return person if near and not self._thorough else self._look(image, left, top, right, bottom)

    def _worth(self, image: Image8, windows: Sequence[_Window], beside: int = 0) -> Sequence[_Window]:
        """The windows that may show a person: not plain, where it is `beside` pixels from their sides."""
        height, width = image.shape[:2]
        if self._thorough:
            return windows
        found = []
        for window in windows:
            left, top, right, bottom = window
            # At the edge of the picture nobody is beside the window.
            inner = (left + beside if left else 0, top, right - beside if right < width else right, bottom)
            if window == (0, 0, width, height) or not _is_plain(image, inner):
                found.append(window)
        return found

    def _look(self, image: Image8, left: int, top: int, right: int, bottom: int) -> _Found:
        """Run MoveNet on a rectangle of the picture, letterboxed to a square."""
        height, width = image.shape[:2]
        side = max(right - left, bottom - top)
        # The rectangle in the middle of its square; black where the square reaches beyond it or the picture.
        square = np.zeros((side, side, 3), np.uint8)
        x, y = left - (side - (right - left)) // 2, top - (side - (bottom - top)) // 2
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        square[top - y : bottom - y, left - x : right - x] = image[top:bottom, left:right]
        resized = Image.fromarray(square).resize((_INPUT, _INPUT), Image.Resampling.BILINEAR)
        output: Any = self._session.run(None, {self._input: np.asarray(resized, dtype=np.int32)[None]})[0]
        seen = output[0, 0]
        points = np.empty((len(KEYPOINTS), 2), np.float32)
        scores = np.empty(len(KEYPOINTS), np.float32)
        points[_COCO] = seen[:, 1::-1] * side + np.array((x, y), np.float32) - 0.5
        scores[_COCO] = seen[:, 2]
        shoulders = [_RIGHT_SHOULDER, _LEFT_SHOULDER]
        points[_NECK], scores[_NECK] = points[shoulders].mean(axis=0), scores[shoulders].min()
        return _Found(points, scores, side)


def _strips(height: int, width: int) -> list[_Window]:
    """The whole picture and, if it is wide, strips of its full height, each overlapping half of the next."""
    strip = max(height // 2, width // 6)  # at most eleven, however wide the picture
    count = -(-(width - strip) // max(strip // 2, 1)) + 1
    lefts = (
        np.linspace(0, width - strip, count).round().astype(int).tolist()
        if width > _STRIPS_FROM * height
        else []
    )
    return [(0, 0, width, height), *((left, 0, left + strip, height) for left in lefts)]


def _squares(height: int, width: int) -> list[_Window]:
    """Overlapping squares of half the longer side, where a small person fills more of the view."""
    side = -(-max(height, width) // 2)
    return [
        (left, top, left + side, top + side)
        for top in range(0, max(height - side, 0) + 1, max(side // 2, 1))
        for left in range(0, max(width - side, 0) + 1, max(side // 2, 1))
    ]


def _gaps(people: Sequence[_Found], height: int, width: int) -> list[_Window]:
    """What is free beside the people found, at full height, where there is room for somebody more."""
    windows, reached = [], 0
    boxes = sorted(person.pose.box for person in people)
    for left, right in [*((int(box[0]), int(box[2])) for box in boxes), (width, width)]:
        if people and left - reached > _ROOM * height:
            windows.append((reached, 0, left, height))
        reached = max(reached, right)
    return windows


def _is_plain(image: Image8, window: _Window) -> bool:
    """Whether a part of a picture is of one colour, or passes from one to another: nobody is there."""
    left, top, right, bottom = window
    if left >= right:
        return False
    # Thinned, so that soft edges count, too.
    step = max(max(right - left, bottom - top) // _SAMPLES, 1)
    part = image[top:bottom:step, left:right:step].astype(np.int16)
    count = 0
    for lines in (part, part.swapaxes(0, 1)):
        edges = np.abs(np.diff(lines, axis=0)).max(axis=2) > _EDGE
        # From side to side goes the border of a picture, or of floor and wall.
        count += int(edges[edges.mean(axis=1) < _LINE].sum())
    return bool(count <= _EDGES * part.shape[0] * part.shape[1])


def _around(pose: Pose) -> _Window:
    """A square around a person, with room for limbs that the first look missed."""
    left, top, right, bottom = pose.box
    half = max(right - left, bottom - top, 16.0) * 0.625
    x, y = (left + right) / 2, (top + bottom) / 2
    side = round(2 * half)
    left, top = round(x - half), round(y - half)
    return left, top, left + side, top + side


def _distinct(looks: Sequence[_Found]) -> list[_Found]:
    """The people among what was seen, each once: of two sights of one person the more certain one."""
    people: list[_Found] = []
    for sight in sorted((s for s in looks if s.is_person), key=lambda s: s.certainty, reverse=True):
        if not any(sight.same_person(person) for person in people):
            people.append(sight)
    return people
