"""The loop: a whole small run, resuming bit for bit after a real kill, two processes, and bad input."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from data_samples import write_rendered
from model_samples import inputs
from rich.console import Console
from torch.nn import functional as F

from pg2.data.loader import Batch, Loader
from pg2.data.pairs import Pairs
from pg2.data.prepared import PreparedDataset
from pg2.data.sources.folder import prepare_folder
from pg2.errors import Pg2Error
from pg2.io.devices import runs_bf16
from pg2.io.outputs import exclusive
from pg2.io.tensors import load_tensors
from pg2.models.pg2 import PG2
from pg2.training import loop, losses
from pg2.training.checkpoint import CHECKPOINT, load_checkpoint
from pg2.training.loop import _check_sharding, step_seconds, train
from pg2.training.losses import PerceptualTerm
from pg2.training.recipe import load_recipe
from pg2.training.settings import Recipe
from pg2.training.stage_run import StageRun
from pg2.training.validation import Validation

QUIET = Console(quiet=True)


def tensors_of(run: Path) -> dict[str, torch.Tensor]:
    """Everything that training changes: both checkpoints and the exported model."""
    found = {}
    for file in ("coarse/checkpoint", "refined/checkpoint", "coarse/best/model", "refined/model/model"):
        tensors, metadata = load_tensors(run / f"{file}.safetensors")
        found |= {f"{file}:{name}": tensor for name, tensor in tensors.items()}
        if "checkpoint" in metadata:
            about = json.loads(metadata["checkpoint"])
            del about["progress"]["seconds"]
            found[f"{file}:about"] = torch.tensor(list(json.dumps(about, sort_keys=True).encode()))
    return found


def assert_same(one: Path, other: Path) -> None:
    first, second = tensors_of(one), tensors_of(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.fixture(scope="module")
def finished(tiny: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of the debug recipe."""
    run = tmp_path_factory.mktemp("run") / "whole"
    train(load_recipe("debug"), tiny, run, QUIET)
    return run


def test_a_run_leaves_models_samples_and_logs(finished: Path, tiny: PreparedDataset) -> None:
    for stage in ("coarse", "refined"):
        assert list((finished / stage / "samples").glob("*.png"))
        assert list((finished / stage / "log").glob("events.*"))
    coarse = PG2.from_pretrained(finished / "coarse/model")
    both = PG2.from_pretrained(finished / "refined/model")
    assert coarse.refine is None
    assert both.refine is not None
    for name, value in coarse.coarse.state_dict().items():
        assert torch.equal(value, both.coarse.state_dict()[name]), "stage I is frozen in stage II"
    assert PG2.from_pretrained(finished / "coarse/best").refine is None
    assert load_recipe(finished / "recipe.yaml") == load_recipe("debug")


def test_training_learns(tiny: PreparedDataset, tmp_path: Path) -> None:
    """Stage I on flat colours: the loss must fall by much more than noise."""
    recipe = load_recipe("debug", ["coarse.steps=60", "coarse.log_every=10", "refined.steps=1"])
    train(recipe, tiny, tmp_path / "run", QUIET)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "run/coarse/log"))
    events.Reload()
    losses = [event.value for event in events.Scalars("coarse/l1")]
    assert len(losses) == 6
    assert losses[-1] < 0.7 * losses[0]
    assert events.Tags()["images"] == ["coarse/samples"]


def test_the_same_command_again_changes_nothing(finished: Path, tiny: PreparedDataset) -> None:
    before = {file: file.stat().st_mtime_ns for file in finished.rglob("*.safetensors")}
    train(load_recipe("debug"), tiny, finished, QUIET)
    assert {file: file.stat().st_mtime_ns for file in finished.rglob("*.safetensors")} == before


