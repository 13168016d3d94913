"""Many photos in many poses: a file each, a line each in a manifest, and a way on after an interruption."""

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from pg2.errors import Pg2Error
from pg2.io.cluster import alone, connected
from pg2.io.files import (
    atomic_files,
    exists,
    remove_unfinished,
    sha256,
)
from pg2.io.packaged import SAMPLES
from pg2.io.picture_files import HEIF_SUFFIXES, SUFFIXES, Content, open_picture, pictures_below
from pg2.io.progress import tracked
from pg2.io.remote import MOST_READ, RemoteFile, is_address, lies_in, output, remote_files
from pg2.manifest import KEPT, LARGEST, Failure, Line, Manifest, settings_of
from pg2.pipeline import Pipeline, Source
from pg2.pose.estimator import chosen
from pg2.pose.formats import read_keypoints_csv, to_list
from pg2.pose.keypoints import Pose
from pg2.pose.named import NAMES, suggestion

RANDOM = "random:"
"""Before a number: so many of the poses of the rendered people who ship, others for each photo."""

NAMED = "named"
"""All named poses."""

_LONGEST, _CUT = 200, 40  # bytes of a file's name, and characters that are kept of a longer one
Kind = Literal["image", "strip", "full_size", "origin"]

_IN_FRAME = ("image", "origin")  # kinds in whose pixels the pose is known


@dataclass(frozen=True, eq=False)
class Item:
    """A photo or a pose, and what it is called in file names and in the manifest.

    Attributes:
        name: where it lies in the folder that was given, such as "ann/1.jpg"; or the pose's name.
        short: the same in the name of a result, without its ending where that is clear.
        given: what it is.
    """

    name: str
    short: str
    given: Path | RemoteFile | Pose | str


@dataclass
class Summary:
    """What a run did.

    Attributes:
        made: how many pictures were made.
        kept: how many were there already.
        photos: how many photos there are.
        crowded: photos of several people of which one was taken.
        copied: of each picture that was made, the share that is copied; empty where the model does not say.
        doubtful: how many of the pictures that were made come with doubts.
        failures: what was left out.
    """

    photos: int
    made: int = 0
    kept: int = 0
    crowded: list[str] = field(default_factory=list)
    copied: list[float] = field(default_factory=list)
    doubtful: int = 0
    failures: list[Failure] = field(default_factory=list)


def find_photos(given: Sequence[Path | str]) -> list[Item]:
    """The photos among what was given: files, and all pictures in folders and the folders below them.

    Args:
        given: paths, and addresses such as s3://bucket/photos (see `pg2.io.remote`).

    Raises:
        Pg2Error: a folder without a picture, nothing of that name, or two photos of one name.
    """
    found: list[tuple[str, Path | RemoteFile]] = []
    for place in given:
        if isinstance(place, str) and is_address(place):
            found += _photos_at(place, alone=len(given) == 1)
            continue
        path = Path(place)
        if path.is_dir():
            # HEIC photos are not read, but are missed if nobody names them.
            files = pictures_below(path, {*SUFFIXES, *HEIF_SUFFIXES})
            if not files:
                raise Pg2Error(f"{path} holds no pictures ({', '.join(sorted(SUFFIXES))})")
            above = path.resolve().name if len(given) > 1 else ""
            found += [((Path(above) / file.relative_to(path)).as_posix(), file) for file in files]
        elif exists(path):
            found.append((path.name, path))
        else:
            raise Pg2Error(f"there is no file or folder {path}")
    return _items(found)


