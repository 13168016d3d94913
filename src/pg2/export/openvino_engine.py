"""ONNX files run by OpenVINO (extra "openvino"): one picture on all cores, many pictures each on a core."""

import functools
import importlib.util
import io
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from pg2.errors import Pg2Error

_Arrays = Mapping[str, npt.NDArray[Any]]


# As long as a graph says of a node that it is to stay in float32. OpenVINO's Python has no call for that: it
# reads it, with the rest of this graph, from a text.
_KEPT_EXACT = """
<net name="exact" version="11"><layers>
<layer id="0" name="in" type="Parameter" version="opset1"><data shape="1" element_type="f32"/>
<rt_info><attribute name="precise" version="0"/></rt_info>
<output><port id="0" precision="FP32"><dim>1</dim></port></output></layer>
<layer id="1" name="out" type="Result" version="opset1">
<input><port id="0" precision="FP32"><dim>1</dim></port></input></layer>
</layers><edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/></edges></net>
"""


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
            rough: compute in bf16, all but what the poses alone say, else in float32.
            threads: processor threads; None leaves the number to OpenVINO.

        Raises:
            Pg2Error: OpenVINO is not installed.
            Exception: one of OpenVINO's: it is no such file, or damaged.
        """
        self._model = one_core().read_model(io.BytesIO(content))
        self._model.reshape({port: [1, *list(port.partial_shape)[1:]] for port in self._model.inputs})
        self._settings = {} if threads is None else {"INFERENCE_NUM_THREADS": str(threads)}
        self.shapes = {name: tuple(port.shape) for port in self._model.inputs for name in port.names}
        self.outputs = {name for port in self._model.outputs for name in port.names}
        self._parts = (
            [*zip(_in_two(self._model), ("f32", "bf16"), strict=True)] if rough else [(self._model, "f32")]
        )
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
        parts = []
        for model, precision in self._parts:
            settings = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision}
            parts.append(one_core().compile_model(model, "CPU", self._settings | settings))
        return _Compiled(parts, self.outputs)


def _in_two(model: Any) -> tuple[Any, Any]:
    """A model as two, of which the second takes pictures and what the first makes of the poses.

    In bf16 OpenVINO computes all in bf16 that a convolution comes after: the keypoints, too, of which one at
    201 pixels would be at 200 or 202. So what the poses alone say is worked out by a model of its own, in
    float32, and the sums over the ways of the parts stay in float32 in the other one.

    The model is taken apart, and runs no more.
    """
    library, passes = _openvino(), importlib.import_module("openvino.passes")
    operations = library.opset13
    folding = passes.Manager()
    folding.register_pass(passes.ConstantFolding())  # of shapes, which the second is not to be told
    folding.run_passes(model)
    sees: dict[Any, str] = {}
    for node in model.get_ordered_ops():
        behind = {sees[value.get_node()] for value in node.input_values()}
        if node.get_type_name() == "Parameter":
            behind = {"picture" if node.get_element_type() == library.Type.u8 else "pose"}
        elif node.get_type_name() == "Result":
            behind = {"picture"}
        sees[node] = next((kind for kind in ("picture", "pose") if kind in behind), "neither")
    results, taken = list[Any](), list[Any]()
    for value in (value for node, kind in sees.items() if kind == "pose" for value in node.outputs()):
        users = [port for port in value.get_target_inputs() if sees[port.get_node()] == "picture"]
        if not users:
            continue
        name = f"of the poses: {len(taken)}"
        value.get_tensor().add_names({name})
        results.append(operations.result(value))
        parameter = operations.parameter(value.get_shape(), value.get_element_type())
        parameter.output(0).get_tensor().set_names({name})
        for port in users:
            port.replace_source_output(parameter.output(0))
        taken.append(parameter)
    given: dict[str, list[Any]] = {"picture": [], "pose": []}
    for parameter in model.get_parameters():
        given[sees[parameter]].append(parameter)
    _keep_exact(model.get_ordered_ops(), taken)
    return library.Model(results, given["pose"]), library.Model(
        model.get_results(), [*given["picture"], *taken]
    )


def _keep_exact(nodes: Iterable[Any], taken: Sequence[Any]) -> None:
    """Have matrix products with what is `taken` computed in float32."""
    (said, *_) = one_core().read_model(_KEPT_EXACT.encode(), b"").get_parameters()
    for node in nodes:
        values = [value.get_node() for value in node.input_values()]
        if node.get_type_name() == "MatMul" and any(value in taken for value in values):
            reshaped = [value for value in values if value.get_type_name() == "Reshape"]
            for exact in (node, *reshaped):
                for key, value in said.get_rt_info().items():
                    exact.set_rt_info(value, key)


class _Compiled:
    """Compiled models, each of which takes what the ones before gave, as one.

    Each request has memory of its own, and serves one thread at a time.
    """

    def __init__(self, models: Sequence[Any], outputs: Iterable[str]) -> None:
        self._models, self._outputs = models, frozenset(outputs)
        self._inputs = [[name for port in model.inputs for name in port.names] for model in models]
        self._free: SimpleQueue[list[Any]] = SimpleQueue()
        self.at_once = int(models[-1].get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def run(self, given: _Arrays) -> dict[str, npt.NDArray[Any]]:
        try:
            requests = self._free.get_nowait()
        except Empty:
            requests = [model.create_infer_request() for model in self._models]
        known = dict(given)
        for request, names in zip(requests, self._inputs, strict=True):
            made = request.infer({name: known[name] for name in names}, share_inputs=True, share_outputs=True)
            known |= {name: array for port, array in made.items() for name in port.names}
        arrays = {name: np.array(known[name]) for name in self._outputs}
        self._free.put(requests)
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
