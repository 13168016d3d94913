"""More poses for a re-identification data set: its training people in poses of one another, ids kept."""

import hashlib
import itertools
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.io.files import atomic_files, read_text, remove_unfinished
from pg2.io.progress import tracked
from pg2.io.remote import lies_in, output
from pg2.manifest import KEPT, LARGEST, Line, Manifest, settings_of
from pg2.many import generator_of
from pg2.pipeline import Pipeline, Result, Source
from pg2.pose.facing import doubts, shown_by
from pg2.pose.formats import to_list
from pg2.pose.keypoints import Points, Pose

FOLDER = "bounding_box_train"
"""Below the output: the pictures, where Market-1501 has those of its training people."""

NAME = re.compile(r"([-\d]+)_c(\d)")
"""Person and camera in a picture's name, as torchreid, fast-reid and others read them."""

_ENOUGH = 64  # poses in a row that a picture cannot tell of: there are none for it
_SURE, _FOUND = 0.33, 0.5  # that it is a person; share of the pose's keypoints that are found
_NEAR = 0.1  # of the frame's height from its place, at most, a keypoint is found
_BATCH = 32
_QUALITY = 95  # of the JPEG files
_MOST_LIST = 100_000_000  # bytes of a list of pictures

Candidate = tuple[int, int]  # index of the source, and the how-manieth pose of it


@dataclass(frozen=True)
class Checks:
    """Which pictures are kept.

    Attributes:
        least_copied: share of the person that is copied from the source, at least; not asked of a model that
            does not say.
        doubtful: take poses, too, of which the source cannot tell, such as from behind for a person seen
            from the front; see `pg2.pose.facing.doubts`.
        look: find the person and the pose in the picture with the pose estimator, which takes twice as long
            as making it.
    """

    least_copied: float = 0.4
    doubtful: bool = False
    look: bool = False


