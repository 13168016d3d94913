"""ONNX files run by OpenVINO (extra "openvino"): one picture on all cores, many pictures each on a core."""

import functools
import importlib.util
import io
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from pg2.errors import Pg2Error

_Arrays = Mapping[str, npt.NDArray[Any]]


class OpenVino:
    """A model of one picture. With its size known OpenVINO takes half the time that any number takes.

    Attributes:
        shapes: of the inputs by name, the first size of each being 1. An input that the file does not look
            at, such as the source's pose in stage I, is missing.
        outputs: their names.
    """

    def __init__(self, content: bytes, *, rough: bool, threads: int | None) -> None:
        """Read the content of a file.

        Args:
            content: of the file.
            rough: compute in bf16, else in float32.
            threads: processor threads; None leaves the number to OpenVINO.

        Raises:
            Pg2Error: OpenVINO is not installed.
            Exception: one of OpenVINO's: it is no such file, or damaged.
        """
        self._model = one_core().read_model(io.BytesIO(content))
        self._model.reshape({port: [1, *list(port.partial_shape)[1:]] for port in self._model.inputs})
        self._settings = {"INFERENCE_PRECISION_HINT": "bf16" if rough else "f32"}
        if threads is not None:
            self._settings["INFERENCE_NUM_THREADS"] = str(threads)
        self.shapes = {name: tuple(port.shape) for port in self._model.inputs for name in port.names}
        self.outputs = {name for port in self._model.outputs for name in port.names}
        self._alone = self._compiled("LATENCY")
        self._many: _Compiled | None = None  # compiled when it is first needed
        self._lock = threading.Lock()

    def noted(self, key: str) -> str | None:
        """What the file's metadata has below `key`."""
        place = ["framework", key]
        return str(self._model.get_rt_info(place).value) if self._model.has_rt_info(place) else None

    def run(self, arrays: _Arrays) -> dict[str, npt.NDArray[Any]]:
        """The outputs of a batch by name; several threads may ask."""
        given = {name: array for name, array in arrays.items() if name in self.shapes}
        count = len(next(iter(given.values())))
        pictures = [{name: array[k : k + 1] for name, array in given.items()} for k in range(count)]
        if count == 1:
            return self._alone.run(pictures[0])
        many = self._compiled_for_many()
        with ThreadPoolExecutor(min(many.at_once, count)) as workers:
            made = list(workers.map(many.run, pictures))
        return {name: np.concatenate([picture[name] for picture in made]) for name in made[0]}

    def _compiled_for_many(self) -> "_Compiled":
        with self._lock:
            if self._many is None:
                self._many = self._compiled("THROUGHPUT")
            return self._many

    def _compiled(self, hint: str) -> "_Compiled":
        return _Compiled(
            one_core().compile_model(self._model, "CPU", self._settings | {"PERFORMANCE_HINT": hint})
        )


class _Compiled:
    """A compiled model and its requests, each of which has its memory and serves one thread at a time."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._free: SimpleQueue[Any] = SimpleQueue()
        self.at_once = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def run(self, given: _Arrays) -> dict[str, npt.NDArray[Any]]:
        try:
            request = self._free.get_nowait()
        except Empty:
            request = self._compiled.create_infer_request()
        made = request.infer(given)
        arrays = {name: np.array(array) for port, array in made.items() for name in port.names}
        self._free.put(request)
        return arrays


def is_installed() -> bool:
    """Whether OpenVINO is there; it is not loaded."""
    return importlib.util.find_spec("openvino") is not None


def runs_bf16() -> bool:
    """Whether OpenVINO computes in bf16 on this processor."""
    return "BF16" in one_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


_one_core = threading.Lock()


def one_core() -> Any:
    """OpenVINO's engine: one, until the process ends.

    Each engine gives its thread a stack to handle signals on, and takes that away when it goes. Where two
    were made and the first goes first, the thread is left with none, and dies of the next signal.
    """
    library = _openvino()
    with _one_core:
        return _made_core(library)


@functools.cache
def _made_core(library: Any) -> Any:
    return library.Core()


def _openvino() -> Any:
    """OpenVINO, kept from reporting its use to its makers.

    Raises:
        Pg2Error: it is not installed.
    """
    if "openvino" not in sys.modules:
        # It has no setting for this. Without this package it reports nothing, and works all the same.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise Pg2Error('this backend needs the extra "openvino": pip install "pg2[openvino]"') from error
