"""The loop: step, log, validate, save, resume. It knows stages, phases and terms, not what they are."""

import copy
import time
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from rich.console import Console

from pg2.data.exact import ExactFlow
from pg2.data.loader import Alternating, Loader
from pg2.data.pairs import PairOrder, Pairs, turned_round
from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.io.devices import runs_bf16, tf32
from pg2.io.files import atomic_path
from pg2.io.outputs import exclusive
from pg2.io.progress import progress_bar
from pg2.models.pg2 import PG2
from pg2.training.log import StageLog, tensorboard_log
from pg2.training.objectives import Objective
from pg2.training.processes import of_first, together
from pg2.training.reader import Reader
from pg2.training.run_folder import begin
from pg2.training.settings import Recipe
from pg2.training.stage_run import StageRun
from pg2.training.stopping import Stop, StoppedError, stoppable
from pg2.training.trackers import Trackers, tracked, wanted
from pg2.training.validation import Validation, split_validation

if TYPE_CHECKING:
    from accelerate import Accelerator

_SHARDS = "2.13"  # the oldest PyTorch with which `sharded` was tested


@contextmanager
def _arithmetic(recipe: Recipe) -> Iterator[None]:
    """PyTorch's threads on the CPU and TF32 on a GPU as a recipe wants them; afterwards as before."""
    before = torch.get_num_threads()
    if recipe.threads is not None:
        torch.set_num_threads(recipe.threads)
    try:
        # What autocast leaves in float32 need not be more exact than the rest, and is several times faster.
        with tf32(recipe.precision == "bf16"):
            yield
    finally:
        torch.set_num_threads(before)


def _accelerator(recipe: Recipe, log: Collection[str] = ()) -> "Accelerator":
    try:
        import torch.utils.tensorboard
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError as error:
        raise Pg2Error('training needs the extra "train": pip install "pg2[train]"') from error
    trackers = wanted(log)
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    bf16 = recipe.precision == "bf16"
    if bf16 and not runs_bf16(device or torch.device("cpu")):
        warnings.warn("this processor has no bf16; training goes on in fp32", stacklevel=2)
        bf16 = False
    # The library keeps the precision of the first run in a process; a second run may want another.
    AcceleratorState._reset_state()
    return Accelerator(
        mixed_precision="bf16" if bf16 else "no", cpu=device is None, log_with=trackers or None
    )


def _check_processes(recipe: Recipe, processes: int) -> None:
    for name, stage in recipe.stages.items():
        if stage.batch % processes:
            raise Pg2Error(f"{name}.batch = {stage.batch} does not divide among {processes} processes")


def _check_sharding(recipe: Recipe, processes: int) -> None:
    # With gloo, PyTorch's of 2025 gave sums of gradients in place of means (pytorch/pytorch#162338).
    if recipe.sharded and processes > 1 and torch.__version__ < _SHARDS:
        raise Pg2Error(
            f"sharded: true needs PyTorch {_SHARDS} or newer, not {torch.__version__}; upgrade it, or leave "
            "sharded out"
        )


def _check_losses(recipe: Recipe) -> None:
    # Before anything is trained: what the losses of a late stage lack is not to be found out hours from now.
    for stage in recipe.stages.values():
        for term in stage.losses.terms.values():
            term.network()
        if stage.reader is not None:
            Reader(stage.reader)


