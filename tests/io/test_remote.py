"""Files of an object store: one in memory, and a real S3 server on this machine."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch
from data_samples import FakeEstimator, prepared_market, save_noise, write_rendered

from pg2 import PG2, ModelConfig, Pg2Error, Pipeline
from pg2.augment import augment
from pg2.data.sources.folder import prepare_folder
from pg2.data.sources.webdataset import prepare_webdataset
from pg2.io import remote
from pg2.io.packaged import SAMPLES
from pg2.io.remote import Mirror, RemoteFile, is_address, lies_in, output, remote_files
from pg2.io.shards import find_shards
from pg2.manifest import FAILURES, KEPT, MANIFEST, OPTIONS
from pg2.many import Summary, make_many
from pg2.models.config import CoarseConfig
from pg2.shards import make_shards

POSES = "front,left"


@pytest.fixture
def memory() -> Iterator[str]:
    """The address of an empty store."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield "memory://bucket"
    store.store.clear()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a bucket of a server that speaks S3, whose keys are in the environment."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    patch = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        patch.setenv(name, value)
    remote._store.cache_clear()
    fsspec.filesystem("s3", use_listings_cache=False).mkdir("bucket")
    try:
        yield "s3://bucket"
    finally:
        running.stop()
        patch.undo()
        remote._store.cache_clear()


