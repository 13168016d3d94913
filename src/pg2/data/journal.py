"""Poses estimated during a preparation, kept as they come, so that a killed run loses none."""

import contextlib
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pg2.io.pixels import Image8
from pg2.pose.formats import PointList, from_list, to_list
from pg2.pose.keypoints import Pose

Estimator = Callable[[Image8], Pose]
"""Photo, uint8 [H, W, 3] -> pose in its pixels; raises `NoPersonError` where there is none."""

JOURNAL = "journal.jsonl"


def partial_folder(out: Path) -> Path:
    """Where everything lies while the data set `out` is in the making: the journal, and the parts.

    What a killed run leaves there is taken up, and in the end removed, by the next.
    """
    return out.with_name(f"{out.name}.partial")


class _Line(BaseModel):
    """A photo, by its name, size, time and who looked at it; its keypoints, None where nobody is."""

    key: tuple[str, int, int, str]
    points: PointList | None


class PoseJournal:
    """Estimates poses, and keeps each on disk as soon as it is there, so that a killed run loses none."""

    def __init__(self, out: Path, estimator: Estimator | None) -> None:
        """Take up what an earlier run for the same `out` left; None: the estimator that ships with pg2."""
        if estimator is None:
            from pg2.pose.estimator import PoseEstimator  # onnxruntime is slow to import and often not needed

            estimator = PoseEstimator().estimate
        self._estimator = estimator
        self._by = f"{getattr(estimator, '__qualname__', type(estimator).__qualname__)} {version('pg2')}"
        self._path = partial_folder(out) / JOURNAL
        self._done: dict[tuple[Any, ...], Any] = {}
        text = self._path.read_text(encoding="utf-8", errors="replace") if self._path.exists() else ""
        for line in text.splitlines():
            # A line cut short by a kill is work to do again, no more.
            with contextlib.suppress(ValidationError):
                entry = _Line.model_validate_json(line)
                self._done[entry.key] = entry.points
        self._separator = "\n" if text and not text.endswith("\n") else ""

    def pose(self, name: str, file: Path, image: Image8) -> Pose | None:
        """The pose on a photo, in its pixels; None when there is no person.

        Args:
            name: of the photo in the data set.
            file: where it was read from; its size and time tell whether it is still the same.
            image: uint8 [H, W, 3].
        """
        from pg2.pose.estimator import NoPersonError

        state = file.stat()
        key = (name, state.st_size, state.st_mtime_ns, self._by)
        if key not in self._done:
            try:
                self._done[key] = to_list(self._estimator(image).points)
            except NoPersonError:
                self._done[key] = None
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as journal:
                journal.write(self._separator + json.dumps({"key": key, "points": self._done[key]}) + "\n")
            self._separator = ""
        found = self._done[key]
        if found is None:
            return None
        return Pose(from_list(found), (image.shape[0], image.shape[1]))
