"""Malformed inputs of every kind, each by a number, and pg2's readers, which refuse them or take them."""

import hashlib
import json
import os
import random
import shutil
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from fault_study.examples import LONG_AGO, somebody
from fault_study.mutations import alter, mutated
from fault_study.watched import DEADLINE, Outcome, Watched, cores

_LONGEST = 2000  # characters of the sentence that refuses
_STEP = 25  # inputs of one kind that a process tries in a row


class Kind(NamedTuple):
    """One kind of input.

    Attributes:
        share: of all inputs that are tried, beside the others'.
        files: of the examples: what each file or folder is called there, and as an input.
        harms: which files of the input may be changed, by a part of their name; None: all.
        read: what pg2 does with the input.
        mend: makes of what was changed something that gets past the first checks.
    """

    share: int
    files: dict[str, str]
    read: Callable[[Path], None]
    harms: tuple[str, ...] | None = None
    mend: Callable[[random.Random, dict[str, bytes]], None] | None = None


class _Tools:
    """What is slow to make, once a process."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]


_tools = _Tools()


# ---- readers


def _pictures(folder: Path) -> None:
    from pg2.io.pictures import load_image, load_shrunk

    file = next(folder.iterdir())
    load_image(file)
    load_image(file.read_bytes())
    load_shrunk(file, 40)


def _pipeline() -> Any:
    from pg2.pipeline import Pipeline

    return _tools.get("pipeline", lambda: Pipeline.from_pretrained("fast/market1501"))


def _source() -> Any:
    from pg2.io.packaged import SAMPLES
    from pg2.pose.formats import read_keypoints_csv
    from pg2.pose.keypoints import Pose

    def make() -> Any:
        pose = Pose(read_keypoints_csv(SAMPLES / "keypoints.csv")["00003/00.jpg"], (256, 256))
        return _pipeline().prepare(SAMPLES / "00003/00.jpg", source_pose=pose)

    return _tools.get("source", make)


def _poses(folder: Path) -> None:
    file = next(folder.iterdir())
    target = _pipeline().target_pose(file)
    if target.points[0].sum() * 1000 % 4 < 1:  # of a quarter: it takes as long as all the rest
        result = _pipeline().make([_source()], [target])[0]
        assert result.skeleton.size == result.image.size
        assert len(result.about) < _LONGEST


def _motions(folder: Path) -> None:
    from pg2.motion.reading import read_motion

    read_motion(str(next(folder.iterdir())), _pipeline(), progress=False)


def _keypoints(folder: Path) -> None:
    import torch

    from pg2.pose.formats import read_keypoints_csv
    from pg2.pose.keypoints import Pose
    from pg2.pose.maps import pose_mask

    for points in list(read_keypoints_csv(folder / "keypoints.csv").values())[:3]:
        Pose(points, (64, 64))
        pose_mask(torch.from_numpy(points)[None], (64, 64))


def _pairs(folder: Path) -> None:
    from pg2.data.prepared import PreparedDataset
    from pg2.evaluation.pair_lists import limited, pair_indices
    from pg2.pose.formats import read_pairs_csv

    pairs = limited(read_pairs_csv(folder / "pairs.csv"), 5)
    pair_indices(
        _tools.get("data", lambda: PreparedDataset(folder.parent.parent / "examples" / "data")), pairs
    )


def _recipes(folder: Path) -> None:
    import torch

    from pg2.models.pg2 import PG2
    from pg2.training.recipe import load_recipe

    recipe = load_recipe(str(folder / "recipe.yaml"))
    with torch.device("meta"):
        PG2(recipe.model)


def _settings(folder: Path) -> None:
    """The same as `--set`, a setting a line."""
    from pg2.training.recipe import load_recipe

    file = folder / "set.txt"
    text = file.read_text("utf-8", "surrogateescape") if file.exists() else ""
    load_recipe("debug", [line for line in text.splitlines() if line.strip()])


def _models(folder: Path) -> None:
    from pg2.pipeline import Pipeline

    _draw(Pipeline.from_pretrained(folder))


def _exported(folder: Path) -> None:
    from pg2.pipeline import Pipeline

    _draw(Pipeline.from_pretrained(folder / "model.onnx", threads=1))


def _draw(pipeline: Any) -> None:
    from pg2.pose.keypoints import Pose

    frame = pipeline.frame
    pose = Pose(_source().pose.points * [[frame[1] / 64, frame[0] / 128]], frame)
    import numpy as np

    source = pipeline.prepare(np.zeros((*frame, 3), np.uint8), source_pose=pose)
    pipeline.make([source], [pose])


def _datasets(folder: Path) -> None:
    from pg2.data.prepared import PreparedDataset
    from pg2.evaluation.pair_lists import all_test_pairs
    from pg2.training.recipe import load_recipe
    from pg2.training.validation import split_validation

    data = PreparedDataset(folder)
    for index in range(min(len(data), 30)):
        data.image(index)
    split_validation(data, _tools.get("debug", lambda: load_recipe("debug")))
    all_test_pairs(data)
    data.scaled((data.frame[0] // 2, data.frame[1] // 2))
    data.verify()


def _geometry(folder: Path) -> None:
    from pg2.io.geometry_file import read_geometry

    read_geometry(folder / "0.geometry.npz", (folder / "0.jpg").read_bytes())


def _raw(folder: Path) -> None:
    from pg2.data.sources.folder import prepare_folder

    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        prepare_folder(folder, Path(out) / "data", (32, 16), progress=False)


def _journals(folder: Path) -> None:
    """A preparation that was killed goes on."""
    from pg2.data.sources.folder import prepare_folder

    prepare_folder(folder / "raw", folder / "data", (32, 16), "auto", estimator=somebody, progress=False)


def _results(folder: Path) -> None:
    """`pg2 generate --poses` goes on."""
    from pg2.many import make_many
    from pg2.pipeline import Pipeline

    examples = folder.parent.parent / "examples"
    pipeline = _tools.get("small", lambda: Pipeline.from_pretrained(examples / "model"))
    make_many(pipeline, [examples / "photos" / "p0"], "walking", folder, model="small", progress=False)


def _shards(folder: Path) -> None:
    from pg2.data.sources.webdataset import prepare_webdataset

    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        prepare_webdataset(folder, Path(out) / "data", (32, 16), estimator=somebody, progress=False)


def _into_shards(folder: Path) -> None:
    """`pg2 shards` of what `pg2 generate --poses` made."""
    from pg2.shards import make_shards

    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        make_shards(folder, Path(out) / "shards", progress=False)


def _runs(folder: Path) -> None:
    from rich.console import Console

    from pg2.data.prepared import PreparedDataset
    from pg2.training.history import read_run
    from pg2.training.loop import train
    from pg2.training.recipe import load_recipe

    examples = folder.parent.parent / "examples"
    data = _tools.get("data", lambda: PreparedDataset(examples / "data"))
    recipe = _tools.get("recipe", lambda: load_recipe(str(examples / "recipe.yaml")))
    read_run(folder)
    train(recipe, data, folder, Console(quiet=True))


def _studies(folder: Path) -> None:
    from pg2.userstudy.answers import Answers
    from pg2.userstudy.report import contact_sheet, findings, markdown
    from pg2.userstudy.study import Study

    study = Study.load(folder)
    study.order(0)
    Answers(study, create=True).enter(most=1000)
    found = findings(study)
    markdown(study, found)
    contact_sheet(study, found)


def _requests(folder: Path) -> None:
    from fault_study.asking import Asking

    asking = _tools.get("asking", lambda: Asking(folder.parent.parent / "examples"))
    number = (folder / "number").read_text()
    if number:
        asking.ask(random.Random(number))


# ---- getting past the first checks


def _true_sums(chance: random.Random, files: dict[str, bytes]) -> None:
    """Sizes and sums of the manifest, as an attacker would write them."""
    try:
        manifest = json.loads(files["dataset.json"])
        for name, part in manifest["parts"].items():
            part["size"], part["sha256"] = len(files[name]), hashlib.sha256(files[name]).hexdigest()
        files["dataset.json"] = json.dumps(manifest).encode()
    except (ValueError, KeyError, TypeError, AttributeError, UnicodeError):
        pass


def _true_headers(chance: random.Random, files: dict[str, bytes]) -> None:
    """The sums of a shard's headers, wherever one may begin."""
    for name in files:
        content = bytearray(files[name])
        for at in range(0, len(content) - 511, 512):
            header = content[at : at + 512]
            if header[257:262] == b"ustar" and name.endswith(".tar"):
                header[148:156] = b" " * 8
                content[at + 148 : at + 156] = b"%06o\0 " % sum(header)
        files[name] = bytes(content)


