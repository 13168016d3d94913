"""What options of several commands share, and how their words are read."""

import shlex
import sys
from typing import Annotated, Literal

import typer

from pg2.errors import Pg2Error

_MODELS = "a shipped model, a model folder, a Hugging Face hub id, or FILE.onnx of `pg2 export`"
_NETWORKS = "a shipped model, a model folder, or a Hugging Face hub id"
Model = Annotated[str, typer.Option(help=_MODELS)]
ModelArgument = Annotated[str, typer.Argument(help=_MODELS)]
NetworksArgument = Annotated[str, typer.Argument(help=_NETWORKS)]
Device = Annotated[
    str, typer.Option(help="where networks run: auto (an accelerator where there is one), cpu, cuda or mps")
]
PrecisionOption = Annotated[
    # io.devices has it, too, and PyTorch with it: too slow for `--help`.
    Literal["fp32", "bf16"],
    typer.Option("--precision", help="bf16 is faster and less exact; fp32 where a processor lacks it"),
]
BackendOption = Annotated[
    Literal["torch", "onnx", "openvino"] | None,
    typer.Option(
        "--backend",
        help="what the model runs on: torch, onnxruntime, or OpenVINO (pg2[openvino]); the latter two run on "
        "the processor, and take FILE.onnx of `pg2 export` at once; default: torch, for such a file onnx; "
        "`pg2 serve` takes openvino for it where that is installed",
    ),
]
Revision = Annotated[
    str | None, typer.Option(help="commit, tag or branch of a model of the hub; default: its newest")
]
Background = Annotated[
    Literal["keep", "expected"] | None,
    typer.Option(
        help="behind the person: keep the photo's background, or paint the one the model expects; "
        "default: as the model was made"
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        help="further name by which the server may be called, such as pg2.example.org; IP addresses, names "
        "without a dot and this computer's own name are always allowed; may be repeated"
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        help="spread the work over a Ray cluster: local (starts one on this machine), auto (the one that "
        "runs here), or HOST:PORT; needs pg2[ray]"
    ),
]
Person = Annotated[int | None, typer.Option(min=0, help="which person, 0 being the largest (the default)")]


def parse_size(text: str) -> tuple[int, int]:
    """Height and width in pixels from "128x64".

    Raises:
        Pg2Error: it is written in another way, or a side is not within 16 to 4096.
    """
    try:
        height, width = (int(side) for side in text.lower().split("x"))
    except ValueError as error:
        raise Pg2Error(f'a size is HEIGHTxWIDTH in pixels, such as 128x64, not "{text}"') from error
    if not (16 <= height <= 4096 and 16 <= width <= 4096):
        raise Pg2Error(f"a size must lie between 16 and 4096 pixels a side, not {text}")
    return height, width


def command_line() -> str:
    """The command as it was given, for the reports that it makes."""
    return shlex.join(["pg2", *sys.argv[1:]])
