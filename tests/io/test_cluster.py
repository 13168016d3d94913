"""Work over a real Ray cluster of two nodes: killed workers, interruptions, what is no cluster."""

import functools
import importlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import fsspec
import psutil
import pytest
import torch
from data_samples import write_rendered
from PIL import Image

from pg2 import PG2, ModelConfig, Pg2Error, Pipeline, many
from pg2.data.journal import PoseJournal
from pg2.data.prepared import PreparedDataset
from pg2.data.sources.deepfashion import LIST, prepare_deepfashion
from pg2.data.sources.folder import prepare_folder
from pg2.data.sources.webdataset import prepare_webdataset
from pg2.evaluation import protocol
from pg2.evaluation.instruments import instruments
from pg2.evaluation.pair_lists import all_test_pairs
from pg2.evaluation.protocol import evaluate
from pg2.evaluation.scores import Evaluation
from pg2.evaluation.tally import Tally
from pg2.io import cluster as module
from pg2.io.cluster import Cluster, _Piece, _Workers, alone, connected
from pg2.io.packaged import SAMPLES
from pg2.io.shards import write_shard
from pg2.manifest import FAILURES, MANIFEST
from pg2.many import Summary, make_many
from pg2.models.config import CoarseConfig
from pg2.rendering.options import RenderOptions
from pg2.rendering.people import check_renderer, render_people

# Ray's own warnings are none of ours.
pytestmark = pytest.mark.filterwarnings("default")

