"""Whole files of every kind that pg2 reads, made by pg2 itself, small."""

import io
import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fault_study.watched import begin, context, exit_code

FRAME = (32, 16)

RECIPE = """\
extends: debug
coarse: {steps: 6, save_every: 2, validate_every: 3}
refined: {steps: 4, save_every: 2, validate_every: 2}
"""


LONG_AGO = 1_000_000_000
"""Seconds since 1970: the time of every file of an input."""


def somebody(image: Any) -> Any:
    """In place of the estimator: the same pose on every photo, uint8 [H, W, 3]."""
    from pg2.pose.keypoints import Pose
    from pg2.pose.named import named_pose

    pose: Pose = named_pose("front")
    return pose.resize((image.shape[0], image.shape[1]))


def make_examples(home: Path) -> None:
    """Write them below `home`, in a process of its own, so that the caller's stays without threads."""
    process = context.Process(target=_make, args=(home,))
    begin(process)
    if exit_code(process, 600) != 0:
        raise SystemExit("the whole files, from which malformed ones are made, cannot be made")


def _make(home: Path) -> None:
    import torch
    from PIL import Image
    from rich.console import Console

    from pg2.data.prepared import PreparedDataset
    from pg2.data.sources.folder import prepare_folder
    from pg2.export.onnx_file import export_onnx
    from pg2.io.packaged import SAMPLES
    from pg2.io.shards import write_shard
    from pg2.many import make_many
    from pg2.models.config import CoarseConfig, DifferenceConfig, ModelConfig, TransportConfig
    from pg2.models.pg2 import PG2
    from pg2.pipeline import Pipeline
    from pg2.pose.formats import format_keypoints_csv, read_keypoints_csv
    from pg2.pose.keypoints import Pose
    from pg2.training.loop import train
    from pg2.training.recipe import load_recipe
    from pg2.userstudy.answers import Answers
    from pg2.userstudy.study import make_study

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    known = read_keypoints_csv(SAMPLES / "keypoints.csv")

    raw = home / "raw"
    poses = {}
    for person in range(6):
        for number in range(2):
            source = SAMPLES / f"{person:05d}" / f"{number:02d}.jpg"
            name = f"p{person}/{number}.jpg"
            (raw / f"p{person}").mkdir(parents=True, exist_ok=True)
            with Image.open(source) as picture:
                picture.resize((64, 64)).save(raw / name, quality=90)
            poses[name] = Pose(known[f"{person:05d}/{number:02d}.jpg"], (256, 256)).resize((64, 64)).points
    (raw / "keypoints.csv").write_text(format_keypoints_csv(poses.items()))
    for person in range(2):
        known_of = {name: points for name, points in poses.items() if name.startswith(f"p{person}/")}
        samples = [
            (name[:-4], {"jpg": (raw / name).read_bytes(), "json": _about(f"p{person}", points)})
            for name, points in known_of.items()
        ]
        write_shard(home / "shards" / f"set-{person}.tar", samples)
    photos = home / "photos"
    for person in range(4):
        (photos / f"p{person}").mkdir(parents=True)
        for number in range(2):
            shutil.copy(SAMPLES / f"{person:05d}" / f"{number:02d}.jpg", photos / f"p{person}")

    prepare_folder(raw, home / "data", FRAME, test_share=0.4, progress=False)
    _geometry(home / "geometry")
    data = PreparedDataset(home / "data")
    pairs = [(first.name, second.name) for first in data.records for second in data.records[:2]]
    (home / "pairs.csv").write_text("from,to\n" + "".join(f"{source},{target}\n" for source, target in pairs))
    (home / "recipe.yaml").write_text(RECIPE)

    pictures = home / "pictures"
    pictures.mkdir()
    with Image.open(SAMPLES / "00003/00.jpg") as opened:
        person = opened.convert("RGB").resize((96, 96))
    grey, exif = person.convert("L"), Image.Exif()
    exif[0x0112] = 6
    for name, picture, options in (
        ("rgb.jpg", person, {}), ("progressive.jpg", person, {"progressive": True}),
        ("turned.jpg", person, {"exif": exif}), ("cmyk.jpg", person.convert("CMYK"), {}),
        ("rgb.png", person, {}), ("rgba.png", person.convert("RGBA"), {"exif": exif}),
        ("palette.png", person.quantize(16), {"transparency": 3}), ("16.png", grey.convert("I;16"), {}),
        ("rgb.webp", person, {}), ("lossless.webp", person.convert("RGBA"), {"lossless": True}),
        ("moving.webp", person, {"save_all": True, "append_images": [person.rotate(90)]}),
        ("moving.gif", person, {"save_all": True, "append_images": [person.rotate(90)]}),
        ("moving.png", person, {"save_all": True, "append_images": [person.rotate(90)]}),
        ("rgb.bmp", person, {}), ("palette.bmp", person.quantize(16), {}), ("rgb.tif", person, {}),
        ("lzw.tif", person, {"compression": "tiff_lzw"}), ("jpeg.tif", person, {"compression": "jpeg"}),
        ("float.tif", grey.convert("F"), {}), ("one.tif", person.convert("1"), {"compression": "group4"}),
    ):  # fmt: skip
        picture.save(pictures / name, **options)

    shown = Pose(known["00003/00.jpg"], (256, 256))
    shown.save(home / "pose.json")
    document = json.loads((home / "pose.json").read_text())
    (home / "crowd.json").write_text(json.dumps({**document, "people": document["people"] * 3}))
    body = np.arange(75, dtype=float).tolist()
    (home / "body25.json").write_text(json.dumps({"people": [{"pose_keypoints_2d": body}]}))
    (home / "motion.json").write_text(json.dumps({"frames": [document, None, document]}))

    _journal(home / "journal", raw)

    small = ModelConfig(
        frame=(64, 32),
        coarse=CoarseConfig(width=4, blocks=2, bottleneck=4),
        refine=DifferenceConfig(width=4, blocks=2),
    )
    fetching = ModelConfig(
        frame=(64, 32),
        coarse=CoarseConfig(width=4, blocks=2, bottleneck=4),
        refine=TransportConfig(kind="transport", widths=(4, 4), finish=4, stride=2, shade=4),
    )
    for name, config in (("model", small), ("fetching", fetching)):
        model = PG2(config)
        model.initialise()
        model.save(home / name)
    export_onnx(PG2.from_pretrained(home / "model"), home / "exported.onnx")

    pipeline = Pipeline.from_pretrained(home / "model")
    make_many(pipeline, [photos / "p0"], "walking", home / "results", model="small", progress=False)

    train(load_recipe(str(home / "recipe.yaml")), data, home / "run", Console(quiet=True))

    real, generated = home / "kinds" / "real", home / "kinds" / "generated"
    for number, folder in enumerate((real, generated)):
        folder.mkdir(parents=True)
        for count in range(8):
            Image.new("RGB", (16, 32), (20 * count + 7 * number,) * 3).save(folder / f"{count}.png")
    study = make_study(generated, real, home / "study", count=3, practice=1, seconds=0.1)
    answers = Answers(study, create=True)
    for _ in range(2):
        token = answers.enter()
        for position in range(6):
            answers.record(token, position, "real" if position % 2 else "generated", 500)


