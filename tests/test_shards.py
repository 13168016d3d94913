"""What was made, as shards: the same each time, with all that is known, and read again."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_samples import as_the_library_reads, prepared_market
from PIL import Image

from pg2.augment import augment
from pg2.data.prepared import PreparedDataset
from pg2.data.sources.webdataset import prepare_webdataset
from pg2.errors import Pg2Error
from pg2.io.shards import pattern, write_shard
from pg2.manifest import MANIFEST, OPTIONS
from pg2.models.config import CoarseConfig, ModelConfig
from pg2.models.pg2 import PG2
from pg2.pipeline import Pipeline
from pg2.pose.formats import to_list
from pg2.pose.named import named_pose
from pg2.shards import Shards, make_shards

FRAME = (64, 32)


def results(folder: Path, names: list[str], **about: Any) -> Path:
    """A folder as `pg2 generate --poses` leaves it, of a picture each."""
    lines = []
    for number, name in enumerate(names):
        file = folder / f"{name}_front.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", FRAME[::-1], (number, 80, 160)).save(file)
        photo, _, person = name.rpartition("_person")
        points = to_list(named_pose("front").resize(FRAME).points, 3)
        line = {
            "file": f"{name}_front.png", "photo": f"{photo}.jpg", "person": int(person), "people": 2,
            "pose": "front", "copied": 0.5, "doubts": [], "keypoints": points,
        }  # fmt: skip
        lines.append(json.dumps({**line, **about}) + "\n")
    (folder / MANIFEST).write_text("".join(lines))
    (folder / OPTIONS).write_text("{}")
    return folder


def make(folder: Path, out: Path, size: int = 2) -> Shards:
    return make_shards(folder, out, size=size, progress=False)


def read(made: Shards) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """The library's view: key -> picture, what is said of it."""
    return {
        key: (files.get("png", b"") + files.get("jpg", b""), json.loads(files["json"]))
        for key, files in as_the_library_reads(pattern(made.files))
    }


def test_pictures_and_what_is_known_of_them(tmp_path: Path) -> None:
    folder = results(
        tmp_path / "made", ["ann/b.1_person0", "ann/b.1_person1", "__x__/y/1_person0", "cy_person0"]
    )
    made = make(folder, tmp_path / "out")
    assert [file.name for file in made.files if isinstance(file, Path)] == [
        "shard-000000.tar",
        "shard-000001.tar",
    ]
    assert (made.samples, made.kept) == (4, 0)
    found = read(made)
    assert list(found) == [
        "-x__/y/1_person0_front", "ann/b-1_person0_front", "ann/b-1_person1_front", "cy_person0_front",
    ]  # fmt: skip
    assert [about["person"] for _, about in found.values()] == ["__x__/y", "ann", "ann/b.1-person1", "cy"]
    content, about = found["ann/b-1_person0_front"]
    assert content == (folder / "ann/b.1_person0_front.png").read_bytes()
    assert about == {
        "person": "ann", "source": "ann/b.1.jpg", "pose": "front", "copied": 0.5, "doubts": [], "people": 2,
        "file": "ann/b.1_person0_front.png",
        "keypoints": to_list(named_pose("front").resize(FRAME).points, 3),
    }  # fmt: skip


