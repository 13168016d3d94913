"""What a measurement was made on: it stands beside the numbers."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from timing import median_seconds

_VERSIONS = ("pg2", "torch", "numpy", "pillow", "onnxruntime", "openvino")
_CPUINFO = Path("/proc/cpuinfo")


def machine(threads: int | None = None) -> dict[str, Any]:
    """Processor, accelerator, cores, memory, system, versions, and PyTorch's threads (None: as they are)."""
    import psutil  # comes with accelerate, of the extra "train"; `multiplied` does without

    gpu = torch.accelerator.is_available()
    return {
        "processor": _processor(),
        "accelerator": torch.cuda.get_device_name() if gpu and torch.cuda.is_available() else None,
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in _VERSIONS if _is_installed(name)},
        "threads": torch.get_num_threads() if threads is None else threads,
    }


def multiplied(threads: int) -> dict[int, float]:
    """GFLOP/s of a matrix product in float32 by one thread, and by all: two cores may be one that is shared.

    Where all are hardly quicker than one, what a benchmark says of several threads is of one core.
    """
    matrix, before, rates = torch.ones(2048, 2048), torch.get_num_threads(), dict[int, float]()
    for count in (1, threads):
        torch.set_num_threads(count)
        seconds = median_seconds(lambda: matrix @ matrix)
        rates[count] = 2 * len(matrix) ** 3 / seconds / 1e9
    torch.set_num_threads(before)
    return rates


def described(found: dict[str, Any]) -> str:
    """The same as a line for people."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return (
        f"{found['accelerator'] or found['processor']}, {found['cores']} cores, {found['memory_gb']} GB, "
        f"{found['system']}, {found['threads']} threads; {versions}"
    )


def _is_installed(package: str) -> bool:
    return any(metadata.distributions(name=package))


def _processor() -> str:
    """Its name and, where Linux tells them, whether it has what makes bf16 fast."""
    name = platform.processor() or platform.machine()
    if sys.platform != "linux" or not _CPUINFO.exists():
        return name
    lines = dict(line.split(":", 1) for line in _CPUINFO.read_text().splitlines() if ":" in line)
    lines = {key.strip(): value.strip() for key, value in lines.items()}
    flags = lines.get("flags", "").split()
    special = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return " ".join([lines.get("model name", name), *special])
