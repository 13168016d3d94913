"""`pg2 train`: from a prepared data set to a model."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[str, typer.Argument(help="a shipped recipe such as fast/market1501, or a YAML file")],
    data: Annotated[Path, typer.Argument(help="a prepared data set")],
    out: Annotated[Path, typer.Option(help="folder of the run; the same command again goes on with it")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, such as coarse.steps=1000; may be repeated")
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(help="a model to start from: a shipped one, a model folder, or a Hugging Face hub id"),
    ] = None,
    flow_from: Annotated[
        Path | None,
        typer.Option(
            help="a second prepared data set, of people rendered with --geometry: it teaches stage II "
            "where to fetch what, every second step"
        ),
    ] = None,
    log: Annotated[
        list[str] | None,
        typer.Option(
            help="where losses and scores go beside TensorBoard's files in the run: wandb (offline unless "
            "WANDB_MODE says otherwise) or mlflow (RUN/mlflow.db unless MLFLOW_TRACKING_URI says otherwise); "
            "may be repeated"
        ),
    ] = None,
) -> None:
    """Train stage I and stage II. Run the same command again to resume."""
    from pg2.data.prepared import PreparedDataset
    from pg2.training.loop import train as run
    from pg2.training.recipe import load_recipe

    settings = load_recipe(recipe, set_ or [])
    rendered = None if flow_from is None else PreparedDataset(flow_from)
    print(run(settings, PreparedDataset(data), out, init_from=init_from, flow_from=rendered, log=log or ()))