def logged(run: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a run, apart from speeds."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves = {}
    for stage in ("coarse", "refined"):
        events = EventAccumulator(str(run / stage / "log"))
        events.Reload()
        curves |= {
            tag: [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
            if "per_second" not in tag
        }
    return curves


def test_killed_and_resumed_equals_uninterrupted(
    finished: Path, tiny: PreparedDataset, tmp_path: Path
) -> None:
    """kill -9 in both stages, once right after the first checkpoint and then whenever it falls.

    The first checkpoint comes between two logged means, which are as if nothing had happened, too.
    """
    run = tmp_path / "killed"
    command = [sys.executable, "-m", "pg2", "train", "debug", str(tiny.path), "--out", str(run)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    kills = 0
    for stage in ("coarse", "refined"):
        checkpoint = run / stage / "checkpoint.safetensors"
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 120
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert checkpoint.exists()
        kills += process.returncode == -signal.SIGKILL
    assert kills == 2
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert_same(finished, run)
    curves = logged(finished)
    assert curves["coarse/l1"]
    assert logged(run) == curves


def test_a_longer_run_goes_on_from_a_finished_one(tiny: PreparedDataset, tmp_path: Path) -> None:
    short = load_recipe("debug", ["coarse.steps=4", "refined.steps=2", "coarse.decay=0"])
    longer = load_recipe("debug", ["coarse.steps=4", "refined.steps=6", "coarse.decay=0"])
    train(short, tiny, tmp_path / "a", QUIET)
    train(longer, tiny, tmp_path / "a", QUIET)
    train(longer, tiny, tmp_path / "b", QUIET)
    one, other = (PG2.from_pretrained(tmp_path / run / "refined/model").state_dict() for run in "ab")
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_starting_from_another_model(finished: Path, tiny: PreparedDataset, tmp_path: Path) -> None:
    """Stage I is kept with steps = 0; stage II goes on from the other's."""
    start = finished / "refined/model"
    settings = ["coarse.steps=0", "refined.steps=2", "refined.lr=1e-12", "refined.adversarial.lr=1e-12"]
    recipe = load_recipe("debug", [*settings, "refined.ema=0", "coarse.decay=0"])
    run = tmp_path / "run"
    train(recipe, tiny, run, QUIET, init_from=start)
    one, other = (PG2.from_pretrained(folder).state_dict() for folder in (start, run / "refined/model"))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, msg=name)
    assert train(recipe, tiny, run, QUIET, init_from=start) == run / "refined/model"
    with pytest.raises(Pg2Error, match="begun with --init-from: give the same"):
        train(load_recipe("debug", [*settings[1:], "refined.ema=0", "coarse.decay=0"]), tiny, run, QUIET)
    with pytest.raises(Pg2Error, match="begun with the weights of another --init-from: give the same"):
        train(recipe, tiny, run, QUIET, init_from=finished / "coarse/model")
    with pytest.raises(Pg2Error, match="begun without --init-from: leave it out"):
        train(load_recipe("debug"), tiny, finished, QUIET, init_from=start)
    with pytest.raises(Pg2Error, match="keeps the stage I of another model"):
        train(recipe, tiny, tmp_path / "none", QUIET)


def test_growing_from_smaller_pictures(
    doubled: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first stage sees the pictures of one data set scaled down, the second one at full size."""
    small = load_recipe("debug", ["model.refine=null", "refined=null", "coarse.steps=2"])
    begun = train(small, doubled, tmp_path / "small", QUIET)
    larger = ["model.frame=[64, 32]", "model.coarse.unshuffle=2", "model.pose={radius: 8, shrink: 2}"]
    large = load_recipe(
        "debug", [*larger, "coarse.steps=1", "coarse.lr=1e-12", "coarse.ema=0", "refined.steps=1"]
    )
    grown = PG2.from_pretrained(train(large, doubled, tmp_path / "large", QUIET, init_from=begun))
    assert grown.config.frame == (64, 32)
    start, given = PG2.from_pretrained(begun), inputs()
    # Both see the same maps: drawn at another size, discs have another edge.
    drawn = start.coarse.draw(given.target_keypoints)
    monkeypatch.setattr(grown.coarse, "draw", lambda _: drawn)
    enlarged = given._replace(source=F.interpolate(given.source, scale_factor=2))
    made = F.avg_pool2d(grown(enlarged).pictures["coarse"], 2)
    torch.testing.assert_close(made, start(given).image, atol=5e-3, rtol=0)


def test_an_encoder_of_the_pose_may_begin_larger(tiny: PreparedDataset, tmp_path: Path) -> None:
    one_stage = ["model.refine=null", "refined=null", "coarse.steps=1", "coarse.lr=1e-12", "coarse.ema=0"]
    one_stage += ["model.pose.embedding=heatmaps"]
    begun = {}
    for start in ("xavier", "he"):
        recipe = load_recipe("debug", [*one_stage, f"pose_start={start}"])
        begun[start] = PG2.from_pretrained(train(recipe, tiny, tmp_path / start, QUIET)).coarse.state_dict()
    for name, value in begun["xavier"].items():
        larger = name.startswith("pose.") and name.endswith(".weight")
        assert torch.allclose(begun["he"][name], value, atol=1e-6) != larger, name
    with pytest.raises(Pg2Error, match="with --init-from they are another model's"):
        train(recipe, tiny, tmp_path / "new", QUIET, init_from=tmp_path / "he/coarse/model")
    assert not (tmp_path / "new").exists()


# `pg2`, of which the second process dies outright at a step, once.
DYING = """
import os, signal
from pg2.cli import main
from pg2.training.stage_run import StageRun
step = StageRun.train_step
def dying(state, batch):
    if (os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"], state.step) == ("1", "0", 7):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(state, batch)
StageRun.train_step = dying
main()
"""


def both(arguments: list[str]) -> list[str]:
    """What two processes say that train one model, without a launcher."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    command = [sys.executable, "-m", "pg2", "train", "debug", *arguments]
    own = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "LOCAL_WORLD_SIZE": "2", **shared}
    processes = [
        subprocess.Popen(command, env=environment | mine, stderr=subprocess.PIPE, text=True) for mine in own
    ]
    try:
        said = [process.communicate(timeout=280)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], said
    return said


def launched(
    arguments: Sequence[str], restarts: int = 0, program: Sequence[str] = ("-m", "pg2"), **settings: Any
) -> subprocess.Popen[str]:
    """`pg2 train debug` in two processes that talk by gloo, as PyTorch's launcher starts them."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [f"--max-restarts={restarts}", *program, "train", "debug", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    # Or processes that are started again look for those before (pytorch/pytorch#135712).
    environment["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, **settings)


needs_gloo = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this PyTorch has no gloo",
)


@needs_gloo
def test_two_processes_train_one_model(tiny: PreparedDataset, tmp_path: Path) -> None:
    """Each takes half of every batch; what one process began two go on with, and one ends it.

    The same holds with `sharded`.
    """
    recipe = ["coarse.steps=4", "refined.steps=3", "coarse.validate_every=4", "refined.validate_every=3"]
    recipe += ["coarse.warmup=0", "coarse.decay=0", "coarse.log_every=2", "data.jitter=0.05"]
    longer = "refined.steps=5"
    for name, changed in (("two", recipe), ("cut", [*recipe, "sharded=true"])):
        run = tmp_path / name
        train(load_recipe("debug", [*recipe, "coarse.steps=2", "refined.steps=1"]), tiny, run, QUIET)
        shutil.rmtree(run / "refined")
        settings = [argument for override in changed for argument in ("--set", override)]
        for said in both([str(tiny.path), "--out", str(run), *settings]):
            assert "Warning" not in said
        train(load_recipe("debug", [*recipe, longer]), tiny, run, QUIET)
    train(load_recipe("debug", [*recipe, longer]), tiny, tmp_path / "one", QUIET)
    # What a process would make that saw only its half of each batch, and what all of them began with.
    half = ["coarse.batch=2", "refined.batch=2"]
    train(load_recipe("debug", [*recipe, longer, *half]), tiny, tmp_path / "half", QUIET)
    still = ["coarse.lr=1e-12", "refined.lr=1e-12", "refined.adversarial.lr=1e-12"]
    train(load_recipe("debug", [*recipe, longer, *still]), tiny, tmp_path / "still", QUIET)

    def weights(run: str, stage: str) -> torch.Tensor:
        tensors, _ = load_tensors(tmp_path / run / stage / "checkpoint.safetensors")
        return torch.cat([v.flatten() for name, v in tensors.items() if name.startswith("module/")])

    for stage in ("coarse", "refined"):
        one, half_batches, begun = (weights(run, stage) for run in ("one", "half", "still"))
        moved = (one - begun).norm()
        for name in ("two", "cut"):
            assert (weights(name, stage) - one).norm() < 0.01 * moved, (name, stage)
            for kind in ("model", "best") if stage == "coarse" else ("model",):
                theirs, ours = (
                    torch.cat([value.flatten() for value in PG2.from_pretrained(model).parameters()])
                    for model in (tmp_path / name / stage / kind, tmp_path / "one" / stage / kind)
                )
                assert (theirs - ours).norm() < 0.01 * moved, (name, stage, kind)
        assert (half_batches - one).norm() > 0.1 * moved, "the bound must be able to fail"
    logged = {name: logged_losses(tmp_path / name) for name in ("one", "two", "cut", "half")}
    for name in ("two", "cut"):
        assert logged[name] == pytest.approx(logged["one"], rel=1e-3), "losses of all processes"
    assert logged["half"] != pytest.approx(logged["one"], rel=1e-3)


def test_an_old_pytorch_cuts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", type(torch.__version__)("2.6.0"))
    recipe = load_recipe("debug", ["sharded=true"])
    _check_sharding(recipe, 1)
    with pytest.raises(Pg2Error, match=r"sharded: true needs PyTorch 2\.13 or newer, not 2\.6"):
        _check_sharding(recipe, 2)


def logged_losses(run: Path) -> list[float]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "coarse/log"))
    events.Reload()
    return [event.value for event in events.Scalars("coarse/l1")]


@needs_gloo
def test_ctrl_c_in_two_processes_saves_the_step_that_both_made(tiny: PreparedDataset, tmp_path: Path) -> None:
    """A terminal sends it to all of them, and the launcher, which gets it too, sends it again."""
    far = ["--set", "coarse.save_every=1000000", "--set", "coarse.steps=1000000", "--set", "coarse.decay=0"]
    run = tmp_path / "run"
    process = launched([str(tiny.path), "--out", str(run), *far], start_new_session=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "stage coarse 6/1,000,000" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=200)
    step = load_checkpoint(run / "coarse" / CHECKPOINT, {}, {})["step"]
    assert step >= 6
    assert said.count(f"stage coarse: stopped at step {step:,} of 1,000,000") == 1


@needs_gloo
def test_a_process_that_dies_is_started_again(tiny: PreparedDataset, tmp_path: Path) -> None:
    """With the others, as the launcher was asked to; they go on from the last checkpoint."""
    recipe = ["model.refine=null", "refined=null", "coarse.steps=12", "coarse.decay=0"]
    recipe += ["coarse.save_every=5", "coarse.log_every=2", "coarse.validate_every=12"]
    settings = [argument for override in recipe for argument in ("--set", override)]
    (tmp_path / "dying.py").write_text(DYING)
    process = launched(
        [str(tiny.path), "--out", str(tmp_path / "two"), *settings],
        restarts=1,
        program=[str(tmp_path / "dying.py")],
    )
    _, said = process.communicate(timeout=280)
    assert process.returncode == 0, said
    assert "another process of this training ended" in said
    assert said.count("going on from step") == said.count("going on from step 5 ") == 1
    both([str(tiny.path), "--out", str(tmp_path / "calm"), *settings])
    calm, killed = (
        load_tensors(tmp_path / run / "coarse/checkpoint.safetensors")[0] for run in ("calm", "two")
    )
    for name in calm:
        assert torch.equal(calm[name], killed[name]), name


def test_bf16_trains(tiny: PreparedDataset, tmp_path: Path) -> None:
    """On a processor without, in fp32 and with a word about it."""
    recipe = load_recipe("debug", ["precision=bf16", "coarse.steps=3", "refined.steps=2"])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        train(recipe, tiny, tmp_path / "run", QUIET)
    without = any("no bf16" in str(warning.message) for warning in said)
    assert without == (not runs_bf16(torch.device("cpu")))
    for value in PG2.from_pretrained(tmp_path / "run/refined/model").state_dict().values():
        assert torch.isfinite(value).all()


def test_one_stage_with_an_adversary(tiny: PreparedDataset, tmp_path: Path) -> None:
    """The G1+D row of Table 1."""
    settings = ["model.refine=null", "refined=null", "coarse.steps=3", "coarse.adversarial.loss=bce"]
    settings += ["coarse.adversarial.discriminator={width: 8, layers: 2}"]
    model = train(load_recipe("debug", settings), tiny, tmp_path / "run", QUIET)
    assert model == tmp_path / "run/coarse/model"
    _, metadata = load_tensors(tmp_path / "run/coarse/checkpoint.safetensors")
    assert set(json.loads(metadata["checkpoint"])["groups"]) == {"generator", "discriminator"}


def test_a_loss_that_is_not_finite_stops_the_run(
    tiny: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "masked_l1", lambda image, *rest: image.mean() * torch.nan)
    with pytest.raises(Pg2Error, match=r"stopped at step \d+: the loss is not finite \(l1 = nan"):
        train(load_recipe("debug"), tiny, tmp_path / "run", QUIET)
    assert not (tmp_path / "run/coarse/model").exists()


def test_what_a_loss_of_stage_two_lacks_is_said_before_stage_one(
    tiny: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(self: PerceptualTerm) -> None:
        raise Pg2Error("its weights are not there")

    monkeypatch.setattr(PerceptualTerm, "network", lacking)
    recipe = load_recipe("debug", ["refined.losses.perceptual.weight=1"])
    with pytest.raises(Pg2Error, match="its weights are not there"):
        train(recipe, tiny, tmp_path / "run", QUIET)
    assert not (tmp_path / "run").exists()


def test_runs_that_do_not_fit(finished: Path, tiny: PreparedDataset, tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match="begun with seed = 0, now it is 1"):
        train(load_recipe("debug", ["seed=1"]), tiny, finished, QUIET)
    with pytest.raises(Pg2Error, match=r"holds pictures of 32x16; .* not brought to 128x64"):
        train(load_recipe("fast/market1501"), tiny, tmp_path / "a", QUIET)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/thesis.txt").write_text("precious")
    with pytest.raises(Pg2Error, match="not a training run"):
        train(load_recipe("debug"), tiny, tmp_path / "b", QUIET)


def test_nobody_to_train_on(tiny: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PreparedDataset, "usable", lambda *_: [])
    with pytest.raises(Pg2Error, match="no training pairs"):
        train(load_recipe("debug"), tiny, tmp_path / "run", QUIET)


def test_stage_one_cannot_move_below_stage_two(finished: Path, tiny: PreparedDataset, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    begun = load_recipe("debug", ["coarse.decay=0"]).model_dump(mode="json")
    (tmp_path / "run/recipe.yaml").write_text(yaml.safe_dump(begun))
    with pytest.raises(Pg2Error, match="was begun on a stage I of 12 steps"):
        train(load_recipe("debug", ["coarse.steps=16", "coarse.decay=0"]), tiny, tmp_path / "run", QUIET)
    assert yaml.safe_load((tmp_path / "run/recipe.yaml").read_text()) == begun


def test_a_run_goes_on_with_its_own_data_only(finished: Path, tiny: PreparedDataset, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    about = json.loads((tmp_path / "run/data.json").read_text())
    (tmp_path / "run/data.json").write_text(json.dumps({**about, "records_sha256": "another"}))
    with pytest.raises(Pg2Error, match="begun on another data set"):
        train(load_recipe("debug"), tiny, tmp_path / "run", QUIET)


def test_weights_that_are_not_finite_are_not_saved(
    tiny: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss was finite, the update after it was not."""

    def spoil(optimiser: torch.optim.Adam, *_: object, **__: object) -> None:
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                parameter.data.fill_(torch.inf)

    monkeypatch.setattr(torch.optim.Adam, "step", spoil)
    with pytest.raises(Pg2Error, match="weights of the generator are not finite"):
        train(load_recipe("debug", ["coarse.steps=1"]), tiny, tmp_path / "run", QUIET)
    assert not list((tmp_path / "run").rglob("*.safetensors"))


def test_a_damaged_run_recipe_is_named(finished: Path, tiny: PreparedDataset, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    values = yaml.safe_load((finished / "recipe.yaml").read_text())
    values["sed"] = 1
    (run / "recipe.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(Pg2Error, match='did you mean "seed"'):
        train(load_recipe("debug"), tiny, run, QUIET)


def test_two_trainings_in_one_folder(tiny: PreparedDataset, tmp_path: Path) -> None:
    """The second is refused, and changes nothing; also where it could go on with the folder later."""
    settings = ["coarse.steps=1", "refined.steps=1", "coarse.decay=0"]
    train(load_recipe("debug", settings), tiny, tmp_path / "run", QUIET)
    before = (tmp_path / "run/recipe.yaml").read_bytes()
    longer = load_recipe("debug", [*settings, "refined.steps=2"])
    with exclusive(tmp_path / "run"), pytest.raises(Pg2Error, match="another command is at work on"):
        train(longer, tiny, tmp_path / "run", QUIET)
    assert (tmp_path / "run/recipe.yaml").read_bytes() == before
    train(longer, tiny, tmp_path / "run", QUIET)
    assert load_recipe(tmp_path / "run/recipe.yaml") == longer


def test_what_a_kill_left_is_gone_after_the_next_start(
    finished: Path, tiny: PreparedDataset, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    # As when it is killed while recipe.yaml is first written: no stranger's folder.
    (run / ".recipe.yaml.ab3_defg").mkdir(parents=True)
    (run / ".recipe.yaml.ab3_defg/recipe.yaml").write_text("model:")
    for left in ("coarse/.best.abcdefgh/best", "coarse/samples/.0000001.png.abcdefgh"):
        (run / left).mkdir(parents=True)
    with pytest.raises(Pg2Error, match="is not a training run"):
        train(load_recipe("debug"), tiny, run, QUIET)
    assert len(list(run.rglob(".*"))) == 3, "only of its own folder"
    shutil.rmtree(run / "coarse")
    for folder in (run, tmp_path / "begun"):
        if folder != run:
            shutil.copytree(finished, folder)
            for left in ("coarse/.best.abcdefgh/best", "refined/samples/.0000001.png.abcdefgh"):
                (folder / left).mkdir(parents=True)
            (folder / "refined/.model.abcdefgh").mkdir()
            (folder / "refined/model").rename(folder / "refined/.model.abcdefgh/old")
        train(load_recipe("debug"), tiny, folder, QUIET)
        assert not list(folder.rglob(".*"))
        assert_same(finished, folder)


@pytest.fixture
def _heeds_ctrl_c() -> Iterator[None]:
    """A test run in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def stopped_at(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send a real SIGINT in the middle of a step ("coarse 5"), or of its validation ("validation 6")."""
    stage, step = moment.split()
    take_step, score = StageRun.train_step, Validation.scores

    def train_step(state: StageRun, batch: Batch) -> dict[str, torch.Tensor]:
        if (state.name, state.step + 1) == (stage, int(step)):
            signal.raise_signal(signal.SIGINT)
        reached[0] = state.step + 1
        return take_step(state, batch)

    def scores(self: Validation, *arguments: Any) -> dict[str, float]:
        if (stage, int(step)) == ("validation", reached[0]):
            signal.raise_signal(signal.SIGINT)
        return score(self, *arguments)

    reached = [0]
    monkeypatch.setattr(StageRun, "train_step", train_step)
    monkeypatch.setattr(Validation, "scores", scores)


@pytest.mark.usefixtures("_heeds_ctrl_c")
@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        ("coarse 3", ("coarse", 3)),
        ("coarse 6", ("coarse", 6)),  # where a validation is due
        ("validation 6", ("coarse", 6)),
        ("validation 12", ("coarse", 12)),  # the last of a stage
        ("refined 8", ("refined", 8)),
    ],
)
def test_ctrl_c_loses_no_step_and_changes_nothing(
    finished: Path,
    tiny: PreparedDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    kept: tuple[str, int],
) -> None:
    """`finished` saves every 4 steps and validates every 6 and every 4."""
    run, (stage, step) = tmp_path / "run", kept
    said = Console(file=io.StringIO(), width=200)
    with monkeypatch.context() as patched:
        stopped_at(moment, patched)
        with pytest.raises(KeyboardInterrupt):
            train(load_recipe("debug"), tiny, run, said)
    assert f"stage {stage}: stopped at step {step}" in said.file.getvalue()  # type: ignore[attr-defined]
    assert load_checkpoint(run / stage / CHECKPOINT, {}, {})["step"] == step
    train(load_recipe("debug"), tiny, run, QUIET)
    assert_same(finished, run)
    for stage in ("coarse", "refined"):
        one, other = (sorted((place / stage / "samples").iterdir()) for place in (finished, run))
        assert [file.name for file in one] == [file.name for file in other]
        assert [file.read_bytes() for file in one] == [file.read_bytes() for file in other]


def test_sigterm_saves_and_says_so(finished: Path, tiny: PreparedDataset, tmp_path: Path) -> None:
    """The real command, whose next checkpoint would be far away."""
    run = tmp_path / "run"
    command = [sys.executable, "-m", "pg2", "train", "debug", str(tiny.path), "--out", str(run)]
    command += ["--set", "coarse.save_every=1000000", "--set", "coarse.steps=1000000"]
    running = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE)
    assert running.stderr is not None
    for line in running.stderr:
        if b"stage coarse 6/1,000,000" in line:
            break
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate()
    assert running.returncode == 143
    lines = said.decode().splitlines()
    assert lines[-1] == "pg2: stopped; what was saved is kept"
    assert "Traceback" not in said.decode()
    step = load_checkpoint(run / "coarse" / CHECKPOINT, {}, {})["step"]
    assert step >= 6
    assert any(f"stage coarse: stopped at step {step:,} of 1,000,000" in line for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["run"], "the lock is gone"


def test_training_leaves_the_number_of_threads_as_it_was(
    finished: Path, tiny: PreparedDataset, tmp_path: Path
) -> None:
    """`pg2 table1` scores after it has trained."""
    torch.set_num_threads(2)
    recipe = load_recipe("debug", ["threads=1"])
    train(recipe, tiny, finished, QUIET)
    assert torch.get_num_threads() == 2
    with pytest.raises(Pg2Error):
        train(load_recipe("debug", ["seed=1", "threads=1"]), tiny, finished, QUIET)
    assert torch.get_num_threads() == 2
    assert min(step_seconds(recipe, tiny, 1).values()) > 0
    assert torch.get_num_threads() == 2


def test_compiling_is_a_setting(
    tiny: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is trained is compiled, and nothing else; weights keep their names."""
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(type(module).__name__))
    recipe = load_recipe("debug", ["compile=true", "coarse.steps=1", "refined.steps=1"])
    train(recipe, tiny, tmp_path / "run", QUIET)
    assert compiled == ["CoarseGenerator", "Discriminator", "DifferenceRefiner"]


def test_training_leaves_tf32_as_it_was(tiny: PreparedDataset, tmp_path: Path) -> None:
    """A bf16 recipe allows it, and scores after it must not have it."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recipe = load_recipe("debug", ["precision=bf16", "coarse.steps=1", "refined.steps=1"])
        train(recipe, tiny, tmp_path / "run", QUIET)
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before


def test_exact_flow_that_is_not_there_is_said(doubled: PreparedDataset, tmp_path: Path) -> None:
    frame = ["model.frame=[64, 32]", "coarse.steps=1", "refined.steps=1", "refined.adversarial=null"]
    stage = [
        "model.refine={kind: transport, widths: [8, 8], finish: 8}",
        "refined.losses={flow: {weight: 1}}",
    ]
    with pytest.warns(UserWarning, match="knows no exact flow"):
        train(load_recipe("debug", [*frame, *stage]), doubled, tmp_path / "run", QUIET)
    model = PG2.from_pretrained(tmp_path / "run/refined/model")
    assert list(model.pictures) == ["coarse", "warped", "mask", "silhouette"]


def test_rendered_people_teach_every_second_step(
    square: PreparedDataset, doubled: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_folder(write_rendered(tmp_path / "raw"), tmp_path / "rendered")
    rendered = PreparedDataset(tmp_path / "rendered")
    known: list[bool] = []
    step = StageRun.train_step

    def counted(self: StageRun, batch: Batch) -> dict[str, torch.Tensor]:
        known.append(batch.exact is not None)
        return step(self, batch)

    monkeypatch.setattr(StageRun, "train_step", counted)
    stage = [
        "model.refine={kind: transport, widths: [8, 8], finish: 8}",
        "refined.losses={flow: {weight: 1}}",
    ]
    steps = ["coarse.steps=1", "refined.steps=4", "refined.adversarial=null", "refined.batch=2"]
    recipe = load_recipe("debug", ["model.frame=[64, 64]", *steps, *stage])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(recipe, square, tmp_path / "run", QUIET, flow_from=rendered)
    assert known == [False, False, True, False, True]
    # Where both worlds are rendered, stage I is to know both; it needs no exact flow.
    loaders: list[tuple[str, str]] = []
    make = loop._loader

    def noted(
        recipe: Recipe, data: PreparedDataset, pairs: Pairs, seed: int, state: StageRun, *rest: bool
    ) -> Loader:
        loaders.append((state.name, data.path.name))
        return make(recipe, data, pairs, seed, state, *rest)

    prepare_folder(tmp_path / "raw", tmp_path / "rendered-too")
    monkeypatch.setattr(loop, "_loader", noted)
    train(recipe, PreparedDataset(tmp_path / "rendered-too"), tmp_path / "both", QUIET, flow_from=rendered)
    both = ("rendered-too", "rendered")
    assert loaders == [(stage, name) for stage in ("coarse", "refined") for name in both]
    with pytest.raises(Pg2Error, match="another --flow-from"):
        train(recipe, square, tmp_path / "run", QUIET)
    prepare_folder(tmp_path / "raw", tmp_path / "all-test", test_share=1)
    with pytest.raises(Pg2Error, match="has no training pairs; --flow-from"):
        train(recipe, square, tmp_path / "other", QUIET, flow_from=PreparedDataset(tmp_path / "all-test"))
    for other in (doubled, square):
        with pytest.raises(Pg2Error, match="knows no exact flow for pictures of 64x64"):
            train(recipe, square, tmp_path / "other", QUIET, flow_from=other)
    plain = load_recipe("debug", ["model.frame=[64, 64]", *steps])
    with pytest.raises(Pg2Error, match="no loss of this recipe learns from exact flow"):
        train(plain, square, tmp_path / "other", QUIET, flow_from=rendered)
    assert not (tmp_path / "other").exists()


def test_pairs_that_turn_the_person_round_come_more_often(
    tiny: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = set[tuple[int, int]]()
    shown = list[tuple[int, int]]()
    batch = Loader._made

    def made(self: Loader, number: int, pairs: Sequence[tuple[int, int, bool]]) -> Batch:
        shown.extend(pair[:2] for pair in pairs)
        return batch(self, number, pairs)

    monkeypatch.setattr(Loader, "_made", made)
    all_pairs = loop.turned_round

    def found(pairs: Pairs, keypoints: Any) -> Any:
        numbers = all_pairs(pairs, keypoints)
        turned.update(pairs[number] for number in numbers)
        return numbers

    monkeypatch.setattr(loop, "turned_round", found)
    train(
        load_recipe("debug", ["data.turned=1.0", "data.validation_people=1"]), tiny, tmp_path / "run", QUIET
    )
    assert 0 < len(turned) < len(_training_pairs(tiny))
    assert shown
    assert set(shown) <= turned


def test_nobody_turns_round(tiny: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "turned_round", lambda pairs, keypoints: np.empty(0, np.int64))
    recipe = load_recipe("debug", ["data.turned=0.5", "coarse.steps=1", "refined=null", "model.refine=null"])
    with pytest.warns(UserWarning, match=r"shows nobody from the front and from the back, so data\.turned"):
        train(recipe, tiny, tmp_path / "run", QUIET)


def _training_pairs(data: PreparedDataset) -> Pairs:
    usable = data.usable("train")
    return Pairs([data.records[index].person for index in usable], usable)
