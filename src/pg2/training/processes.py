"""What the processes of one training compute together, so that all of them learn what one process would."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from pg2.errors import Pg2Error

_LOST = re.compile(
    r"(gloo|nccl).*(connect|closed by peer|timed? ?out|remote process|broken pipe)", re.IGNORECASE | re.DOTALL
)
_PLACE = re.compile(r"^\[[^\]]*\] *")  # in gloo's code, before what went wrong
_LONGEST = 120  # characters of that


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


@contextmanager
def together() -> Iterator[None]:
    """Turn a lost connection to another process into one sentence.

    Gloo's errors have no type of their own.

    Raises:
        Pg2Error: another process cannot be reached.
    """
    try:
        yield
    except RuntimeError as error:
        if not _LOST.search(str(error)):
            raise
        reason = _PLACE.sub("", str(error).partition("\n")[0])[:_LONGEST].rstrip(". ")
        raise Pg2Error(
            f"another process of this training ended, or cannot be reached ({reason}); the same command goes "
            "on from the last checkpoint"
        ) from error


def mean(values: Tensor) -> Tensor:
    """The mean of a tensor of all processes, the same in each; no gradient flows through it."""
    values = values.detach()
    if count() == 1:
        return values
    whole = values.clone()
    dist.all_reduce(whole)
    return whole / count()


def of_first(said: bool, device: torch.device) -> bool:
    """What the first process says, in all of them; `device`: on which processes talk."""
    if count() == 1:
        return said
    values = torch.tensor(float(said), device=device)
    dist.broadcast(values, 0)
    return bool(values)


def weighted(total: Tensor, weight: Tensor) -> Tensor:
    """A weighted mean over the whole batch, of which each process has its share.

    What all processes get has a mean, as their gradients are joined, that is the sum of their totals divided
    by the sum of their weights. By each share's own mean a light share would count as much as a heavy one.

    Args:
        total: weighted sum over this process's share, a scalar with its graph.
        weight: sum of the weights there, a scalar. The sum of all counts as 1 at least.
    """
    if count() == 1:
        return total / weight.clamp_min(1.0)
    whole = weight.detach().clone()
    dist.all_reduce(whole)
    return total * count() / whole.clamp_min(1.0)


def join_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give each gradient the mean of all processes. Those that are None in one have to be so in all.

    PyTorch's DistributedDataParallel wants a gradient for all that a network puts out. A second stage puts
    out maps that only some losses look at, which may change from step to step, and Adam leaves a parameter
    without gradient in its place, but not always one whose gradient is 0.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if count() == 1 or not gradients:
        return
    # One exchange, as each of them costs time whatever its size.
    flat = mean(torch.cat([gradient.flatten() for gradient in gradients]))
    for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def _joined(values: Tensor) -> Tensor:
    """The mean of all processes; gradients flow through it to all of them."""
    whole: Tensor = all_reduce(values)  # type: ignore[no-untyped-call]
    return whole / count()


class JoinedBatchNorm(nn.BatchNorm2d):
    """Batch norm with the statistics of the whole batch, of which each process has an equal share.

    As `nn.SyncBatchNorm`, which knows GPUs alone.
    """

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, H, W] of this process's share -> the same, normalised."""
        if not self.training or count() == 1:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        values = input.float()
        centre = _joined(values.mean((0, 2, 3)))
        off = values - centre[:, None, None]
        variance = _joined(off.square().mean((0, 2, 3)))
        with torch.no_grad():
            number = count() * values.numel() // values.shape[1]
            self.running_mean.lerp_(centre, self.momentum)
            self.running_var.lerp_(variance * number / max(number - 1, 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        normed: Tensor = off * scale[:, None, None] + self.bias[:, None, None]
        return normed.to(input.dtype)


def join_batch_norm(network: nn.Module, device: torch.device) -> None:
    """Let batch norm inside a network, which is going to be on `device`, see the batch of all processes."""
    if count() == 1:
        return
    if device.type in ("cuda", "xpu"):
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for parent in list(network.modules()):
        for name, part in parent.named_children():
            if type(part) is nn.BatchNorm2d:
                joined = JoinedBatchNorm(part.num_features, part.eps, part.momentum)
                joined.load_state_dict(part.state_dict())
                setattr(parent, name, joined)
