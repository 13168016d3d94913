"""Poses estimated during a preparation, kept as they come, so that a killed run loses none."""

import contextlib
import itertools
import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pg2.errors import Pg2Error
from pg2.io.cluster import connected
from pg2.io.picture_files import Content, open_picture
from pg2.io.pictures import load_image
from pg2.io.pixels import Image8
from pg2.io.progress import tracked
from pg2.io.remote import RemoteFile
from pg2.pose.formats import PointList, from_list, to_list
from pg2.pose.keypoints import Pose

Estimator = Callable[[Image8], Pose]
"""Photo, uint8 [H, W, 3] -> pose in its pixels; raises `NoPersonError` where there is none."""

JOURNAL = "journal.jsonl"

_MOST_SENT = 250_000_000  # bytes of a photo that is sent to another process

_Given = tuple[str, Path | RemoteFile, Callable[[], bytes] | None]
"""See `PoseJournal.foresee`."""


def partial_folder(out: Path) -> Path:
    """Where everything lies while the data set `out` is in the making: the journal, and the parts.

    What a killed run leaves there is taken up, and in the end removed, by the next.
    """
    return out.with_name(f"{out.name}.partial")


class _Line(BaseModel):
    """A photo, by its name, size, time and who looked at it; its keypoints, None where nobody is."""

    key: tuple[str, int, int, str]
    points: PointList | None


def _whole(image: Image8) -> Image8:
    return image


@dataclass(frozen=True)
class _Photo:
    """A photo as it is sent to a worker: its key in the journal, and its file."""

    key: tuple[str, int, int, str]
    content: Content


@dataclass(frozen=True)
class _Look:
    """What a worker does: gives a photo's keypoints in a tuple, None where nobody is; or what is wrong.

    Attributes:
        estimator: finds them.
        seen: see `PoseJournal.foresee`.
    """

    estimator: Estimator
    seen: Callable[[Image8], Image8 | None]

    def __call__(self, photo: _Photo) -> tuple[Any] | str:
        from pg2.pose.estimator import NoPersonError

        with warnings.catch_warnings(action="ignore"):  # the preparation itself gives them
            try:
                image = self.seen(load_image(photo.content))
                return "" if image is None else (to_list(self.estimator(image).points),)
            except NoPersonError:
                return (None,)
            except Pg2Error as error:
                return str(error)


def _lost(photo: _Photo, why: str) -> tuple[Any] | str:
    raise Pg2Error(f"{photo.content.name}: {why}; remove it, or leave out --ray")


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

    def pose(self, name: str, file: Path | RemoteFile, image: Image8) -> Pose | None:
        """The pose on a photo, in its pixels; None when there is no person.

        Args:
            name: of the photo in the data set.
            file: where it was read from; its size and time tell whether it is still the same.
            image: uint8 [H, W, 3].
        """
        from pg2.pose.estimator import NoPersonError

        key = self._key(name, file)
        if key not in self._done:
            try:
                self._keep(key, to_list(self._estimator(image).points))
            except NoPersonError:
                self._keep(key, None)
        found = self._done[key]
        if found is None:
            return None
        return Pose(from_list(found), (image.shape[0], image.shape[1]))

    def foresee(
        self,
        photos: Iterable[_Given],
        ray: str,
        total: int | None = None,
        seen: Callable[[Image8], Image8 | None] = _whole,
        progress: bool = True,
    ) -> None:
        """Find the poses of photos by many processes, before they are asked for one by one.

        Args:
            photos: of each its name in the data set, the file that it lies in, and what reads it, None where
                it is all of the file; what is no photo is left to `pose`. Taken as they are sent; of one that
                comes twice the first counts.
            ray: see `pg2.io.cluster.connected`.
            total: how many photos there are, for the bar.
            seen: what of a photo is looked at; None: it is none that counts.
            progress: show a bar when stderr is a terminal.

        Raises:
            Pg2Error: no such cluster, or a photo at which processes die.
        """
        sent = self._sent(photos)
        first = next(filter(None, sent), None)
        if first is None:
            return
        with connected(ray) as cluster:
            tasks = itertools.chain([first], sent)
            answers = cluster.spread(_Look(self._estimator, seen), tasks, _lost)
            for answer in tracked(answers, "Poses", progress, total=total):
                if answer is not None and not isinstance(answer[1], str):
                    self._keep(answer[0].key, *answer[1])

    def _sent(self, photos: Iterable[_Given]) -> Iterator[_Photo | None]:
        asked = set[tuple[Any, ...]]()
        for name, file, read in photos:
            key = self._key(name, file)
            if key in self._done or key in asked:
                yield None
                continue
            asked.add(key)
            try:
                content, called = (b"", str(file)) if read is None else (read(), f"{name} in {file}")
                with open_picture(file if read is None else content):  # type: ignore[arg-type]
                    pass
                if read is None and isinstance(file, Path) and file.stat().st_size <= _MOST_SENT:
                    content = file.read_bytes()
            except (Pg2Error, OSError):
                content = b""
            yield _Photo(key, Content(content, called)) if content else None

    def _key(self, name: str, file: Path | RemoteFile) -> tuple[str, int, int, str]:
        state = file.stat()
        return name, state.st_size, state.st_mtime_ns, self._by

    def _keep(self, key: tuple[str, int, int, str], points: Any) -> None:
        self._done[key] = points
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as journal:
            journal.write(self._separator + json.dumps({"key": key, "points": points}) + "\n")
        self._separator = ""