def _photos_at(address: str, alone: bool) -> list[tuple[str, RemoteFile]]:
    files = remote_files(address)
    found = {
        name: file
        for name, file in sorted(files.items())
        if PurePosixPath(name).suffix.lower() in {*SUFFIXES, *HEIF_SUFFIXES}
    }
    if not found:
        raise Pg2Error(f"{address} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    above = PurePosixPath(address.rstrip("/")).name
    if alone or [*files] == [above]:
        return list(found.items())
    return [(f"{above}/{name}", file) for name, file in found.items()]


def _items(found: Sequence[tuple[str, Path | RemoteFile]]) -> list[Item]:
    twice = [name for name, count in Counter(name for name, _ in found).items() if count > 1]
    if twice:
        raise Pg2Error(f"two of the files given are called {twice[0]}; rename one, or give the folder above")
    shorts = Counter(str(Path(name).with_suffix("")) for name, _ in found)
    return [
        Item(name, short if shorts[short := str(Path(name).with_suffix(""))] == 1 else name, path)
        for name, path in found
    ]


def find_poses(text: str, seed: int = 0) -> Callable[[str], list[Item]]:
    """The poses that are wanted.

    Args:
        text: a folder of OpenPose JSON files, or else of photos; names and files, apart by commas; "named"
            for all named poses; or "random:8" for so many poses of the rendered people who ship.
        seed: of what is drawn at random.

    Returns:
        Gives the poses for a photo, by its name: the same for all, or for each some of its own, whatever
        other photos there are.

    Raises:
        Pg2Error: it is none of these.
    """
    if text.startswith(RANDOM):
        return _drawn(text.removeprefix(RANDOM), seed)
    folder = Path(text)
    if exists(folder) and folder.is_dir():
        # `pg2 pose` writes pictures of its poses beside them.
        files = pictures_below(folder, {".json"}) or pictures_below(folder)
        if not files:
            raise Pg2Error(f"{folder} holds no poses: neither OpenPose JSON files nor pictures")
        fixed = _items([(file.relative_to(folder).as_posix(), file) for file in files])
    else:
        words = NAMES if text == NAMED else [text] if exists(text) else text.split(",")
        fixed = [_single(word.strip()) for word in words]
        if len({item.short for item in fixed}) < len(fixed):
            raise Pg2Error(f'two of the poses "{text}" have one name; leave one out, or rename its file')
    return lambda photo: fixed


def _whole(photo: Path) -> bytes:
    if photo.stat().st_size > MOST_READ:
        raise Pg2Error(f"{photo} is larger than {MOST_READ / 1e6:g} MB, too large for a photo")
    return photo.read_bytes()


def _single(word: str) -> Item:
    if word.replace("_", "-") in NAMES:
        return Item(word.replace("_", "-"), word.replace("_", "-"), word)
    if not word or not exists(word):
        raise Pg2Error(
            f'"{word}" is neither a named pose nor a file or folder, nor {RANDOM}NUMBER; {suggestion(word)}'
        )
    return Item(word, Path(word).stem, Path(word))


def _drawn(number: str, seed: int) -> Callable[[str], list[Item]]:
    with open_picture(next(SAMPLES.glob("*/*.jpg"))) as sample:
        size = (sample.height, sample.width)
    known = sorted(read_keypoints_csv(SAMPLES / "keypoints.csv").items())
    count = int(number) if number.isdecimal() and len(number) < 10 else 0
    if not 1 <= count <= len(known):
        raise Pg2Error(f"--poses {RANDOM}NUMBER takes a number from 1 to {len(known)}, not {number[:20]}")

    def draw(photo: str) -> list[Item]:
        picked = generator_of(seed, photo).choice(len(known), count, replace=False)
        names = [(known[index][0].rpartition(".")[0].replace("/", "-"), known[index][1]) for index in picked]
        return [
            Item(f"sample-{name}", f"sample-{name}", Pose(points, size)) for name, points in sorted(names)
        ]

    return draw


class _PhotoLine(Line):
    """A photo in a pose."""

    file: str
    photo: str
    person: int
    people: int
    pose: str
    photo_digest: str
    digest: str

    @property
    def key(self) -> tuple[str, int, str]:
        return self.photo, self.person, self.pose


def generator_of(seed: int, name: str) -> np.random.Generator:
    """Random numbers that are the photo's own, whatever other photos there are."""
    mine = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8])
    return np.random.default_rng((seed, mine))


@dataclass(frozen=True)
class _Task:
    """What is to be made of one photo.

    Attributes:
        number: of the photo among all of them.
        photo: see `Item`.
        source: its file, or what is in it.
        content: digest of that.
        targets: in which poses.
        done: which of the people on it are there already in which of these poses, by its name.
    """

    number: int
    photo: Item
    source: Path | Content
    content: str
    targets: Mapping[Item, Pose]
    done: frozenset[tuple[int, str]]