def train(
    recipe: Recipe,
    data: PreparedDataset,
    run: str | Path,
    console: Console | None = None,
    init_from: str | Path | None = None,
    flow_from: PreparedDataset | None = None,
    log: Collection[str] = (),
) -> Path:
    """Train all stages of a recipe; called again with the same arguments, go on where it stopped.

    On CPU in fp32 a run that was stopped and resumed equals one that was not, bit for bit. SIGINT and SIGTERM
    take effect once the step that is being made is saved.

    Args:
        recipe: all settings.
        data: prepared pictures; those larger than the recipe's frame are scaled down.
        run: folder of the run: recipe.yaml, and a folder a stage (coarse, refined) with
            checkpoint.safetensors, model/ (exported when the stage is done), best/, samples/ and log/.
        console: where progress is shown; None: standard error.
        init_from: a shipped model, a folder or a hub id to start the weights from, to tune it to other data
            or to grow it from smaller pictures; see `PG2.start_from`.
        flow_from: people rendered with `--geometry`, beside `data` that may know no exact flow: a stage that
            learns from it takes every second batch from here. Where `data` is rendered so, too, every stage
            does: it is to know both worlds.
        log: of "wandb" and "mlflow": where the numbers go beside TensorBoard's files; on this machine, unless
            the environment says otherwise.

    Returns:
        The folder of the final model.

    Raises:
        Pg2Error: data or run folder do not fit the recipe, another process trains there, the loss is not
            finite, the disk is full, a package is missing, another process of this training is gone.
    """
    run = Path(run)
    _check_losses(recipe)
    with _arithmetic(recipe), together():
        accelerator = _accelerator(recipe, log)
        data = data.scaled(recipe.model.frame)
        if flow_from is not None:
            flow_from = _with_flow(flow_from, recipe)
        main = accelerator.is_main_process
        _check_processes(recipe, accelerator.num_processes)
        _check_sharding(recipe, accelerator.num_processes)
        start = None if init_from is None else PG2.from_pretrained(init_from)
        if start is None and not recipe.coarse.steps:
            raise Pg2Error("coarse.steps = 0 keeps the stage I of another model; name it with --init-from")
        if start is not None and recipe.pose_start != "xavier":
            raise Pg2Error("pose_start says how weights begin; with --init-from they are another model's")
        console = (console or Console(stderr=True)) if main else Console(quiet=True)
        with exclusive(run) if main else nullcontext():
            # One after the other: a folder that is just being begun must not look like a stranger's.
            with accelerator.main_process_first():
                begin(recipe, data, run, None if start is None else start.weights_sha256(), flow_from, main)
            with tracked(accelerator, run, recipe) as trackers:
                final = _train(recipe, data, flow_from, run, accelerator, trackers, start, console)
            accelerator.end_training()
            return final


def _train(
    recipe: Recipe,
    data: PreparedDataset,
    flow_from: PreparedDataset | None,
    run: Path,
    accelerator: "Accelerator",
    trackers: Trackers,
    start: PG2 | None,
    console: Console,
) -> Path:
    """All stages of a run that has been begun."""
    from accelerate.utils import set_seed

    pairs, held_out = split_validation(data, recipe)
    validation = Validation(data, held_out) if held_out else None
    set_seed(recipe.seed)
    model = PG2(recipe.model)
    model.initialise()
    if recipe.pose_start == "he":
        model.coarse.enlarge_pose()
    if start is not None:
        model.start_from(start)
    console.print(
        f"{len(pairs):,} training pairs, {len(held_out)} validation pairs of people kept out of training"
    )
    final, earlier = run, 0  # steps of the stages before
    for number, (name, stage) in enumerate(recipe.stages.items()):
        # A stage's own seed makes its start independent of what ran before it in this process.
        seed = recipe.seed + number
        set_seed(seed)
        objective = Objective(model, name, stage)
        state = StageRun(objective, model, run / name, accelerator, recipe.compile, recipe.sharded)
        state.resume()
        final = state.folder / "model"
        if state.step < stage.steps or state.owes_validation:
            own = _loader(recipe, data, pairs, seed, state, flow_from is None)
            loader: Loader | Alternating = own
            if flow_from is not None and (objective.grid or data.has_geometry):
                rendered = _training_pairs(flow_from)
                loader = Alternating([own, _loader(recipe, flow_from, rendered, seed, state)])
            trackers.start()
            _run_stage(state, loader, validation, console, trackers, earlier)
        state.gather()
        if accelerator.is_main_process and not final.exists():
            state.export(final)
        # What comes after stands on the averaged weights, which are the ones that are exported.
        model.stages[name].load_state_dict(copy.deepcopy(state.evaluated.state_dict()))
        accelerator.free_memory()
        earlier += stage.steps
    accelerator.wait_for_everyone()
    return final


