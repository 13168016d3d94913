"""Which device a name means, and arithmetic with all its digits."""

import pytest
import torch

from pg2.errors import Pg2Error
from pg2.io.devices import choose_device, full_precision, tf32


def test_the_device_of_a_name() -> None:
    assert choose_device("cpu") == choose_device(torch.device("cpu")) == torch.device("cpu")
    there = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    assert choose_device("auto") == (there or torch.device("cpu"))
    for name in ("gpu", "", "cuda:99"):
        with pytest.raises(Pg2Error, match=f'there is no device "{name}" here; give auto, cpu'):
            choose_device(name)


def test_tf32_is_allowed_or_not_for_a_while() -> None:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = True
    try:
        with pytest.raises(KeyboardInterrupt):
            _interrupted()
        assert matmul.allow_tf32
        assert cudnn.allow_tf32
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


@tf32(False)
def _interrupted() -> None:
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    raise KeyboardInterrupt


def test_full_precision_undoes_autocast_and_nothing_else() -> None:
    cpu, matrix = torch.device("cpu"), torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert (matrix @ matrix).dtype == torch.bfloat16
        with full_precision(cpu):
            assert (matrix @ matrix).dtype == torch.float32
        assert (matrix @ matrix).dtype == torch.bfloat16
    with full_precision(cpu):
        assert (matrix @ matrix).dtype == torch.float32