def test_the_same_bytes_each_time_and_what_was_begun_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = results(tmp_path / "made", [f"{person}/1_person0" for person in "abcde"])
    make(folder, tmp_path / "whole")

    def stopping(path: Path, given: Any) -> None:
        if path.name == "shard-000001.tar":
            raise KeyboardInterrupt
        write_shard(path, given)

    with monkeypatch.context() as patched:
        patched.setattr("pg2.shards.write_shard", stopping)
        with pytest.raises(KeyboardInterrupt):
            make(folder, tmp_path / "out")
    done = make(folder, tmp_path / "out")
    assert (len(done.files), done.kept) == (3, 1)
    assert make(folder, tmp_path / "out").kept == 3
    for file in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes()
    with pytest.raises(Pg2Error, match=r"holds results of other settings \(size: 2, now 3\)"):
        make(folder, tmp_path / "out", size=3)
    results(tmp_path / "made", ["f/1_person0"])
    with pytest.raises(Pg2Error, match=r"holds results of other settings \(pictures: "):
        make(folder, tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.tar"))) == 3


def test_prepare_reads_them_back(tmp_path: Path) -> None:
    """The way of a re-identification set: prepared, augmented, into shards, and prepared again."""
    data = prepared_market(tmp_path / "data", size=(32, 16))
    model = PG2(ModelConfig(frame=(32, 16), coarse=CoarseConfig(width=8, blocks=2), refine=None))
    augment(Pipeline(model), data, tmp_path / "made", model="small", progress=False)
    made = make(tmp_path / "made", tmp_path / "out", size=5)
    report = prepare_webdataset(
        tmp_path / "out", tmp_path / "again", (32, 16), test_share=1.0, progress=False
    )
    assert report.skipped == {}
    assert [count["images"] for count in report.splits.values()] == [12, 0]
    again = PreparedDataset(tmp_path / "again")
    lines = {
        Path(line["file"]).name: line
        for line in map(json.loads, (tmp_path / "made" / MANIFEST).read_text().splitlines())
    }
    for index, record in enumerate(again.records):
        line = lines[Path(record.name).name]
        assert record.person == line["source"][:4] == data.records[data.index_of(line["source"])].person
        # No estimator was asked.
        wanted = data.keypoints[data.index_of(line["pose"])]
        np.testing.assert_allclose(record.points, wanted, atol=1e-3)
        assert again.jpeg(index) == (tmp_path / "made" / line["file"]).read_bytes()
    said = read(made)
    assert {about["split"] for _, about in said.values()} == {"train"}
    assert all(Image.open(io.BytesIO(content)).size == (16, 32) for content, _ in said.values())


def test_what_was_left_out_is_in_no_shard(tmp_path: Path) -> None:
    folder = results(tmp_path / "made", ["ann/1_person0"])
    with (folder / MANIFEST).open("a") as manifest:
        manifest.write(json.dumps({"file": None, "source": "x_1.jpg", "why": "no pose"}) + "\n")
    assert make(folder, tmp_path / "out").samples == 1


@pytest.mark.parametrize(
    "name", ["../secret.png", "/secret.png", "link.png", "missing.png", OPTIONS, "x\0.png"]
)
def test_a_manifest_that_names_other_files(name: str, tmp_path: Path) -> None:
    folder = results(tmp_path / "made", ["ann/1_person0"])
    Image.new("RGB", (16, 32)).save(tmp_path / "secret.png")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    name = name.replace("/secret", f"{tmp_path}/secret") if name.startswith("/") else name
    (folder / MANIFEST).write_text(json.dumps({"file": name, "photo": "a.jpg"}))
    with pytest.raises(Pg2Error, match="but is no picture in this folder"):
        make(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_finished_folder(tmp_path: Path) -> None:
    folder = results(tmp_path / "made", ["ann/1_person0", "bob/1_person0"])
    with pytest.raises(Pg2Error, match="which is only read"):
        make(folder, folder / "out")
    with pytest.raises(Pg2Error, match="a shard holds one sample or more, not 0"):
        make(folder, tmp_path / "out", size=0)
    with pytest.raises(Pg2Error, match=r"holds no manifest\.jsonl"):
        make(tmp_path, tmp_path.with_name("out"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine.txt").touch()
    with pytest.raises(Pg2Error, match=r"holds mine\.txt"):
        make(folder, tmp_path / "other")
    (folder / "bob/1_person0_front.png").write_bytes(b"no picture")
    with pytest.raises(Pg2Error, match=r"1_person0_front\.png is"):
        make(folder, tmp_path / "out", size=1)
    assert [file.name for file in (tmp_path / "out").glob("*.tar")] == ["shard-000000.tar"]
    whole = (folder / MANIFEST).read_text()
    for text, said in ((whole[:-20], "line 2 of .* is cut off"), ("", "holds 0 pictures")):
        (folder / MANIFEST).write_text(text)
        with pytest.raises(Pg2Error, match=said):
            make(folder, tmp_path / "out")
