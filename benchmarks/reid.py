"""Do made pictures help re-identification? A small network is trained from nothing on a part of the pictures.

    python benchmarks/reid.py data/market1501 out/reid --paper-model PAPER

Each arm trains the same network for as many steps on the same part of the training pictures: a fifth of each
person's, at least one. The arms differ in what is done to them:

    none                nothing
    flip-crop           mirrored by chance, moved by a few pixels
    erasing             flip-crop, and random erasing (Zhong et al., 2020)
    paper               flip-crop, and pictures that `pg2 augment` makes with --paper-model, a model with the
                        paper's second stage
    transport           flip-crop, and pictures that it makes with --model
    transport-alone     only these pictures, no flip-crop; only where --arms names it
    transport-erasing   erasing, and these pictures; only where --arms names it

Pictures are made of that part alone, in poses of that part alone. Then the people of the test split are
looked for. A query is the first picture of each person by each camera, the gallery is all pictures of the
test people. Pictures of the query's person by the query's camera do not count, as in Market-1501. Each seed
draws other weights and batches, not another part. A run that is there is not repeated: the same command goes
on.

Settings such as --made are to be chosen without a look at the test people: `--validation` keeps 100 of the
training people out and tests on them, with all of their pictures.

`--write-part FOLDER` writes the part as a prepared data set and ends: a model that was trained on that folder
has seen nothing else. With `--validation` it leaves the 100 people out.
"""

import argparse
import hashlib
import math
import re
import shlex
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import t as student
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.augment import FOLDER, NAME, augment
from pg2.data.prepared import PreparedDataset
from pg2.data.writing import Skipped, write_prepared
from pg2.errors import Pg2Error
from pg2.io.devices import runs_bf16
from pg2.io.files import exists, read_json, write_json
from pg2.io.outputs import exclusive
from pg2.io.pictures import load_image
from pg2.io.pixels import from_images, to_unit
from pg2.io.progress import tracked
from pg2.many import generator_of
from pg2.models.pg2 import shipped_models
from pg2.pipeline import Pipeline
from pg2.reports.tables import markdown_table

PEOPLE, EACH = 16, 4  # in a batch: people, and pictures of each
WIDTHS = (64, 128, 256)
LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 1e-3, 5e-4, 0.1
SMOOTHING, MARGIN = 0.1, 0.3  # of the labels; of the triplet loss
VALIDATION = 100  # people, at most a third of all
SHIFT = 5  # pixels, at most
ERASED = (0.02, 0.4)  # of the picture's area
FAST = runs_bf16(torch.device("cpu"))  # or in float32
PLAIN = ("none", "flip-crop", "erasing")

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Arm:
    """What is done to the training pictures; `made`: the model whose pictures join them."""

    flip_crop: bool = True
    erasing: bool = False
    made: str | None = None


ARMS = {
    "none": Arm(flip_crop=False),
    "flip-crop": Arm(),
    "erasing": Arm(erasing=True),
    "paper": Arm(made="paper"),
    "transport": Arm(made="transport"),
    "transport-alone": Arm(flip_crop=False, made="transport"),
    "transport-erasing": Arm(erasing=True, made="transport"),
}
DEFAULT = ("none", "flip-crop", "erasing", "paper", "transport")


