"""The loop: step, log, validate, save, resume. It knows phases and terms, not which stage it trains."""

import copy
import hashlib
import math
import shutil
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from pg2.data.loader import Batch, Loader, assemble
from pg2.data.pairs import PairOrder, Pairs
from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.io.files import atomic_path, exclusive, read_json, write_json, write_text
from pg2.io.pixels import to_uint8
from pg2.metrics import l1, mask_ssim, sharpness, ssim
from pg2.models.inputs import Inputs
from pg2.models.pg2 import PG2
from pg2.models.refine.difference import RefineGenerator
from pg2.models.transfer import start_from
from pg2.pose.skeleton import draw_skeleton
from pg2.training.checkpoint import load_checkpoint, save_checkpoint
from pg2.training.objectives import Objective
from pg2.training.recipe import Recipe, StageConfig, check_same, load_recipe

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch.utils.tensorboard import SummaryWriter

_SAMPLES = 8


def learning_rate_factor(step: int, stage: StageConfig) -> float:
    """Factor on the base learning rate at `step` (0, 1, ...): linear warm-up, flat, linear decay to zero."""
    rise = min(1.0, (step + 1) / stage.warmup) if stage.warmup else 1.0
    tail = stage.decay * stage.steps
    return rise * (min(1.0, (stage.steps - step) / tail) if tail else 1.0)


def _average(decay: float) -> Callable[[Any, Any, Any], None]:
    """Exponential moving average whose memory grows with the count, so that early averages are of use."""

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        number = int(count)
        weight = 1.0 - min(decay, (1 + number) / (10 + number))
        torch._foreach_lerp_(averaged, current, weight)

    return update


