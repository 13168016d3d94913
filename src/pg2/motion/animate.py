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
class Animation:
    """A person who moves.

    Attributes:
        images: uint8 RGB [H, W, 3] in the model's frame, one a frame of time.
        poses: the pose in each.
        fps: frames a second.
        seconds: that all took but finding the poses: the photo prepared, the pictures made.
        made: how many pictures the model made; a motion that repeats itself needs few.
        flicker: see `pg2.motion.flicker.flicker`.
        copied: of each picture that was made, the share that is copied; empty where the model does not say.
        doubtful: how many of them come with doubts; see `pg2.pipeline.Result`.
    """

    images: list[Image8]
    poses: list[Pose]
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
    poses = framed(motion.smoothed(smooth).complete(missing), pipeline.frame, motion.fps)
    distinct = {pose.points.tobytes(): pose for pose in poses}
    todo = list(distinct.items())
    images: dict[bytes, Image8] = {}
    copied: list[float] = []
    doubtful = 0
    for first in tracked(range(0, len(todo), _AT_A_TIME), "Frames", progress):
        some = todo[first : first + _AT_A_TIME]
        results: list[Result] = pipeline.make([source] * len(some), [pose for _, pose in some])
        for (key, _), result in zip(some, results, strict=True):
            images[key] = np.asarray(result.image)
            copied += [] if result.copied is None else [result.copied]
            doubtful += bool(result.doubts)
    seconds = time.perf_counter() - began
    frames = [images[pose.points.tobytes()] for pose in poses]
    return Animation(frames, poses, motion.fps, seconds, len(todo), flicker(frames, poses), copied, doubtful)
