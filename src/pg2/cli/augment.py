"""`pg2 augment`: more poses for the people of a re-identification data set."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pg2.cli.options import BackendOption, Background, Device, Model, PrecisionOption, Revision


def augment(
    data: Annotated[
        Path, typer.Argument(help="a prepared data set whose pictures are named as Market-1501's are")
    ],
    out: Annotated[
        str,
        typer.Argument(
            help="folder to make, or its address (s3://BUCKET/...), of bounding_box_train/ and "
            "manifest.jsonl; the same command goes on with it"
        ),
    ],
    per_person: Annotated[
        int | None, typer.Option(min=1, help="pictures to make of each person, from each of theirs in turn")
    ] = None,
    per_picture: Annotated[
        int | None, typer.Option(min=1, max=100, help="pictures to make of each picture instead; default: 1")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="pictures to make in all, at most, spread over the people")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="text file, one picture name per line: only these are used, as sources and for poses; "
            "default: all of the training split"
        ),
    ] = None,
    model: Model = "fast/market1501",
    least_copied: Annotated[
        float, typer.Option(min=0, max=1, help="leave out pictures of which less is copied from the source")
    ] = 0.4,
    doubtful: Annotated[
        bool,
        typer.Option(
            "--doubtful", help="take poses, too, of which the source cannot tell, such as its other side"
        ),
    ] = False,
    look: Annotated[
        bool,
        typer.Option(
            "--look",
            help="leave out pictures in which the pose estimator does not find the pose; three times slower",
        ),
    ] = False,
    background: Background = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 2, help="of what is drawn at random")] = 0,
    device: Device = "auto",
    precision: PrecisionOption = "bf16",
    backend: BackendOption = None,
    revision: Revision = None,
) -> None:
    """Put training people of a re-identification set into poses of one another; names, ids, cameras are kept.

    Loaders of Market-1501 read what is made. Nothing of the test split is used.
    """
    from pg2.augment import Checks, augment, read_names
    from pg2.data.prepared import PreparedDataset
    from pg2.manifest import MANIFEST
    from pg2.pipeline import Pipeline

    names = None if pictures is None else read_names(pictures)
    dataset = PreparedDataset(data)
    pipeline = Pipeline.from_pretrained(
        model,
        device=device,
        dtype=precision,
        revision=revision,
        background=background,
        backend=backend,
    )
    done = augment(
        pipeline,
        dataset,
        out,
        model=model,
        per_person=per_person,
        per_picture=per_picture,
        limit=limit,
        pictures=names,
        checks=Checks(least_copied, doubtful, look),
        seed=seed,
    )
    tried = done.made + done.before + done.left_out.total()
    print(
        f"{out.rstrip('/')}/{MANIFEST}: {done.made:,} pictures of {done.people:,} people made in "
        f"{done.seconds:.1f} s, {done.before:,} were there already"
    )
    for why, count in done.left_out.most_common():
        print(f"pg2: {count:,} of {tried:,} left out: {why}", file=sys.stderr)