NODES = 2
POSES = "front,back,left"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster of two nodes of one processor core each, which listen to this machine alone."""
    patch, folder = pytest.MonkeyPatch(), tempfile.mkdtemp(prefix="ray-")  # a short path, as sockets need
    patch.setenv("RAY_TMPDIR", folder)
    patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster as Nodes

    node = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    nodes, at_sigterm = Nodes(), signal.getsignal(signal.SIGTERM)
    try:
        for _ in range(NODES):
            nodes.add_node(**node)
        yield nodes.address
    except Exception as error:
        if "timed out during startup" not in str(error):
            raise
        pytest.skip("this machine is too busy for Ray, whose processes have 15 seconds to start")
    finally:
        nodes.shutdown()
        signal.signal(signal.SIGTERM, at_sigterm)  # the nodes have one of Ray's
        shutil.rmtree(folder, ignore_errors=True)
        patch.undo()


@pytest.fixture(scope="module")
def cluster(address: str) -> Iterator[Cluster]:
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "_STARTING", 280)  # however busy the machine is
    with connected(address) as found:
        yield found
    patch.undo()


def lost(task: Any, why: str) -> Any:
    return why


# What workers do is defined inside of the tests: it is sent to them, who do not have this file.


def test_two_nodes_work_at_once_and_little_is_on_its_way(cluster: Cluster, tmp_path: Path) -> None:
    def make(number: int) -> tuple[int, str]:
        import ray

        node = ray.get_runtime_context().get_node_id()
        (tmp_path / node).touch()
        while len(list(tmp_path.iterdir())) < 2:  # until the other is here, too
            time.sleep(0.01)
        return number * number, node

    taken, most, found, nothing = 0, 0, list[tuple[int, str]](), 0

    def tasks() -> Iterator[int | None]:
        nonlocal taken
        for number in range(20):
            taken += 1
            yield number
            yield None

    for one in cluster.spread(make, tasks(), lost):
        most = max(most, taken - len(found))
        if one is None:
            nothing += 1
        else:
            found.append(one[1])
    assert sorted(square for square, _ in found) == [number * number for number in range(20)]
    assert len({node for _, node in found}) == NODES
    assert nothing == 20
    assert most <= 2 * NODES + 1
    assert list(alone(lambda number: number * number, iter((3, None)))) == [(3, 9), None]


def test_what_a_killed_worker_had_is_done_again(cluster: Cluster, tmp_path: Path) -> None:
    """At one task a worker is killed once, at another always: that one is given up."""

    def make(number: int) -> int:
        mark = tmp_path / f"{number} {os.getpid()}"
        mark.touch()
        if number == 5 or (number == 2 and len(list(tmp_path.glob("2 *"))) == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    answers = dict(filter(None, cluster.spread(make, iter(range(8)), lost)))
    assert "died 3 times, perhaps for lack of memory" in answers.pop(5)
    assert answers == {number: number for number in range(8) if number != 5}
    assert len(list(tmp_path.glob("2 *"))) >= 2
    # An answer that died with its worker may take the blame once.
    assert 3 <= len(list(tmp_path.glob("5 *"))) <= 5


def test_what_a_worker_died_at_is_given_to_one_that_has_nothing_else() -> None:
    """Beside a deadly piece of work another one was given up, whose answers were lost with its workers."""
    ray = Mock()
    ray.cluster_resources.return_value = {"CPU": 2}
    workers = _Workers[int, int](ray, "it", abs, {}, "")
    first, second = Mock(), Mock()
    for worker in (first, second):
        worker.work.remote.side_effect = lambda task: object()
        workers._working[worker] = {}
    for task, deaths in enumerate((1, 0, 0, 0, 2)):
        workers.give(_Piece(task, deaths))
    given = [[piece.task for piece in pieces.values()] for pieces in workers._working.values()]
    assert given == [[0], [1, 2]], "and the others wait"
    workers._working[first].clear()
    workers._hand_out()
    assert [piece.task for piece in workers._working[first].values()] == [3], (
        "the last one waits for a free worker"
    )
    workers._working[second].clear()
    workers._hand_out()
    assert [piece.task for piece in workers._working[second].values()] == [4]


def test_errors_and_warnings_come_here(cluster: Cluster) -> None:
    def make(task: object) -> str:
        warnings.warn("a.gif is animated", stacklevel=1)
        if isinstance(task, Exception):
            raise task
        return "made"

    with pytest.warns(UserWarning, match=r"a\.gif is animated"):
        assert list(cluster.spread(make, iter(["fine"]), lost)) == [("fine", "made")]
    for error, said in (
        (ValueError("no\nway"), "ValueError: no way; what is complete is kept"),
        (Pg2Error("the disk is full"), "the disk is full; what is complete is kept"),
    ):
        with pytest.raises(Pg2Error) as caught:
            list(cluster.spread(make, iter([error]), lost))
        assert str(caught.value) == said


class Absent:
    """What a machine without an extra cannot import."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return importlib.import_module, ("a_package_of_an_extra",)

    def __call__(self, task: Any) -> None:
        raise AssertionError


def test_a_machine_that_cannot_work_is_named(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Pg2Error, match=rf"{socket.gethostname()}: ModuleNotFoundError: .*; install the same"):
        list(cluster.spread(Absent(), iter([1]), lost))
    monkeypatch.setattr(module, "version", lambda name: "0.0")
    with pytest.raises(Pg2Error, match=r"it has pg2 .*, this machine 0\.0; install the same pg2 there"):
        list(cluster.spread(str, iter([1]), lost))