def _set_lines(chance: random.Random, files: dict[str, bytes]) -> None:
    """Settings as lines of NAME=VALUE, out of a whole recipe."""
    from pg2.training.recipe import load_recipe

    whole = load_recipe("debug").model_dump(mode="json")

    def flat(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for key, value in values.items():
            yield from flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]

    names = [name for name, _ in flat(whole, "")]
    lines = []
    for name in chance.sample(names, 2):
        value = json.dumps(alter(chance, [1])).encode("utf-8", "surrogatepass")
        lines.append(
            name.encode()
            + b"="
            + (value if chance.random() < 0.5 else mutated(chance, "a.yaml", b"a: 1\nb: [1, x]"))
        )
    files["set.txt"] = b"\n".join(lines)


KINDS: dict[str, Kind] = {
    "pictures": Kind(20, {"pictures": ""}, _pictures),
    "poses (OpenPose JSON)": Kind(8, {"pose.json": "", "crowd.json": "", "body25.json": ""}, _poses),
    "motions": Kind(3, {"motion.json": ""}, _motions),
    "keypoints CSV": Kind(6, {"raw/keypoints.csv": "keypoints.csv"}, _keypoints),
    "pair lists": Kind(4, {"pairs.csv": "pairs.csv"}, _pairs),
    "recipes": Kind(10, {"recipe.yaml": "recipe.yaml"}, _recipes),
    "settings (--set)": Kind(5, {"recipe.yaml": "set.txt"}, _settings, mend=_set_lines),
    "models": Kind(8, {"model": "", "fetching": ""}, _models, harms=("config.json", "model.safetensors")),
    "exported models": Kind(3, {"exported.onnx": "model.onnx"}, _exported),
    "data sets": Kind(
        10, {"data": "."}, _datasets, harms=("dataset.json", "records.csv", "images.zip"), mend=_true_sums
    ),
    "geometry": Kind(5, {"geometry": "."}, _geometry, harms=("0.geometry.npz",)),
    "folders to prepare": Kind(4, {"raw": "."}, _raw),
    "journals of prepare": Kind(3, {"journal": "."}, _journals, harms=("journal.jsonl",)),
    "results of generate": Kind(3, {"results": "."}, _results, harms=(".json",)),
    "shards to prepare": Kind(5, {"shards": "."}, _shards, harms=(".tar",), mend=_true_headers),
    "results for shards": Kind(2, {"results": "."}, _into_shards, harms=("manifest.jsonl",)),
    "training runs": Kind(
        3,
        {"run": "."},
        _runs,
        harms=("recipe.yaml", "data.json", "checkpoint", "events"),
    ),
    "user studies": Kind(6, {"study": "."}, _studies),
    "requests": Kind(20, {}, _requests),
}
"""Name -> kind."""