def split_validation(data: PreparedDataset, recipe: Recipe) -> tuple[Pairs, list[tuple[int, int]]]:
    """Training pairs, and the fixed validation pairs of people who are kept out of training.

    Raises:
        Pg2Error: too few people or pictures.
    """
    usable = data.usable("train")
    people = sorted({data.records[index].person for index in usable})
    generator = np.random.default_rng([recipe.seed, 1])
    count = min(recipe.data.validation_people, len(people) // 3)
    held_out = set(generator.permutation(people)[:count].tolist())
    names = {index: data.records[index].person for index in usable}
    training = [index for index in usable if names[index] not in held_out]
    validation = [index for index in usable if names[index] in held_out]
    pairs = Pairs([names[index] for index in training], training)
    if not len(pairs):
        raise Pg2Error(
            f"{data.path} has no training pairs: needed are people of the training split with two usable "
            f"pictures, beside the {count} people kept for validation (data.validation_people)"
        )
    candidates = Pairs([names[index] for index in validation], validation)
    count = min(recipe.data.validation_pairs, len(candidates))
    chosen = generator.choice(len(candidates), count, replace=False).tolist() if count else []
    return pairs, [candidates[number] for number in chosen]


class _Validation:
    """Fixed pairs of people not trained on, and the scores of a generator on them."""

    def __init__(self, data: PreparedDataset, pairs: list[tuple[int, int]], batch: int) -> None:
        self.batches = [self._batch(data, pairs[at : at + batch]) for at in range(0, len(pairs), batch)]

    @staticmethod
    def _batch(data: PreparedDataset, pairs: list[tuple[int, int]]) -> Batch:
        return assemble(data, [(source, target, False) for source, target in pairs])

    @torch.no_grad()
    def scores(self, objective: Objective, generator: nn.Module, device: torch.device) -> dict[str, float]:
        """Means over the pairs; "sharpness" is the ratio of generated to real."""
        found: dict[str, list[Tensor]] = {name: [] for name in ("ssim", "mask_ssim", "l1", "made", "real")}
        for batch in self.batches:
            ready = objective.prepare(batch.to(device))
            made = to_uint8(objective.generate(ready, generator)).cpu()
            mask = ready["mask"].cpu()
            found["ssim"].append(ssim(made, batch.target))
            found["mask_ssim"].append(mask_ssim(made, batch.target, mask))
            found["l1"].append(l1(made, batch.target))
            found["made"].append(sharpness(made))
            found["real"].append(sharpness(batch.target))
        means = {name: float(torch.cat(values).mean()) for name, values in found.items()}
        means["sharpness"] = means.pop("made") / max(means.pop("real"), 1e-9)
        return means

    @torch.no_grad()
    def strip(self, objective: Objective, generator: nn.Module, device: torch.device) -> Tensor:
        """Sample strips, uint8 [3, H * rows, W * columns]: source, target pose, (coarse,) made, target."""
        inputs, target = self.batches[0]
        batch = Batch(Inputs(*(tensor[:_SAMPLES] for tensor in inputs)), target[:_SAMPLES]).to(device)
        ready = objective.prepare(batch)
        columns = [ready["source"], draw_skeleton(batch.inputs.target_keypoints, objective.frame)]
        columns += [ready["coarse"]] if "coarse" in ready else []
        columns += [objective.generate(ready, generator), ready["target"]]
        rows = torch.cat([to_uint8(column).cpu() for column in columns], 3)
        return torch.cat(list(rows), 1)


class _StageRun:
    """One stage of one run: its state, and how it is saved, taken up and exported."""

    def __init__(
        self,
        name: str,
        stage: StageConfig,
        objective: Objective,
        model: PG2,
        folder: Path,
        accelerator: "Accelerator",
    ) -> None:
        self.name, self.stage, self.objective, self.model = name, stage, objective, model
        self.folder, self.accelerator = folder, accelerator
        self.modules = dict(objective.networks)
        self.average: AveragedModel | None = None
        if stage.ema:
            # An averaged copy of a wrapped module would carry the wrapper: copy first, wrap afterwards.
            generator = _placed(self.modules["generator"], accelerator)
            self.average = AveragedModel(generator, multi_avg_fn=_average(stage.ema))
            self.average.requires_grad_(False)
        self.optimisers = {
            phase: torch.optim.Adam(network.parameters(), objective.learning_rate(phase), betas=stage.betas)
            for phase, network in objective.networks.items()
        }
        for phase in objective.phases:
            objective.networks[phase], self.optimisers[phase] = accelerator.prepare(
                _placed(objective.networks[phase], accelerator), self.optimisers[phase]
            )
        if objective.frozen is not None:
            _placed(objective.frozen, accelerator)
        self.step, self.seconds, self.best = 0, 0.0, math.nan

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    @property
    def evaluated(self) -> nn.Module:
        """The generator as it would be exported: its average where one is kept."""
        return self.modules["generator"] if self.average is None else self.average.module

    def _stored(self) -> dict[str, nn.Module]:
        return {**self.modules, **({} if self.average is None else {"average": self.average})}

    def _raw_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            name: getattr(optimiser, "optimizer", optimiser) for name, optimiser in self.optimisers.items()
        }

    def resume(self) -> None:
        """Take up the last checkpoint, if there is one."""
        if self.accelerator.is_main_process:
            # What a kill in the middle of saving left.
            for unfinished in self.folder.glob(f".{self.checkpoint.name}.*"):
                shutil.rmtree(unfinished, ignore_errors=True)
        if self.checkpoint.exists():
            progress = load_checkpoint(self.checkpoint, self._stored(), self._raw_optimisers())
            self.step, self.seconds = progress["step"], progress["seconds"]
            self.best = math.nan if progress["best"] is None else progress["best"]

    def save(self) -> None:
        """Write the checkpoint (main process only)."""
        if self.accelerator.is_main_process:
            best = None if math.isnan(self.best) else self.best
            progress = {"step": self.step, "seconds": self.seconds, "best": best}
            save_checkpoint(self.checkpoint, self._stored(), self._raw_optimisers(), progress)

    def check_finite(self) -> None:
        """Keep weights that an update has spoilt from being saved.

        Raises:
            Pg2Error: a weight is not finite.
        """
        for name, module in self.modules.items():
            if not all(torch.isfinite(parameter).all() for parameter in module.parameters()):
                raise Pg2Error(
                    f"stage {self.name} stopped at step {self.step}: weights of the {name} are not finite; "
                    f"the last checkpoint in {self.folder} is sound; try a lower lr, or precision: fp32"
                )

    def export(self, folder: Path) -> None:
        """Write the model as it is evaluated, with the stages trained so far, as a model folder."""
        if not self.accelerator.is_main_process:
            return
        config = self.model.config
        if self.objective.refined:
            exported = PG2(config)
            exported.coarse.load_state_dict(self.model.coarse.state_dict())
            assert exported.refine is not None
            exported.refine.load_state_dict(self.evaluated.state_dict())
        else:
            exported = PG2(config.model_copy(update={"refine": None}))
            exported.coarse.load_state_dict(self.evaluated.state_dict())
        exported.save(folder)

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step of every phase; returns the terms.

        Raises:
            Pg2Error: a term is not finite.
        """
        factor = learning_rate_factor(self.step, self.stage)
        values: dict[str, float] = {}
        with self.accelerator.autocast():
            ready = self.objective.prepare(batch.to(self.accelerator.device, non_blocking=True))
            image = self.objective.generate(ready)
        for phase in self.objective.phases:
            optimiser = self.optimisers[phase]
            for group in optimiser.param_groups:
                group["lr"] = self.objective.learning_rate(phase) * factor
            judge = self.modules.get("discriminator") if phase == "generator" else None
            with _frozen(judge), self.accelerator.autocast():
                terms = self.objective.terms(phase, ready, image, self.step, judge)
                total = torch.stack(list(terms.values())).sum()
                values |= {name: float(term.detach()) for name, term in terms.items()}
                if not torch.isfinite(total):
                    bad = ", ".join(f"{name} = {values[name]}" for name in terms)
                    raise Pg2Error(
                        f"stage {self.name} stopped at step {self.step}: the loss is not finite ({bad}); the "
                        f"last checkpoint in {self.folder} is sound; try a lower lr, or precision: fp32"
                    )
                self.accelerator.backward(total)
            optimiser.step()
            optimiser.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.modules["generator"])
        self.step += 1
        return values


class _frozen(AbstractContextManager[None]):  # noqa: N801
    """Gradients flow through a module, but none are computed for it."""

    def __init__(self, module: nn.Module | None) -> None:
        self._parameters = [] if module is None else list(module.parameters())

    def __enter__(self) -> None:
        for parameter in self._parameters:
            parameter.requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        for parameter in self._parameters:
            parameter.requires_grad_(True)


def _placed(module: nn.Module, accelerator: "Accelerator") -> nn.Module:
    module.to(accelerator.device)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def initialise(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases, as the released graph has, for a generator.

    A refining one whose head starts at zero gets He-uniform weights: after its twelve layers without a
    shortcut Xavier's leave a seventh of their signal, and with as little to work on, its head stands still
    for hundreds of steps.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            # A zero-started head stays zero.
            if part.weight.any():
                nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, RefineGenerator) and part.zero_start:
            for conv in part.modules():
                if isinstance(conv, nn.Conv2d) and conv.weight.any():
                    nn.init.kaiming_uniform_(conv.weight, nonlinearity="relu")


def _accelerator(recipe: Recipe) -> "Accelerator":
    try:
        import torch.utils.tensorboard
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError as error:
        raise Pg2Error('training needs the extra "train": pip install "pg2[train]"') from error
    on_cpu = not torch.accelerator.is_available()
    bf16 = recipe.precision == "bf16"
    if bf16 and on_cpu and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        warnings.warn("this processor has no bf16; training goes on in fp32", stacklevel=2)
        bf16 = False
    # The library keeps the precision of the first run in a process; a second run may want another.
    AcceleratorState._reset_state()
    return Accelerator(mixed_precision="bf16" if bf16 else "no", cpu=on_cpu)


def _digest(model: PG2) -> str:
    """A hash of all weights."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _begin(recipe: Recipe, data: PreparedDataset, run: Path, start: str | None, main: bool) -> None:
    """Write what a run is begun with into a new folder, or check it against what is there."""
    written, about = run / "recipe.yaml", run / "data.json"
    records = data.manifest["parts"]["records.csv"]["sha256"]
    if written.exists():
        check_same(recipe, load_recipe(written), run)
        before = read_json(about, "what the run was begun with") if about.exists() else {}
        if before.get("records_sha256", records) != records:
            raise Pg2Error(f"{run} was begun on another data set than {data.path}; give another --out")
        began = before.get("start_sha256", start)
        if began != start:
            how = "without" if began is None else "with" if start is None else "with the weights of another"
            what = "leave it out" if began is None else "give the same"
            raise Pg2Error(f"{run} was begun {how} --init-from: {what}, or give another --out for a new run")
    elif run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise Pg2Error(f"{run} exists and is not a training run (it has no recipe.yaml); give another --out")
    if main:
        write_text(written, yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
        begun = {"path": str(data.path), "records_sha256": records, "start_sha256": start}
        write_json(about, begun | {"pg2": version("pg2")})


def train(
    recipe: Recipe,
    data: PreparedDataset,
    run: str | Path,
    console: Console | None = None,
    init_from: str | Path | None = None,
) -> Path:
    """Train all stages of a recipe; called again with the same arguments, go on where it stopped.

    On CPU in fp32 a run that was stopped and resumed equals one that was not, bit for bit.

    Args:
        recipe: all settings.
        data: prepared pictures; those larger than the recipe's frame are scaled down.
        run: folder of the run: recipe.yaml, and a folder a stage (coarse, refined) with
            checkpoint.safetensors, model/ (exported when the stage is done), best/, samples/ and log/.
        console: where progress is shown; None: standard error.
        init_from: a shipped model, a folder or a hub id to start the weights from, to tune it to other data
            or to grow it from smaller pictures; see `pg2.models.transfer`.

    Returns:
        The folder of the final model.

    Raises:
        Pg2Error: data or run folder do not fit the recipe, another process trains there, the loss is not
            finite, the disk is full.
    """
    run = Path(run)
    if recipe.threads is not None:
        torch.set_num_threads(recipe.threads)
    data = data.scaled(recipe.model.frame)
    accelerator = _accelerator(recipe)
    for name, stage in (("coarse", recipe.coarse), ("refined", recipe.refined)):
        if stage is not None and stage.batch % accelerator.num_processes:
            raise Pg2Error(
                f"{name}.batch = {stage.batch} does not divide among {accelerator.num_processes} processes"
            )
    start = None if init_from is None else PG2.from_pretrained(init_from)
    if start is None and not recipe.coarse.steps:
        raise Pg2Error("coarse.steps = 0 keeps the stage I of another model; name it with --init-from")
    # One after the other: a folder that is just being begun must not look like a stranger's.
    with accelerator.main_process_first():
        _begin(recipe, data, run, None if start is None else _digest(start), accelerator.is_main_process)
    console = console or Console(stderr=True)
    if not accelerator.is_main_process:
        console = Console(quiet=True)
    with exclusive(run) if accelerator.is_main_process else nullcontext():
        return _train(recipe, data, run, accelerator, start, console)


def _train(
    recipe: Recipe,
    data: PreparedDataset,
    run: Path,
    accelerator: "Accelerator",
    start: PG2 | None,
    console: Console,
) -> Path:
    """All stages of a run that has been begun."""
    from accelerate.utils import set_seed

    pairs, held_out = split_validation(data, recipe)
    validation = _Validation(data, held_out, 32) if held_out else None
    set_seed(recipe.seed)
    model = PG2(recipe.model)
    initialise(model)
    if start is not None:
        start_from(model, start)
    console.print(
        f"{len(pairs):,} training pairs, {len(held_out)} validation pairs of people kept out of training"
    )
    final = run / "coarse" / "model"
    for name, stage in (("coarse", recipe.coarse), ("refined", recipe.refined)):
        if stage is None:
            continue
        # A stage's own seed makes its start independent of what ran before it in this process.
        set_seed(recipe.seed + (name == "refined"))
        objective = Objective(model, stage, refined=name == "refined")
        state = _StageRun(name, stage, objective, model, run / name, accelerator)
        state.resume()
        final = state.folder / "model"
        if (
            name == "coarse"
            and state.step < stage.steps
            and (run / "refined/checkpoint.safetensors").exists()
        ):
            raise Pg2Error(
                f"stage II of {run} stands on stage I as it was after {state.step} steps; to train that for "
                f"{stage.steps}, give another --out"
            )
        if state.step < stage.steps:
            loader = Loader(
                data,
                PairOrder(pairs, recipe.seed + (name == "refined"), recipe.data.flip),
                stage.batch,
                accelerator.process_index,
                accelerator.num_processes,
                accelerator.device,
            )
            _run_stage(state, loader, validation, console)
        if accelerator.is_main_process and not final.exists():
            state.export(final)
        if name == "coarse":
            # Stage II stands on the averaged weights, which are the ones that are exported.
            model.coarse.load_state_dict(copy.deepcopy(state.evaluated.state_dict()))
            accelerator.free_memory()
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return final


def step_seconds(recipe: Recipe, data: PreparedDataset, steps: int = 10) -> dict[str, float]:
    """How long a step of each stage takes here: "coarse" and perhaps "refined" -> seconds of the quickest.

    Real steps on real pairs, with what comes late in training (an SSIM term) left out; nothing is kept. The
    quickest, because whatever else runs on the machine only makes steps longer.

    Raises:
        Pg2Error: as `train`.
    """
    if recipe.threads is not None:
        torch.set_num_threads(recipe.threads)
    data = data.scaled(recipe.model.frame)
    accelerator = _accelerator(recipe)
    pairs, _ = split_validation(data, recipe)
    model = PG2(recipe.model)
    initialise(model)
    found = {}
    for name, stage in (("coarse", recipe.coarse), ("refined", recipe.refined)):
        if stage is None:
            continue
        objective = Objective(model, stage, refined=name == "refined")
        state = _StageRun(name, stage, objective, model, Path(name), accelerator)
        times = []
        for batch in Loader(data, PairOrder(pairs, recipe.seed, recipe.data.flip), stage.batch).batches(
            0, steps + 2
        ):
            began = time.monotonic()
            state.train_step(batch)
            times.append(time.monotonic() - began)
        # The first steps choose kernels.
        found[name] = min(times[2:])
        accelerator.free_memory()
    accelerator.end_training()
    return found


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
        console=console,
        disable=not console.is_terminal,
    )


