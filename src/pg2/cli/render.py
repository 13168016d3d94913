"""`pg2 render`: people who do not exist."""

from pathlib import Path
from typing import Annotated

import typer

from pg2.cli.options import Ray, parse_size


def render(
    out: Annotated[Path, typer.Argument(help="folder to make; the same command again goes on with it")],
    people: Annotated[int, typer.Option(help="how many people; more than before extends the folder")] = 100,
    poses: Annotated[int, typer.Option(help="pictures of each person")] = 8,
    size: Annotated[str, typer.Option(help="HEIGHTxWIDTH in pixels, multiples of 16")] = "256x256",
    seed: Annotated[int, typer.Option(help="another number gives other people")] = 0,
    look: Annotated[
        str,
        typer.Option(
            help="studio (grey paper), street (the same people in front of houses), or photo (as in "
            "photographs)"
        ),
    ] = "studio",
    framing: Annotated[
        str,
        typer.Option(
            help="full, mixed (a quarter shows the upper body only), or any (from head and shoulders to far "
            "away); default: any for photo, full otherwise"
        ),
    ] = "",
    geometry: Annotated[
        bool, typer.Option("--geometry", help="also write which place on the person each pixel shows")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="processes; default: one a processor core")] = None,
    ray: Ray = None,
) -> None:
    """Render synthetic people with exact keypoints, for `pg2 prepare folder`; needs pg2[render]."""
    from pg2.rendering.options import RenderOptions
    from pg2.rendering.people import render_people

    options = RenderOptions(poses, parse_size(size), seed, look, framing, geometry)
    print(render_people(out, people, options, workers=workers, ray=ray).summary())