def _about(person: str, points: Any) -> bytes:
    """What stands beside a picture in a shard."""
    from pg2.pose.formats import to_list

    return json.dumps({"person": person, "split": "train", "keypoints": to_list(points)}).encode()


def _journal(folder: Path, photos: Path) -> None:
    """Photos, and the poses that a preparation of them had found when it was killed."""
    from pg2.data.journal import PoseJournal
    from pg2.io.pictures import load_image

    journal = PoseJournal(folder / "data", somebody)
    for file in sorted(photos.glob("p[0-2]/*.jpg")):
        name = file.relative_to(photos).as_posix()
        copied = folder / "raw" / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copied)
        os.utime(copied, (LONG_AGO, LONG_AGO))
        journal.pose(name, copied, load_image(copied))


def _geometry(folder: Path) -> None:
    """A picture with the geometry that `pg2 render` would have written beside it."""
    from PIL import Image

    from pg2.io.geometry_file import SUFFIX, from_surface

    folder.mkdir()
    buffer = io.BytesIO()
    Image.new("RGB", (16, 32), "grey").save(buffer, "JPEG")
    (folder / "0.jpg").write_bytes(buffer.getvalue())
    chance = np.random.default_rng(0)
    surface = chance.uniform(0, 1.8, (16, 8, 4)).astype(np.float32)
    mask = chance.uniform(0, 1, (32, 16)).astype(np.float32)
    geometry = from_surface(surface, mask, (0, 0), buffer.getvalue())
    (folder / f"0{SUFFIX}").write_bytes(geometry.to_bytes())