def _run_stage(state: _StageRun, loader: Loader, validation: _Validation | None, console: Console) -> None:
    stage, started, before = state.stage, time.monotonic(), state.seconds
    main = state.accelerator.is_main_process
    if state.step:
        console.print(f"stage {state.name}: going on from step {state.step:,} of {stage.steps:,}")
    with _writer(state, main) as writer, _progress(console) as progress:
        task = progress.add_task(
            f"stage {state.name}", total=stage.steps, completed=state.step, speed="", losses=""
        )
        sums: dict[str, float] = {}
        window, last = state.step, started
        for batch in loader.batches(state.step, stage.steps):
            for name, value in state.train_step(batch).items():
                sums[name] = sums.get(name, 0.0) + value
            state.seconds = before + time.monotonic() - started
            progress.update(task, completed=state.step)
            ended = state.step == stage.steps
            if state.step % stage.log_every == 0 or ended:
                now, steps = time.monotonic(), state.step - window
                speed = steps * stage.batch / (now - last)
                means = {name: value / steps for name, value in sums.items()}
                shown = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
                progress.update(task, speed=f"{speed:.0f} images/s", losses=shown)
                if not console.is_terminal:
                    left = (stage.steps - state.step) * stage.batch / speed / 60
                    console.print(
                        f"stage {state.name} {state.step:,}/{stage.steps:,}  {speed:.0f} images/s  "
                        f"{left:.0f} min left  {shown}"
                    )
                if writer is not None:
                    for name, value in {**means, "images_per_second": speed}.items():
                        writer.add_scalar(f"{state.name}/{name}", value, state.step)
                sums, window, last = {}, state.step, now
            if state.step % stage.validate_every == 0 or state.step % stage.save_every == 0 or ended:
                state.check_finite()
            if validation is not None and (state.step % stage.validate_every == 0 or ended):
                paused = time.monotonic()
                _validate(state, validation, writer, console)
                last += time.monotonic() - paused
            if ended:
                # Before the last checkpoint: killed in between, the run makes both again.
                state.export(state.folder / "model")
            if state.step % stage.save_every == 0 or ended:
                state.save()


