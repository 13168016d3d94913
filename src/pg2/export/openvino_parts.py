"""A model of OpenVINO taken apart by what its pieces depend on: the poses, the source, or all of it."""

import importlib
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from pg2.errors import Pg2Error

# How a graph says of a node that it stays in float32. OpenVINO's Python has no call for that, so the mark is
# read from this small graph.
_KEPT_EXACT = """
<net name="exact" version="11"><layers>
<layer id="0" name="in" type="Parameter" version="opset1"><data shape="1" element_type="f32"/>
<rt_info><attribute name="precise" version="0"/></rt_info>
<output><port id="0" precision="FP32"><dim>1</dim></port></output></layer>
<layer id="1" name="out" type="Result" version="opset1">
<input><port id="0" precision="FP32"><dim>1</dim></port></input></layer>
</layers><edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/></edges></net>
"""

# In the order in which they run. What depends on nothing is a constant, and goes wherever it is used.
_CONSTANT, _POSES, _SOURCE, _REST = range(-1, 3)


class Part(NamedTuple):
    """A piece of a model. It takes inputs of the whole, and what the pieces before it gave, by name.

    Attributes:
        model: OpenVINO's.
        exact: whether it is to be computed in float32.
        lasts: whether it depends on the source alone, and gives the same for another target pose.
    """

    model: Any
    exact: bool
    lasts: bool


def taken_apart(model: Any, source: Collection[str], *, rough: bool, core: Any) -> list[Part]:
    """The pieces of a model, in the order in which they are to run. The model itself runs no more.

    What the source alone says is a piece of its own: many poses of one photo, or a joint that is dragged,
    need it once.

    In bf16 OpenVINO computes all in bf16 that a convolution comes after: the keypoints, too, of which one at
    200.4 pixels would be at 200. So what the poses alone say is a piece of its own, in float32, and the sums
    over the ways of the parts stay in float32 in the other ones.

    Args:
        model: of one size. Its pictures are inputs of bytes.
        source: names of its inputs that do not depend on the target pose.
        rough: whether it is to be computed in bf16.
        core: OpenVINO's engine. Whoever made it has loaded OpenVINO, without its reports to its makers.

    Raises:
        Pg2Error: this OpenVINO cannot keep a piece in float32.
    """
    library = importlib.import_module("openvino")
    _fold_shapes(model)
    found = _ranks(model, source, rough)
    results: dict[int, list[Any]] = {rank: [] for rank in (_POSES, _SOURCE)}
    results[_REST] = model.get_results()
    taken: dict[int, list[Any]] = {rank: [] for rank in results}
    for parameter in model.get_parameters():
        taken[found[parameter]].append(parameter)
    posed = set[Any]()
    for node, rank in [*found.items()]:
        for value in node.outputs() if rank != _CONSTANT else ():
            users = [port for port in value.get_target_inputs() if found[port.get_node()] > rank]
            if not users:
                continue
            name = f"between: {sum(map(len, results.values()))}"
            value.get_tensor().add_names({name})
            results[rank].append(library.opset13.result(value))
            for later in {found[port.get_node()] for port in users}:
                parameter = library.opset13.parameter(value.get_shape(), value.get_element_type())
                parameter.output(0).get_tensor().set_names({name})
                taken[later].append(parameter)
                posed |= {parameter} if rank == _POSES else set()
                for port in users:
                    if found[port.get_node()] == later:
                        port.replace_source_output(parameter.output(0))
    if posed:
        _keep_exact(found, posed, core)
    return [
        Part(library.Model(made, taken[rank]), not rough or rank == _POSES, rank == _SOURCE)
        for rank, made in results.items()
        if made
    ]


def _fold_shapes(model: Any) -> None:
    """Make constants of the shapes of what has a known size, or they would pass from piece to piece."""
    passes = importlib.import_module("openvino.passes")
    folding = passes.Manager()
    folding.register_pass(passes.ConstantFolding())
    folding.run_passes(model)


def _ranks(model: Any, source: Collection[str], rough: bool) -> dict[Any, int]:
    """The piece that each node belongs to; no node depends on one of a later piece."""
    bytes_ = importlib.import_module("openvino").Type.u8
    depends: dict[Any, frozenset[str]] = {}
    pictures = set[str]()
    for node in model.get_ordered_ops():
        depends[node] = frozenset().union(*(depends[value.get_node()] for value in node.input_values()))
        if node.get_type_name() == "Parameter":
            depends[node] = frozenset(node.output(0).get_names())
            pictures |= depends[node] if node.get_element_type() == bytes_ else set()

    def rank(node: Any) -> int:
        names = depends[node]
        if node.get_type_name() == "Result":
            return _REST
        if not names:
            return _CONSTANT
        if rough and names.isdisjoint(pictures):
            return _POSES
        return _SOURCE if names <= set(source) else _REST

    return {node: rank(node) for node in depends}


def _keep_exact(nodes: Iterable[Any], posed: Collection[Any], core: Any) -> None:
    """Have matrix products with what the poses say computed in float32."""
    (marked, *_) = core.read_model(_KEPT_EXACT.encode(), b"").get_parameters()
    marks = dict(marked.get_rt_info().items())
    if not (marks and hasattr(marked, "set_rt_info")):
        raise Pg2Error("bf16 needs another OpenVINO: pip install --upgrade openvino")
    for node in nodes:
        values = [value.get_node() for value in node.input_values()]
        if node.get_type_name() == "MatMul" and any(value in posed for value in values):
            reshaped = [value for value in values if value.get_type_name() == "Reshape"]
            for exact in (node, *reshaped):
                for key, mark in marks.items():
                    exact.set_rt_info(mark, key)