@dataclass(frozen=True)
class _Made:
    """A picture: which of the people, in the pose of this name; see `Result` for the rest."""

    who: int
    pose: str
    png: bytes
    copied: float | None
    doubts: tuple[str, ...]
    keypoints: list[list[float] | None] | None


@dataclass(frozen=True)
class _Answer:
    """What was made of one photo: how many people are on it, and why nothing is made of it ("": it is)."""

    people: int
    made: Iterable[_Made]
    refused: str = ""


@dataclass(frozen=True)
class _Maker:
    """Makes what is asked for. It knows nothing of the other photos, and other processes may be given it."""

    pipeline: Pipeline
    person: int | None
    everybody: bool
    kind: Kind
    in_place: bool | None

    def __call__(self, task: _Task) -> _Answer:
        """The pictures of one photo, each compressed when it is asked for."""
        try:
            sources = self.pipeline.prepare_everybody(task.source)
            if not self.everybody:
                try:
                    chosen(sources, self.person)
                except Pg2Error as error:
                    raise type(error)(f"{task.photo.given}: {error}") from error
        except Pg2Error as error:
            return _Answer(0, (), str(error))
        todo = [
            (who, pose)
            for who, pose in self.wanted(len(sources), task.targets)
            if (who, pose.name) not in task.done
        ]
        try:
            targets = [
                self.pipeline.placed(pose.given, task.targets[pose], sources[who], self.in_place)
                for who, pose in todo
            ]
        except Pg2Error as error:
            return _Answer(0, (), str(error))
        return _Answer(len(sources), self._pictures(todo, [sources[who] for who, _ in todo], targets))

    def whole(self, task: _Task) -> _Answer:
        """All of them at once, as they can be sent."""
        answer = self(task)
        return replace(answer, made=tuple(answer.made))

    def wanted(self, people: int, targets: Iterable[Item]) -> list[tuple[int, Item]]:
        """Whom of a photo in which pose."""
        return [
            (who, pose)
            for who in (range(people) if self.everybody else [self.person or 0])
            for pose in targets
        ]

    def _pictures(
        self, todo: Sequence[tuple[int, Item]], sources: Sequence[Source], targets: Sequence[Pose]
    ) -> Iterator[_Made]:
        results = self.pipeline.make(sources, targets)
        for (who, pose), result in zip(todo, results, strict=True):
            png = io.BytesIO()
            getattr(result, self.kind).save(png, "PNG")
            keypoints = to_list(result.pose.points, 3) if self.kind in _IN_FRAME else None
            yield _Made(who, pose.name, png.getvalue(), result.copied, result.doubts, keypoints)


