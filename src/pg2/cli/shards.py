"""`pg2 shards`: what many pictures were made, as WebDataset shards."""

from typing import Annotated

import typer


def shards(
    folder: Annotated[
        str, typer.Argument(help="folder that `pg2 generate --poses` or `pg2 augment` has made")
    ],
    out: Annotated[
        str,
        typer.Argument(
            help="folder for the shards, or its address (s3://BUCKET/...); the same command goes on with it"
        ),
    ],
    size: Annotated[int, typer.Option(min=1, max=1_000_000, help="samples of a shard")] = 1000,
) -> None:
    """Put pictures that were made into WebDataset shards, with all that is known of them.

    A sample is a picture and a .json with person, source, pose and keypoints. The same folder gives the same
    shards, byte for byte. `pg2 prepare webdataset` and the library webdataset read them.
    """
    from pg2.io.shards import pattern
    from pg2.shards import make_shards

    made = make_shards(folder, out, size=size)
    print(
        f"{pattern(made.files)}: {made.samples:,} samples in {len(made.files):,} shards, {made.kept:,} were "
        "there already"
    )
