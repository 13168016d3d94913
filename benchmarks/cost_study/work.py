"""What a step costs, by counting: operations, FLOPs, bytes, memory. Nothing is timed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Work:
    """The cost of a step.

    Attributes:
        operations: of PyTorch that do something; views of a tensor are none.
        flops: of convolutions and matrix products; a multiplication and an addition are two.
        moved: bytes of the inputs and outputs of all operations, as if each read and wrote memory.
        kept: bytes that wait for the backward pass, weights included.
        trained: bytes of the trained weights. As many are gradients, which processes exchange, and twice as
            many Adam's.
    """

    operations: float
    flops: float
    moved: float
    kept: float = 0.0
    trained: float = 0.0

    def plus(self, other: "Work", times: float = 1.0) -> "Work":
        """This work, and the other so many times."""
        return Work(*(a + times * b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def memory(self) -> float:
        """Bytes that the step needs, about: what is kept, gradients, Adam's two moments."""
        return self.kept + 3 * self.trained


@dataclass(frozen=True)
class Cost:
    """What a step costs by its number of pairs: the work that it has anyway, and that of each pair."""

    fixed: Work
    pair: Work

    @classmethod
    def between(cls, one: Work, two: Work) -> "Cost":
        """From the work of a step of one pair and of a step of two."""
        pair = two.plus(one, -1)
        return cls(one.plus(pair, -1), pair)

    def at(self, pairs: float) -> Work:
        """The work of a step of so many pairs."""
        return self.fixed.plus(self.pair, pairs)


class _Counter(TorchDispatchMode):
    """Counts the operations that are called inside, and the bytes that go in and come out."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: Counter[str] = Counter()
        self.moved = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        # What is only looked at in another way, or set aside to be filled, moves nothing.
        if not func.is_view and not name.startswith("empty"):
            self.operations[name] += 1
            for value in tree_leaves((args, kwargs, made)):
                if isinstance(value, Tensor):
                    self.moved += value.numel() * value.element_size()
        return made


def counted(step: Callable[[], object], trained: float = 0.0) -> Work:
    """The work of a step, which is taken once before and once to count.

    Args:
        step: on the meta device, where tensors have shapes and no content, it takes next to no time.
        trained: see `Work`.
    """
    step()  # the first one makes Adam's moments
    storages: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage  # held, so that no other gets its address
        return tensor

    counter = _Counter()
    # The inner mode takes composed operations apart before the outer one counts them.
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        counter,
        FlopCounterMode(display=False) as flops,
    ):
        step()
    return Work(
        operations=counter.operations.total(),
        flops=flops.get_total_flops(),
        moved=counter.moved,
        kept=sum(storage.nbytes() for storage in storages.values()),
        trained=trained,
    )