class Block(nn.Module):
    """Two convolutions around which the input goes on (He et al., 2016)."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(out) for _ in range(2))
        self.around = (
            nn.Identity()
            if stride == 1 and width == out
            else nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        )

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norms[1](self.second(F.relu(self.norms[0](self.first(x)))))
        return F.relu(inner + self.around(x))


class Network(nn.Module):
    """A small ResNet: pictures [B, 3, H, W] in [-1, 1] -> features [B, 256], and logits of the people."""

    def __init__(self, people: int) -> None:
        super().__init__()
        # At a quarter of the size from the beginning on: at more, a step takes several times as long.
        stem = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 7, 4, 3, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU()
        )
        blocks = [Block(width, out, 2) for width, out in pairwise(WIDTHS)]
        self.body = nn.Sequential(stem, *blocks, Block(WIDTHS[-1], WIDTHS[-1], 1))
        # The two losses want features of two kinds; a normalisation between them keeps both content (BNNeck,
        # Luo et al., 2019).
        self.neck = nn.BatchNorm1d(WIDTHS[-1])
        self.neck.bias.requires_grad_(False)
        self.head = nn.Linear(WIDTHS[-1], people, bias=False)
        nn.init.normal_(self.head.weight, std=0.01)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(pictures).mean((2, 3)).float()
        return features, self.neck(features)


@dataclass(frozen=True)
class Pictures:
    """Pictures uint8 [N, 3, H, W], whom they show, and by which camera, int64 [N]."""

    images: Tensor
    people: Ids
    cameras: Ids


def of_data(data: PreparedDataset, indices: Sequence[int]) -> Pictures:
    """Pictures of a prepared data set whose names say person and camera."""
    people, cameras = _labels([data.records[index].name for index in indices])
    return Pictures(from_images([data.image(index) for index in indices]), people, cameras)


def of_folder(folder: Path, size: tuple[int, int]) -> Pictures:
    """The pictures of a folder, read as loaders of Market-1501 do; there may be none."""
    files = sorted(folder.glob("*.jpg"))
    people, cameras = _labels([file.name for file in files])
    images = (
        from_images([load_image(file) for file in files])
        if files
        else torch.zeros((0, 3, *size), dtype=torch.uint8)
    )
    return Pictures(images, people, cameras)


def _labels(names: Sequence[str]) -> tuple[Ids, Ids]:
    found = [re.search(NAME, name) for name in names]
    wrong = [name for name, match in zip(names, found, strict=True) if match is None]
    if wrong:
        raise Pg2Error(
            f"{wrong[0]} is not named as Market-1501's pictures are, such as 0002_c1s1_000451_03.jpg"
        )
    both = np.array([[int(match[1]), int(match[2])] for match in found if match], dtype=np.int64).reshape(
        -1, 2
    )
    return both[:, 0], both[:, 1]


def part_of(data: PreparedDataset, share: float) -> list[int]:
    """The part of the training pictures that is used: so much of each person's, at least one."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, record in enumerate(data.records):
        if record.split == "train":
            groups[record.person].append(index)
    part: list[int] = []
    for person, indices in groups.items():
        count = max(1, round(share * len(indices)))
        part += generator_of(0, person).permutation(indices)[:count].tolist()
    return sorted(part)