@pytest.fixture(params=["memory", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder that nobody else uses, of each of both."""
    return f"{request.getfixturevalue(request.param)}/{tmp_path.name}"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of one person in two folders, and one that is damaged."""
    folder = tmp_path_factory.mktemp("of") / "photos"
    for number, photo in enumerate(sorted(SAMPLES.glob("*/00.jpg"))[:2]):
        (folder / f"p{number}").mkdir(parents=True)
        shutil.copy(photo, folder / f"p{number}/1.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "notes.txt").write_text("of no interest")
    return folder


def upload(folder: Path, address: str) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            with fsspec.open(f"{address}/{file.relative_to(folder)}", "wb") as there:
                there.write(file.read_bytes())


def content(address: str) -> dict[str, bytes]:
    return {name: bytes(file.read()) for name, file in remote_files(address).items()}


def local(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def pipeline() -> Pipeline:
    torch.manual_seed(0)
    config = ModelConfig(frame=(32, 16), coarse=CoarseConfig(width=8, blocks=2), refine=None)
    return Pipeline(PG2(config))


def make(photos: Path | str, out: Path | str, **options: Any) -> Summary:
    return make_many(pipeline(), [photos], POSES, out, model="small", progress=False, **options)


def test_photos_and_results_lie_in_a_store(photos: Path, store: str, tmp_path: Path) -> None:
    """The same files as on this machine, and nothing else; the same call finds all of it done."""
    upload(photos, f"{store}/photos")
    here = make(photos, tmp_path / "out")
    there = make(f"{store}/photos", f"{store}/out")
    assert (there.made, len(there.failures)) == (here.made, 1) == (4, 1)
    assert f"{store}/photos/broken.jpg" in there.failures[0].error
    found, wanted = content(f"{store}/out"), local(tmp_path / "out")
    assert found.keys() == wanted.keys()
    assert {name for name in found if found[name] != wanted[name]} <= {FAILURES}, "which names the photo"
    assert make(f"{store}/photos", f"{store}/out").kept == 4
    assert content(f"{store}/out") == found


def test_a_data_set_with_more_poses_goes_to_a_store(store: str, tmp_path: Path) -> None:
    data = prepared_market(tmp_path / "data", size=(32, 16))

    def make(out: Path | str) -> int:
        return augment(pipeline(), data, out, model="small", progress=False).made

    assert make(tmp_path / "out") == make(f"{store}/out") == 12
    assert content(f"{store}/out") == local(tmp_path / "out")
    assert make(f"{store}/out") == 0


def test_what_was_begun_in_a_store_goes_on(photos: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection breaks after the first picture; a list that came too late costs work, no more."""
    sent, send = list[str](), Mirror.send

    def breaking(self: Mirror, names: Any) -> None:
        sent.extend(name for name in names if name.endswith(".png"))
        if len(sent) > 1:
            raise Pg2Error(f"cannot write into {self.address} (broken)")
        send(self, names)

    with monkeypatch.context() as patch:
        patch.setattr(Mirror, "send", breaking)
        with pytest.raises(Pg2Error, match="broken"):
            make(photos, f"{store}/out")
    assert OPTIONS in content(f"{store}/out")
    done = make(photos, f"{store}/out")
    assert (done.made, done.kept) == (4, 0)
    # Now the list is there, and a picture is not.
    file = next(name for name in content(f"{store}/out") if name.endswith(".png"))
    fsspec.open(f"{store}/out/{file}").fs.rm_file(fsspec.open(f"{store}/out/{file}").path)
    done = make(photos, f"{store}/out")
    assert (done.made, done.kept) == (1, 3)
    assert file in content(f"{store}/out")


def test_the_list_is_sent_now_and_then(photos: Path, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pg2.manifest._EVERY", 0.0)
    lengths, send = list[int](), Mirror.send

    def counting(self: Mirror, names: Any) -> None:
        send(self, names)
        if MANIFEST in names:
            lengths.append(len((self.folder / MANIFEST).read_text().splitlines()))

    monkeypatch.setattr(Mirror, "send", counting)
    make(photos, f"{memory}/out")
    assert lengths == [1, 2, 3, 4, 4]


def test_failures_of_before_are_removed(photos: Path, store: str, tmp_path: Path) -> None:
    some = tmp_path / "photos"
    shutil.copytree(photos, some)
    make(some, f"{store}/out")
    assert FAILURES in content(f"{store}/out")
    (some / "broken.jpg").unlink()
    make(some, f"{store}/out")
    assert FAILURES not in content(f"{store}/out")


def test_shards_go_to_a_store_and_come_from_there(photos: Path, store: str, tmp_path: Path) -> None:
    make(photos, tmp_path / "made")
    here = make_shards(tmp_path / "made", tmp_path / "shards", size=3, progress=False)
    there = make_shards(tmp_path / "made", f"{store}/shards/", size=3, progress=False)
    assert there.files == [f"{store}/shards/{Path(file).name}" for file in here.files]
    assert content(f"{store}/shards") == local(tmp_path / "shards")
    assert make_shards(tmp_path / "made", f"{store}/shards", size=3, progress=False).kept == 2
    one = prepare_webdataset(tmp_path / "shards", tmp_path / "one", (32, 16), progress=False)
    for given in (f"{store}/shards", f"{store}/shards/shard-{{000000..000001}}.tar"):
        two = prepare_webdataset(given, tmp_path / "two", (32, 16), progress=False)
        assert two == one
        assert (tmp_path / "two/images.zip").read_bytes() == (tmp_path / "one/images.zip").read_bytes()
        assert prepare_webdataset(given, tmp_path / "two", (32, 16), progress=False).already_prepared
        shutil.rmtree(tmp_path / "two")
    with pytest.raises(Pg2Error, match=r"there is no shard .*/shards/shard-000002\.tar"):
        prepare_webdataset(f"{store}/shards/shard-{{000000..000002}}.tar", tmp_path / "no", progress=False)


def test_a_shard_that_is_cut_off(photos: Path, store: str, tmp_path: Path) -> None:
    make(photos, tmp_path / "made")
    (shard,) = make_shards(tmp_path / "made", tmp_path / "shards", progress=False).files
    with fsspec.open(f"{store}/cut/a.tar", "wb") as file:
        file.write(Path(shard).read_bytes()[:700])
    with pytest.raises(Pg2Error, match=r"/cut/a\.tar is damaged, cut off"):
        prepare_webdataset(f"{store}/cut", tmp_path / "out", (32, 16), progress=False)
    assert not (tmp_path / "out").exists()


def prepared(folder: Path) -> dict[str, Any]:
    """All that is in a data set, but not what it was made of."""
    files: dict[str, Any] = local(folder)
    files["dataset.json"] = {**json.loads(files["dataset.json"]), "inputs": None}
    return files


def test_people_in_a_store_are_prepared_the_same(store: str, tmp_path: Path) -> None:
    """Own photos, and what was rendered, with its keypoints and geometry."""
    raw, estimator = tmp_path / "raw", FakeEstimator()
    for name in ("ann/1.jpg", "ann/2.png", "bob/1.jpg", "bob/holiday/1.jpg", "loose.jpg"):
        save_noise(raw / name)
    (raw / "bob/broken.jpg").write_bytes(b"\xff\xd8\xff")
    (raw / "bob/notes.txt").write_text("of no interest")
    upload(raw, f"{store}/raw")
    here = prepare_folder(raw, tmp_path / "here", estimator=estimator, progress=False)
    there = prepare_folder(f"{store}/raw/", tmp_path / "there", estimator=estimator, progress=False)
    assert there == here
    assert set(here.skipped) >= {"a folder inside the folder of a person", "not a picture by its file name"}
    assert prepared(tmp_path / "there") == prepared(tmp_path / "here")
    # What is there is there, until a photo changes.
    calls = estimator.calls
    assert prepare_folder(f"{store}/raw", tmp_path / "there", estimator=estimator).already_prepared
    assert estimator.calls == calls
    save_noise(raw / "ann/1.jpg", size=(90, 50))
    upload(raw, f"{store}/raw")
    with pytest.raises(Pg2Error, match="there"):
        prepare_folder(f"{store}/raw", tmp_path / "there", estimator=estimator)

    rendered = write_rendered(tmp_path / "rendered")
    upload(rendered, f"{store}/rendered")
    prepare_folder(rendered, tmp_path / "rendered-here", progress=False)
    prepare_folder(f"{store}/rendered", tmp_path / "rendered-there", progress=False)
    assert (tmp_path / "rendered-there/geometry.zip").exists()
    assert prepared(tmp_path / "rendered-there") == prepared(tmp_path / "rendered-here")


def test_people_in_a_store_that_cannot_be_prepared(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Pg2Error, match=f"^{memory}/none has no photo; expected a folder for each person"):
        prepare_folder(f"{memory}/none", tmp_path / "out")
    for name in ("ann/1.jpg", "ann/2.jpg"):
        save_noise(tmp_path / "raw" / name)
    upload(tmp_path / "raw", f"{memory}/raw")
    monkeypatch.setattr("pg2.data.sources.folder.MOST_READ", 10)
    with pytest.raises(Pg2Error, match="has photos larger than 1e-05 MB only"):
        prepare_folder(f"{memory}/raw", tmp_path / "out", estimator=FakeEstimator(), progress=False)
    monkeypatch.undo()

    def broken(self: Any, *given: Any, **options: Any) -> bytes:
        raise RuntimeError("the connection is gone")

    # A photo that is not given is not a damaged one: the rest would be a data set that lacks it.
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "cat_file", broken)
    with pytest.raises(
        Pg2Error, match=r"cannot read memory://bucket/raw/ann/1\.jpg \(the connection is gone\)"
    ):
        prepare_folder(f"{memory}/raw", tmp_path / "out", estimator=FakeEstimator(), progress=False)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else(photos: Path, store: str) -> None:
    upload(photos, f"{store}/out")
    with pytest.raises(Pg2Error, match=r"/out holds broken\.jpg, which is no result of this command"):
        make(photos, f"{store}/out")
    assert content(f"{store}/out").keys() == local(photos).keys()


def test_results_of_other_settings(photos: Path, store: str) -> None:
    make(photos, f"{store}/out")
    with pytest.raises(Pg2Error, match=rf"^{store}/out holds results of other settings"):
        make(photos, f"{store}/out", in_place=True)
    with fsspec.open(f"{store}/out/{OPTIONS}", "wb") as file:
        file.write(b"{")
    with pytest.raises(Pg2Error, match=r"options\.json is not valid JSON"):
        make(photos, f"{store}/out")


def test_photos_and_results_in_one_place(photos: Path, store: str) -> None:
    upload(photos, f"{store}/photos")
    for out in ("photos", "photos/below", "photos/"):
        with pytest.raises(Pg2Error, match=r"lies in .*, whose files are read"):
            make(f"{store}/photos", f"{store}/{out}".replace("memory:", "MEMORY:"))
    assert not lies_in(f"{store}/photographs", f"{store}/photos")


def test_nothing_there(store: str, photos: Path) -> None:
    with pytest.raises(Pg2Error, match=r"/none holds no pictures"):
        make(f"{store}/none", f"{store}/out")
    assert remote_files(f"{store}/none") == {}
    upload(photos, f"{store}/photos")
    (name, file), *others = remote_files(f"{store}/photos/p0/1.jpg").items()
    assert (name, others) == ("1.jpg", [])
    assert file.read() == (photos / "p0/1.jpg").read_bytes()
    assert file.read().name == f"{store}/photos/p0/1.jpg"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://example.org/photos", "http:// is no object store; give s3://, gs://"),
        ("file:///etc", "file:// is no object store"),
        ("pipe://cat", "pipe:// is no object store"),
        ("simplecache://s3://x", "simplecache:// is no object store"),
        ("memory://", "names no folder"),
        ("memory://a/../b", "names no folder"),
        ("memory://a\nb", "names no folder"),
        ("s3://a.tar", "names no folder"),
    ],
)
def test_what_is_no_address_of_a_store(address: str, said: str, tmp_path: Path) -> None:
    assert is_address(address)
    with pytest.raises(Pg2Error, match=said):
        find_shards(address) if address.endswith(".tar") else remote_files(address)
    if address.endswith(".tar"):
        return
    with pytest.raises(Pg2Error, match=said), output(address, KEPT):
        raise AssertionError


@pytest.mark.parametrize("given", ["photos", "/a/b", "C:\\photos", "a:b", "", "://x", Path("s3:/x")])
def test_paths_are_no_addresses(given: Any) -> None:
    assert not is_address(given)


def test_a_store_that_cannot_be_reached(server: str, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match=r"cannot write into s3://nobodys/out \(.*\); look at address, access"):
        make(photos, "s3://nobodys/out")
    gone = RemoteFile(f"{server}/gone.jpg", 10, 0)
    with pytest.raises(Pg2Error, match=r"cannot read s3://bucket/gone\.jpg"):
        gone.read()
    with pytest.raises(Pg2Error, match=r"cannot read s3://bucket/gone\.jpg"), gone.open() as file:
        file.read(1)


def test_a_connection_that_breaks_while_a_shard_is_read(
    memory: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both while its headers are read and while a picture is."""
    make(photos, tmp_path / "made")
    make_shards(tmp_path / "made", f"{memory}/shards", progress=False)
    store = type(fsspec.filesystem("memory"))
    opened, left = store.open, 0

    def opening(self: Any, *given: Any, **options: Any) -> Any:
        file = opened(self, *given, **options)

        class Breaking:
            seek, tell, close = file.seek, file.tell, file.close

            def read(self, size: int = -1) -> bytes:
                nonlocal left
                left -= 1
                if left < 0:
                    raise RuntimeError("the connection is gone")
                return file.read(size)

        return Breaking()

    monkeypatch.setattr(store, "open", opening)
    for reads in (0, 3, 12, 15):
        left = reads
        with pytest.raises(
            Pg2Error, match=r"cannot read memory://bucket/shards/.* \(the connection is gone\)"
        ):
            prepare_webdataset(f"{memory}/shards", tmp_path / "out", (32, 16), progress=False)
        assert not (tmp_path / "out").exists()


def said_of_a_server(port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said, in little time, if S3's server is at this port of this machine."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(remote, "_store", remote._store.__wrapped__)
    s3 = fsspec.get_filesystem_class("s3")
    s3.clear_instance_cache()
    began = time.monotonic()
    try:
        with pytest.raises(Pg2Error) as caught:
            remote_files("s3://bucket/photos")
    finally:
        s3.clear_instance_cache()
    assert time.monotonic() - began < 20
    return str(caught.value)


def test_a_server_that_does_not_answer(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_of_a_server(9, monkeypatch)
    assert said.startswith("cannot look at s3://bucket/photos (")
    assert "127.0.0.1:9" in said


def test_a_server_that_takes_its_time(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection, and says nothing: in earnest it is waited for 30 seconds, some times."""
    monkeypatch.setitem(
        remote._PATIENCE, "s3", {"config_kwargs": {"read_timeout": 0.2, "retries": {"max_attempts": 1}}}
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = said_of_a_server(silent.getsockname()[1], monkeypatch)
    assert said.startswith("cannot look at s3://bucket/photos (")


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*given: Any, **options: Any) -> Any:
        raise ImportError("Install s3fs")

    monkeypatch.setattr(fsspec, "filesystem", absent)
    remote._store.cache_clear()
    with pytest.raises(Pg2Error, match=r's3:// addresses need another package; .* pip install "pg2\[s3\]"'):
        remote_files("s3://bucket/photos")
    remote._store.cache_clear()


def test_a_list_may_be_larger_than_a_photo(
    memory: str, monkeypatch: pytest.MonkeyPatch, photos: Path
) -> None:
    """And its folder may hold more files than are read from one."""
    make(photos, f"{memory}/out")
    monkeypatch.setattr(remote, "MOST_READ", 10)
    monkeypatch.setattr(remote, "_MOST_FILES", 2)
    assert make(photos, f"{memory}/out").kept == 4


def test_bounds(memory: str, monkeypatch: pytest.MonkeyPatch, photos: Path) -> None:
    upload(photos, memory)
    monkeypatch.setattr(remote, "MOST_READ", 10)
    with pytest.raises(Pg2Error, match=r"p0/1\.jpg is larger than"):
        remote_files(memory)["p0/1.jpg"].read()
    monkeypatch.setattr(remote, "_MOST_FILES", 2)
    with pytest.raises(Pg2Error, match="holds more than 2 files"):
        remote_files(memory)


def test_the_manifest_says_what_it_says_here(photos: Path, memory: str) -> None:
    upload(photos, f"{memory}/photos")
    make(f"{memory}/photos", f"{memory}/out")
    lines = [json.loads(line) for line in content(f"{memory}/out")[MANIFEST].decode().splitlines()]
    assert [line["photo"] for line in lines] == ["p0/1.jpg", "p0/1.jpg", "p1/1.jpg", "p1/1.jpg"]