def test_no_worker_in_time(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both cores are taken by others."""

    class Idle:
        pass

    others = [cluster._ray.remote(Idle).options(num_cpus=1).remote() for _ in range(NODES)]
    monkeypatch.setattr(module, "_STARTING", 0.5)
    monkeypatch.setattr(module, "_GLANCE", 0.1)
    with pytest.raises(Pg2Error, match=r"no worker was ready on .* \(0 of its 2 processor cores are free\)"):
        list(cluster.spread(str, iter([1]), lost))
    for other in others:
        cluster._ray.kill(other)


# ---- many photos


def pipeline() -> Pipeline:
    torch.manual_seed(0)
    config = ModelConfig(frame=(32, 16), coarse=CoarseConfig(width=8, blocks=2), refine=None)
    return Pipeline(PG2(config))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six of one person, one of nobody, two that are damaged."""
    folder = tmp_path_factory.mktemp("of") / "photos"
    folder.mkdir()
    for number, photo in enumerate(sorted(SAMPLES.glob("*/00.jpg"))[:6]):
        shutil.copy(photo, folder / f"{number}.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    content = (folder / "0.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    Image.new("RGB", (64, 64), "grey").save(folder / "nobody.png")
    return folder


def make(photos: Path, out: Path, **options: Any) -> Summary:
    return make_many(pipeline(), [photos], POSES, out, model="small", progress=False, **options)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def alone_made(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By one process."""
    out = tmp_path_factory.mktemp("by") / "one"
    make(photos, out)
    return out


def worker_processes() -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _is_worker(process)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        # Between two tasks, "ray::Worker" alone.
        return process.cmdline()[:1] in (["ray::Worker.work"], ["ray::Worker"])
    except (psutil.Error, IndexError):
        return False


def test_the_same_as_by_one_process_though_a_worker_is_killed(
    cluster: Cluster, photos: Path, alone_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, killed = many._Run.keep, list[int]()

    def keep(self: Any, task: Any, answer: Any) -> None:
        if not killed and (workers := worker_processes()):
            workers[0].kill()
            killed.append(workers[0].pid)
        real(self, task, answer)

    monkeypatch.setattr(many._Run, "keep", keep)
    done = make(photos, tmp_path / "out", ray="auto")
    assert len(killed) == 1
    assert (done.made, done.kept, len(done.failures)) == (18, 0, 3)
    assert content(tmp_path / "out") == content(alone_made)
    assert make(photos, tmp_path / "out", ray="auto").kept == 18


def test_a_photo_that_kills_workers_is_left_out(
    cluster: Cluster, photos: Path, alone_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = many._Maker.whole

    def deadly(self: Any, task: Any) -> Any:
        if task.photo.name == "3.jpg":
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(self, task)

    with monkeypatch.context() as patch:
        patch.setattr(many._Maker, "whole", property(lambda self: lambda task: deadly(self, task)))
        done = make(photos, tmp_path / "out", ray="auto")
    assert done.made == 15
    assert [failure.name for failure in done.failures] == ["3.jpg", "broken.jpg", "cut.jpg", "nobody.png"]
    assert "3.jpg: the process that worked on it died 3 times" in done.failures[0].error
    assert make(photos, tmp_path / "out").made == 3
    assert content(tmp_path / "out") == content(alone_made)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_stopped_goes_on(
    address: str, photos: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """With its whole group of processes, as by Ctrl-C in a terminal; then on one process alone."""
    pipeline().save_pretrained(tmp_path / "small")
    out = tmp_path / "out"
    line = [
        "generate", str(photos), "--poses", "named", "--model", str(tmp_path / "small"), "--out", str(out),
    ]  # fmt: skip
    # A test run in the background ignores Ctrl-C, and its children would inherit that.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    command = subprocess.Popen(
        [sys.executable, "-m", "pg2", *line, "--ray", address], stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=heed, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        end = time.monotonic() + 250
        while not (out / MANIFEST).exists() and command.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        assert (out / MANIFEST).exists()
        assert command.poll() is None
        os.killpg(command.pid, number)
        said = command.communicate(timeout=100)[1]
    finally:
        command.kill()
    if number == signal.SIGINT:
        assert command.returncode == 130, said
        assert said.splitlines()[-1] == "pg2: stopped; what was saved is kept"
        assert "Traceback" not in said
    small = tmp_path / "small"
    done = make_many(Pipeline.from_pretrained(small), [photos], "named", out, model=str(small), in_place=None)
    assert done.kept > 0
    assert done.made + done.kept == 6 * 7
    assert len((out / MANIFEST).read_text().splitlines()) == 6 * 7
    assert len((out / FAILURES).read_text().splitlines()) == 3


def test_people_are_rendered_the_same(cluster: Cluster, tmp_path: Path) -> None:
    try:
        check_renderer()
    except Pg2Error as error:
        pytest.skip(str(error))
    options = RenderOptions(poses=1, size=(32, 32), seed=3)
    render_people(tmp_path / "one", 2, options, workers=1, progress=False)
    render_people(tmp_path / "two", 2, options, ray="auto", progress=False)
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert len(content(tmp_path / "two")) == 8


def test_poses_of_a_data_set_are_found_the_same(
    cluster: Cluster, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people of three photos, two damaged ones and one that shows nobody."""
    raw = tmp_path / "raw"
    for number, photo in enumerate(sorted(photos.iterdir())):
        folder = raw / ("first" if number % 2 else "second")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, folder / photo.name)
    options = {"frame": (64, 32), "progress": False}
    one = prepare_folder(raw, tmp_path / "one", **options)  # type: ignore[arg-type]
    here = []
    keep = PoseJournal._keep
    monkeypatch.setattr(PoseJournal, "_keep", lambda *given: here.append(1) or keep(*given))
    look = PoseJournal.pose
    asked = []

    def pose(self: PoseJournal, *given: Any) -> Any:
        asked.append(len(here))
        return look(self, *given)

    monkeypatch.setattr(PoseJournal, "pose", pose)
    two = prepare_folder(raw, tmp_path / "two", **options, ray="auto")  # type: ignore[arg-type]
    assert two == one
    assert set(asked) == {7}  # all poses, and that there is nobody, were known before any was asked for
    store = fsspec.filesystem("memory")
    store.put(str(raw), "/people/raw", recursive=True)
    here.clear()
    prepare_folder("memory://people/raw", tmp_path / "three", **options, ray="auto")  # type: ignore[arg-type]
    store.rm("/people", recursive=True)
    assert len(here) == 7
    for name in ("images.zip", "records.csv"):
        assert content(tmp_path / "three")[name] == content(tmp_path / "one")[name]
    shutil.rmtree(tmp_path / "three")
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "raw", "two"]


def test_poses_in_shards_are_found_the_same(cluster: Cluster, photos: Path, tmp_path: Path) -> None:
    """Shards of pictures whose keypoints are known, are not, or are of another form, and of what is none."""
    given = []
    for number, photo in enumerate(sorted(photos.iterdir())):
        files = {photo.suffix[1:]: photo.read_bytes()}
        if number == 1:
            files["json"] = json.dumps({"keypoints": [[40.0 + joint, 30.0] for joint in range(18)]}).encode()
        if number == 2:
            files["json"] = b"[]"
        given.append((f"p{number % 2}/{photo.stem}", files))
    # Once more, of the name of the first: it is skipped, and its pose is nobody's.
    given.append((given[0][0], {"jpg": (photos / "5.jpg").read_bytes()}))
    shards = tmp_path / "shards"
    shards.mkdir()
    write_shard(shards / "a-0.tar", given[:5])
    write_shard(shards / "a-1.tar", given[5:])
    one = prepare_webdataset(shards, tmp_path / "one", (64, 32), progress=False)
    two = prepare_webdataset(shards, tmp_path / "two", (64, 32), ray="auto", progress=False)
    assert two == one
    assert one.splits["train"]["images"] == 5
    assert content(tmp_path / "two") == content(tmp_path / "one")


def test_poses_of_larger_pictures_are_found_on_what_is_kept_of_them(
    cluster: Cluster, photos: Path, tmp_path: Path
) -> None:
    """DeepFashion's img_highres: the pose is looked for after they were scaled."""
    raw, listed = tmp_path / "raw", []
    for number in range(3):
        name = f"WOMEN/Dresses/id_00000001/01_{number}_front.jpg"
        file = raw / "Img/img_highres" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.open(photos / f"{number}.jpg").convert("RGB").resize((300, 420)).save(file)
        listed.append(f"img/{name} id_00000001 train")
    (raw / "Eval").mkdir()
    (raw / "Eval" / LIST).write_text("\n".join(["3", "image_name item_id evaluation_status", *listed, ""]))
    options = {"keypoints": "auto", "progress": False}
    one = prepare_deepfashion(raw, tmp_path / "one", **options)  # type: ignore[arg-type]
    two = prepare_deepfashion(raw, tmp_path / "two", **options, ray="auto")  # type: ignore[arg-type]
    assert two == one
    assert one.splits["train"]["images"] == 3
    assert content(tmp_path / "two") == content(tmp_path / "one")


# ---- an evaluation


def test_scores_are_the_same_though_a_worker_is_killed(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that a picture is looked at by, and what the renderer knows of it."""
    torch.manual_seed(0)
    model = Pipeline(PG2(ModelConfig(frame=(64, 64), coarse=CoarseConfig(width=8, blocks=2), refine=None)))
    raw = write_rendered(tmp_path / "raw")
    prepare_folder(raw, tmp_path / "data", (64, 64), test_share=1.0, progress=False)
    data = PreparedDataset(tmp_path / "data")
    pairs = all_test_pairs(data)
    pairs = (pairs * 20)[:18]
    tools = instruments(bodies=5)
    assert tools.judges

    def scored(name: str, **options: Any) -> Evaluation:
        return evaluate(
            model, data, pairs, batch=2, instruments=tools, store=tmp_path / name, progress=False, **options
        )

    monkeypatch.setattr(protocol, "_SENT", 2)
    one, killed, real = scored("one"), list[int](), Tally.add

    def add(self: Tally, measured: Any) -> None:
        if not killed and (workers := worker_processes()):
            workers[0].kill()
            killed.append(workers[0].pid)
        real(self, measured)

    monkeypatch.setattr(Tally, "add", add)
    two = scored("two", ray="auto")
    assert killed
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert two.about == one.about
    assert "l1_visible" in one.about
    assert list(two.rows) == list(one.rows)
    for row, scores in one.rows.items():
        for score, values in scores.items():
            torch.testing.assert_close(two.rows[row][score], values, rtol=1e-5, atol=1e-6, equal_nan=True)
        for score, estimate in one.sets[row].items():
            assert two.sets[row][score] == pytest.approx(estimate, rel=1e-3, abs=1e-4, nan_ok=True)


# ---- no cluster


def serving(answer: bytes | None) -> tuple[socket.socket, str]:
    """A service that answers so to whatever comes, or not at all."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        held = []
        try:
            while True:
                connection, _ = server.accept()
                held.append(connection)
                if answer is not None:
                    connection.sendall(answer)
                    connection.close()
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    return server, f"127.0.0.1:{server.getsockname()[1]}"


def refused(*addresses: str) -> list[str]:
    """What is said of each, by a process that is not connected to a cluster."""
    code = (
        "import sys; from pg2.io import cluster; cluster._CONNECTING = 1.0\n"
        "for address in sys.argv[1:]:\n"
        "  try:\n    with cluster.connected(address): print('connected')\n"
        "  except cluster.Pg2Error as error: print(error)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *addresses], capture_output=True, text=True, timeout=200, check=True
    )
    assert ran.stderr == ""
    return ran.stdout.splitlines()


def test_what_is_no_cluster() -> None:
    pytest.importorskip("ray")
    server, silent = serving(None)
    other, web = serving(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    said = refused("127.0.0.1:1", silent, web, "ray://nowhere:10001")
    assert len(said) == 4
    assert "no Ray cluster at 127.0.0.1:1 (connection refused)" in said[0]
    assert f"no Ray cluster at {silent} (timed out)" in said[1]
    assert f"what answers at {web} is no Ray cluster" in said[2]
    assert 'HOST:PORT, auto or local, not "ray://nowhere:10001"' in said[3]
    server.close()
    other.close()


def test_without_ray(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Pg2Error, match=r'install it with: pip install "pg2\[ray\]"'):
        make(photos, tmp_path / "out", ray="local")
    assert not (tmp_path / "out").exists()
