"""`pg2 shards` and `pg2 prepare webdataset`, one after the other."""

from pathlib import Path

from cli_samples import PHOTO, assert_refused

from pg2.data.prepared import PreparedDataset


def test_from_photos_to_shards_to_a_data_set(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "photos/ann").mkdir(parents=True)
    (tmp_path / "photos/ann/1.jpg").write_bytes(Path(PHOTO).read_bytes())
    made = pg2(
        "generate", tmp_path / "photos", "--poses", "front,left", "--model", model, "--out", tmp_path / "made"
    )
    assert made.code == 0, made.err
    ran = pg2("shards", tmp_path / "made", tmp_path / "out", "--size", 1)
    names = tmp_path / "out" / "shard-{000000..000001}.tar"
    assert (ran.code, ran.out) == (0, f"{names}: 2 samples in 2 shards, 0 were there already\n")
    ran = pg2("prepare", "webdataset", names, tmp_path / "data", "--size", "32x16")
    assert (ran.code, ran.err) == (0, "")
    assert "train: 2 images" in ran.out
    assert {record.person for record in PreparedDataset(tmp_path / "data").records} == {"ann"}


def test_what_is_refused(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert_refused(pg2("shards", tmp_path / "made", tmp_path / "out"), "holds no manifest.jsonl")
    prepare = ("prepare", "webdataset")
    assert_refused(pg2(*prepare, f"pipe:touch {tmp_path}/ran", tmp_path / "out"), "there is no shard")
    (tmp_path / "a.tar").write_bytes(b"\1" * 700)
    assert_refused(pg2(*prepare, tmp_path / "a.tar", tmp_path / "out"), "a.tar is damaged, cut off")
    assert_refused(pg2(*prepare, tmp_path / "a.tar", tmp_path / "out", "--size", "big"), "HEIGHTxWIDTH")
    assert [file.name for file in tmp_path.iterdir()] == ["a.tar"]
