"""Where a motion comes from: a name, poses in files, or a film of somebody who moves."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from pg2.errors import Pg2Error
from pg2.io.files import exists, read_json
from pg2.io.movies import MOVIES, Movie, open_movie
from pg2.io.picture_files import pictures_below
from pg2.io.pictures import load_shrunk
from pg2.io.pixels import Image8
from pg2.io.progress import tracked
from pg2.motion.named import FPS, MOTIONS, check_length, named_motion, through
from pg2.motion.sequence import MOST_FRAMES, Motion
from pg2.pipeline import Pipeline
from pg2.pose.estimator import ENOUGH, chosen
from pg2.pose.keypoints import Pose

_FILES_FPS = 25.0  # of poses in files, which do not say
_MOST_FPS = 30.0  # of a film, of which every so manyth frame is looked at
_MOST_FILES = 100_000
_MOST_BYTES = 32_000_000  # of one file of all poses
_FAR = 0.75  # of a person's height, that they may have moved in between, and a tenth of that a frame more
_PATIENCE = 0.1

_Frame = Path | tuple[str, object]
"""A file of a frame; or what a frame is called, and its decoded document."""


def read_motion(
    text: str,
    pipeline: Pipeline,
    *,
    fps: float | None = None,
    seconds: float | None = None,
    person: int | None = None,
    progress: bool = True,
) -> Motion:
    """A motion by what was given for it.

    Args:
        text: the name of a motion; poses apart by commas, between which the person moves; a folder of
            OpenPose JSON files or of pictures, in the order of the numbers in their names; one JSON file with
            a list of OpenPose documents; or a film (video, or animated picture).
        pipeline: finds people in pictures, and knows the frame.
        fps: frames a second of the result; None: the motion's own.
        seconds: no more than so many of them; of a motion by name: about so many.
        person: which of several people in the first frame that shows some, 0 being the largest. They are
            followed.
        progress: show a bar when stderr is a terminal.

    Raises:
        Pg2Error: it is none of these, shows nobody, or has too many frames a second.
    """
    if seconds is not None and not 0 < seconds <= 3600:
        raise Pg2Error(f"--seconds must lie between 0 and 3600, not {seconds:g}")
    if fps is not None and not 0 < fps <= 120:
        raise Pg2Error(f"--fps must lie between 0 and 120, not {fps:g}")
    if text in MOTIONS:
        return named_motion(text, fps or FPS, seconds)
    path = Path(text)
    if not exists(path):
        words = [word.strip() for word in text.split(",")]
        if len(words) < 2:
            raise Pg2Error(
                f'"{text}" is neither a motion ({", ".join(MOTIONS)}) nor a file or folder, nor poses apart '
                "by commas"
            )
        check_length(len(words), fps or FPS)
        return through([pipeline.target_pose(word, person) for word in words], fps or FPS, seconds)
    if path.suffix.lower() in MOVIES and path.is_file():
        with open_movie(path, min(fps or _MOST_FPS, _MOST_FPS)) as movie:
            return _of_movie(movie, pipeline, seconds, person, progress)
    rate = fps or _FILES_FPS
    frames = _files(path) if path.is_dir() else _documents(path)
    most = _most(rate, seconds)
    seen = (_seen(frame, pipeline) for frame in tracked(frames[:most], "Poses", progress))
    return Motion(_followed(seen, person), rate, len(frames) > most)


def _seen(frame: _Frame, pipeline: Pipeline) -> list[Pose]:
    """The people of a frame, largest first."""
    if isinstance(frame, tuple):
        return _people(frame[1], frame[0])
    if frame.suffix.lower() == ".json":
        return _people(read_json(frame, "OpenPose keypoints"), str(frame))
    image, size = load_shrunk(frame, ENOUGH)
    return [pose.resize(size) for pose in pipeline.estimator.estimate_all(image)]


def _most(fps: float, seconds: float | None) -> int:
    return MOST_FRAMES if seconds is None else max(min(round(seconds * fps), MOST_FRAMES), 2)


def _files(folder: Path) -> list[_Frame]:
    """The JSON files of a folder, or else its pictures, by the numbers in their names."""
    listed = list(islice(folder.iterdir(), _MOST_FILES + 1))
    if len(listed) > _MOST_FILES:
        raise Pg2Error(f"{folder} holds over {_MOST_FILES:,} files; give a folder of one motion")
    files = [file for file in listed if file.suffix.lower() == ".json" and not file.name.startswith(".")]
    files = files or [file for file in pictures_below(folder) if file.parent == folder]
    if not files:
        raise Pg2Error(f"{folder} holds no motion: neither OpenPose JSON files nor pictures")
    files.sort(
        key=lambda file: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)]
    )
    return [*files]


def _documents(path: Path) -> list[_Frame]:
    """The documents of one JSON file."""
    if path.suffix.lower() != ".json":
        raise Pg2Error(
            f"{path} is no motion; give a folder of poses, a JSON file or a film "
            f"({', '.join(sorted(MOVIES))})"
        )
    documents = read_json(path, "a list of OpenPose documents", _MOST_BYTES)
    if isinstance(documents, dict) and isinstance(documents.get("frames"), list):
        documents = documents["frames"]
    if not isinstance(documents, list):
        raise Pg2Error(f"{path} holds one pose, not a list of OpenPose documents; pg2 generate shows one")
    return [(f"{path}, frame {number}", frame) for number, frame in enumerate(documents)]


def _people(document: object, source: str) -> list[Pose]:
    """The people of an OpenPose document, largest first; null is nobody."""
    found = [] if document is None else Pose.everybody(document, source)
    return sorted((pose for pose in found if pose.present.any()), key=lambda pose: pose.area, reverse=True)


def _of_movie(
    movie: Movie, pipeline: Pipeline, seconds: float | None, person: int | None, progress: bool
) -> Motion:
    most = _most(movie.fps, seconds)
    cut = False

    def frames() -> Iterator[Image8]:
        nonlocal cut
        for number, image in enumerate(movie.frames):
            if number == most:
                cut = True
                return
            yield image

    total = most if movie.expected is None else min(movie.expected, most)
    seen = tracked(frames(), "Poses", progress, total=total)
    return Motion(_followed(map(pipeline.estimator.estimate_all, seen), person), movie.fps, cut)


def _followed(frames: Iterable[Sequence[Pose]], person: int | None) -> tuple[Pose | None, ...]:
    """One person through all frames: who is nearest to where they were, unless that is too far away."""
    poses: list[Pose | None] = []
    last: Pose | None = None
    lost = 0
    for people in frames:
        found: Pose | None = None
        if people and last is None:
            found = chosen(people, person)
        elif people and last is not None:
            middle, height = _middle(last), max(last.box[3] - last.box[1], 1.0)
            nearest = min(people, key=lambda pose: float(np.hypot(*(_middle(pose) - middle))))
            far = _FAR * height * (1 + _PATIENCE * lost)
            found = nearest if np.hypot(*(_middle(nearest) - middle)) <= far else None
        lost = 0 if found is not None else lost + 1
        last = found if found is not None else last
        poses.append(found)
    return tuple(poses)


def _middle(pose: Pose) -> np.ndarray:
    left, top, right, bottom = pose.box
    return np.array(((left + right) / 2, (top + bottom) / 2))