# ---- an input, and what becomes of it


class Attempts:
    """Makes and tries inputs, in a process of its own."""

    def __init__(self, home: Path, seed: int) -> None:
        self._home, self._seed = home, seed
        self._examples = home / "examples"
        self._work = Path(tempfile.mkdtemp(dir=home))
        self._wholes: dict[str, list[dict[str, bytes]]] = {}
        import logging

        import torch

        torch.set_num_threads(1)
        logging.disable(logging.CRITICAL)

    def __call__(self, name: str, number: int | None) -> Outcome:
        """One input: made, tried, forgotten; None: a whole one, as it should be."""
        folder = self._work / "input"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.write(name, number, folder)
        return tried(KINDS[name].read, folder)

    def write(self, name: str, number: int | None, folder: Path) -> None:
        """Write the input of that kind and number into a folder; None: a whole one."""
        chance = random.Random(f"{self._seed} {name} {number}")
        kind = KINDS[name]
        if not kind.files:
            (folder / "number").write_text("" if number is None else f"{self._seed} {number}")
            return
        files = dict(chance.choice(self._of(name)))
        if number is None:
            _store({} if name == "settings (--set)" else files, folder)
            return
        harmed = [
            file for file in sorted(files) if kind.harms is None or any(part in file for part in kind.harms)
        ]
        target = chance.choice(harmed)
        files[target] = mutated(chance, target, files[target])
        if (kind.mend is not None and chance.random() < 0.7) or name == "settings (--set)":
            assert kind.mend is not None
            kind.mend(chance, files)
        _store(files, folder)

    def _of(self, name: str) -> list[dict[str, bytes]]:
        """The whole inputs of a kind, one of which is to be changed: relative path -> content."""
        if name not in self._wholes:
            found: list[dict[str, bytes]] = []
            for source, called in KINDS[name].files.items():
                path = self._examples / source
                if path.is_file():
                    found.append({called or path.name: path.read_bytes()})
                elif name == "pictures":
                    found += [{file.name: file.read_bytes()} for file in sorted(path.iterdir())]
                else:
                    inside = (file for file in sorted(path.rglob("*")) if file.is_file())
                    found.append({file.relative_to(path).as_posix(): file.read_bytes() for file in inside})
            self._wholes[name] = found
        return self._wholes[name]


