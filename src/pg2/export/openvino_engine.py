"""ONNX files run by OpenVINO (extra "openvino"): one picture on all cores, many pictures each on a core."""

import functools
import importlib.util
import io
import sys
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from pg2.errors import Pg2Error
from pg2.export.openvino_parts import Part, taken_apart

_Arrays = Mapping[str, npt.NDArray[Any]]


class OpenVino:
    """A model of one picture. With its size known OpenVINO takes half the time that any number takes.

    Attributes:
        shapes: of the inputs by name, the first size of each being 1. An input that the file does not look
            at, such as the source's pose in stage I, is missing.
        outputs: their names.
    """

    def __init__(self, content: bytes, *, source: Collection[str], rough: bool, threads: int | None) -> None:
        """Read the content of a file.

        Args:
            content: of the file.
            source: names of the inputs that stay the same while the target pose changes. What they alone say
                is not worked out again, as long as they are what they were.
            rough: compute in bf16 what a picture has part in, else all in float32.
            threads: processor threads; None leaves the number to OpenVINO.

        Raises:
            Pg2Error: OpenVINO is not installed, or too old for bf16.
            Exception: one of OpenVINO's: it is no such file, or damaged.
        """
        self._model = one_core().read_model(io.BytesIO(content))
        self._model.reshape({port: [1, *list(port.partial_shape)[1:]] for port in self._model.inputs})
        self._settings = {} if threads is None else {"INFERENCE_NUM_THREADS": str(threads)}
        self.shapes = {name: tuple(port.shape) for port in self._model.inputs for name in port.names}
        self.outputs = {name for port in self._model.outputs for name in port.names}
        self._parts = taken_apart(self._model, source, rough=rough, core=one_core())
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
        models = []
        for part in self._parts:
            settings = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32" if part.exact else "bf16"}
            models.append(one_core().compile_model(part.model, "CPU", self._settings | settings))
        return _Compiled(self._parts, models, self.outputs)


class _Requests:
    """One request of each piece of a model, and what a piece that lasts was last given and made."""

    def __init__(self, models: Iterable[Any]) -> None:
        self.each = [model.create_infer_request() for model in models]
        self.last: tuple[_Arrays, _Arrays] | None = None


class _Compiled:
    """The compiled pieces of a model, which run one after the other.

    Requests have memory of their own, and serve one thread at a time.
    """

    def __init__(self, parts: Sequence[Part], models: Sequence[Any], outputs: Iterable[str]) -> None:
        self._parts, self._models, self._outputs = parts, models, frozenset(outputs)
        self._inputs = [[name for port in model.inputs for name in port.names] for model in models]
        self._free: SimpleQueue[_Requests] = SimpleQueue()
        self.at_once = int(models[-1].get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def run(self, given: _Arrays) -> dict[str, npt.NDArray[Any]]:
        try:
            requests = self._free.get_nowait()
        except Empty:
            requests = _Requests(self._models)
        known = dict(given)
        for part, request, names in zip(self._parts, requests.each, self._inputs, strict=True):
            # What passes a piece as it is has two names there.
            taken = {name: known[name] for name in names if name in known}
            if part.lasts and requests.last is not None and _same(requests.last[0], taken):
                known |= requests.last[1]
                continue
            if part.lasts:
                taken = {name: array.copy() for name, array in taken.items()}
            made = request.infer(taken, share_inputs=True, share_outputs=True)
            by_name = {name: array for port, array in made.items() for name in port.names}
            if part.lasts:
                requests.last = taken, by_name
            known |= by_name
        arrays = {name: np.array(known[name]) for name in self._outputs}
        self._free.put(requests)
        return arrays


def _same(before: _Arrays, now: _Arrays) -> bool:
    return all(np.array_equal(before[name], array, equal_nan=True) for name, array in now.items())


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
