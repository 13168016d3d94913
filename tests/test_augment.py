"""More poses for a re-identification set: whose pictures and poses, their names, what is left out."""

import json
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from data_samples import prepared_market
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pg2 import PG2, Pg2Error, Pipeline
from pg2.augment import Checks, Summary, augment, read_names, share_found
from pg2.data.prepared import PreparedDataset
from pg2.io.pixels import Image8
from pg2.manifest import MANIFEST, OPTIONS
from pg2.models.config import CoarseConfig, ModelConfig
from pg2.pipeline import Result
from pg2.pose.keypoints import Points


def small() -> Pipeline:
    torch.manual_seed(0)
    return Pipeline(PG2(ModelConfig(frame=(32, 16), coarse=CoarseConfig(width=8, blocks=2), refine=None)))


@pytest.fixture
def pipe() -> Pipeline:
    return small()


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return prepared_market(tmp_path_factory.mktemp("market") / "data")


def make(pipe: Pipeline, data: PreparedDataset, out: Path, **options: Any) -> Summary:
    return augment(pipe, data, out, model="small", progress=False, **options)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / MANIFEST).read_text().splitlines()]


def as_loaders_read(folder: Path) -> list[tuple[str, int, int]]:
    """File, person and camera, as torchreid and fast-reid find them."""
    pattern = re.compile(r"([-\d]+)_c(\d)")
    found = []
    for file in sorted(folder.glob("*.jpg")):
        match = pattern.search(str(file.name))
        assert match is not None
        person, camera = map(int, match.groups())
        assert 0 <= person <= 1501
        assert 1 <= camera <= 6
        found.append((file.name, person, camera))
    return found


def test_loaders_of_market_read_what_is_made(pipe: Pipeline, market: PreparedDataset, tmp_path: Path) -> None:
    done = make(pipe, market, tmp_path / "out", per_picture=2)
    assert (done.people, done.made, done.before, done.left_out) == (4, 24, 0, {})
    found = as_loaders_read(tmp_path / "out/bounding_box_train")
    assert len(found) == 24
    assert {(person, camera) for _, person, camera in found} == {
        (person, camera) for person in (2, 7, 11, 30) for camera in (1, 3, 6)
    }
    assert found[0] == ("0002_c1s1_000002_01_made00.jpg", 2, 1)
    with Image.open(tmp_path / "out/bounding_box_train" / found[0][0]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (16, 32))
    written = lines(tmp_path / "out")
    assert [Path(line["file"]).name for line in written] == [name for name, *_ in found]
    assert len({(line["source"], line["pose"]) for line in written}) == 24
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "bounding_box_train", MANIFEST, OPTIONS
    ]  # fmt: skip


def test_nothing_of_the_test_split_is_used_and_poses_are_other_peoples(
    pipe: Pipeline, market: PreparedDataset, tmp_path: Path
) -> None:
    data = prepared_market(tmp_path / "data")
    # Whoever reads a picture of the test split is stopped.
    content = (tmp_path / "data/images.zip").read_bytes()
    for index, record in enumerate(data.records):
        if record.split == "test":
            jpeg = data.jpeg(index)
            assert content.count(jpeg) == 1
            content = content.replace(jpeg, b"\0" * len(jpeg))
    (tmp_path / "data/images.zip").write_bytes(content)
    used: list[tuple[bytes, bytes]] = []
    real = pipe.make

    def watched(sources: Any, targets: Any, **options: Any) -> list[Result]:
        used.extend((s.image.tobytes(), t.points.tobytes()) for s, t in zip(sources, targets, strict=True))
        return real(sources, targets, **options)

    pipe.make = watched  # type: ignore[method-assign]
    make(pipe, data, tmp_path / "out", per_picture=5)
    pictures = {market.image(index).tobytes(): market.records[index] for index in market.usable("train")}
    poses = {
        market.records[index].points.tobytes(): market.records[index] for index in market.usable("train")
    }
    assert len(used) == 60
    said = {(line["source"], line["pose"]) for line in lines(tmp_path / "out")}
    for image, points in used:
        source, pose = pictures[image], poses[points]
        assert source.person != pose.person
        said.remove((source.name, pose.name))
    assert not said


@settings(max_examples=6)
@given(
    people=st.lists(st.integers(1, 1500), min_size=2, max_size=4, unique=True),
    seed=st.integers(0, 2**32 - 2),
    many=st.integers(1, 4),
    doubtful=st.booleans(),
)
def test_ids_and_cameras_are_kept(people: list[int], seed: int, many: int, doubtful: bool) -> None:
    with TemporaryDirectory() as folder:
        data, out = prepared_market(Path(folder) / "data", people), Path(folder) / "out"
        done = make(small(), data, out, per_person=many, seed=seed, checks=Checks(doubtful=doubtful))
        found = as_loaders_read(out / "bounding_box_train")
        assert done.made == len(found) == many * len(people)
        for name, person, camera in found:
            source = data.records[data.index_of(f"{name[: name.index('_made')]}.jpg")]
            assert (f"{person:04d}", source.split) == (source.person, "train")
            assert source.name.startswith(f"{source.person}_c{camera}")
        assert sorted({person for _, person, _ in found}) == sorted(people)


