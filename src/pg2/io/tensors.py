"""Named tensors in one safetensors file: written atomically, read without unpickling anything."""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pg2.errors import Pg2Error
from pg2.io.files import atomic_path

_MOST_HEADER = 4_000_000  # bytes; a tensor takes about 100


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


def read_header(path: str | Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The tensors of a safetensors file by name: dtype, as "F16", and shape. Their values are not read.

    Raises:
        Pg2Error: see `load_tensors`.
    """
    with _opened(path) as file:
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        return {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in parts.items()}


def read_metadata(path: str | Path) -> dict[str, str]:
    """The text metadata of a safetensors file. The tensors are not read.

    Raises:
        Pg2Error: see `load_tensors`.
    """
    with _opened(path) as file:
        return file.metadata() or {}


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read what `save_tensors` wrote.

    Raises:
        Pg2Error: the file is missing, truncated or not a safetensors file.
    """
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    try:
        with Path(path).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        if length > _MOST_HEADER:
            raise SafetensorError(f"its header would have {length:,} bytes")
        with safe_open(path, "pt") as tensors:
            yield tensors
    except FileNotFoundError as error:
        raise Pg2Error(f"{path} is missing") from error
    except (SafetensorError, OSError) as error:
        raise Pg2Error(f"{path} is damaged or truncated ({error}); get or make the file again") from error
