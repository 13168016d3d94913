"""The command line: parses, calls, prints. Everything it does is one call away in Python."""

# Heavy imports stand inside the commands, so that `pg2 --help` answers at once.
import shlex
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from pg2.errors import Pg2Error
from pg2.files import SAMPLES, atomic_path

app = typer.Typer(
    help="A photo of a person and a target pose in, that person in that pose out (PG2, NIPS 2017).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
prepare = typer.Typer(help="Turn pictures into a data set to train and evaluate on.", no_args_is_help=True)
app.add_typer(prepare, name="prepare")

DEFAULT_MODEL = "fast/market1501"

Person = Annotated[int | None, typer.Option(min=0, help="which person, 0 being the largest (the default)")]
TestShare = Annotated[float, typer.Option(min=0, max=1, help="share of the people kept for testing")]
Model = Annotated[str, typer.Option(help="a shipped model, a model folder, or a Hugging Face hub id")]


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}:
        raise Pg2Error(f"{path} must end in the name of a picture format, such as .png or .jpg")


def _save(picture: Image.Image, path: Path) -> None:
    with atomic_path(path) as new:
        picture.save(new)
    print(path)


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = (int(side) for side in text.lower().split("x"))
    except ValueError as error:
        raise Pg2Error(f'a size is HEIGHTxWIDTH in pixels, such as 128x64, not "{text}"') from error
    if not (16 <= height <= 4096 and 16 <= width <= 4096):
        raise Pg2Error(f"a size must lie between 16 and 4096 pixels a side, not {text}")
    return height, width


@app.command()
def pose(
    photos: Annotated[list[Path] | None, typer.Argument(help="photos, each of at least one person")] = None,
    out: Annotated[Path, typer.Option(help="folder for STEM.json and STEM_overlay.png")] = Path("poses"),
    person: Person = None,
    list_: Annotated[bool, typer.Option("--list", help="show the named poses as a picture instead")] = False,
) -> None:
    """Find the 18 keypoints of the person on each photo."""
    from pg2.pose.named import NAMES, contact_sheet
    from pg2.pose.show import pose_photos

    if list_:
        print("named poses: " + ", ".join(NAMES))
        _save(Image.fromarray(contact_sheet()), out / "named.png")
    elif not photos:
        raise Pg2Error("give photos to find poses on, or --list for the poses that come with pg2")
    else:
        for keypoints, overlay in pose_photos(photos, out, person):
            print(keypoints, overlay)


@prepare.command("market1501")
def prepare_market1501_command(
    raw: Annotated[Path, typer.Argument(help="folder with bounding_box_train/ and bounding_box_test/")],
    out: Annotated[Path, typer.Argument(help="folder to make")],
    keypoints: Annotated[
        list[str] | None,
        typer.Option(help="published keypoint CSV (may be repeated), or auto; default: those in RAW"),
    ] = None,
) -> None:
    """Prepare Market-1501 as its owners release it."""
    from pg2.data.market1501 import prepare_market1501

    choice: Any = "auto" if keypoints == ["auto"] else keypoints
    report = prepare_market1501(raw, out, choice)
    print(report.summary())


@prepare.command("samples")
def prepare_samples_command(
    out: Annotated[Path, typer.Argument(help="folder to make")],
    test_share: TestShare = 0.0,
) -> None:
    """Prepare the rendered people that come with pg2, at 256x256: a first data set to try things on."""
    from pg2.data.folder import prepare_folder

    print(prepare_folder(SAMPLES, out, (256, 256), test_share=test_share).summary())


@prepare.command("folder")
def prepare_folder_command(
    raw: Annotated[Path, typer.Argument(help="folder with a folder a person: PERSON/photo.jpg")],
    out: Annotated[Path, typer.Argument(help="folder to make")],
    size: Annotated[
        str | None,
        typer.Option(help="HEIGHTxWIDTH that people are cut to; default: 128x64, or as rendered"),
    ] = None,
    keypoints: Annotated[
        str | None,
        typer.Option(help="keypoint CSV, or auto to find them; default: RAW/keypoints.csv, else auto"),
    ] = None,
    test_share: TestShare = 0.0,
) -> None:
    """Prepare your own photos, or people made by `pg2 render`; keypoints are found where none are given."""
    from pg2.data.folder import prepare_folder

    report = prepare_folder(raw, out, _size(size) if size else None, keypoints, test_share=test_share)
    print(report.summary())


@app.command()
def render(
    out: Annotated[Path, typer.Argument(help="folder to make; the same command again goes on with it")],
    people: Annotated[int, typer.Option(help="how many people; more than before extends the folder")] = 100,
    poses: Annotated[int, typer.Option(help="pictures of each person")] = 8,
    size: Annotated[str, typer.Option(help="HEIGHTxWIDTH in pixels, multiples of 16")] = "256x256",
    seed: Annotated[int, typer.Option(help="other people for another number")] = 0,
    background: Annotated[str, typer.Option(help="studio or street")] = "studio",
    framing: Annotated[
        str, typer.Option(help="full, or mixed: a quarter shows the upper body only")
    ] = "full",
    workers: Annotated[int | None, typer.Option(help="processes; default: one a processor core")] = None,
) -> None:
    """Render synthetic people with exact keypoints, for `pg2 prepare folder`; needs pg2[render]."""
    from pg2.rendering.options import RenderOptions
    from pg2.rendering.people import render_people

    options = RenderOptions(poses, _size(size), seed, background, framing)
    print(render_people(out, people, options, workers=workers).summary())


@app.command()
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
) -> None:
    """Train stage I and stage II. Run the same command again to resume."""
    from pg2.data.prepared import PreparedDataset
    from pg2.training.loop import train as run
    from pg2.training.recipe import load_recipe

    settings = load_recipe(recipe, set_ or [])
    print(run(settings, PreparedDataset(data), out, init_from=init_from))