def held_out_of(data: PreparedDataset, part: Sequence[int]) -> set[int]:
    """Training people who are kept out of the part for `--validation`."""
    people, _ = _labels([data.records[index].name for index in part])
    everybody = np.unique(people)
    count = min(VALIDATION, len(everybody) // 3)
    return set(np.random.default_rng(1234).choice(everybody, count, replace=False).tolist())


def without(data: PreparedDataset, part: Sequence[int], held_out: set[int]) -> list[int]:
    """The part without the pictures of some people."""
    people, _ = _labels([data.records[index].name for index in part])
    return [index for index, person in zip(part, people.tolist(), strict=True) if person not in held_out]


class Batches:
    """Batch after batch of some people and some pictures of each, changed as an arm says."""

    def __init__(self, arm: Arm, real: Pictures, made: Pictures | None, seed: int, chance: float) -> None:
        """`chance`: of a place in the batch to take a made picture."""
        self._arm, self._sets, self._chance = arm, [real, *([] if made is None else [made])], chance
        self._random = np.random.default_rng(seed)
        self.people = np.unique(real.people)
        self._where = [
            {int(person): np.flatnonzero(part.people == person) for person in self.people}
            for part in self._sets
        ]
        self._mean = real.images.float().mean((0, 2, 3)).round().byte()

    def next(self) -> tuple[Tensor, Tensor]:
        """Pictures uint8 [B, 3, H, W], and the place of each one's person among `people`, int64 [B]."""
        labels = self._random.choice(len(self.people), min(PEOPLE, len(self.people)), replace=False)
        images = [image for label in labels.tolist() for image in self._of_person(int(self.people[label]))]
        batch = torch.stack(images)
        if self._arm.flip_crop:
            batch = self._flipped_and_moved(batch)
        if self._arm.erasing:
            self._erase(batch)
        return batch, torch.from_numpy(np.repeat(labels, EACH))

    def _of_person(self, person: int) -> list[Tensor]:
        made = len(self._sets) > 1 and len(self._where[1][person]) > 0
        which = (self._random.random(EACH) < self._chance) if made else np.zeros(EACH, bool)
        taken = []
        for number, count in enumerate((int((~which).sum()), int(which.sum()))):
            if count:
                have = self._where[number][person]
                picked = self._random.choice(have, count, replace=len(have) < count)
                taken += [self._sets[number].images[index] for index in picked.tolist()]
        return taken

    def _flipped_and_moved(self, batch: Tensor) -> Tensor:
        height, width = batch.shape[2:]
        padded = F.pad(batch.float(), [SHIFT] * 4, mode="replicate").byte()
        out = torch.empty_like(batch)
        for number in range(len(batch)):
            y, x = self._random.integers(0, 2 * SHIFT + 1, 2).tolist()
            moved = padded[number, :, y : y + height, x : x + width]
            out[number] = moved.flip(2) if self._random.random() < 0.5 else moved
        return out

    def _erase(self, batch: Tensor) -> None:
        """Of every second picture a rectangle, of an area and a shape drawn by chance, becomes grey."""
        height, width = batch.shape[2:]
        for image in batch:
            if self._random.random() < 0.5:
                area = self._random.uniform(*ERASED) * height * width
                shape = math.exp(self._random.uniform(math.log(0.3), math.log(1 / 0.3)))
                high = min(max(round(math.sqrt(area * shape)), 1), height)
                wide = min(max(round(math.sqrt(area / shape)), 1), width)
                y, x = (int(self._random.integers(0, room + 1)) for room in (height - high, width - wide))
                image[:, y : y + high, x : x + wide] = self._mean[:, None, None]


def hard_triplets(features: Tensor, labels: Tensor) -> Tensor:
    """Of each picture the farthest of its person and the nearest of another (Hermans et al., 2017)."""
    square = features.square().sum(1)
    distance = (square[:, None] + square - 2 * features @ features.T).clamp_min(1e-12).sqrt()
    same = labels[:, None] == labels
    farthest = distance.masked_fill(~same, 0).amax(1)
    nearest = distance.masked_fill(same, torch.inf).amin(1)
    return F.relu(farthest - nearest + MARGIN).mean()


def trained(batches: Batches, steps: int, seed: int) -> Network:
    """A network, from nothing."""
    torch.manual_seed(seed)
    network = Network(len(batches.people)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    warm = max(1, round(WARM_UP * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * min(step / steps, 1.0))),
    )
    network.train()
    for _ in tracked(range(steps), "steps"):
        pictures, labels = batches.next()
        with torch.autocast("cpu", torch.bfloat16, enabled=FAST):
            features, normed = network(to_unit(pictures).contiguous(memory_format=torch.channels_last))
        logits = network.head(normed)
        loss = F.cross_entropy(logits, labels, label_smoothing=SMOOTHING) + hard_triplets(features, labels)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def features_of(network: Network, images: Tensor) -> Tensor:
    """Features of length 1, float32 [N, 256]; by their scalar product pictures are compared."""
    parts = []
    for images_of_batch in images.split(128):
        with torch.autocast("cpu", torch.bfloat16, enabled=FAST):
            _, normed = network(to_unit(images_of_batch).contiguous(memory_format=torch.channels_last))
        parts.append(F.normalize(normed.float()))
    return torch.cat(parts)


def queries_of(people: Ids, cameras: Ids) -> Ids:
    """Where the first picture of each person by each camera is, of those whom another camera saw, too."""
    seen: dict[tuple[int, int], int] = {}
    for place, key in enumerate(zip(people.tolist(), cameras.tolist(), strict=True)):
        seen.setdefault(key, place)
    return np.array(
        [
            place
            for (person, camera), place in seen.items()
            if ((people == person) & (cameras != camera)).any()
        ],
        dtype=np.int64,
    )


def retrieval(
    distance: npt.NDArray[np.float64],
    query_people: Ids,
    query_cameras: Ids,
    gallery_people: Ids,
    gallery_cameras: Ids,
) -> tuple[float, float]:
    """Mean average precision and rank-1 of the queries, as Market-1501 counts them.

    For each query, the gallery's pictures of the same person by the same camera do not count. Pictures at the
    same distance stay in the gallery's order.

    Args:
        distance: [queries, gallery]; of each query the gallery holds a picture by another camera.
        query_people, query_cameras, gallery_people, gallery_cameras: of each picture.
    """
    precisions, firsts = [], []
    for number, row in enumerate(distance):
        same = gallery_people == query_people[number]
        counts = ~(same & (gallery_cameras == query_cameras[number]))
        order = np.argsort(row, kind="stable")
        hits = same[order][counts[order]]
        places = np.flatnonzero(hits) + 1
        if not len(places):
            raise ValueError(f"query {number} has no picture by another camera in the gallery")
        precisions.append((np.arange(1, len(places) + 1) / places).mean())
        firsts.append(hits[0])
    return float(np.mean(precisions)), float(np.mean(firsts))


def evaluated(network: Network, test: Pictures) -> tuple[float, float]:
    """Mean average precision and rank-1 on the test people."""
    features = features_of(network, test.images)
    queries = queries_of(test.people, test.cameras)
    distance = 1 - (features[queries] @ features.T).double().numpy()
    return retrieval(distance, test.people[queries], test.cameras[queries], test.people, test.cameras)


def interval(values: Sequence[float]) -> str:
    """Mean ± half the 95 % interval (Student's t), in percent."""
    if len(values) < 2:
        return f"{100 * statistics.mean(values):.1f}"
    half = student.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{100 * statistics.mean(values):.1f} ± {100 * half:.1f}"


def span(values: Sequence[float]) -> str:
    return f"{100 * min(values):.1f} to {100 * max(values):.1f}"


def table(results: Sequence[dict[str, Any]]) -> list[str]:
    """A row an arm, as lines of Markdown."""
    rows = []
    for arm in dict.fromkeys(result["arm"] for result in results):
        of_arm = [result for result in results if result["arm"] == arm]
        maps, firsts = ([result[score] for result in of_arm] for score in ("mAP", "rank1"))
        rows.append(
            [arm, interval(maps), span(maps), interval(firsts), span(firsts), str(len(of_arm)),
             f"{statistics.mean(result['seconds'] for result in of_arm) / 60:.1f}"]
        )  # fmt: skip
    headings = ["arm", "mAP, %", "its range", "rank-1, %", "its range", "seeds", "minutes a seed"]
    return markdown_table(headings, rows)


def verdict(results: Sequence[dict[str, Any]], arm: str) -> str | None:
    """Whether an arm is above the best plain one by more than the seeds' spread; None: it cannot be said."""
    scores: dict[str, dict[int, float]] = defaultdict(dict)
    for result in results:
        scores[result["arm"]][result["seed"]] = 100 * result["mAP"]
    plain = [name for name in PLAIN if name in scores]
    if not plain or arm not in scores:
        return None
    best = max(plain, key=lambda name: statistics.mean(scores[name].values()))
    ours, theirs = scores[arm], scores[best]
    gain = statistics.mean(ours.values()) - statistics.mean(theirs.values())
    spread = max(max(values.values()) - min(values.values()) for values in (ours, theirs))
    each = ", ".join(f"{ours[seed] - theirs[seed]:+.1f}" for seed in sorted(ours.keys() & theirs.keys()))
    reached = "more" if gain > spread else "not more"
    return (
        f"{arm} against {best}, the best plain arm: {gain:+.1f} points of mAP (seed by seed: {each}), "
        f"{reached} than the seeds' spread of {spread:.1f}."
    )


def seen_by(models: Sequence[str], validation: bool = False) -> list[str]:
    """What is to be known of the models that pictures are made with."""
    if validation:
        return [
            f"{model} was trained on the people who are kept out, too."
            if model in shipped_models()
            else f"{model}: clean if it was trained on the folder of --write-part --validation alone."
            for model in models
        ]
    return [
        f"{model} was trained on all pictures of the training people, not on this part alone; what it makes "
        "carries what these taught it. For a clean comparison train it on the folder of --write-part."
        if model in shipped_models()
        else f"{model}: the comparison is clean if it was trained on the folder of --write-part alone."
        for model in models
    ]


def write_part(data: PreparedDataset, share: float, folder: Path, validation: bool) -> None:
    """Write the part of the training pictures as a prepared data set."""
    part, held_out = part_of(data, share), set[int]()
    if validation:
        held_out = held_out_of(data, part)
        part = without(data, part, held_out)
    with exclusive(folder):
        if exists(folder):
            raise Pg2Error(f"{folder} exists; give a new folder for the part")
        report = write_prepared(
            folder,
            ((data.records[index], data.jpeg(index)) for index in part),
            source=data.source,
            frame=data.frame,
            keypoints=str(data.manifest["keypoints"]),
            inputs=f"{share} of {data.manifest['parts']['records.csv']['sha256']}"
            + f", without {len(held_out)} people" * validation,
            skipped=Skipped(),
        )
    print(report.summary())


class Experiment:
    """The part of the pictures, what is made of it, and the runs."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._data = PreparedDataset(given.data)
        self._part = part_of(self._data, given.share)
        self._held_out: set[int] = set()
        if given.validation:
            self._held_out = held_out_of(self._data, self._part)
            self._part = without(self._data, self._part, self._held_out)
        self._models = {"paper": given.paper_model, "transport": given.model}
        self._backgrounds = {"paper": None, "transport": given.background}
        self._made: dict[str, Pictures] = {}

    def results(self) -> list[dict[str, Any]]:
        """The result of each arm and seed, those that were there already among them."""
        found = []
        for seed in range(self._given.seeds):
            for name in self._given.arms:
                file = self._given.out / f"{name}-seed{seed}.json"
                settings = self._settings(ARMS[name])
                if exists(file):
                    result = read_json(file, "the result of a run")
                    if not isinstance(result, dict) or result.get("settings") != settings:
                        raise Pg2Error(f"{file} is of other settings, data or code; give a new folder")
                else:
                    result = {"arm": name, "seed": seed, **self._run(ARMS[name], seed), "settings": settings}
                    write_json(file, result)
                    said = f"mAP {result['mAP']:.1%}, rank-1 {result['rank1']:.1%}, {result['seconds']:.0f} s"
                    print(f"{name}, seed {seed}: {said}", file=sys.stderr)
                found.append(result)
        return found

    def _settings(self, arm: Arm) -> dict[str, Any]:
        """What a result depends on."""
        settings: dict[str, Any] = {
            "data": self._data.manifest["parts"]["records.csv"]["sha256"],
            "share": self._given.share,
            "steps": self._given.steps,
            "code": hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16],
        }
        if arm.made is not None:
            settings["model"] = self._models[arm.made]
            settings["background"] = self._backgrounds[arm.made]
            settings["per_picture"] = self._given.per_picture
            settings["made"] = self._given.made
        if self._given.validation:
            settings["validation"] = sorted(self._held_out)
        return settings

    def _run(self, arm: Arm, seed: int) -> dict[str, float]:
        made = None if arm.made is None else self._pictures_by(arm.made)
        began = time.perf_counter()
        batches = Batches(arm, self._real, made, seed, self._given.made)
        network = trained(batches, self._given.steps, seed)
        score, first = evaluated(network, self._test)
        return {"mAP": score, "rank1": first, "seconds": round(time.perf_counter() - began, 1)}

    @cached_property
    def _real(self) -> Pictures:
        return of_data(self._data, self._part)

    @cached_property
    def _test(self) -> Pictures:
        split = "train" if self._given.validation else "test"
        wanted = [index for index, record in enumerate(self._data.records) if record.split == split]
        if self._given.validation:
            wanted = sorted(set(wanted) - set(without(self._data, wanted, self._held_out)))
        return of_data(self._data, wanted)

    def _pictures_by(self, kind: str) -> Pictures:
        """What the model of that kind makes of the part."""
        if kind not in self._made:
            folder, model = self._given.out / "made" / kind, str(self._models[kind])
            pipeline = Pipeline.from_pretrained(
                model, dtype=torch.bfloat16 if FAST else torch.float32, background=self._backgrounds[kind]
            )
            names = [self._data.records[index].name for index in self._part]
            done = augment(
                pipeline, self._data, folder, model=model, per_picture=self._given.per_picture, pictures=names
            )
            print(
                f"{model}: {done.made:,} pictures made in {done.seconds:.0f} s, {done.before:,} were there, "
                f"{done.left_out.total():,} left out",
                file=sys.stderr,
            )
            self._made[kind] = of_folder(folder / FOLDER, self._data.frame)
        return self._made[kind]


def arms_of(text: str) -> list[str]:
    """The arms whose names are given, apart by commas."""
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in ARMS]:
        raise argparse.ArgumentTypeError(f"there is no arm {unknown[0]!r}; there are {', '.join(ARMS)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="Market-1501, prepared by `pg2 prepare market1501`")
    parser.add_argument(
        "out", type=Path, nargs="?", help="folder of the results; the same command goes on with it"
    )
    parser.add_argument("--model", default="fast/market1501", help="makes the pictures of the arm transport")
    parser.add_argument("--paper-model", help="makes those of the arm paper")
    parser.add_argument(
        "--background", choices=("keep", "expected"), help="behind the people of --model's pictures"
    )
    parser.add_argument("--arms", type=arms_of, default=list(DEFAULT), help="apart by commas")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--steps", type=int, default=1000, help="of training")
    parser.add_argument("--share", type=float, default=0.2, help="of each person's pictures that is used")
    parser.add_argument("--per-picture", type=int, default=4, help="pictures made of each picture")
    parser.add_argument(
        "--made", type=float, default=0.25, help="chance of a place in a batch to take a made picture"
    )
    parser.add_argument(
        "--validation", action="store_true", help="test on training people who are kept out of training"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write-part", type=Path, help="write the part as a prepared data set, and end")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    try:
        if given.write_part is not None:
            write_part(PreparedDataset(given.data), given.share, given.write_part, given.validation)
            return
        if not 0 <= given.made <= 1:
            parser.error("--made is a chance, from 0 to 1")
        if given.out is None:
            parser.error("say where the results shall go")
        if given.paper_model is None and any(ARMS[name].made == "paper" for name in given.arms):
            parser.error("the arm paper needs --paper-model; or leave the arm out with --arms")
        results = Experiment(given).results()
    except Pg2Error as error:
        sys.exit(f"reid: {error}")
    used = {"paper": given.paper_model, "transport": given.model}
    models = dict.fromkeys(used[kind] for name in given.arms if (kind := ARMS[name].made) is not None)
    print(f"\n    {shlex.join(['python', *sys.argv])}\n")
    print("\n".join(table(results)))
    for sentence in (verdict(results, "transport"), *seen_by(list(models), given.validation)):
        if sentence is not None:
            print(f"\n{sentence}")


if __name__ == "__main__":
    main()
