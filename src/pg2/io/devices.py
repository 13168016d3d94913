"""Where tensors are computed, and in which precision."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import torch

from pg2.errors import Pg2Error

Precision = Literal["fp32", "bf16"]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def choose_device(name: str | torch.device) -> torch.device:
    """The device of that name; "auto" takes an accelerator where there is one, else the CPU.

    Raises:
        Pg2Error: no such device, or not on this machine.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return torch.device("cpu") if found is None else found
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise Pg2Error(
            f'there is no device "{name}" here; give auto, cpu, or an accelerator of this machine, '
            "such as cuda "
            "or mps"
        ) from error
    return device


def runs_bf16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 itself (without, it is slower than float32)."""
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type in ("mps", "meta", "xpu")


def full_precision(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Float32 inside, whatever autocast says outside."""
    available = torch.amp.is_autocast_available(device.type)
    # Where there is nothing to turn off, nothing is: a context would stand in every exported graph.
    if not available or not torch.is_autocast_enabled(device.type):
        return contextlib.nullcontext()
    return torch.autocast(device.type, enabled=False)


@contextlib.contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Whether a GPU may round float32 to TF32 in products; faster, and without it scores are exact."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