class _Run:
    """One run over all photos: says what is to be made, and keeps what was."""

    def __init__(
        self,
        maker: _Maker,
        manifest: Manifest,
        poses: Callable[[str], list[Item]],
        summary: Summary,
        failed: Callable[[Failure], None],
        *,
        model: str,
        pose_person: int | None,
        sent: bool,
    ) -> None:
        self.maker, self.manifest, self.poses, self.summary = maker, manifest, poses, summary
        self.model, self.pose_person, self._failed, self._sent = model, pose_person, failed, sent
        self._targets: dict[str, Pose | None] = {}
        # How many people were found on a photo of this name and content before.
        self._known = {
            (name, line.get("photo_digest")): int(line["people"])
            for (name, *_), line in manifest.lines.items()
        }
        # By the number of the photo: answers may come in any order.
        self._failures: list[tuple[int, Failure]] = []
        self._crowded: list[tuple[int, str]] = []

    def tasks(self, photos: Sequence[Item]) -> Iterator[_Task | None]:
        """What is still to be made of each photo; None: nothing."""
        for number, photo in enumerate(photos):
            task = None
            try:
                task = self._task(number, photo)
            except Pg2Error as error:
                self.fail(number, Failure("photo", photo.name, str(error)))
            yield task

    def fail(self, number: int, failure: Failure) -> None:
        """Leave a photo or a pose out, found at the photo of this number.

        Raises:
            Pg2Error: nothing is to be left out.
        """
        self._failed(failure)
        self._failures.append((number, failure))

    def finish(self) -> None:
        """Leave everything in one order, whatever the order in which it came."""
        self.summary.failures = [failure for _, failure in sorted(self._failures, key=itemgetter(0))]
        self.summary.crowded = [name for _, name in sorted(self._crowded)]
        self.manifest.finish(self.summary.failures)

    def _task(self, number: int, photo: Item) -> _Task | None:
        assert isinstance(photo.given, Path | RemoteFile)
        targets = dict(self._usable(number, self.poses(photo.name)))
        if not targets:
            raise Pg2Error(f"{photo.given}: none of the poses for it could be used")
        source: Path | Content
        source = photo.given.read() if isinstance(photo.given, RemoteFile) else photo.given
        with open_picture(source):  # much sooner than the digest of a file that is none
            pass
        if self._sent and isinstance(source, Path):
            source = Content(_whole(source), str(source))
        content = hashlib.sha256(source).hexdigest() if isinstance(source, Content) else sha256(source)
        done: frozenset[tuple[int, str]] = frozenset()
        people = self._known.get((photo.name, content))
        if people is not None:
            wanted = self.maker.wanted(people, targets)
            done = frozenset(
                (who, pose.name)
                for who, pose in wanted
                if self.manifest.done((photo.name, who, pose.name), _digest(content, targets[pose]))
            )
            if len(done) == len(wanted):
                self.summary.kept += len(wanted)
                return None
        return _Task(number, photo, source, content, targets, done)

    def _usable(self, number: int, poses: Sequence[Item]) -> Iterator[tuple[Item, Pose]]:
        for item in poses:
            if item.name not in self._targets:
                assert not isinstance(item.given, RemoteFile)
                try:
                    self._targets[item.name] = self.maker.pipeline.target_pose(item.given, self.pose_person)
                except Pg2Error as error:
                    self._targets[item.name] = None
                    self.fail(number, Failure("pose", item.name, str(error)))
            target = self._targets[item.name]
            if target is not None:
                yield item, target

    def keep(self, task: _Task, answer: _Answer) -> None:
        """Write the pictures of one photo, and their lines."""
        if answer.refused:
            return self.fail(task.number, Failure("photo", task.photo.name, answer.refused))
        if answer.people > 1 and self.maker.person is None and not self.maker.everybody:
            self._crowded.append((task.number, task.photo.name))
        self.summary.kept += len(self.maker.wanted(answer.people, task.targets))
        # What came from a worker is there at once, and is written together: each on its own takes longer.
        whole = isinstance(answer.made, tuple)
        for made in [answer.made] if whole else ((one,) for one in answer.made):
            self._keep(task, answer.people, tuple(made))
        return None

    def _keep(self, task: _Task, people: int, pictures: Sequence[_Made]) -> None:
        self.summary.kept -= len(pictures)
        poses = {pose.name: pose for pose in task.targets}
        entries = {
            (task.photo.name, made.who, made.pose): self._entry(task, people, poses[made.pose], made)
            for made in pictures
        }
        if not entries:
            return
        self.manifest.begin()
        files = [self.manifest.out / entry["file"] for entry in entries.values()]
        with atomic_files(files[0].parent) as new:
            for file, made in zip(files, pictures, strict=True):
                (new / file.name).write_bytes(made.png)
        self.manifest.add(entries)
        self.summary.made += len(pictures)
        self.summary.doubtful += sum(bool(made.doubts) for made in pictures)
        self.summary.copied += [made.copied for made in pictures if made.copied is not None]

    def _entry(self, task: _Task, people: int, pose: Item, made: _Made) -> dict[str, Any]:
        return {
            "file": _file_name(task.photo, made.who, pose),
            "photo": task.photo.name,
            "person": made.who,
            "people": people,
            "pose": pose.name,
            "model": self.model,
            "copied": None if made.copied is None else round(made.copied, 3),
            "doubts": list(made.doubts),
            "keypoints": made.keypoints,
            "photo_digest": task.content,
            "digest": _digest(task.content, task.targets[pose]),
        }


