"""Weights cut among the processes of a training, each of which keeps its share (FSDP).

PyTorch's `fully_shard` brings the weights together for a step, and gives each process the mean gradient of
its share. Checkpoints and models hold whole weights: no number of processes is written down anywhere.
"""

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import Tensor, nn

from pg2.training import processes

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


def _is_cut(tensor: Tensor) -> TypeGuard["DTensor"]:
    if processes.count() == 1:  # there are builds of PyTorch that know nothing of processes
        return False
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def cut(module: nn.Module, device: torch.device) -> nn.Module:
    """Cut a module, which is on `device`, among all processes: its parameters become shares of them.

    Its `forward` has to be called in all processes, as often in each, and so has `whole`.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    # It takes no other layout than PyTorch's own.
    module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    # Nothing changes in place what the generator makes.
    warnings.filterwarnings("ignore", message=r"FSDP2-wrapped module .* returned a view tensor")
    fully_shard(module, mesh=init_device_mesh(device.type, (processes.count(),)))
    return module


def own(tensors: Iterable[Tensor]) -> list[Tensor]:
    """What this process keeps of tensors: all of one that is not cut."""
    return [tensor.to_local() if _is_cut(tensor) else tensor for tensor in tensors]


def whole(tensor: Tensor) -> Tensor:
    """A tensor, brought together if it is cut: all processes have to ask for it."""
    return tensor.full_tensor() if _is_cut(tensor) else tensor


def cut_as(tensor: Tensor, other: Tensor) -> Tensor:
    """This process's share of a whole tensor that all have, cut as another one is; if not, all of it."""
    if not _is_cut(other):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    place = other.device_mesh, other.placements
    return distribute_tensor(tensor.to(other.device), *place, src_data_rank=None)


def load_whole(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a module, cut or not, whole tensors, as `load_state_dict` does."""
    mine = module.state_dict()
    module.load_state_dict(
        {name: cut_as(tensor, mine[name]) if name in mine else tensor for name, tensor in tensors.items()}
    )
