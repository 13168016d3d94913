"""`pg2 evaluate`, `pg2 score` and `pg2 table1`: pictures in numbers."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pg2.cli.options import (
    BackendOption,
    Background,
    Device,
    ModelArgument,
    PrecisionOption,
    Ray,
    Revision,
    command_line,
)
from pg2.errors import Pg2Error

Inception = Annotated[
    Path | None,
    typer.Option(help="weights pt_inception-2015-12-05-6726825d.pth: gives IS, FID and KID of the field"),
]
LpipsFile = Annotated[
    Path | None, typer.Option("--lpips", help="weights alexnet-owt-7be5be79.pth: gives LPIPS")
]
LpipsLinear = Annotated[
    Path | None,
    typer.Option(help="LPIPS's own weights, alex.pth of version 0.1; default: those in torchmetrics"),
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="score this many pairs, evenly spread over the list; default: all")
]
Bodies = Annotated[
    int, typer.Option(help="pairs, evenly spread, that the pose estimator judges; 0: none", min=0)
]


def evaluate(
    model: ModelArgument,
    data: Annotated[Path, typer.Argument(help="a prepared data set")],
    out: Annotated[
        Path,
        typer.Option(
            help="folder for scores.md, scores.json, pairs.csv, grid.png and failures.html; replaces an "
            "earlier report"
        ),
    ],
    pairs: Annotated[
        Path | None,
        typer.Option(help="CSV with the header from,to: names of pictures; default: all of the test split"),
    ] = None,
    limit: Limit = None,
    inception: Inception = None,
    lpips: LpipsFile = None,
    lpips_linear: LpipsLinear = None,
    bodies: Bodies = 250,
    training: Annotated[
        bool, typer.Option("--training", help="measure FID and KID to all training pictures, too")
    ] = False,
    store: Annotated[
        Path | None,
        typer.Option(help="folder to keep all pictures in, for `pg2 score`; replaces earlier ones"),
    ] = None,
    background: Background = None,
    device: Device = "cpu",
    precision: PrecisionOption = "fp32",
    backend: BackendOption = None,
    revision: Revision = None,
    ray: Ray = None,
) -> None:
    """Score a model on fixed pairs: SSIM, mask-SSIM, PSNR, L1, PCKh; with pg2[metrics] also IS, FID, KID."""
    from pg2.data.prepared import PreparedDataset
    from pg2.evaluation.instruments import instruments
    from pg2.evaluation.pair_lists import all_test_pairs, limited, pair_indices
    from pg2.evaluation.protocol import training_features
    from pg2.evaluation.report import print_scores
    from pg2.evaluation.run import check_places, score_and_report
    from pg2.export.graph import is_exported
    from pg2.io.cluster import check_address
    from pg2.pipeline import Pipeline
    from pg2.pose.formats import read_pairs_csv

    check_places(out, store)
    if ray is not None:
        device = "cpu" if device == "auto" else device
        if device != "cpu":
            raise Pg2Error(f"workers of a Ray cluster compute on the CPU, not on {device}; give --device cpu")
        check_address(ray)
    tools = instruments(inception, lpips, lpips_linear, bodies, device)
    if training and not tools.judges:
        raise Pg2Error("--training measures FID and KID: they need pg2[metrics], or --inception FILE")
    pipeline = Pipeline.from_pretrained(
        model,
        device=tools.device if backend in (None, "torch") and not is_exported(model) else "cpu",
        dtype=precision,
        revision=revision,
        background=background,
        backend=backend,
    )
    whole = PreparedDataset(data)
    dataset = whole.scaled(pipeline.frame)
    name = dataset.source
    if dataset is not whole:
        name += f", scaled to {dataset.frame[0]}x{dataset.frame[1]}"
    chosen = limited(all_test_pairs(dataset) if pairs is None else read_pairs_csv(pairs), limit)
    pair_indices(dataset, chosen)  # before the training pictures are looked at
    command = command_line()
    evaluation = score_and_report(
        out,
        pipeline,
        dataset,
        chosen,
        name=model,
        data_name=name,
        instruments=tools,
        training=training_features(dataset, tools) if training else (),
        store=store,
        command=command,
        ray=ray,
    )
    print_scores(evaluation, model, name, out)


def score(
    generated: Annotated[Path, typer.Argument(help="folder of generated pictures, or of panels")],
    target: Annotated[
        Path | None, typer.Argument(help="folder of the real pictures, of the same names")
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            help="folder for scores.json, scores.md, pairs.csv and grid.png; replaces an earlier report"
        ),
    ] = Path("scores"),
    sources: Annotated[Path | None, typer.Option(help="folder of the source pictures")] = None,
    panels: Annotated[
        str,
        typer.Option(help="what stands side by side in each picture, such as source,target,generated"),
    ] = "",
    masks: Annotated[
        str | None,
        typer.Option(help="pose masks of the targets: a folder, a keypoint CSV, or auto to find the poses"),
    ] = None,
    source_masks: Annotated[
        str | None, typer.Option(help="pose masks of the sources, given in the same way")
    ] = None,
    by_order: Annotated[
        bool, typer.Option("--by-order", help="match pictures by order (2 before 10) in place of names")
    ] = False,
    training: Annotated[
        Path | None, typer.Option(help="folder of training pictures, for distances to them")
    ] = None,
    inception: Inception = None,
    lpips: LpipsFile = None,
    lpips_linear: LpipsLinear = None,
    bodies: Bodies = 250,
    device: Device = "cpu",
) -> None:
    """Score pictures that anyone made, by the same protocols as `pg2 evaluate`."""
    from pg2.evaluation.instruments import instruments
    from pg2.evaluation.report import check_place, examples_of, print_scores, write_report
    from pg2.evaluation.stored import StoredPictures, score_stored
    from pg2.io.outputs import exclusive

    check_place(out)
    stored = StoredPictures(
        generated,
        target,
        sources=sources,
        panels=panels.split(",") if panels else (),
        masks=masks,
        source_masks=source_masks,
        by_order=by_order,
    )
    tools = instruments(inception, lpips, lpips_linear, bodies, device)
    command, data_name = command_line(), "stored pictures"
    with exclusive(out):
        evaluation = score_stored(stored, tools, training)
        picture = examples_of(evaluation, stored)
        write_report(out, evaluation, picture, model=generated.name, data_name=data_name, command=command)
    print_scores(evaluation, generated.name, data_name, out)


def table1(
    data: Annotated[list[Path], typer.Argument(help="prepared data sets, such as Market-1501's")],
    out: Annotated[Path, typer.Option(help="folder to work in; the same command again goes on")],
    preset: Annotated[
        str, typer.Option(help="fast: compact networks; paper: the paper's; debug: learns nothing")
    ] = "fast",
    budget: Annotated[
        str | None, typer.Option(help="time to train each model, such as 20m; default: the recipes' steps")
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(help="CSV of pairs for each data set, in order; default: all of the test split"),
    ] = None,
    limit: Limit = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE of all six recipes, such as precision=bf16; may be repeated"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, max=20, help="how many times each model is trained: with --seed, the next seed, ..."
        ),
    ] = 1,
    inception: Inception = None,
    lpips: LpipsFile = None,
    lpips_linear: LpipsLinear = None,
    bodies: Bodies = 250,
    device: Device = "cpu",
    precision: PrecisionOption = "fp32",
) -> None:
    """Train and score the six models of the paper's Table 1, and write the table beside the paper's."""
    from pg2.data.prepared import PreparedDataset
    from pg2.evaluation.instruments import instruments
    from pg2.io.devices import DTYPES
    from pg2.pose.formats import read_pairs_csv
    from pg2.table1.report import markdown, write_table
    from pg2.table1.run import at_work, check_experiment, run_experiment

    if pairs and len(pairs) != len(data):
        raise Pg2Error(f"give --pairs for each of the {len(data)} data sets, or not at all")
    sets = [PreparedDataset(path) for path in data]
    if len({path.resolve().name for path in data}) < len(data):
        raise Pg2Error("two of the data sets have the same folder name, and would share a folder in --out")
    lists = [read_pairs_csv(path) for path in pairs] if pairs else [None] * len(sets)
    asked: dict[str, Any] = {
        "preset": preset,
        "budget": budget,
        "seed": seed,
        "limit": limit,
        "settings": set_ or (),
    }
    for dataset, chosen in zip(sets, lists, strict=True):
        check_experiment(dataset, seeds=seeds, pairs=chosen, **asked)
    tools = instruments(inception, lpips, lpips_linear, bodies, device)
    command = command_line()
    experiments = {}
    with at_work(out):
        for count in range(1, seeds + 1):
            for path, dataset, chosen in zip(data, sets, lists, strict=True):
                experiments[path] = run_experiment(
                    dataset,
                    out / path.resolve().name,
                    seeds=count,
                    pairs=chosen,
                    instruments=tools,
                    dtype=DTYPES[precision],
                    **asked,
                )
                # Hours of a training are not lost with the next one.
                write_table(out, list(experiments.values()), command)
    print(markdown(list(experiments.values()), command))
