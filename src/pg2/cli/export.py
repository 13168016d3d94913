"""`pg2 export`: a model as a file that runs without pg2."""

from pathlib import Path
from typing import Annotated

import typer

from pg2.cli.options import Background, NetworksArgument, Revision


def export(
    model: NetworksArgument,
    onnx: Annotated[Path, typer.Option(help="the file to write, .onnx; replaces one of that name")],
    background: Background = None,
    revision: Revision = None,
) -> None:
    """Write a model as an ONNX file that runs without pg2 and PyTorch; needs pg2[export].

    Pose maps and warps are inside: a picture and two poses go in, pictures come out. The file is checked
    against PyTorch before it is written.
    """
    from pg2.export.onnx_file import check_place, export_onnx
    from pg2.io.outputs import exclusive
    from pg2.models.pg2 import PG2

    check_place(onnx)
    with exclusive(onnx):
        loaded = PG2.from_pretrained(model, revision=revision)
        if background is not None:
            loaded.set_background(background)
        description = export_onnx(loaded, onnx)
    print(onnx)
    height, width = description.frame
    print(
        f"frame {height}x{width}; pictures: image, {', '.join(description.pictures)}; at most "
        f"{description.difference} of 255 grey levels off PyTorch"
    )