def _file_name(photo: Item, who: int, pose: Item) -> str:
    folder, _, stem = photo.short.rpartition("/")
    name = f"{stem}_person{who}_{pose.short.replace('/', '-')}"
    if len(name.encode("utf-8", "surrogateescape")) > _LONGEST:
        name = f"{name[:_CUT]}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
    return str(Path(folder) / f"{name}.png")


def _digest(content: str, target: Pose) -> str:
    """16 hexadecimal digits of a photo's content and a pose: the same name may come to mean another."""
    return hashlib.sha256(content.encode() + target.points.tobytes()).hexdigest()[:16]


def make_many(
    pipeline: Pipeline,
    photos: Sequence[Path | str],
    poses: str,
    out: str | Path,
    *,
    model: str,
    person: int | None = None,
    everybody: bool = False,
    pose_person: int | None = None,
    kind: Kind = "image",
    in_place: bool | None = False,
    seed: int = 0,
    strict: bool = False,
    failed: Callable[[Failure], None] = lambda failure: None,
    progress: bool = True,
    ray: str | None = None,
) -> Summary:
    """Every photo in every pose, a PNG each, called PHOTO_personN_POSE.png in the folders of the photos.

    The same call goes on with what an earlier one began: what is there of the same photo (by its content)
    and pose is kept. More photos and poses may be added. The manifest, JSON lines, is the same in the end
    whether there was an interruption or not.

    Args:
        pipeline: the model.
        photos: files and folders, and addresses of them; see `find_photos`.
        poses: see `find_poses`.
        out: the folder to make, or one that an earlier call made; or the address of such a folder.
        model: what the manifest calls the model.
        person: which person of each photo; None: the largest.
        everybody: all people of each photo instead.
        pose_person: the same for poses of several people.
        kind: which picture of a `Result`.
        in_place: put each pose where the person stands; None: see `Pipeline.placed`.
        seed: of random poses.
        strict: stop at the first photo or pose that cannot be used; else it is left out.
        failed: told of each of these.
        progress: show a bar when stderr is a terminal.
        ray: spread the work over the processes of this Ray cluster; see `pg2.io.cluster.connected`. Files are
            read and written here alone.

    Raises:
        Pg2Error: no photos, no such poses, not one that can be used, or with `strict` one that cannot; `out`
            lies among the photos, or holds something else or results of other settings; no such cluster.
    """
    if everybody and person is not None:
        raise Pg2Error("--person takes one of the people on a photo, --everybody all; give one of them")
    if ray is not None and pipeline.device.type != "cpu":
        raise Pg2Error(
            f"workers of a Ray cluster compute on the CPU, not on {pipeline.device.type}; give --device cpu"
        )
    for place in (*photos, poses):
        if lies_in(out, place):
            raise Pg2Error(f"{out} lies in {place}, whose files are read; give another folder")
    wanted, items = find_poses(poses, seed), find_photos(photos)
    # None where it is not: so it is in folders from before there was a choice.
    where = "without legs" if in_place is None else in_place or None
    options = {**settings_of(pipeline, model), "picture": kind, "in_place": where}
    summary = Summary(len(items))

    def fail(failure: Failure) -> None:
        if strict:
            raise Pg2Error(failure.error)
        failed(failure)

    def lost(task: _Task, why: str) -> _Answer:
        return _Answer(0, (), f"{task.photo.given}: {why}")

    maker = _Maker(pipeline, person, everybody, kind, in_place)
    with connected(ray) if ray else nullcontext() as cluster, output(out, KEPT, LARGEST) as there:
        manifest = Manifest(there, options, _PhotoLine)
        remove_unfinished(manifest.out, below=True)
        run = _Run(
            maker, manifest, wanted, summary, fail, model=model, pose_person=pose_person, sent=bool(cluster)
        )
        tasks = run.tasks(items)
        answers = cluster.spread(maker.whole, tasks, lost) if cluster else alone(maker, tasks)
        try:
            for answer in tracked(answers, "Photos", progress, total=len(items)):
                if answer is not None:
                    run.keep(*answer)
        finally:
            run.finish()
    if not summary.made and not summary.kept:
        raise Pg2Error(f"none of the {len(items)} photos could be used, so nothing is written")
    return summary
