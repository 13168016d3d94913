"""`pg2 userstudy`: people say which pictures are real."""

from pathlib import Path
from typing import Annotated

import typer

from pg2.cli.options import AllowHost, command_line

userstudy = typer.Typer(help="Let people say which pictures are real: R2G and G2R.", no_args_is_help=True)


@userstudy.command("make")
def make(
    generated: Annotated[Path, typer.Argument(help="folder of generated pictures")],
    real: Annotated[Path, typer.Argument(help="folder of real pictures of the same size")],
    out: Annotated[Path, typer.Argument(help="folder to make; the same command again leaves it as it is")],
    count: Annotated[int, typer.Option(min=1, help="pictures of each kind")] = 55,
    practice: Annotated[int, typer.Option(min=0, help="first answers of each person that do not count")] = 10,
    seconds: Annotated[float, typer.Option(help="how long a picture is shown")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="another number gives other pictures and orders")] = 0,
) -> None:
    """Draw pictures from two folders and write them as a study."""
    from pg2.userstudy.study import make_study

    make_study(generated, real, out, count=count, practice=practice, seconds=seconds, seed=seed)
    print(out)


@userstudy.command("serve")
def serve(
    study: Annotated[Path, typer.Argument(help="a folder that `pg2 userstudy make` made")],
    host: Annotated[
        str, typer.Option(help="0.0.0.0 lets other computers of the network take part")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8001,
    people: Annotated[int, typer.Option(min=1, help="participants at most")] = 1000,
    allow_host: AllowHost = None,
) -> None:
    """Let people take part in a browser; needs pg2[serve]."""
    from pg2.web import check_packages

    check_packages()
    from pg2.userstudy.server import serve_study

    serve_study(study, host, port, people=people, hosts=tuple(allow_host or ()))


@userstudy.command("report")
def report(
    study: Annotated[Path, typer.Argument(help="a folder that people have taken part in")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="folder for report.json, report.md and pictures.png; replaces an earlier report; default: "
            "print only"
        ),
    ] = None,
) -> None:
    """Print R2G and G2R with 95 % confidence intervals, and the pictures that deceived most."""
    from pg2.userstudy.report import findings, markdown, write_report
    from pg2.userstudy.study import Study

    asked = Study.load(study)
    found = findings(asked)
    command = command_line()
    if out is not None:
        write_report(out, asked, found, command)
    print(markdown(asked, found, command))
