"""Tar files of samples: the same bytes each time, and nothing in a foreign one does harm."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from data_samples import as_the_library_reads

from pg2.errors import Pg2Error
from pg2.io import shards
from pg2.io.shards import count_samples, find_shards, pattern, samples, write_shard

MOST = {"jpg": 5000, "json": 1000}
SAMPLES = [
    ("ann/1", {"jpg": b"first", "json": b"{}"}),
    ("ann/2", {"jpg": b"second" * 100, "json": b'{"person": 7}'}),
    ("bob/" + "long" * 60, {"jpg": b"\xff" * 512, "json": b"[]"}),
    ("zoë", {"jpg": b"", "json": b""}),
]


def contents(shard: Path) -> list[tuple[str, dict[str, bytes]]]:
    return [
        (sample.key, {ending: sample.read(ending) for ending in sample.endings})
        for sample in samples(shard, MOST)
    ]


def a_tar(path: Path, *members: tuple[str, bytes], **of_all: object) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for what, value in of_all.items():
                setattr(entry, what, value)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_what_is_written_is_read_and_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        write_shard(tmp_path / name, SAMPLES)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    assert contents(tmp_path / "a.tar") == SAMPLES
    assert count_samples([tmp_path / "a.tar", tmp_path / "b.tar"], MOST) == 8
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert {(entry.mtime, entry.uid, entry.gid, entry.uname) for entry in archive} == {(0, 0, 0, "")}


def test_the_library_reads_the_same(tmp_path: Path) -> None:
    write_shard(tmp_path / "s-0.tar", SAMPLES[:2])
    write_shard(tmp_path / "s-1.tar", SAMPLES[2:])
    files = sorted(tmp_path.iterdir())
    assert find_shards(tmp_path) == files
    assert pattern(files) == str(tmp_path / "s-{0..1}.tar")
    assert pattern(files[:1]) == str(tmp_path / "s-0.tar")
    assert as_the_library_reads(pattern(files)) == SAMPLES


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    import webdataset

    with webdataset.TarWriter(str(tmp_path / "a.tar")) as writer:
        writer.write({"__key__": "x/1", "JPG": b"1", "json": {"person": "x"}, "cls": 3})
        writer.write({"__key__": "x/2", "jpg": b"2"})
    assert contents(tmp_path / "a.tar") == [
        ("x/1", {"jpg": b"1", "json": b'{"person": "x"}'}),
        ("x/2", {"jpg": b"2"}),
    ]


def test_names_as_people_pack_them(tmp_path: Path) -> None:
    """By `tar cf set.tar .` on a Mac, with folders and with files that are no part of a sample."""
    (tmp_path / "set/a.b").mkdir(parents=True)
    for name in ("a.b/1.jpg", "a.b/1.seg.png", "a.b/1.json", "a.b/._1.jpg", "README", "2.Jpg"):
        (tmp_path / "set" / name).write_bytes(name.encode())
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(tmp_path / "set", ".")
    found = dict(contents(tmp_path / "set.tar"))
    assert found == {"a.b/1": {"jpg": b"a.b/1.jpg", "json": b"a.b/1.json"}, "2": {"jpg": b"2.Jpg"}}


def test_a_file_that_comes_twice_is_known(tmp_path: Path) -> None:
    a_tar(tmp_path / "a.tar", ("1.jpg", b"1"), ("1.JPG", b"2"), ("2.jpg", b"3"))
    assert [sample.repeated for sample in samples(tmp_path / "a.tar", MOST)] == [True, False]


def test_a_shard_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    """Also between two files, where `tarfile` itself takes it for whole."""
    write_shard(tmp_path / "whole.tar", SAMPLES[:2])
    whole = (tmp_path / "whole.tar").read_bytes()
    end = len(whole.rstrip(b"\0"))
    end += -end % 512
    for length in {*range(0, end + 1, 512), *range(1, end, 731)}:
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        with pytest.raises(
            Pg2Error, match=r"cut\.tar is damaged, cut off, or no tar file without compression"
        ):
            contents(tmp_path / "cut.tar")
    (tmp_path / "cut.tar").write_bytes(whole[: end + 512])
    assert contents(tmp_path / "cut.tar") == SAMPLES[:2]


def test_a_header_that_is_none_in_the_middle_is_no_end(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", SAMPLES[:2])
    content = bytearray((tmp_path / "a.tar").read_bytes())
    content[2 * 1024 + 150] ^= 1  # in the third header's sum
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(Pg2Error, match="its end is missing"):
        contents(tmp_path / "a.tar")


@pytest.mark.parametrize("name", ["../1.jpg", "/etc/1.jpg", "a/../../1.jpg"])
def test_names_that_lead_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match=r"a\.tar: the name .*1\.jpg leads out of the shard"):
        contents(a_tar(tmp_path / "a.tar", (name, b"1")))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"Z"])
def test_links_devices_and_pipes(kind: bytes, tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match=r"a\.tar: 1\.jpg is a link, a device or something else"):
        contents(a_tar(tmp_path / "a.tar", ("1.jpg", b""), type=kind, linkname="/etc/passwd"))


def test_a_file_with_holes_is_refused(tmp_path: Path) -> None:
    """A few bytes of it may stand for any number."""
    holes = {"GNU.sparse.size": "4000000000", "GNU.sparse.map": "0,1"}
    with pytest.raises(Pg2Error, match="something else that is no plain file"):
        contents(a_tar(tmp_path / "a.tar", ("1.jpg", b"1"), pax_headers=holes))


def test_what_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Pg2Error, match=r"a\.tar: 1\.jpg has 5,001 bytes, over the limit of 5,000 for \.jpg"):
        contents(a_tar(tmp_path / "a.tar", ("1.jpg", bytes(5001))))
    assert contents(a_tar(tmp_path / "a.tar", ("1.mp4", bytes(5001)), ("2.jpg", b"2")))[1][1] == {"jpg": b"2"}
    with pytest.raises(Pg2Error, match="a header of more than 65,536 bytes"):
        contents(a_tar(tmp_path / "a.tar", ("1.jpg", b"1"), pax_headers={"comment": "x" * 70_000}))
    with pytest.raises(Pg2Error, match="a name of more than 1,000 characters"):
        contents(a_tar(tmp_path / "a.tar", ("x" * 2000 + ".jpg", b"1")))
    monkeypatch.setattr(shards, "MOST_FILES", 3)
    file = a_tar(tmp_path / "a.tar", *((f"{number}.jpg", b"") for number in range(4)))
    with pytest.raises(Pg2Error, match="more than 3 files"):
        contents(file)
    monkeypatch.undo()
    monkeypatch.setattr(shards, "MOST_SAMPLES", 7)
    with pytest.raises(Pg2Error, match="more than 7 samples"):
        count_samples([file, file], MOST)


def test_a_header_that_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    """The file has them: holes, which take no space."""
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, 30_000_000_000
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(entry.tobuf(tarfile.GNU_FORMAT))
        file.truncate(entry.size + 2048)
    with pytest.raises(Pg2Error, match="a header of more than 65,536 bytes"):
        contents(tmp_path / "a.tar")


def compressed(path: Path) -> None:
    path.write_bytes(gzip.compress(a_tar(path.with_name("x"), ("1.jpg", b"1")).read_bytes()))


@pytest.mark.parametrize(
    "write", [compressed, lambda path: path.write_bytes(b""), lambda path: path.write_text("no")]
)
def test_what_is_no_tar_file(write: Callable[[Path], object], tmp_path: Path) -> None:
    write(tmp_path / "a.tar")
    with pytest.raises(Pg2Error, match=r"a\.tar is damaged, cut off, or no tar file without compression"):
        contents(tmp_path / "a.tar")


def test_shards_by_folder_and_by_numbers(tmp_path: Path) -> None:
    for name in ("set-08.tar", "set-09.tar", "set-10.tar", "more.tar", ".hidden.tar", "set.tar.gz"):
        (tmp_path / name).touch()
    assert [file.name for file in find_shards(tmp_path)] == [
        "more.tar",
        "set-08.tar",
        "set-09.tar",
        "set-10.tar",
    ]
    numbered = find_shards(f"{tmp_path}/set-{{08..10}}.tar")
    assert [file.name for file in numbered] == ["set-08.tar", "set-09.tar", "set-10.tar"]
    assert find_shards(tmp_path / "set-{0..0}{9..9}.tar") == [tmp_path / "set-09.tar"]
    assert find_shards(str(tmp_path / "more.tar")) == [tmp_path / "more.tar"]
    with pytest.raises(Pg2Error, match=r"there is no shard .*set-11\.tar"):
        find_shards(tmp_path / "set-{08..11}.tar")
    with pytest.raises(Pg2Error, match="counts backwards"):
        find_shards(tmp_path / "set-{10..08}.tar")
    for name in ("set-{0..999999999}.tar", "{0..99999}" * 20, "{0..2}" * 40):
        with pytest.raises(Pg2Error, match="more than 10,000 shards"):
            find_shards(tmp_path / name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(Pg2Error, match=r"holds no shards \(files called \*\.tar"):
        find_shards(tmp_path / "empty")


def test_a_name_is_never_a_command_or_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would run the first, and fetch the others."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "pipe:touch run.tar",
        "pipe:touch run",
        "http://127.0.0.1:9/a.tar",
        "file:/etc/passwd",
        "a\0b",
    ):
        with pytest.raises(Pg2Error, match=r"there is no shard|is no object store"):
            find_shards(name)
    assert list(tmp_path.iterdir()) == []
    os.mkfifo(tmp_path / "a.tar")
    with pytest.raises(Pg2Error, match="there is no shard"):
        find_shards(tmp_path)
