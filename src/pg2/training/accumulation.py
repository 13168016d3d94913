"""A batch in parts: the generator keeps the graph of one of them at a time, and gets the gradient of all."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pg2.data.loader import Batch
from pg2.models.inputs import Inputs, Output
from pg2.training.objectives import Objective
from pg2.training.terms import Ready


class InParts:
    """What a generator makes of a batch, part by part.

    It is made twice: first without a graph, for the losses and for D, which see the whole batch at once, as
    without parts (batch norm, and means over what counts in a batch, tie its pictures together); then part by
    part with a graph, to hand on the gradient that they found.

    Attributes:
        output: of the whole batch; its tensors collect gradients and have no graph of the generator.
    """

    def __init__(self, objective: Objective, ready: Ready, count: int) -> None:
        """`ready`: of the whole batch, which is cut into `count` parts, or fewer where it has fewer pairs."""
        self._objective, self._parts = objective, _cut(ready, count)
        with torch.no_grad():
            made = [objective.generate(part) for part in self._parts]
        self._sizes = [len(part.target) for part in self._parts]
        self.output = Output(
            self._joined([output.image for output in made]),
            self._all_joined([output.pictures for output in made]),
            self._all_joined([output.maps for output in made]),
        )

    def _joined(self, parts: list[Tensor]) -> Tensor:
        whole = torch.cat(parts)
        return whole.requires_grad_(whole.is_floating_point())

    def _all_joined(self, parts: list[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        return {name: self._joined([part[name] for part in parts]) for name in parts[0]}

    def backward(self) -> None:
        """Give the generator's parameters the gradient that `output` has collected."""
        wanted = [tensor.grad for tensor in _tensors(self.output)]
        cut = [None if gradient is None else torch.split(gradient, self._sizes) for gradient in wanted]
        for number, part in enumerate(self._parts):
            again = _tensors(self._objective.generate(part))
            pairs = [
                (tensor, gradients[number])
                for tensor, gradients in zip(again, cut, strict=True)
                if gradients is not None and tensor.requires_grad
            ]
            torch.autograd.backward([tensor for tensor, _ in pairs], [gradient for _, gradient in pairs])


def _tensors(output: Output) -> list[Tensor]:
    return [output.image, *output.pictures.values(), *output.maps.values()]


def _cut(ready: Ready, count: int) -> list[Ready]:
    """Parts of what a generator is given."""
    whole = [*ready.batch.inputs, ready.batch.target, ready.source, ready.target, ready.mask]
    if ready.coarse is not None:
        whole.append(ready.coarse)
    pieces = zip(*(tensor.chunk(count) for tensor in whole), strict=True)
    return [Ready(Batch(Inputs(*given[:3]), given[3]), *given[4:]) for given in pieces]