@app.command()
def generate(
    photos: Annotated[list[Path], typer.Argument(help="photos of a person, of any size")],
    pose: Annotated[
        list[str], typer.Option(help="a named pose, an OpenPose JSON file or a photo; may be repeated")
    ],
    model: Model = DEFAULT_MODEL,
    out: Annotated[Path, typer.Option(help="the picture to write")] = Path("result.png"),
    strip: Annotated[
        bool, typer.Option("--strip", help="show source, target pose, stage I, difference map and result")
    ] = False,
    full_size: Annotated[
        bool, typer.Option("--full-size", help="paste the result over the person at the photo's scale")
    ] = False,
    person: Person = None,
    pose_person: Annotated[
        int | None, typer.Option(min=0, help="the same for pose photos and JSON files of several people")
    ] = None,
) -> None:
    """Put the person of a photo into a pose; several photos or poses give a grid."""
    import numpy as np

    from pg2.pipeline import Pipeline
    from pg2.sheets import grid

    one = len(photos) == 1 and len(pose) == 1
    if not one and (strip or full_size):
        raise Pg2Error("--strip and --full-size show one photo in one pose; leave them out for a grid")
    if strip and full_size:
        raise Pg2Error("--strip and --full-size are two different pictures; give one of them")
    _check_suffix(out)
    rows = Pipeline.from_pretrained(model).grid(
        list(photos), list(pose), person=person, pose_person=pose_person
    )
    result = rows[0][0]
    if not one:
        pictures = [
            [np.asarray(row[0].source), *(np.asarray(result.image) for result in row)] for row in rows
        ]
        heads = [np.asarray(result.skeleton) for result in rows[0]]
        names = ["/".join(Path(name).with_suffix("").parts[-2:]) for name in pose]
        _save(Image.fromarray(grid([[None, *heads], *pictures], ["source", *names])), out)
    else:
        _save(result.strip if strip else result.full_size if full_size else result.image, out)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="the address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 8000,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="as of `pg2 generate`; may be repeated, the first is the default; default: all shipped"
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="of the network; default: one a processor core")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="requests that share a run of the model, at most")] = 8,
    batch_wait: Annotated[
        float, typer.Option(min=0, help="milliseconds that a request waits for others")
    ] = 5,
    queue: Annotated[int, typer.Option(min=1, help="requests in the house; one more is refused")] = 64,
    timeout: Annotated[float, typer.Option(min=0.001, help="seconds until a request is given up")] = 30,
    max_body: Annotated[float, typer.Option(min=0.001, help="megabytes of a request")] = 20,
    api_key_file: Annotated[
        Path | None, typer.Option(help="file with the key that clients must show; or set PG2_API_KEY")
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="web site whose pages may use the service; may be repeated")
    ] = None,
) -> None:
    """Serve models over HTTP until stopped; needs pg2[serve]."""
    from pg2.serving import check_packages
    from pg2.serving.options import ServeOptions, read_api_key

    check_packages()
    options = ServeOptions(
        models=tuple(model or ()),
        threads=threads,
        batch=batch,
        batch_wait=batch_wait,
        queue=queue,
        timeout=timeout,
        max_body=round(max_body * 1e6),
        api_key=read_api_key(api_key_file),
        cors_origins=tuple(cors_origin or ()),
    )
    from pg2.serving.server import serve as run

    run(options, host, port)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="a shipped model, a model folder, or a Hugging Face hub id")],
    data: Annotated[Path, typer.Argument(help="a prepared data set")],
    out: Annotated[Path, typer.Option(help="folder for scores.json, scores.md, pairs.csv and grid.png")],
    pairs: Annotated[
        Path | None,
        typer.Option(help="CSV with the header from,to: names of pictures; default: all of the test split"),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="only the first so many pairs")] = None,
) -> None:
    """Score a model on fixed pairs: SSIM, mask-SSIM, PSNR, L1 and, with pg2[metrics], a feature distance."""
    from pg2.data.prepared import PreparedDataset
    from pg2.evaluation.classifier import available
    from pg2.evaluation.protocol import all_test_pairs
    from pg2.evaluation.protocol import evaluate as score
    from pg2.evaluation.report import check_place, markdown, write_report
    from pg2.pipeline import Pipeline
    from pg2.pose.keypoints import read_pairs_csv

    check_place(out)
    pipeline, dataset = Pipeline.from_pretrained(model), PreparedDataset(data)
    if dataset.frame != pipeline.frame:
        raise Pg2Error(
            f"{data} holds pictures of {dataset.frame[0]}x{dataset.frame[1]}, {model} makes "
            f"{pipeline.frame[0]}x{pipeline.frame[1]}"
        )
    chosen = all_test_pairs(dataset) if pairs is None else read_pairs_csv(pairs)
    evaluation = score(pipeline.scored, dataset, chosen, limit=limit, classifier=available())
    command = shlex.join(["pg2", *sys.argv[1:]])
    write_report(
        out, evaluation, pipeline.scored, dataset, model=model, data_name=dataset.source, command=command
    )
    print(markdown(evaluation, model, dataset.source, command))


def main() -> None:
    """Run the command line: errors that are meant for a person are one line, and exit with code 2."""

    def warn(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"pg2: warning: {message}", file=sys.stderr)

    warnings.showwarning = warn
    try:
        app()
    except Pg2Error as error:
        print(f"pg2: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"pg2: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as ended:
        # What Typer makes of Ctrl-C, without a word.
        if ended.code == 130:
            print("pg2: stopped; what was saved is kept", file=sys.stderr)
        raise
