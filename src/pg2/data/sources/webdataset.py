"""WebDataset shards, tar files of pictures and what is known of each -> a prepared data set."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pg2.data.journal import Estimator, PoseJournal
from pg2.data.prepared import Record, stored_name
from pg2.data.raw import check_frame, fingerprint, framed
from pg2.data.shares import check_share, split_of, warn_of_an_empty_split
from pg2.data.writing import Report, Skipped, preparing, write_prepared
from pg2.errors import Pg2Error
from pg2.io.picture_files import Content
from pg2.io.pictures import MIN_SIDE, load_image
from pg2.io.progress import tracked
from pg2.io.shards import Sample, Shard, count_samples, find_shards, samples
from pg2.pose.formats import PointList, from_list
from pg2.pose.keypoints import Pose

PICTURES = ("jpeg", "jpg", "png", "webp")
"""Endings of a sample's picture. It has one."""

MOST_BYTES = {**dict.fromkeys(PICTURES, 100_000_000), "json": 1_000_000}
"""What is read of a sample, by its ending, and how many bytes it may have."""

_BEHIND = re.compile(r"[/_].*")  # the person in a key
_LONGEST = 200  # characters of a person's name


class _About(BaseModel):
    """What the .json of a sample says; the rest of it is not asked for."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    person: Annotated[str, Field(max_length=_LONGEST)] | int | float | None = None
    split: Literal["train", "test"] | None = None
    keypoints: PointList | None = None


def prepare_webdataset(
    shards: str | Path,
    out: str | Path,
    frame: tuple[int, int] = (128, 64),
    *,
    test_share: float = 0.0,
    estimator: Estimator | None = None,
    progress: bool = True,
    ray: str | None = None,
) -> Report:
    """Prepare pictures of people in shards, such as those of `pg2 shards`.

    A sample is a picture, KEY.jpg, .png or .webp, and if there is one KEY.json: an object of `person` (a text
    or a number; without it the person is what the key says before its first "/" or "_"), `split` ("train" or
    "test") and `keypoints` (18 points [x, y] in OpenPose's order, in pixels of the picture, null where one is
    missing; without them pg2 finds those of the largest person). Its other files are not read. A picture of
    the frame's size is taken as it is; any other is cut to it around its person. A picture that is damaged or
    shows nobody, and a .json of another form, is named in the report and skipped. Run again after an
    interruption it continues; when `out` is complete already it does nothing.

    Shards are streamed and nothing of them is unpacked to disk. All of them are looked through before the
    first picture is.

    Args:
        shards: a folder of *.tar files, or a name with numbers such as "set-{000000..000012}.tar"; or the
            address of these (see `pg2.io.remote`).
        out: the folder to make.
        frame: (height, width) to cut to.
        test_share: share of the people without a `split`, 0 to 1, that make the test split.
        estimator: instead of the one that ships with pg2.
        progress: show a progress bar when stderr is a terminal.
        ray: find keypoints by the processes of this Ray cluster; see `pg2.io.cluster.connected`. Shards are
            read here alone.

    Raises:
        Pg2Error: no shards, a shard that is damaged, cut off, too large or holds links, a setting out of
            range, `out` is taken, nothing usable, or the disk is full; no such cluster.
    """
    out = Path(out)
    check_share(test_share)
    check_frame(frame)
    files = find_shards(shards)
    root = files[0].parent if isinstance(files[0], Path) else Path(shards)
    inputs = fingerprint(
        {"source": "webdataset", "frame": list(frame), "test_share": test_share}, root, files
    )
    with preparing(Path(shards) if Path(shards).is_dir() else Path(str(files[0])), out, inputs) as report:
        if report is not None:
            return report
        count, skipped = count_samples(files, MOST_BYTES), Skipped()
        source = _Source(out, frame, test_share, estimator, skipped)
        if ray is not None:
            source.foresee(_every(files), ray, count, progress)
        report = write_prepared(
            out,
            source.pictures(tracked(_every(files), "Samples", progress, total=count)),
            source="webdataset",
            frame=frame,
            keypoints="of the shards, else estimated by pg2",
            inputs=inputs,
            skipped=skipped,
        )
    if source.shared:
        warn_of_an_empty_split(source.shared, test_share)
    return report


def _every(shards: Iterable[Shard]) -> Iterator[tuple[Shard, Sample]]:
    return ((shard, sample) for shard in shards for sample in samples(shard, MOST_BYTES))


class _Source:
    """Makes records of samples.

    Attributes:
        shared: the people whose split the share decides.
    """

    def __init__(
        self,
        out: Path,
        frame: tuple[int, int],
        test_share: float,
        estimator: Estimator | None,
        skipped: Skipped,
    ) -> None:
        self._frame, self._test_share, self._skipped = frame, test_share, skipped
        # Where all keypoints are known, nobody waits for the estimator.
        self._journal = cache(lambda: PoseJournal(out, estimator))
        self._taken: set[str] = set()
        self.shared: set[str] = set()

    def pictures(self, given: Iterable[tuple[Shard, Sample]]) -> Iterator[tuple[Record, bytes]]:
        """The record and the JPEG file of each sample that can be used."""
        for shard, sample in given:
            found = self._picture(shard, sample)
            if isinstance(found, str):
                self._skipped.add(sample.key, found)
            else:
                yield found

    def foresee(self, given: Iterable[tuple[Shard, Sample]], ray: str, count: int, progress: bool) -> None:
        """Find the poses that no sample tells, by many processes; what is wrong is left to `pictures`."""

        def photos() -> Iterator[tuple[str, Shard, Callable[[], bytes]]]:
            for shard, sample in given:
                endings = [ending for ending in sample.endings if ending in PICTURES]
                about = _about(sample)
                alone = len(endings) == 1 and not sample.repeated
                if alone and about is not None and about.keypoints is None:
                    yield f"{sample.key}.{endings[0]}", shard, partial(sample.read, endings[0])

        every = photos()
        first = next(every, None)
        # Where all keypoints are known, nobody waits for the estimator.
        if first is not None:
            self._journal().foresee(chain([first], every), ray, count, progress=progress)

    def _picture(self, shard: Shard, sample: Sample) -> tuple[Record, bytes] | str:
        """The same for one sample, or why it is left out."""
        endings = [ending for ending in sample.endings if ending in PICTURES]
        if len(endings) != 1 or sample.repeated:
            return "more than one picture or .json" if endings else f"no picture ({', '.join(PICTURES)})"
        name = f"{sample.key}.{endings[0]}"
        if not name.isprintable():
            return "a name that is not plain text"
        if stored_name(name) in self._taken:
            return "the same name twice"
        about = _about(sample)
        if about is None:
            return "a .json that is no object of person, split (train or test) and 18 keypoints"
        person = _BEHIND.sub("", sample.key) if about.person is None else _spelled(about.person)
        if not person or not person.isprintable():
            return "no person: neither in its .json nor before the first / or _ of its name"
        picture = Content(sample.read(endings[0]), f"{name} in {shard}")
        try:
            image = load_image(picture)
        except Pg2Error:
            return f"damaged, not a picture, or of an unusable size (under {MIN_SIDE} pixels, or huge)"
        pose: Pose | None
        if about.keypoints is None:
            # A shard's size and time tell whether the pictures in it are still the same.
            pose = self._journal().pose(name, shard, image)
        else:
            pose = Pose(from_list(about.keypoints), (image.shape[0], image.shape[1]))
        if pose is None or not pose.present.any():
            return "no person found" if about.keypoints is None else "no keypoint"
        self._taken.add(stored_name(name))
        if about.split is None:
            self.shared.add(person)
        split = about.split or split_of(person, self._test_share)
        pose, jpeg = framed(picture, image, pose, self._frame)
        return Record(name, person, split, pose.points), jpeg


def _about(sample: Sample) -> _About | None:
    """What is said of a sample; None where that has another form."""
    try:
        return _About.model_validate_json(sample.read("json")) if "json" in sample.endings else _About()
    except ValidationError:
        return None


def _spelled(person: str | int | float) -> str:
    """A person's name or number as text. Tables write whole numbers as 7.0, too."""
    if isinstance(person, float) and person.is_integer():
        person = int(person)
    return str(person)[:_LONGEST]