def _with_flow(data: PreparedDataset, recipe: Recipe) -> PreparedDataset:
    terms = [term for stage in recipe.stages.values() for term in stage.losses.terms.values()]
    if not any(term.of_transport for term in terms):
        raise Pg2Error("no loss of this recipe learns from exact flow; leave --flow-from out")
    if data.frame != recipe.model.frame or not data.has_geometry:
        height, width = recipe.model.frame
        raise Pg2Error(
            f"{data.path} knows no exact flow for pictures of {height}x{width}; make people with "
            f"`pg2 render --geometry --size {height}x{width}`"
        )
    if not len(_training_pairs(data)):
        raise Pg2Error(f"{data.path} has no training pairs; --flow-from needs people of the training split")
    return data


def _training_pairs(data: PreparedDataset) -> Pairs:
    usable = data.usable("train")
    return Pairs([data.records[index].person for index in usable], usable)


def _loader(
    recipe: Recipe, data: PreparedDataset, pairs: Pairs, seed: int, state: StageRun, warn: bool = True
) -> Loader:
    turned = recipe.data.turned
    preferred = turned_round(pairs, data.keypoints) if turned else None
    if preferred is not None and not len(preferred) and warn:
        warnings.warn(
            f"{data.path} shows nobody from the front and from the back, so data.turned is left out",
            stacklevel=2,
        )
    order, accelerator = PairOrder(pairs, seed, recipe.data.flip, preferred, turned), state.accelerator
    grid = state.objective.grid
    if grid and not data.has_geometry and warn:
        warnings.warn(
            f"{data.path} knows no exact flow (of people made by `pg2 render --geometry`, at their "
            "own size), so the loss `flow` is left out",
            stacklevel=2,
        )
    return Loader(
        data,
        order,
        state.stage.batch,
        accelerator.process_index,
        accelerator.num_processes,
        accelerator.device,
        ExactFlow(data, grid) if grid and data.has_geometry else None,
        recipe.data.jitter,
        seed,
    )


def step_seconds(recipe: Recipe, data: PreparedDataset, steps: int = 10) -> dict[str, float]:
    """How long a step of each stage takes here: "coarse" and perhaps "refined" -> seconds of the quickest.

    Real steps on real pairs, with what comes late in training (an SSIM term) left out; nothing is kept. The
    quickest, because whatever else runs on the machine only makes steps longer.

    Raises:
        Pg2Error: as `train`.
    """
    with _arithmetic(recipe):
        data = data.scaled(recipe.model.frame)
        accelerator = _accelerator(recipe)
        pairs, _ = split_validation(data, recipe)
        model = PG2(recipe.model)
        model.initialise()
        found = {}
        for name, stage in recipe.stages.items():
            state = StageRun(Objective(model, name, stage), model, Path(name), accelerator, recipe.compile)
            loader = _loader(recipe, data, pairs, recipe.seed, state)
            times = []
            for batch in loader.batches(0, steps + 2):
                began = time.monotonic()
                state.check_terms({term: float(value) for term, value in state.train_step(batch).items()})
                times.append(time.monotonic() - began)
            # The first steps choose kernels.
            found[name] = min(times[2:])
            accelerator.free_memory()
        accelerator.end_training()
        return found


