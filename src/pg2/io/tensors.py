"""Named tensors in one safetensors file: written atomically, read without unpickling anything."""

import errno
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pg2.errors import Pg2Error
from pg2.io.files import atomic_path


def save_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text metadata to `path`; it holds the old or the whole new content, never half.

    Raises:
        Pg2Error: the disk is full or the place cannot be written to.
    """
    with atomic_path(path) as new:
        try:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
                new,
                {**metadata},
            )
        except SafetensorError as error:
            # The library wraps the system's error; out of space is what it is in practice.
            raise OSError(errno.ENOSPC, str(error)) from error
        # The library makes files that only their owner may read.
        new.chmod(0o644)


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read what `save_tensors` wrote.

    Raises:
        Pg2Error: the file is missing, truncated or not a safetensors file.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError as error:
        raise Pg2Error(f"{path} is missing") from error
    except (SafetensorError, OSError) as error:
        raise Pg2Error(f"{path} is damaged or truncated ({error}); get or make the file again") from error
