"""What a stage optimises: which module, which terms, in which alternation. No optimisers here."""

import torch
from torch import Tensor, nn

from pg2.data.loader import Batch
from pg2.io.pixels import to_unit
from pg2.models.inputs import Output
from pg2.models.pg2 import PG2
from pg2.pose.maps import pose_mask
from pg2.training.adversary import Adversary
from pg2.training.reader import Reader
from pg2.training.settings import StageConfig
from pg2.training.terms import Ready

GENERATOR, DISCRIMINATOR, READER = "generator", "discriminator", "reader"

Terms = dict[str, Tensor]


class Objective:
    """Stage I, stage II or a one-stage adversarial model: settings of one thing (paper, Table 1).

    Stage I trains G1 on the pose mask loss; stage II trains the second stage with G1 frozen, on its terms
    plus an adversarial one; "G1+D" is stage I with an adversary.

    Attributes:
        networks: the module that each phase trains, by the name of the phase, in the order in which they
            alternate: one optimiser step each, all from one picture, made before the first of them.
        frozen: networks that the objective uses and does not train.
    """

    def __init__(self, model: PG2, name: str, stage: StageConfig) -> None:
        """`name`: which of `model.stages` is trained; those before it are frozen."""
        stages = model.stages
        if name not in stages:
            raise ValueError(f"the model has no stage {name}")
        self.name, self.stage, self.frame = name, stage, model.config.frame
        self.pictures = model.pictures
        self._config = stages[name].config
        self.adversary = None if stage.adversarial is None else Adversary(stage.adversarial, self.frame)
        self.networks: dict[str, nn.Module] = {GENERATOR: stages[name]}
        if self.adversary is not None:
            judge: dict[str, nn.Module] = {DISCRIMINATOR: self.adversary.network}
            first = self.adversary.config.first == DISCRIMINATOR
            self.networks = judge | self.networks if first else self.networks | judge
        self.reader = None if stage.reader is None else Reader(stage.reader)
        if self.reader is not None:
            self.networks = {READER: self.reader.network, **self.networks}
        self._terms = stage.losses.terms
        found = {term: setting.network() for term, setting in self._terms.items()}
        self._term_networks = {term: network for term, network in found.items() if network is not None}
        self._before = None if stages[name] is model.coarse else model.coarse
        self.frozen = [*self._term_networks.values(), *([] if self._before is None else [self._before])]
        if self.reader is not None:
            self.frozen.append(self.reader.eye)
        for network in self.frozen:
            network.requires_grad_(False).eval()

    @property
    def grid(self) -> int | None:
        """Pixels to a side of the cells in which exact flow is wanted; None: it is not."""
        if not any(term.of_transport for term in self._terms.values()):
            return None
        return self._config.grid

    @property
    def phases(self) -> tuple[str, ...]:
        """What alternates. The paper does not say whose step is first; see `AdversarialConfig.first`."""
        return tuple(self.networks)

    def phases_at(self, step: int) -> tuple[str, ...]:
        """Those of a step: an adversary may join later."""
        early = self.adversary is not None and step < self.adversary.config.after
        return tuple(phase for phase in self.phases if not (early and phase == DISCRIMINATOR))

    def learning_rate(self, phase: str) -> float:
        """Base learning rate of a phase."""
        if phase == DISCRIMINATOR and self.adversary is not None and self.adversary.config.lr is not None:
            return self.adversary.config.lr
        if phase == READER and self.reader is not None:
            return self.reader.config.lr
        return self.stage.lr

    def prepare(self, batch: Batch) -> Ready:
        """What all phases of a step share. The mask is drawn on the batch's device, and never stored."""
        coarse = None
        if self._before is not None:
            with torch.no_grad():
                coarse = self._before(batch.inputs).float()
        return Ready(
            batch,
            to_unit(batch.inputs.source),
            to_unit(batch.target),
            pose_mask(batch.inputs.target_keypoints, self.frame),
            coarse,
        )

    def generate(self, ready: Ready, generator: nn.Module | None = None) -> Output:
        """What the stage makes, by the trained generator or another one (such as its average)."""
        generator = self.networks[GENERATOR] if generator is None else generator
        if ready.coarse is None:
            return Output(generator(ready.batch.inputs).float(), {})
        output: Output = generator(ready.batch.inputs, ready.coarse)
        return output._replace(image=output.image.float())

    def terms(self, phase: str, ready: Ready, output: Output, step: int) -> Terms:
        """Named loss terms of a phase; their sum is its loss.

        Args:
            phase: one of `phases`.
            ready: what `prepare` gave.
            output: what `generate` gave, with its graph.
            step: 0, 1, ... of the stage; some terms join later.
        """
        if phase == DISCRIMINATOR:
            assert self.adversary is not None
            return self.adversary.judgement(ready, output.image, step, self.networks[DISCRIMINATOR])
        if phase == READER:
            assert self.reader is not None
            return {"reader": self.reader.reading(ready, self.networks[READER])}
        terms = {
            name: term.weight * term.value(ready, output, self._term_networks.get(name))
            for name, term in self._terms.items()
            if term.after <= step and (term.until is None or step < term.until)
        }
        if self.adversary is not None and step >= self.adversary.config.after:
            terms |= self.adversary.terms(ready, output.image)
        if self.reader is not None and step >= self.reader.config.after:
            terms["read"] = self.reader.term(ready, output.image, self.networks[READER])
        return terms