@dataclass
class Summary:
    """What a run did.

    Attributes:
        people: who have pictures to start from.
        made: how many pictures were made and kept.
        before: how many were there already.
        left_out: why -> how many pictures, of this run and those before.
        seconds: that making them took, without those that were there.
    """

    people: int
    made: int = 0
    before: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def augment(
    pipeline: Pipeline,
    data: PreparedDataset,
    out: str | Path,
    *,
    model: str,
    per_person: int | None = None,
    per_picture: int | None = None,
    limit: int | None = None,
    pictures: Iterable[str] | None = None,
    checks: Checks | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Summary:
    """Put the training people of a data set into poses of other training people.

    Nothing of the test split is looked at. The pictures are JPEG files in `out`/bounding_box_train, called
    after the picture that they were made from: 0002_c1s1_000451_03.jpg gives 0002_c1s1_000451_03_made00.jpg.
    `out`/manifest.jsonl has a line for each picture that was to be made: what from, and if it was left out,
    why. The same call goes on with what an earlier one began, and more pictures may be asked for.

    Args:
        pipeline: the model.
        data: prepared, of pictures that are named as Market-1501's are.
        out: the folder to make, or one that an earlier call made; or the address of such a folder (see
            `pg2.io.remote`).
        model: what the manifest calls the model.
        per_person: pictures to make of each person, from each of theirs in turn.
        per_picture: pictures to make of each picture, instead; by default 1.
        limit: pictures to make in all, at most, spread over the people.
        pictures: names of the pictures that alone may be used, as sources and for their poses; None: all of
            the training split. Those without both shoulders and both hips are never used.
        checks: which are kept.
        seed: of what is drawn at random. It and a picture's name say in which poses that is put.
        progress: show a bar when stderr is a terminal.

    Raises:
        Pg2Error: pictures of the test split, of other names, or of one person alone; `out` holds something
            else or what other settings made; damaged data.
    """
    checks = Checks() if checks is None else checks
    if per_person is not None and per_picture is not None:
        raise Pg2Error("--per-person and --per-picture are two ways to say how many; give one of them")
    if lies_in(out, data.path):
        raise Pg2Error(f"{out} lies in {data.path}, which is only read; give another folder")
    data = data.scaled(pipeline.frame)
    usable = _usable(data, pictures)
    people = _people(data, usable)
    chosen = _plan(people, per_person, per_picture or 1, limit, seed)
    named = "\n".join(data.records[index].name for index in usable)
    options = {
        "kind": "pg2 augment",
        **settings_of(pipeline, model),
        "data": data.manifest["parts"]["records.csv"]["sha256"],
        "pictures": hashlib.sha256(named.encode("utf-8", "surrogateescape")).hexdigest()[:16],
        **asdict(checks),
        "seed": seed,
    }
    summary = Summary(len(people))
    with output(out, KEPT, LARGEST) as place:
        manifest = Manifest(place, options, _Line)
        for folder in (manifest.out, manifest.out / FOLDER):
            remove_unfinished(folder)
        run = _Run(pipeline, data, manifest, usable, checks, seed)
        todo = [candidate for candidate in chosen if not manifest.done(run.key(candidate))]
        began = time.perf_counter()
        try:
            for _ in tracked(run.make(todo), "Pictures", progress, total=len(todo)):
                pass
        finally:
            manifest.finish()
        summary.seconds = time.perf_counter() - began
        made = {run.key(candidate) for candidate in todo}
        for key in map(run.key, chosen):
            why = manifest.lines[key]["why"]
            if why is not None:
                summary.left_out[why.partition(":")[0]] += 1
            elif key in made:
                summary.made += 1
            else:
                summary.before += 1
    return summary


def read_names(path: str | Path) -> list[str]:
    """The names in a list of pictures, one a line.

    Raises:
        Pg2Error: it cannot be read, or is empty.
    """
    text = read_text(path, "a list of pictures", _MOST_LIST)
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if not names:
        raise Pg2Error(f"{path} names no picture; write the name of one on each line")
    return names


def _usable(data: PreparedDataset, pictures: Iterable[str] | None) -> list[int]:
    """The indices of all pictures that may be used, in order.

    Raises:
        Pg2Error: one of the test split, or an unknown one.
    """
    usable = data.usable("train")
    if pictures is None:
        return usable
    wanted = {data.index_of(name) for name in pictures}
    for index in sorted(wanted):
        if data.records[index].split != "train":
            raise Pg2Error(
                f"{data.records[index].name} is a picture of the {data.records[index].split} split; pictures "
                "and poses are taken of training people alone"
            )
    return [index for index in usable if index in wanted]


def _people(data: PreparedDataset, usable: Sequence[int]) -> dict[str, list[int]]:
    """The pictures of each person.

    Raises:
        Pg2Error: names that say no person and camera, or another person; or fewer than two people.
    """
    people: dict[str, list[int]] = defaultdict(list)
    stems: dict[str, str] = {}
    for index in usable:
        record = data.records[index]
        match = NAME.match(PurePosixPath(record.name).name)
        if match is None or match[1] != record.person:
            raise Pg2Error(
                f"{data.path}: {record.name} (person {record.person}) is not named as Market-1501's pictures "
                "are, such as 0002_c1s1_000451_03.jpg: person, then camera"
            )
        if stems.setdefault(_stem(record.name), record.name) != record.name:
            raise Pg2Error(
                f"{data.path}: what is made of {stems[_stem(record.name)]} and of {record.name} would have "
                "one name"
            )
        people[record.person].append(index)
    if len(people) < 2:
        raise Pg2Error(
            f"{data.path}: the pictures to use show {len(people)} of the training people; a person is put "
            "into poses of others, so at least two are needed"
        )
    return dict(sorted(people.items()))


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _plan(
    people: Mapping[str, Sequence[int]],
    per_person: int | None,
    per_picture: int,
    limit: int | None,
    seed: int,
) -> list[Candidate]:
    """What is to be made, the candidates of one source beside each other.

    Fewer are always a part of more, whichever way it is said how many.
    """
    rounds: Iterator[list[Candidate]]
    if per_person is None:
        everyone = [index for indices in people.values() for index in indices]
        shuffled = [everyone[place] for place in generator_of(seed, "").permutation(len(everyone))]
        rounds = ([(index, number) for index in shuffled] for number in range(per_picture))
    else:
        orders = [
            [indices[place] for place in generator_of(seed, person).permutation(len(indices))]
            for person, indices in people.items()
        ]
        rounds = (
            [(order[turn % len(order)], turn // len(order)) for order in orders] for turn in range(per_person)
        )
    return sorted(itertools.islice(itertools.chain.from_iterable(rounds), limit))


class _Line(Line):
    """A picture in the pose of another."""

    source: str
    number: int
    why: str | None

    @property
    def key(self) -> tuple[str, int]:
        return self.source, self.number


@dataclass(frozen=True)
class _Job:
    """A picture to be made: its line, and what it is made of; None: it cannot be, as its line says."""

    line: dict[str, Any]
    given: tuple[Source, Pose] | None = None


class _Run:
    """One run over all candidates."""

    def __init__(
        self,
        pipeline: Pipeline,
        data: PreparedDataset,
        manifest: Manifest,
        usable: Sequence[int],
        checks: Checks,
        seed: int,
    ) -> None:
        self._pipeline, self._data, self._manifest = pipeline, data, manifest
        self._usable, self._checks, self._seed = usable, checks, seed
        self._image = data.cached()
        self._shown = cache(lambda index: shown_by(self._pose(index)))

    def key(self, candidate: Candidate) -> tuple[str, int]:
        """Of its line."""
        return self._data.records[candidate[0]].name, candidate[1]

    def make(self, todo: Sequence[Candidate]) -> Iterator[None]:
        """Make and keep them, and say so of each. The next are read, and the last written, meanwhile."""
        if todo:
            self._manifest.begin()
        drawn = self._drawn(todo)
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            coming = reader.submit(self._read, drawn)
            saving: Future[list[dict[str, Any]]] | None = None
            while jobs := coming.result():
                coming = reader.submit(self._read, drawn)
                made = self._made(jobs)
                yield from self._noted(saving)
                saving = writer.submit(self._save, made)
            yield from self._noted(saving)

    def _save(self, made: Sequence[tuple[dict[str, Any], Image.Image | None]]) -> list[dict[str, Any]]:
        """Write the pictures of a batch; gives its lines."""
        with atomic_files(self._manifest.out / FOLDER) as new:
            for line, image in made:
                if image is not None:
                    image.save(new / PurePosixPath(line["file"]).name, "JPEG", quality=_QUALITY)
        return [line for line, _ in made]

    def _noted(self, saving: "Future[list[dict[str, Any]]] | None") -> Iterator[None]:
        """Keep the lines of a batch once its pictures are written."""
        if saving is not None:
            lines = saving.result()
            self._manifest.add({(line["source"], line["number"]): line for line in lines})
            yield from (None for _ in lines)

    def _read(self, drawn: Iterator[tuple[Candidate, int | None]]) -> list[_Job]:
        """The next batch; none at the end."""
        return [self._job(*candidate, pose) for candidate, pose in itertools.islice(drawn, _BATCH)]

    def _drawn(self, todo: Sequence[Candidate]) -> Iterator[tuple[Candidate, int | None]]:
        """Each candidate with the index of its pose; None: the source can tell of none."""
        for source, group in itertools.groupby(todo, key=lambda candidate: candidate[0]):
            candidates = list(group)
            poses = list(itertools.islice(self._poses(source), candidates[-1][1] + 1))
            for candidate in candidates:
                yield candidate, poses[candidate[1]] if candidate[1] < len(poses) else None

    def _poses(self, source: int) -> Iterator[int]:
        """Poses of other people, by their index, in an order that is the source's own."""
        records, shown = self._data.records, self._shown(source)
        refused = 0
        for place in generator_of(self._seed, records[source].name).permutation(len(self._usable)):
            other = self._usable[int(place)]
            if records[other].person == records[source].person:
                continue
            if self._checks.doubtful or not doubts(shown, self._shown(other)):
                refused = 0
                yield other
            elif (refused := refused + 1) == _ENOUGH:
                return

    def _pose(self, index: int) -> Pose:
        return Pose(self._data.keypoints[index], self._data.frame)

    def _job(self, source: int, number: int, pose: int | None) -> _Job:
        record = self._data.records[source]
        line: dict[str, Any] = {
            "file": f"{FOLDER}/{_stem(record.name)}_made{number:02d}.jpg",
            "source": record.name,
            "number": number,
            "pose": None if pose is None else self._data.records[pose].name,
            "copied": None,
            "certainty": None,
            "found": None,
            "keypoints": None,
            "why": None,
        }
        if pose is None:
            return _Job(_refused(line, "no pose of others of which the picture can tell"))
        image = self._image(source)
        try:
            prepared = self._pipeline.prepare(image, source_pose=self._pose(source))
            return _Job(line, (prepared, self._pipeline.target_pose(self._pose(pose))))
        except Pg2Error as error:
            return _Job(_refused(line, f"a pose that cannot be used: {error}"))

    def _made(self, jobs: Sequence[_Job]) -> list[tuple[dict[str, Any], Image.Image | None]]:
        """The line of each, and the picture if it is to be kept."""
        given = [job.given for job in jobs if job.given is not None]
        results = iter(
            self._pipeline.make([source for source, _ in given], [pose for _, pose in given], batch=_BATCH)
        )
        return [
            (job.line, None if job.given is None else self._checked(job.line, next(results))) for job in jobs
        ]

    def _checked(self, line: dict[str, Any], result: Result) -> Image.Image | None:
        """The picture; None: it is left out, as its line then says."""
        line["keypoints"] = to_list(result.pose.points, 3)
        if result.copied is not None:
            line["copied"] = round(result.copied, 3)
            if result.copied < self._checks.least_copied:
                _refused(line, f"too little is copied: {result.copied:.0%}")
                return None
        if self._checks.look:
            points, certainty = self._pipeline.estimator.look(np.asarray(result.image))
            found = share_found(points, result.pose.points, self._data.frame[0])
            line.update(certainty=round(certainty, 3), found=round(found, 3))
            if certainty < _SURE:
                _refused(line, f"no person is seen: certainty {certainty:.2f}")
                return None
            if found < _FOUND:
                _refused(line, f"another pose is seen: {found:.0%} of the wanted one")
                return None
        return result.image


def _refused(line: dict[str, Any], why: str) -> dict[str, Any]:
    line.update(file=None, keypoints=None, why=why)
    return line


def share_found(found: Points, wanted: Points, height: int) -> float:
    """The share of a pose's keypoints that were found within a tenth of the picture's height.

    Args:
        found: keypoints of the picture, float [18, 2], NaN where missing.
        wanted: the pose in the same pixels, of at least one keypoint.
        height: of the picture in pixels.
    """
    there = ~np.isnan(wanted).any(axis=1)
    # A comparison with NaN is False.
    return float((np.linalg.norm(found[there] - wanted[there], axis=1) <= _NEAR * height).mean())
