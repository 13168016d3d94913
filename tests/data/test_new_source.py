"""A new data set, as CONTRIBUTING has it: one file like the first half of this one."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_samples import save_noise, standing
from PIL import Image

from pg2.data.loader import Loader
from pg2.data.pairs import PairOrder, Pairs
from pg2.data.prepared import PreparedDataset, Record
from pg2.data.raw import contents, fingerprint
from pg2.data.writing import Report, Skipped, preparing, write_prepared
from pg2.errors import Pg2Error
from pg2.io.files import read_json
from pg2.io.pictures import load_image, to_jpeg
from pg2.io.progress import tracked

FRAME = (48, 32)
POSES = "poses.json"


def prepare_toy(raw: Path, out: Path, *, progress: bool = True) -> Report:
    """RAW/SPLIT/PERSON-NUMBER.png, and keypoints for each in RAW/poses.json -> a prepared data set."""
    if not (raw / POSES).is_file():
        raise Pg2Error(f"{raw} is not the toy set: expected {POSES} in it; found: {contents(raw)}")
    files = sorted(raw.glob("*/*.png"))
    inputs = fingerprint({"source": "toy"}, raw, [raw / POSES, *files])
    with preparing(raw, out, inputs) as report:
        if report is not None:
            return report
        skipped = Skipped()
        poses = read_json(raw / POSES, "the keypoints of the toy set")
        pictures = _pictures(tracked(files, "Toy", progress), poses, skipped)
        return write_prepared(
            out, pictures, source="toy", frame=FRAME, keypoints=POSES, inputs=inputs, skipped=skipped
        )


def _pictures(
    files: Iterable[Path], poses: Mapping[str, Sequence[Any]], skipped: Skipped
) -> Iterator[tuple[Record, bytes]]:
    for file in files:
        try:
            image = load_image(file)
        except Pg2Error:
            skipped.add(file.name, "damaged or not a picture")
            continue
        if file.name not in poses:
            skipped.add(file.name, "no keypoints for it")
            continue
        points = np.array([point or (np.nan, np.nan) for point in poses[file.name]], np.float32)
        yield Record(file.name, file.stem.split("-")[0], file.parent.name, points), to_jpeg(image)


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """2 people x 3 pictures for training, 1 x 2 for testing; no ears."""
    raw = tmp_path / "toy"
    names = [f"train/{person}-{number}.png" for person in ("ann", "bob") for number in (1, 2, 3)]
    names += ["test/cy-1.png", "test/cy-2.png"]
    for seed, name in enumerate(names):
        save_noise(raw / name, FRAME, seed)
    points = [*standing(*FRAME).tolist()[:16], None, None]
    (raw / POSES).write_text(json.dumps({Path(name).name: points for name in names}))
    return raw


def test_a_new_source_is_written_read_and_trained_on(toy: Path, tmp_path: Path) -> None:
    report = prepare_toy(toy, tmp_path / "out")
    assert report.skipped == {}
    assert report.splits == {
        "train": {"images": 6, "usable": 6, "people": 2, "ordered_pairs": 12},
        "test": {"images": 2, "usable": 2, "people": 1, "ordered_pairs": 2},
    }
    data = PreparedDataset(tmp_path / "out")
    data.verify()
    assert (data.source, data.frame, data.manifest["keypoints"]) == ("toy", FRAME, POSES)
    index = data.index_of("bob-2.png")
    assert (data.records[index].person, data.records[index].split) == ("bob", "train")
    np.testing.assert_array_equal(data.keypoints[index, :16], standing(*FRAME)[:16])
    assert np.isnan(data.keypoints[index, 16:]).all()
    with Image.open(io.BytesIO(to_jpeg(load_image(toy / "train/bob-2.png")))) as stored:
        np.testing.assert_array_equal(data.image(index), np.asarray(stored))
    usable = data.usable("train")
    order = PairOrder(Pairs([data.records[i].person for i in usable], usable), 0, flip=True)
    assert [batch.target.shape for batch in Loader(data, order, 4).batches(0, 3)] == [(4, 3, *FRAME)] * 3


def test_what_it_leaves_out_is_named_and_a_second_run_does_nothing(toy: Path, tmp_path: Path) -> None:
    (toy / "train" / "ann-1.png").write_bytes(b"\x89PNG")
    save_noise(toy / "test" / "dee-1.png", FRAME)
    left_out = {"damaged or not a picture": ["ann-1.png"], "no keypoints for it": ["dee-1.png"]}
    assert prepare_toy(toy, tmp_path / "out").skipped == left_out
    again = prepare_toy(toy, tmp_path / "out")
    assert again.already_prepared
    assert again.skipped == left_out
    save_noise(toy / "test" / "dee-2.png", FRAME)
    with pytest.raises(Pg2Error, match="from other files or options"):
        prepare_toy(toy, tmp_path / "out")


def test_a_wrong_folder_gets_a_hint(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match=r"expected poses\.json in it; found: ann-1\.png, ann-2\.png"):
        prepare_toy(toy / "train", tmp_path / "out")


def test_mistakes_of_a_source_are_caught_before_anything_is_there(toy: Path, tmp_path: Path) -> None:
    (toy / "train").rename(toy / "training")
    with pytest.raises(ValueError, match=r'ann-1\.png is of the split "training"'):
        prepare_toy(toy, tmp_path / "out")
    (toy / "training").rename(toy / "train")
    save_noise(toy / "train" / "ann-2.png", (48, 48))
    with pytest.raises(ValueError, match=r"ann-2\.png is 48x48 instead of 48x32"):
        prepare_toy(toy, tmp_path / "out")
    assert not list(tmp_path.glob("out*"))