def _run_stage(
    state: StageRun,
    loader: Loader | Alternating,
    validation: Validation | None,
    console: Console,
    trackers: Trackers,
    earlier: int,
) -> None:
    stage, started, before = state.stage, time.monotonic(), state.seconds
    main = state.accelerator.is_main_process
    if state.step:
        console.print(f"stage {state.name}: going on from step {state.step:,} of {stage.steps:,}")
    written = tensorboard_log(state.folder / "log", state.step) if main else nullcontext()
    with (
        stoppable(state.accelerator) as stop,
        written as writer,
        progress_bar(console, "speed", "losses") as progress,
    ):
        task = progress.add_task(
            f"stage {state.name}", total=stage.steps, completed=state.step, speed="", losses=""
        )
        log = StageLog(state.name, writer, trackers, earlier)
        if state.owes_validation:
            _settle(state, validation, log, console, stop)
        window, last = state.step, time.monotonic()
        for batch in () if stop.asked else loader.batches(state.step, stage.steps):
            state.count(state.train_step(batch))
            state.seconds = before + time.monotonic() - started
            state.owes_validation = validation is not None and state.validates
            stop.agree(None if state.ended else state.step)
            progress.update(task, completed=state.step)
            if state.step % stage.log_every == 0 or state.ended:
                steps = state.step - window
                means = state.means()
                now = time.monotonic()
                speed = steps * stage.batch / (now - last)
                shown = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
                progress.update(task, speed=f"{speed:.0f} images/s", losses=shown)
                if not console.is_terminal:
                    left = (stage.steps - state.step) * stage.batch / speed / 60
                    console.print(
                        f"stage {state.name} {state.step:,}/{stage.steps:,}  {speed:.0f} images/s  "
                        f"{left:.0f} min left  {shown}"
                    )
                log.numbers({**means, "images_per_second": speed}, state.step)
                window, last = state.step, now
            paused = time.monotonic()
            if _settle(state, validation, log, console, stop):
                break
            last += time.monotonic() - paused


def _settle(
    state: StageRun,
    validation: Validation | None,
    log: StageLog,
    console: Console,
    stop: Stop,
) -> bool:
    """Do what is due after a step: validate, export, save; returns whether training stops there."""
    stage = state.stage
    if validation is not None and state.owes_validation and not stop.asked:
        state.check_finite()
        state.gather()
        # Every process could validate; one is enough, and the others wait for its word.
        if state.accelerator.is_main_process:
            _validate(state, validation, log, console, stop)
        stop.agree()
        state.owes_validation = of_first(state.owes_validation, state.accelerator.device)
    if state.ended and not state.owes_validation:
        # Before the last checkpoint: killed in between, the run makes both again.
        state.check_finite()
        state.gather()
        state.export(state.folder / "model")
    stopping = stop.asked
    if stopping or state.ended or state.step % stage.save_every == 0:
        # First: of the steps before a checkpoint nothing is logged again.
        log.flush()
        state.save()
    if stopping:
        state.accelerator.wait_for_everyone()
        console.print(
            f"stage {state.name}: stopped at step {state.step:,} of {stage.steps:,}, which is saved; the "
            "same command goes on from there"
        )
    return stopping


@torch.no_grad()
def _validate(state: StageRun, validation: Validation, log: StageLog, console: Console, stop: Stop) -> None:
    """Score the model, show what it makes, keep it where it is the best; owed still when asked to stop."""
    device = state.accelerator.device
    with state.accelerator.autocast(), state.evaluated_on(device) as evaluated:
        try:
            scores = validation.scores(state.objective, evaluated, device, stop.check)
        except StoppedError:
            return
        strip = validation.strip(state.objective, evaluated, device)
    shown = "  ".join(f"{name} {value:.4f}" for name, value in scores.items())
    console.print(f"stage {state.name} {state.step:,}: validation  {shown}")
    with atomic_path(state.folder / "samples" / f"{state.step:07d}.png") as new:
        Image.fromarray(strip.permute(1, 2, 0).numpy()).save(new)
    log.numbers({f"validation/{name}": value for name, value in scores.items()}, state.step)
    log.picture("samples", strip, state.step)
    if state.is_better(scores):
        state.export(state.folder / "best")
    state.owes_validation = False