@torch.no_grad()
def _validate(
    state: _StageRun, validation: _Validation, writer: "SummaryWriter | None", console: Console
) -> None:
    # Every process could validate; one is enough, and the others wait at their next gradient exchange.
    if not state.accelerator.is_main_process:
        return
    device = state.accelerator.device
    with state.accelerator.autocast():
        scores = validation.scores(state.objective, state.evaluated, device)
        strip = validation.strip(state.objective, state.evaluated, device)
    shown = "  ".join(f"{name} {value:.4f}" for name, value in scores.items())
    console.print(f"stage {state.name} {state.step:,}: validation  {shown}")
    with atomic_path(state.folder / "samples" / f"{state.step:07d}.png") as new:
        Image.fromarray(strip.permute(1, 2, 0).numpy()).save(new)
    if writer is not None:
        for name, value in scores.items():
            writer.add_scalar(f"{state.name}/validation/{name}", value, state.step)
        writer.add_image(f"{state.name}/samples", strip, state.step)
    best_by = state.stage.best_by
    if best_by is not None:
        score = -scores[best_by] if best_by == "l1" else scores[best_by]
        if not score <= state.best:
            state.best = score
            state.export(state.folder / "best")


def _writer(state: _StageRun, main: bool) -> "AbstractContextManager[SummaryWriter | None]":
    if not main:
        return nullcontext()
    from torch.utils.tensorboard import SummaryWriter

    # What a killed run logged after its last checkpoint is hidden by the resumed one.
    writer: AbstractContextManager[SummaryWriter | None] = SummaryWriter(
        str(state.folder / "log"), purge_step=state.step + 1 if state.step else None
    )
    return writer
