"""An exported model, opened: pictures by onnxruntime or OpenVINO, without PyTorch."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
import numpy.typing as npt

from pg2.errors import Pg2Error
from pg2.export.openvino_engine import OpenVino, runs_bf16
from pg2.io.files import exists
from pg2.io.pixels import Image8
from pg2.models.inputs import CHANGED, FETCHED, PictureInfo, PictureKind

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


def is_exported(model: str | Path) -> bool:
    """Whether a model is a file of `pg2 export`, by its name; a model's folder may be called so, too."""
    return str(model).lower().endswith(SUFFIX) and not (exists(model) and Path(model).is_dir())


class _Opened(NamedTuple):
    """A graph as an engine has it: how it runs, its outputs, its pictures' size, what its file says."""

    run: _Run
    outputs: set[str]
    frame: tuple[Any, ...]
    description: str | None


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
            said = json.loads(text)
            if not said["format"] > FORMAT:
                return cls._read(said)
        except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise ValueError("its description cannot be read") from error
        raise ValueError("it was written by a newer pg2; upgrade pg2")

    @classmethod
    def _read(cls, said: Mapping[str, Any]) -> Self:
        height, width = map(int, said["frame"])
        pictures = {str(name): PictureInfo(*info) for name, info in said["pictures"].items()}
        stages = tuple(map(str, said["stages"]))
        if any(info.kind not in get_args(PictureKind) for info in pictures.values()):
            raise ValueError("a picture of no kind that there is")
        if not (stages and {*stages[:-1]} <= pictures.keys()):
            raise ValueError("a stage without its picture")
        return cls(
            frame=(height, width),
            stages=stages,
            pictures=pictures,
            background=None if said["background"] is None else str(said["background"]),
            parameters=int(said["parameters"]),
            weights=str(said["weights"]),
            difference=int(said["difference"]),
        )


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
        self.engine, self.rough = engine, rough and engine == "openvino" and runs_bf16()
        try:
            if engine == "openvino":
                opened = _openvino_opens(content, self.rough, threads)
            else:
                opened = _onnxruntime_opens(content, threads)
        except Pg2Error:
            raise
        except Exception as error:  # neither engine's exceptions share a base class
            raise Pg2Error(f"{name} is damaged or not an ONNX file; export the model again") from error
        try:
            self.description = Description.from_json(opened.description or "")
            missing = {"image", *self.description.pictures} - opened.outputs
            if missing:
                raise ValueError(f"it has no output {min(missing)}")
            if opened.frame != self.description.frame:
                raise ValueError("its pictures are of another size than it says")
        except ValueError as error:
            raise Pg2Error(f"{name} is not a model that `pg2 export` wrote: {error}") from error
        self._run = opened.run

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


def _onnxruntime_opens(content: bytes, threads: int | None) -> _Opened:
    from pg2.io.sessions import open_session

    session = open_session(content, threads)
    names = [output.name for output in session.get_outputs()]
    shapes = {taken.name: taken.shape for taken in session.get_inputs()}

    def run(arrays: _Arrays) -> _Arrays:
        return dict(zip(names, session.run(names, arrays), strict=True))

    description = session.get_modelmeta().custom_metadata_map.get(KEY)
    return _Opened(run, set(names), tuple(shapes.get(INPUTS[0], ())[1:3]), description)


def _openvino_opens(content: bytes, rough: bool, threads: int | None) -> _Opened:
    """The same by OpenVINO, in bf16 or float32."""
    engine = OpenVino(content, source=INPUTS[:2], rough=rough, threads=threads)
    return _Opened(engine.run, engine.outputs, engine.shapes.get(INPUTS[0], ())[1:3], engine.noted(KEY))