def _store(files: dict[str, bytes], folder: Path) -> None:
    for target, content in files.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / target).write_bytes(content)
        # Some of what pg2 keeps is of a file of that time.
        os.utime(folder / target, (LONG_AGO, LONG_AGO))


def tried(read: Callable[[Path], None], folder: Path) -> Outcome:
    """What becomes of an input when pg2 reads it."""
    from pg2.errors import Pg2Error

    began = time.process_time()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        kind, words = "accepted", ""
        try:
            read(folder)
        except Pg2Error as error:
            kind, words = "refused", str(error)
            if "\n" in words or not words or len(words) > _LONGEST:
                kind = "not a sentence"
        except BaseException as error:
            kind, words = type(error).__name__, traceback.format_exc()
    others = [
        str(w.message)
        for w in warned
        if not issubclass(w.category, UserWarning | DeprecationWarning | ResourceWarning)
    ]
    if others and kind in ("accepted", "refused"):
        kind, words = "warning", others[0]
    return Outcome(kind, words, time.process_time() - began)


class Found(NamedTuple):
    """An input that was neither refused as it should be nor taken."""

    kind: str
    number: int
    outcome: Outcome


def study_inputs(
    home: Path, count: int, seed: int, only: str = "", deadline: float = DEADLINE
) -> tuple[dict[str, dict[str, Any]], list[Found]]:
    """Try `count` inputs of all kinds, by their shares; figures of each kind, and the faults."""
    kinds = {name: kind for name, kind in KINDS.items() if only in name}
    whole = sum(kind.share for kind in kinds.values())
    tasks = []
    for name, kind in kinds.items():
        mine = max(round(count * kind.share / whole), 1)
        tasks += [(name, range(first, min(first + _STEP, mine))) for first in range(0, mine, _STEP)]
    random.Random(seed).shuffle(tasks)
    figures: dict[str, dict[str, Any]] = {
        name: {"inputs": 0, "refused": 0, "accepted": 0, "faults": 0, "slowest": 0.0, "most_memory": 0}
        for name in kinds
    }
    faults: list[Found] = []
    waiting = iter(tasks)

    def work(_: int) -> None:
        process = Watched(Attempts, home, seed, deadline=deadline)
        try:
            for name, numbers in waiting:
                for number in numbers:
                    outcome = process.do(name, number)
                    row = figures[name]
                    row["inputs"] += 1
                    row["faults" if outcome.is_fault else outcome.kind] += 1
                    row["slowest"] = max(row["slowest"], outcome.seconds)
                    row["most_memory"] = max(row["most_memory"], outcome.grown)
                    if outcome.is_fault:
                        faults.append(Found(name, number, outcome))
        finally:
            process.close()

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, range(cores())))
    return figures, faults