def test_what_was_begun_goes_on(
    pipe: Pipeline, market: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle, with a line cut short, half a file and a picture lost: the end is the same."""
    monkeypatch.setattr("pg2.augment._BATCH", 4)
    make(pipe, market, whole := tmp_path / "whole", per_person=5)
    out, real, runs = tmp_path / "out", pipe.make, 0

    def stopping(*given: Any, **options: Any) -> list[Result]:
        nonlocal runs
        runs += 1
        if runs == 4:
            raise KeyboardInterrupt
        return real(*given, **options)

    pipe.make = stopping  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        make(pipe, market, out, per_person=5)
    begun = lines(out)
    assert len(begun) == 8
    (out / begun[0]["file"]).unlink()
    (out / MANIFEST).write_text((out / MANIFEST).read_text()[:-20])
    left = out / "bounding_box_train/.files.ab12cd34"
    (left / "files").mkdir(parents=True)
    (left / "files/0002_c1s1_000002_01_made00.jpg").write_bytes(b"half")
    done = make(pipe, market, out, per_person=5)
    assert (done.made, done.before) == (14, 6)
    assert not left.exists()
    for file in (MANIFEST, OPTIONS):
        assert (out / file).read_bytes() == (whole / file).read_bytes()
    names = sorted(file.name for file in (whole / "bounding_box_train").iterdir())
    assert names == sorted(file.name for file in (out / "bounding_box_train").iterdir())
    for name in names:
        one, other = (pixels(folder / "bounding_box_train" / name) for folder in (whole, out))
        assert np.abs(one - other).max() <= 6  # a grey level, which JPEG enlarges
    # More of them are added to what is there.
    done = make(pipe, market, out, per_person=6)
    assert (done.made, done.before) == (4, 20)


def pixels(file: Path) -> npt.NDArray[np.int64]:
    with Image.open(file) as opened:
        return np.asarray(opened).astype(int)


def test_seed_and_number_say_what_is_made(pipe: Pipeline, market: PreparedDataset, tmp_path: Path) -> None:
    make(pipe, market, tmp_path / "a", per_person=7)
    make(pipe, market, tmp_path / "b", per_person=7, limit=10)
    make(pipe, market, tmp_path / "c", per_person=7, seed=1)
    make(pipe, market, tmp_path / "d", per_picture=3)
    a, b, c, d = (
        {(line["source"], line["number"]): line["pose"] for line in lines(tmp_path / name)} for name in "abcd"
    )
    assert (len(a), len(b), len(c), len(d)) == (28, 10, 28, 36)
    assert b.items() <= a.items()
    assert a.items() <= d.items()
    assert a != c
    # Everybody's turn comes before anybody's next.
    counts = [
        sum(source.startswith(person) for source, _ in b) for person in ("0002", "0007", "0011", "0030")
    ]
    assert sorted(counts) == [2, 2, 3, 3]


class Looker:
    """Finds what it is told to, whatever the picture."""

    def __init__(self, points: Points, certainty: float) -> None:
        self.answer = points, certainty

    def look(self, image: Image8) -> tuple[Points, float]:
        assert image.shape == (32, 16, 3)
        return self.answer


def test_what_is_left_out_is_said_and_not_tried_again(
    pipe: Pipeline, market: PreparedDataset, tmp_path: Path
) -> None:
    real, copied = pipe.make, iter(np.linspace(0.0, 0.99, 12))
    pipe.make = lambda *given, **options: [  # type: ignore[method-assign]
        replace(result, copied=float(next(copied))) for result in real(*given, **options)
    ]
    done = make(pipe, market, tmp_path / "out", checks=Checks(least_copied=0.5))
    assert (done.made, done.left_out) == (6, {"too little is copied": 6})
    refused = [line for line in lines(tmp_path / "out") if line["file"] is None]
    assert all(line["copied"] < 0.5 for line in refused)
    assert all((line["keypoints"] is None) == (line["file"] is None) for line in lines(tmp_path / "out"))
    assert {line["why"] for line in refused} >= {"too little is copied: 0%", "too little is copied: 45%"}
    assert len(as_loaders_read(tmp_path / "out/bounding_box_train")) == 6
    done = make(pipe, market, tmp_path / "out", checks=Checks(least_copied=0.5))
    assert (done.made, done.before, done.left_out) == (0, 6, {"too little is copied": 6})


@pytest.mark.parametrize(
    ("certainty", "moved", "why"),
    [(0.9, 0.0, None), (0.2, 0.0, "no person is seen"), (0.9, 9.0, "another pose is seen")],
)
def test_the_estimator_looks(
    pipe: Pipeline, tmp_path: Path, certainty: float, moved: float, why: str | None
) -> None:
    data = prepared_market(tmp_path / "data", (2, 7))
    pipe.estimator = Looker(data.keypoints[0] + np.float32(moved), certainty)  # type: ignore[assignment]
    done = make(pipe, data, tmp_path / "out", per_picture=2, checks=Checks(look=True))
    assert done.left_out == ({} if why is None else {why: 12})
    assert all(line["certainty"] == certainty for line in lines(tmp_path / "out"))
    if why != "no person is seen":
        assert all((line["found"] >= 0.5) == (why is None) for line in lines(tmp_path / "out"))


def test_share_found() -> None:
    wanted = np.full((18, 2), np.nan, np.float32)
    wanted[:4] = (10, 10)
    found = wanted.copy()
    found[1], found[2], found[3] = (10, 22.7), (10, 22.9), (np.nan, np.nan)
    assert share_found(found, wanted, 128) == 0.5


def test_a_picture_that_can_tell_of_no_other_pose(pipe: Pipeline, tmp_path: Path) -> None:
    """One that shows no legs is put into no pose with legs, unless that is asked for."""
    data = prepared_market(tmp_path / "data")
    keypoints = data.keypoints.copy()
    keypoints[0, [9, 10, 12, 13]] = np.nan
    data.keypoints = keypoints
    done = make(pipe, data, tmp_path / "out", per_picture=2)
    assert done.left_out == {"no pose of others of which the picture can tell": 2}
    assert [line["pose"] for line in lines(tmp_path / "out")][:2] == [None, None]
    assert make(pipe, data, tmp_path / "all", checks=Checks(doubtful=True)).made == 12


def test_only_the_pictures_that_are_named(pipe: Pipeline, market: PreparedDataset, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("0002_c1s1_000002_01.jpg\n\n0007_c3s1_000007_01.jpg\n")
    names = read_names(tmp_path / "list.txt")
    assert make(pipe, market, tmp_path / "out", pictures=names).made == 2
    assert {(line["source"], line["pose"]) for line in lines(tmp_path / "out")} == {
        tuple(names), tuple(names[::-1])
    }  # fmt: skip
    for wrong, said in (
        (["1501_c1s1_001501_01.jpg", *names], "1501_c1s1_001501_01.jpg is a picture of the test split"),
        (names[:1], "show 1 of the training people"),
        (["0003_c1s1_000002_01.jpg"], 'no picture called "0003_c1s1_000002_01.jpg"'),
    ):
        with pytest.raises(Pg2Error, match=re.escape(said)):
            make(pipe, market, tmp_path / "new", pictures=wrong)
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(Pg2Error, match="names no picture"):
        read_names(tmp_path / "list.txt")
    assert not (tmp_path / "new").exists()


def test_what_is_refused(
    pipe: Pipeline, market: PreparedDataset, tiny: PreparedDataset, tmp_path: Path
) -> None:
    make(pipe, market, tmp_path / "out", limit=2)
    before = lines(tmp_path / "out")
    with pytest.raises(Pg2Error, match=r"other settings \(seed: 0, now 1\)"):
        make(pipe, market, tmp_path / "out", seed=1)
    with pytest.raises(Pg2Error, match=r"other settings \(least_copied: 0\.4, now 0\.5\)"):
        make(pipe, market, tmp_path / "out", checks=Checks(least_copied=0.5))
    assert lines(tmp_path / "out") == before
    with pytest.raises(Pg2Error, match="two ways to say how many"):
        make(pipe, market, tmp_path / "new", per_person=1, per_picture=1)
    with pytest.raises(Pg2Error, match="which is only read"):
        make(pipe, market, market.path / "more")
    with pytest.raises(Pg2Error, match="not named as Market-1501's pictures are"):
        make(pipe, tiny, tmp_path / "new")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/thesis.doc").write_text("mine")
    with pytest.raises(Pg2Error, match=r"holds thesis\.doc"):
        make(pipe, market, tmp_path / "own")
    assert not (tmp_path / "new").exists()


def test_a_full_disk_ends_it(
    pipe: Pipeline, market: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "save", full)
        with pytest.raises(Pg2Error, match="no space left on device"):
            make(pipe, market, tmp_path / "out")
    assert lines(tmp_path / "out") == []
    assert list((tmp_path / "out/bounding_box_train").iterdir()) == []
    assert make(pipe, market, tmp_path / "out").made == 12
