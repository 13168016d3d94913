"""`pg2 serve`: models over HTTP."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pg2.cli.options import AllowHost, BackendOption, Device


def serve(
    host: Annotated[str, typer.Option(help="the address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 8000,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="as for `pg2 generate`; may be repeated, the first is the default; default: all that ship"
        ),
    ] = None,
    device: Device = "auto",
    precision: Annotated[
        Literal["fp32", "bf16"] | None,
        typer.Option(help="default: bf16 with OpenVINO where the processor computes in it, else fp32"),
    ] = None,
    backend: BackendOption = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="threads of the network; default: one a processor core")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="requests that share a run of the model, at most")] = 8,
    batch_wait: Annotated[
        float, typer.Option(min=0, help="milliseconds that a request waits for others")
    ] = 5,
    queue: Annotated[int, typer.Option(min=1, help="requests at a time; further ones are refused")] = 64,
    timeout: Annotated[float, typer.Option(min=0.001, help="seconds until a request is given up")] = 30,
    grace: Annotated[
        float, typer.Option(min=0, help="seconds to answer the requests that are left when the service stops")
    ] = 5,
    max_body: Annotated[float, typer.Option(min=0.001, max=1e6, help="megabytes of a request, at most")] = 10,
    max_held: Annotated[
        float,
        typer.Option(min=0.001, max=1e6, help="megabytes of all requests and answers together, at most"),
    ] = 200,
    max_kept: Annotated[
        float,
        typer.Option(
            min=0.001, max=1e6, help="megabytes of photos kept for clients who go on with them, at most"
        ),
    ] = 100,
    keep: Annotated[
        float, typer.Option(min=0.001, help="seconds that such a photo is kept after its last use")
    ] = 600,
    api_key_file: Annotated[
        Path | None, typer.Option(help="file with the key that clients must show; or set PG2_API_KEY")
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="web site whose pages may use the service; may be repeated")
    ] = None,
    allow_host: AllowHost = None,
    in_browser: Annotated[
        bool,
        typer.Option(
            "--in-browser",
            help="the page computes in the browser, and no photo leaves it; models are files of `pg2 export`",
        ),
    ] = False,
) -> None:
    """Serve models over HTTP until stopped; needs pg2[serve]."""
    from pg2.serving.options import ServeOptions, read_api_key
    from pg2.web import check_packages

    check_packages()
    options = ServeOptions(
        models=tuple(model or ()),
        device=device,
        precision=precision,
        backend=backend,
        threads=threads,
        batch=batch,
        batch_wait=batch_wait,
        queue=queue,
        timeout=timeout,
        grace=grace,
        max_body=round(max_body * 1e6),
        max_held=round(max_held * 1e6),
        max_kept=round(max_kept * 1e6),
        keep=keep,
        api_key=read_api_key(api_key_file),
        cors_origins=tuple(cors_origin or ()),
        hosts=tuple(allow_host or ()),
        in_browser=in_browser,
    )
    from pg2.serving.server import serve as run

    run(options, host, port)
