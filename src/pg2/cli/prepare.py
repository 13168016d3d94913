"""`pg2 prepare`: from pictures to a data set to train and evaluate on."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pg2.cli.options import Ray, parse_size
from pg2.io.packaged import SAMPLES

prepare = typer.Typer(help="Turn pictures into a data set to train and evaluate on.", no_args_is_help=True)

Out = Annotated[Path, typer.Argument(help="folder to make; the same command again goes on with it")]
Keypoints = Annotated[
    list[str] | None,
    typer.Option(help="published keypoint CSV (may be repeated), or auto; default: those in RAW"),
]
TestShare = Annotated[float, typer.Option(min=0, max=1, help="share of the people kept for testing")]


@prepare.command("market1501")
def market1501(
    raw: Annotated[Path, typer.Argument(help="folder with bounding_box_train/ and bounding_box_test/")],
    out: Out,
    keypoints: Keypoints = None,
    ray: Ray = None,
) -> None:
    """Prepare Market-1501 as its owners release it."""
    from pg2.data.sources.market1501 import prepare_market1501

    choice: Any = "auto" if keypoints == ["auto"] else keypoints
    print(prepare_market1501(raw, out, choice, ray=ray).summary())


@prepare.command("deepfashion")
def deepfashion(
    raw: Annotated[Path, typer.Argument(help="folder with Img/ and Eval/")],
    out: Out,
    keypoints: Keypoints = None,
    crop: Annotated[
        bool, typer.Option("--crop", help="cut the borders at the sides: 256x176 instead of 256x256")
    ] = False,
    ray: Ray = None,
) -> None:
    """Prepare DeepFashion (In-shop Clothes Retrieval) as its owners release it."""
    from pg2.data.sources.deepfashion import prepare_deepfashion

    print(prepare_deepfashion(raw, out, keypoints, crop=crop, ray=ray).summary())


@prepare.command("samples")
def samples(
    out: Out,
    test_share: TestShare = 0.0,
) -> None:
    """Prepare the rendered people that come with pg2, at 256x256: a first data set to try things on."""
    from pg2.data.sources.folder import prepare_folder

    print(prepare_folder(SAMPLES, out, (256, 256), test_share=test_share).summary())


@prepare.command("folder")
def folder(
    raw: Annotated[
        str, typer.Argument(help="folder with a folder a person: PERSON/photo.jpg; or its address, s3://...")
    ],
    out: Out,
    size: Annotated[
        str | None,
        typer.Option(help="HEIGHTxWIDTH that people are cut to; default: 128x64, or as rendered"),
    ] = None,
    keypoints: Annotated[
        str | None,
        typer.Option(help="keypoint CSV, or auto to find them; default: RAW/keypoints.csv, else auto"),
    ] = None,
    test_share: TestShare = 0.0,
    ray: Ray = None,
) -> None:
    """Prepare your own photos, or people made by `pg2 render`; keypoints are found where none are given."""
    from pg2.data.sources.folder import prepare_folder

    frame = parse_size(size) if size else None
    report = prepare_folder(raw, out, frame, keypoints, test_share=test_share, ray=ray)
    print(report.summary())


@prepare.command("webdataset")
def webdataset(
    shards: Annotated[
        str, typer.Argument(help='folder of *.tar files, or their names: "set-{000000..000012}.tar"')
    ],
    out: Out,
    size: Annotated[str, typer.Option(help="HEIGHTxWIDTH that people are cut to")] = "128x64",
    test_share: TestShare = 0.0,
    ray: Ray = None,
) -> None:
    """Prepare WebDataset shards: KEY.jpg, .png or .webp, and KEY.json with person, split and keypoints.

    Without a person in the .json it is what the key says before its first / or _; keypoints are found where
    none are given. --test-share is of the people without a split.
    """
    from pg2.data.sources.webdataset import prepare_webdataset

    report = prepare_webdataset(shards, out, parse_size(size), test_share=test_share, ray=ray)
    print(report.summary())
