"""An exported model, opened: pictures by onnxruntime or OpenVINO, without PyTorch."""

import importlib
import io
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from pg2.errors import Pg2Error
from pg2.io.pixels import Image8
from pg2.models.inputs import CHANGED, FETCHED, PictureInfo

Engine = Literal["onnx", "openvino"]
"""What runs a graph: onnxruntime, or OpenVINO (extra "openvino")."""

SUFFIX = ".onnx"
"""Of an exported model's file."""

FORMAT = 1
"""Of the description in the file: the highest that this version reads."""

KEY = "pg2"
"""Of the description among the file's metadata."""

INPUTS = ("source", "source_keypoints", "target_keypoints")

_Arrays = dict[str, npt.NDArray[Any]]
_Run = Callable[[_Arrays], _Arrays]


@dataclass(frozen=True)
class Description:
    """What a file says of its model.

    Attributes:
        frame: (height, width) of its pictures in pixels.
        stages: names of the pictures that its stages make; the last one's is the result.
        pictures: see `PG2.pictures`.
        background: what the second stage puts behind the person; None: it has no choice.
        parameters: how many the networks have.
        weights: 16 hexadecimal digits that other weights would not have.
        difference: grey levels by which a value was off PyTorch's at most, when it was exported.
    """

    frame: tuple[int, int]
    stages: tuple[str, ...]
    pictures: Mapping[str, PictureInfo]
    background: str | None
    parameters: int
    weights: str
    difference: int = 0

    def to_json(self) -> str:
        """As it stands in the file."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The way back.

        Raises:
            ValueError: it is no such description.
        """
        try:
            document = json.loads(text)
            if document.pop("format") > FORMAT:
                raise ValueError("it was written by a newer pg2; upgrade pg2")
            document["frame"] = tuple(map(int, document["frame"]))
            document["stages"] = tuple(map(str, document["stages"]))
            document["pictures"] = {
                str(name): PictureInfo(*info) for name, info in document["pictures"].items()
            }
            return cls(**document)
        except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError("its description cannot be read") from error


class Graph:
    """A model in an ONNX file, ready to run.

    Attributes:
        description: what the file says of it.
        engine: what runs it.
        rough: whether OpenVINO may compute in bf16.
    """

    def __init__(
        self,
        content: bytes,
        name: str,
        engine: Engine = "onnx",
        *,
        rough: bool = False,
        threads: int | None = None,
    ) -> None:
        """Open the content of a file.

        Args:
            content: of the file.
            name: of the file, for errors.
            engine: what is to run it.
            rough: compute in bf16, where `engine` and the processor can.
            threads: processor threads; None leaves the number to the engine.

        Raises:
            Pg2Error: it is no model that `pg2 export` wrote, or OpenVINO is not installed.
        """
        self._name = name
        self.engine, self.rough = engine, rough and engine == "openvino" and openvino_runs_bf16()
        try:
            if engine == "openvino":
                self._run, outputs, text = _openvino_runs(content, self.rough, threads)
            else:
                self._run, outputs, text = _onnxruntime_runs(content, threads)
        except Pg2Error:
            raise
        except Exception as error:  # neither engine's exceptions share a base class
            raise Pg2Error(f"{name} is damaged or not an ONNX file; export the model again") from error
        try:
            self.description = Description.from_json(text or "")
            missing = {"image", *self.description.pictures} - outputs
            if missing:
                raise ValueError(f"it has no output {min(missing)}")
        except ValueError as error:
            raise Pg2Error(f"{name} is not a model that `pg2 export` wrote: {error}") from error

    @classmethod
    def open(
        cls, path: str | Path, engine: Engine = "onnx", *, rough: bool = False, threads: int | None = None
    ) -> Self:
        """Open a file; see `__init__`.

        Raises:
            Pg2Error: the file cannot be read, or as there.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise Pg2Error(f"cannot read {path}: {(error.strerror or '').lower()}") from error
        return cls(content, str(path), engine, rough=rough, threads=threads)

    def __call__(
        self, source: Image8, source_keypoints: npt.NDArray[Any], target_keypoints: npt.NDArray[Any]
    ) -> dict[str, npt.NDArray[Any]]:
        """The pictures and maps of a batch, by name; see `pg2.models.inputs.as_bytes`.

        Args:
            source: uint8 [B, H, W, 3] RGB, in the model's frame.
            source_keypoints, target_keypoints: [B, 18, 2], (x, y) in pixels, NaN where missing.

        Raises:
            Pg2Error: the graph cannot be run; its file is damaged.
        """
        poses = (points.astype(np.float32, copy=False) for points in (source_keypoints, target_keypoints))
        try:
            made = self._run(dict(zip(INPUTS, (np.ascontiguousarray(source), *poses), strict=True)))
        except Exception as error:  # neither engine's exceptions share a base class
            raise Pg2Error(f"{self._name} does not run; export the model again") from error
        names = ("image", *self.description.pictures, CHANGED, FETCHED)
        return {name: made[name] for name in names if name in made}


def _onnxruntime_runs(content: bytes, threads: int | None) -> tuple[_Run, set[str], str | None]:
    """How onnxruntime runs a graph, its outputs, and what its file says of itself."""
    from pg2.io.sessions import open_session

    session = open_session(content, threads)
    names = [output.name for output in session.get_outputs()]

    def run(arrays: _Arrays) -> _Arrays:
        return dict(zip(names, session.run(names, arrays), strict=True))

    return run, set(names), session.get_modelmeta().custom_metadata_map.get(KEY)


def _openvino_runs(content: bytes, rough: bool, threads: int | None) -> tuple[_Run, set[str], str | None]:
    """The same of OpenVINO, in bf16 or float32."""
    core = _openvino().Core()
    model = core.read_model(io.BytesIO(content))
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16" if rough else "f32"}
    compiled = core.compile_model(
        model, "CPU", config if threads is None else config | {"INFERENCE_NUM_THREADS": threads}
    )
    # What a model does not look at, such as the source's pose in stage I, is no input here.
    known = {name for port in compiled.inputs for name in port.names}
    outputs = {name for port in compiled.outputs for name in port.names}

    def run(arrays: _Arrays) -> _Arrays:
        # A request of its own each time, so that several threads may ask.
        made = compiled.create_infer_request().infer({name: arrays[name] for name in known & arrays.keys()})
        return {name: np.array(array) for port, array in made.items() for name in port.names}

    place = ["framework", KEY]
    return run, outputs, str(model.get_rt_info(place).value) if model.has_rt_info(place) else None


def openvino_runs_bf16() -> bool:
    """Whether OpenVINO computes in bf16 on this processor."""
    return "BF16" in _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


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
