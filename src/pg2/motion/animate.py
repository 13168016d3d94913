"""A person of a photo who moves: the photo prepared once, every pose made once."""

import time
from dataclasses import dataclass

import numpy as np

from pg2.io.pixels import Image8
from pg2.io.progress import tracked
from pg2.motion.flicker import flicker
from pg2.motion.sequence import Missing, Motion, framed
from pg2.pipeline import Photo, Pipeline, Result
from pg2.pose.keypoints import Pose

SMOOTH = 0.06
"""Seconds over which the keypoints of a film are smoothed; see `Motion.smoothed`."""

_AT_A_TIME = 8


@dataclass(frozen=True)
class Plan:
    """What is to be made for a motion: a picture of each pose that differs from those before.

    Attributes:
        poses: the different poses, in the model's frame.
        order: which of them each frame of time shows.
        fps: frames a second.
    """

    poses: list[Pose]
    order: list[int]
    fps: float

    @classmethod
    def of(
        cls, motion: Motion, frame: tuple[int, int], missing: Missing = "hold", smooth: float = SMOOTH
    ) -> "Plan":
        """The plan for `motion` in a model's frame, (height, width). See `animate`."""
        numbers: dict[bytes, int] = {}
        poses: list[Pose] = []
        order = []
        for pose in framed(motion.smoothed(smooth).complete(missing), frame, motion.fps):
            order.append(numbers.setdefault(pose.points.tobytes(), len(poses)))
            if order[-1] == len(poses):
                poses.append(pose)
        return cls(poses, order, motion.fps)


@dataclass(frozen=True)
class Animation:
    """A person who moves.

    Attributes:
        images: uint8 RGB [H, W, 3] in the model's frame, one a frame of time.
        fps: frames a second.
        seconds: that all took but finding the poses: the photo prepared, the pictures made.
        made: how many pictures the model made; a motion that repeats itself needs few.
        flicker: see `pg2.motion.flicker.flicker`.
        copied: of each picture that was made, the share that is copied; empty where the model does not say.
        doubtful: how many of them come with doubts; see `pg2.pipeline.Result`.
    """

    images: list[Image8]
    fps: float
    seconds: float
    made: int
    flicker: float | None
    copied: list[float]
    doubtful: int


def animate(
    pipeline: Pipeline,
    photo: Photo,
    motion: Motion,
    *,
    person: int | None = None,
    missing: Missing = "hold",
    smooth: float = SMOOTH,
    progress: bool = True,
) -> Animation:
    """The person of `photo` in every pose of `motion`, seen through one camera.

    Args:
        pipeline: the model.
        photo: see `Pipeline.__call__`.
        motion: see `pg2.motion.reading.read_motion`.
        person: which person of the photo; None: the largest.
        missing: what becomes of frames that show nobody.
        smooth: seconds over which keypoints are smoothed; 0: not at all.
        progress: show a bar when stderr is a terminal.

    Raises:
        Pg2Error: the photo cannot be used.
    """
    began = time.perf_counter()
    source = pipeline.prepare(photo, person=person)
    plan = Plan.of(motion, pipeline.frame, missing, smooth)
    images: list[Image8] = []
    copied: list[float] = []
    doubtful = 0
    for first in tracked(range(0, len(plan.poses), _AT_A_TIME), "Frames", progress):
        some = plan.poses[first : first + _AT_A_TIME]
        results: list[Result] = pipeline.make([source] * len(some), some)
        for result in results:
            images.append(np.asarray(result.image))
            copied += [] if result.copied is None else [result.copied]
            doubtful += bool(result.doubts)
    seconds = time.perf_counter() - began
    frames = [images[number] for number in plan.order]
    poses = [plan.poses[number] for number in plan.order]
    return Animation(frames, plan.fps, seconds, len(images), flicker(frames, poses), copied, doubtful)
