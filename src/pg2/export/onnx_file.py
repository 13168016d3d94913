"""`pg2 export`: a model as an ONNX file, checked against PyTorch before it is written."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pg2.errors import Pg2Error
from pg2.export.check import largest_difference, random_inputs
from pg2.export.graph import INPUTS, KEY, SUFFIX, Description, Graph
from pg2.export.picture_model import PictureModel
from pg2.io.files import atomic_path
from pg2.models.pg2 import PG2

if TYPE_CHECKING:
    import onnx_ir as ir

OPSET = 18
"""Of ONNX. GridSample is there from 16 on; in 20 it calls its cubic mode by another name."""

LARGEST = 3
"""Grey levels by which the file may be off PyTorch, at most."""

_DOCUMENT = {
    "source": "uint8 [batch, height, width, 3] RGB: a picture of one person, in the frame that is written in "
    "the file's metadata",
    "source_keypoints": "float32 [batch, 18, 2]: the 18 OpenPose (COCO) keypoints of the person on the "
    "picture as (x, y) in its pixels, the centre of the first pixel being (0, 0); NaN where missing",
    "target_keypoints": "the same of the pose that the person is wanted in",
    "image": "uint8 [batch, height, width, 3] RGB: the person in that pose",
    "changed": "uint8 [batch, height, width]: 255 where the result is not the source's own ground",
    "fetched": "float32 [batch, height, width, 2]: where in the source each pixel was fetched, (x, y)",
}


def export_onnx(model: PG2, path: str | Path) -> Description:
    """Write a model as one ONNX file, atomically.

    Inputs and outputs are described in the file; its metadata has a `Description` below "pg2".

    Args:
        model: on the processor.
        path: the file, .onnx.

    Raises:
        Pg2Error: the extra "export" is not installed, the file is not called .onnx or cannot be written, or
            the graph does not draw what the model draws; then nothing is written.
    """
    check_place(path)
    content, description = to_onnx(model)
    with atomic_path(path) as new:
        new.write_bytes(content)
    return description


def check_place(path: str | Path) -> None:
    """Refuse what can be seen to fail before anything is loaded.

    Raises:
        Pg2Error: the file is not called .onnx, or the extra is not installed.
    """
    if Path(path).suffix.lower() != SUFFIX:
        raise Pg2Error(f"{path} must end in {SUFFIX}")
    check_packages()


def check_packages() -> None:
    """Say so if a model cannot be exported here.

    Raises:
        Pg2Error: the extra is not installed.
    """
    if not all(map(importlib.util.find_spec, ("onnx", "onnxscript"))):
        raise Pg2Error('an export needs the extra "export": pip install "pg2[export]"')


def to_onnx(model: PG2) -> tuple[bytes, Description]:
    """The content of such a file, and what it says of the model.

    Raises:
        Pg2Error: the graph does not draw what the model draws, or that is not finite.
    """
    import onnx_ir as ir

    pictures = PictureModel(model.eval()).eval()
    translated = _translated(pictures)
    for value in (*translated.graph.inputs, *translated.graph.outputs):
        value.doc_string = _document(model, str(value.name))

    def content(description: Description) -> bytes:
        translated.metadata_props[KEY] = description.to_json()
        return bytes(ir.to_proto(translated).SerializeToString())

    description = _described(model)
    largest, share = largest_difference(pictures, Graph(content(description), "the exported model"))
    if largest > LARGEST:
        raise Pg2Error(
            f"the exported model is up to {largest} grey levels off PyTorch's pictures (allowed: {LARGEST}), "
            f"{share:.2%} of all values by more than one, so nothing is written; please report this"
        )
    description = _described(model, largest)
    return content(description), description


def _translated(pictures: PictureModel) -> "ir.Model":
    """A model as a graph, by PyTorch's exporter."""
    example = tuple(map(torch.from_numpy, random_inputs(pictures.model.config.frame, 2)))
    with torch.no_grad(), _quiet():
        names = list(pictures(*example))
        program = torch.onnx.export(
            pictures,
            example,
            dynamo=True,
            opset_version=OPSET,
            input_names=INPUTS,
            output_names=names,
            dynamic_shapes=({0: torch.export.Dim("batch")},) * len(INPUTS),
            # Its rewriting compares every node with every other one, which takes a third of the time, for
            # what the engines do themselves.
            optimize=False,
            verbose=False,
        )
    assert program is not None  # it is None for a file of its own writing
    _tidy(program.model)
    return program.model


def _tidy(model: "ir.Model") -> None:
    """Half as many nodes, which are read in half the time, and nothing in them of where they come from."""
    import onnx_ir.passes.common as passes
    from onnxscript import optimizer

    optimizer.inline(model)
    optimizer.fold_constants(model)
    for tidy in (
        passes.RemoveUnusedNodesPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
    ):
        tidy(model)
    # What the exporter notes of every step has the names of this machine's folders in it.
    model.metadata_props.clear()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """What the exporter says and notes is for those who work on it; what is wrong is seen in the pictures."""
    log, config = logging.getLogger("torch.onnx"), torch.fx.config
    before = log.level, getattr(config, "do_not_emit_stack_traces", False)
    log.setLevel(logging.ERROR)
    config.do_not_emit_stack_traces = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before[0])
        config.do_not_emit_stack_traces = before[1]


def _described(model: PG2, difference: int = 0) -> Description:
    return Description(
        frame=model.config.frame,
        stages=tuple(model.stages),
        pictures=model.pictures,
        background=model.background,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        weights=model.digest,
        difference=difference,
    )


def _document(model: PG2, name: str) -> str:
    if name in _DOCUMENT:
        return _DOCUMENT[name]
    info = model.pictures[name]
    if info.kind == "mask":
        return f"uint8 [batch, height, width]: {info.heading}, from 0 (no) to 255 (yes)"
    what = ", grey where there is none, at half its strength" if info.kind == "difference" else ""
    return f"uint8 [batch, height, width, 3] RGB: {info.heading}{what}"
