"""One stage of one run: its state, its step, and how it is saved, taken up and exported."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pg2.data.loader import Batch
from pg2.errors import Pg2Error
from pg2.models.pg2 import PG2
from pg2.training.accumulation import InParts
from pg2.training.average import Average
from pg2.training.checkpoint import CHECKPOINT, load_checkpoint, read_progress, save_checkpoint
from pg2.training.objectives import GENERATOR, Objective
from pg2.training.processes import count as process_count
from pg2.training.processes import join_batch_norm, join_gradients, mean
from pg2.training.settings import StageConfig
from pg2.training.sharding import cut, own, whole

if TYPE_CHECKING:
    from accelerate import Accelerator


def learning_rate_factor(step: int, stage: StageConfig) -> float:
    """Factor on the base learning rate at `step` (0, 1, ...): linear warm-up, flat, linear decay to zero."""
    rise = min(1.0, (step + 1) / stage.warmup) if stage.warmup else 1.0
    tail = stage.decay * stage.steps
    return rise * (min(1.0, (stage.steps - step) / tail) if tail else 1.0)


class StageRun:
    """A stage while it is trained.

    Attributes:
        step: how many steps were made.
        seconds: how long they took, over all sittings.
        best: the best validation score so far; NaN: none yet.
        owes_validation: one is due after this step, and was not made.
        sums: each loss term, summed over the `counted` steps since their means were logged last; where they
            were computed.
    """

    def __init__(
        self,
        objective: Objective,
        model: PG2,
        folder: Path,
        accelerator: "Accelerator",
        compiled: bool = False,
        sharded: bool = False,
    ) -> None:
        """Place and prepare everything that the objective needs.

        Args:
            objective: of the stage.
            model: whose stage it is.
            folder: of the stage in the run.
            accelerator: of the run.
            compiled: compile what is trained.
            sharded: cut the generator among the processes, if there are several.
        """
        self.objective, self.model, self.folder, self.accelerator = objective, model, folder, accelerator
        self.name, self.stage = objective.name, objective.stage
        for network in objective.networks.values():
            join_batch_norm(network, accelerator.device)
        self.modules = dict(objective.networks)
        self.average: Average | None = None
        if self.stage.ema:
            # An averaged copy of a wrapped module would carry the wrapper: copy first, wrap afterwards.
            self.average = Average(self._placed(self.modules[GENERATOR]), self.stage.ema)
        self._whole: nn.Module | None = None
        if sharded and process_count() > 1:
            # What is cut is a copy: the model keeps a stage of whole weights, to be validated and exported,
            # away from an accelerator's memory.
            self._whole = self._placed(self.modules[GENERATOR])
            self.modules[GENERATOR] = cut(copy.deepcopy(self._whole), accelerator.device)
            self._whole.cpu()
            if self.average is not None:
                cut(self.average.module, accelerator.device)
        self.optimisers = {
            phase: torch.optim.Adam(
                network.parameters(), objective.learning_rate(phase), betas=self.stage.betas
            )
            for phase, network in self.modules.items()
        }
        for phase, network in self.modules.items():
            if compiled:
                network.compile()
            # Not to be wrapped for several processes, see `join_gradients`.
            if phase != GENERATOR or self._whole is None:
                self._placed(network)
            objective.networks[phase] = accelerator.prepare_model(network, evaluation_mode=True)
            self.optimisers[phase] = accelerator.prepare_optimizer(self.optimisers[phase])
        for network in objective.frozen:
            self._placed(network)
        self.step, self.seconds, self.best = 0, 0.0, math.nan
        self.owes_validation = False
        self.sums: dict[str, Tensor] = {}
        self.counted = 0

    def _placed(self, module: nn.Module) -> nn.Module:
        module.to(self.accelerator.device)
        return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    @property
    def checkpoint(self) -> Path:
        """Where all of this is kept."""
        return self.folder / CHECKPOINT

    @property
    def evaluated(self) -> nn.Module:
        """The generator as it would be exported: its average where one is kept. Call `gather` before."""
        return self._trained if self._whole is None else self._whole

    @property
    def _trained(self) -> nn.Module:
        return self.modules[GENERATOR] if self.average is None else self.average.module

    def gather(self) -> None:
        """Bring together what is `evaluated`, if it is cut; all processes have to call this."""
        if self._whole is not None:
            tensors = self._trained.state_dict()
            for name, mine in self._whole.state_dict().items():
                mine.copy_(whole(tensors[name]))

    @contextmanager
    def evaluated_on(self, device: torch.device) -> Iterator[nn.Module]:
        """`evaluated` on a device, for as long as the `with` lasts."""
        try:
            yield self.evaluated.to(device)
        finally:
            if self._whole is not None:
                self._whole.cpu()

    def _stored(self) -> dict[str, nn.Module]:
        return {**self.modules, **({} if self.average is None else {"average": self.average})}

    def _raw_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            name: getattr(optimiser, "optimizer", optimiser) for name, optimiser in self.optimisers.items()
        }

    def resume(self) -> None:
        """Take up the last checkpoint, if there is one."""
        if self.checkpoint.exists():
            load_checkpoint(self.checkpoint, self._stored(), self._raw_optimisers())
            progress = read_progress(self.checkpoint)
            self.step, self.seconds = progress["step"], progress["seconds"]
            self.best = math.nan if progress["best"] is None else progress["best"]
            self.owes_validation = bool(progress.get("owes_validation", False))
            device, self.counted = self.accelerator.device, progress["counted"]
            self.sums = {name: torch.tensor(value, device=device) for name, value in progress["sums"].items()}

    def save(self) -> None:
        """Write the checkpoint. All processes have to call this; the main one writes.

        Raises:
            Pg2Error: a weight is not finite, or the disk is full.
        """
        self.check_finite()
        if self.accelerator.is_main_process or self._whole is not None:
            best = None if math.isnan(self.best) else self.best
            progress = {
                "step": self.step,
                "seconds": self.seconds,
                "best": best,
                "owes_validation": self.owes_validation,
                "counted": self.counted,
                "sums": {name: float(value) for name, value in self.sums.items()},
            }
            save_checkpoint(
                self.checkpoint,
                self._stored(),
                self._raw_optimisers(),
                progress,
                self.accelerator.is_main_process,
            )

    @property
    def ended(self) -> bool:
        """Whether this was the last step."""
        return self.step == self.stage.steps

    @property
    def validates(self) -> bool:
        """Whether a validation is due after this step."""
        return self.step % self.stage.validate_every == 0 or self.ended

    def check_finite(self) -> None:
        """Keep weights that an update has spoilt from being saved.

        Raises:
            Pg2Error: a weight is not finite.
        """
        for name, module in self.modules.items():
            finite = all(bool(torch.isfinite(values).all()) for values in own(module.parameters()))
            if not self._all(finite):
                raise Pg2Error(
                    f"stage {self.name} stopped at step {self.step}: weights of the {name} are not finite; "
                    f"{self._sound}"
                )

    def _all(self, sound: bool) -> bool:
        """Whether this holds in all processes, if each sees only its share."""
        if self._whole is None:
            return sound
        return bool(mean(torch.tensor(float(sound), device=self.accelerator.device)) == 1)

    @property
    def _sound(self) -> str:
        return f"the last checkpoint in {self.folder} is sound; try a lower lr, or precision: fp32"

    def check_terms(self, terms: dict[str, float]) -> None:
        """Refuse losses that are not finite.

        Raises:
            Pg2Error: one is not; all are named.
        """
        if not all(math.isfinite(value) for value in terms.values()):
            bad = ", ".join(f"{name} = {value}" for name, value in terms.items())
            raise Pg2Error(
                f"stage {self.name} stopped at step {self.step}: the loss is not finite ({bad}); "
                f"{self._sound}"
            )

    def count(self, terms: dict[str, Tensor]) -> None:
        """Add a step's terms to the sums, which stay where they are: an accelerator is not waited for."""
        for name, value in terms.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.counted += 1

    def means(self) -> dict[str, float]:
        """The means of the terms since they were asked for last.

        Raises:
            Pg2Error: one is not finite.
        """
        means = {name: float(value) / self.counted for name, value in self.sums.items()}
        self.check_terms(means)
        self.sums, self.counted = {}, 0
        return means

    def export(self, folder: Path) -> None:
        """Write the model as it is evaluated, with the stages trained so far, as a model folder."""
        if self.accelerator.is_main_process:
            self.model.ending_with(self.name, self.evaluated).save(folder)

    def is_better(self, scores: dict[str, float]) -> bool:
        """Whether these validation scores are the best so far, by the recipe's `best_by`; keeps it if so."""
        by = self.stage.best_by
        if by is None:
            return False
        score = -scores[by] if by == "l1" else scores[by]
        if math.isnan(score) or score <= self.best:
            return False
        self.best = score
        return True

    def train_step(self, batch: Batch) -> dict[str, Tensor]:
        """One optimiser step of every phase; returns the terms, where they were computed.

        Terms are means over all processes. On an accelerator nothing waits for their values: the caller
        checks them now and then.

        Raises:
            Pg2Error: on the CPU, in all processes: a term is not finite; the weights are as they were.
        """
        factor = learning_rate_factor(self.step, self.stage)
        values: dict[str, Tensor] = {}
        with self.accelerator.autocast():
            ready = self.objective.prepare(batch.to(self.accelerator.device, non_blocking=True))
            parts = None
            if self.stage.accumulate > 1:
                parts = InParts(self.objective, ready, self.stage.accumulate)
            output = self.objective.generate(ready) if parts is None else parts.output
        for phase in self.objective.phases_at(self.step):
            optimiser = self.optimisers[phase]
            for group in optimiser.param_groups:
                group["lr"] = self.objective.learning_rate(phase) * factor
            others = [module for name, module in self.modules.items() if phase == GENERATOR != name]
            with _frozen(others), self.accelerator.autocast():
                terms = self.objective.terms(phase, ready, output, self.step)
                values |= dict(zip(terms, mean(torch.stack(list(terms.values()))).unbind(), strict=True))
                if self.accelerator.device.type == "cpu":
                    self.check_terms({name: float(values[name]) for name in terms})
                self.accelerator.backward(torch.stack(list(terms.values())).sum())
                if parts is not None and phase == GENERATOR:
                    parts.backward()
            if phase != GENERATOR or self._whole is None:
                join_gradients(self.modules[phase].parameters())
            if self.stage.clip is not None:
                self.accelerator.clip_grad_norm_(self.modules[phase].parameters(), self.stage.clip)
            optimiser.step()
            optimiser.zero_grad()
        if self.average is not None:
            self.average.update(self.modules[GENERATOR], self.step)
        self.step += 1
        return values


@contextmanager
def _frozen(modules: list[nn.Module]) -> Iterator[None]:
    """Gradients flow through modules, but none are computed for them."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
