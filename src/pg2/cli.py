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
from pg2.io.files import atomic_path
from pg2.io.packaged import SAMPLES

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
prepare = typer.Typer(help="Turn pictures into a data set to train and evaluate on.", no_args_is_help=True)
app.add_typer(prepare, name="prepare")
userstudy = typer.Typer(help="Let people say which pictures are real: R2G and G2R.", no_args_is_help=True)
app.add_typer(userstudy, name="userstudy")


def _say_version(asked: bool) -> None:
    from importlib.metadata import version

    if asked:
        print(f"pg2 {version('pg2')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="print it and exit")
    ] = False,
) -> None:
    """A photo of a person and a target pose in, that person in that pose out (PG2, NIPS 2017)."""


DEFAULT_MODEL = "fast/market1501"

Person = Annotated[int | None, typer.Option(min=0, help="which person, 0 being the largest (the default)")]
TestShare = Annotated[float, typer.Option(min=0, max=1, help="share of the people kept for testing")]
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
Bodies = Annotated[
    int, typer.Option(help="pairs, evenly spread, that the pose estimator judges; 0: none", min=0)
]
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
    from pg2.data.sources.market1501 import prepare_market1501

    choice: Any = "auto" if keypoints == ["auto"] else keypoints
    report = prepare_market1501(raw, out, choice)
    print(report.summary())


@prepare.command("deepfashion")
def prepare_deepfashion_command(
    raw: Annotated[Path, typer.Argument(help="folder with Img/ and Eval/")],
    out: Annotated[Path, typer.Argument(help="folder to make")],
    keypoints: Annotated[
        list[str] | None,
        typer.Option(help="published keypoint CSV (may be repeated), or auto; default: those in RAW"),
    ] = None,
    crop: Annotated[
        bool, typer.Option("--crop", help="cut the borders at the sides: 256x176 instead of 256x256")
    ] = False,
) -> None:
    """Prepare DeepFashion (In-shop Clothes Retrieval) as its owners release it."""
    from pg2.data.sources.deepfashion import prepare_deepfashion

    print(prepare_deepfashion(raw, out, keypoints, crop=crop).summary())


@prepare.command("samples")
def prepare_samples_command(
    out: Annotated[Path, typer.Argument(help="folder to make")],
    test_share: TestShare = 0.0,
) -> None:
    """Prepare the rendered people that come with pg2, at 256x256: a first data set to try things on."""
    from pg2.data.sources.folder import prepare_folder

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
    from pg2.data.sources.folder import prepare_folder

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
    geometry: Annotated[
        bool, typer.Option("--geometry", help="also write which place on the person each pixel shows")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="processes; default: one a processor core")] = None,
) -> None:
    """Render synthetic people with exact keypoints, for `pg2 prepare folder`; needs pg2[render]."""
    from pg2.rendering.options import RenderOptions
    from pg2.rendering.people import render_people

    options = RenderOptions(poses, _size(size), seed, background, framing, geometry)
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
    from pg2.reports.grids import grid

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
def views(
    model: Annotated[str, typer.Argument(help="a shipped model, a model folder, or a Hugging Face hub id")],
    photos: Annotated[list[Path], typer.Argument(help="photos of a person; a row each")],
    out: Annotated[Path, typer.Option(help="the picture to write")] = Path("views.png"),
    person: Person = None,
) -> None:
    """Show the person of a photo from the front, both sides and behind: many views from one."""
    generate(photos, ["front", "left", "back", "right"], model, out, person=person, pose_person=None)


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
    out: Annotated[
        Path, typer.Option(help="folder for scores.md, scores.json, pairs.csv, grid.png and failures.html")
    ],
    pairs: Annotated[
        Path | None,
        typer.Option(help="CSV with the header from,to: names of pictures; default: all of the test split"),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="only the first so many pairs")] = None,
    inception: Inception = None,
    lpips: LpipsFile = None,
    lpips_linear: LpipsLinear = None,
    bodies: Bodies = 250,
    training: Annotated[
        bool, typer.Option("--training", help="measure FID and KID to all training pictures, too")
    ] = False,
    store: Annotated[
        Path | None, typer.Option(help="a new folder to keep all pictures in, for `pg2 score`")
    ] = None,
) -> None:
    """Score a model on fixed pairs: SSIM, mask-SSIM, PSNR, L1, PCKh; with pg2[metrics] also IS, FID, KID."""
    from pg2.data.prepared import PreparedDataset
    from pg2.evaluation.failures import failures_page
    from pg2.evaluation.instruments import instruments
    from pg2.evaluation.protocol import all_test_pairs, pair_indices, training_features
    from pg2.evaluation.protocol import evaluate as score
    from pg2.evaluation.report import check_place, examples, markdown, write_report
    from pg2.pipeline import Pipeline
    from pg2.pose.keypoints import read_pairs_csv

    check_place(out)
    if store is not None:
        if store.exists():
            raise Pg2Error(f"{store} exists; give a new folder to --store")
        here, there = out.resolve(), store.resolve()
        if here in (there, *there.parents) or there in here.parents:
            raise Pg2Error(f"--store {store} and --out {out} lie in one another; give folders apart")
    tools = instruments(inception, lpips, lpips_linear, bodies)
    if training and not tools.judges:
        raise Pg2Error("--training measures FID and KID: they need pg2[metrics], or --inception FILE")
    pipeline, whole = Pipeline.from_pretrained(model), PreparedDataset(data)
    dataset = whole.scaled(pipeline.frame)
    name = dataset.source
    if dataset is not whole:
        name += f", scaled to {dataset.frame[0]}x{dataset.frame[1]}"
    chosen = all_test_pairs(dataset) if pairs is None else read_pairs_csv(pairs)
    pair_indices(dataset, chosen)  # before the training pictures are looked at
    evaluation = score(
        pipeline.scored,
        dataset,
        chosen,
        limit=limit,
        instruments=tools,
        training=training_features(dataset, tools) if training else (),
        store=store,
    )
    command = shlex.join(["pg2", *sys.argv[1:]])
    write_report(
        out,
        evaluation,
        examples(evaluation, pipeline.scored, dataset),
        model=model,
        data_name=name,
        failures=failures_page(evaluation, pipeline.scored, dataset, model),
        command=command,
    )
    print(markdown(evaluation, model, name, command))


@app.command()
def score(
    generated: Annotated[Path, typer.Argument(help="folder of generated pictures, or of panels")],
    target: Annotated[
        Path | None, typer.Argument(help="folder of the real pictures, of the same names")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="folder for scores.json, scores.md, pairs.csv and grid.png")
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
    source_masks: Annotated[str | None, typer.Option(help="the same of the sources")] = None,
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
) -> None:
    """Score pictures that anyone made, by the same protocols as `pg2 evaluate`."""
    from pg2.evaluation.instruments import instruments
    from pg2.evaluation.report import check_place, examples_of, markdown, write_report
    from pg2.evaluation.stored import StoredPictures, score_stored

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
    tools = instruments(inception, lpips, lpips_linear, bodies)
    evaluation = score_stored(stored, tools, training)
    command, data_name = shlex.join(["pg2", *sys.argv[1:]]), "stored pictures"
    picture = examples_of(evaluation, stored)
    write_report(out, evaluation, picture, model=generated.name, data_name=data_name, command=command)
    print(markdown(evaluation, generated.name, data_name, command))


@app.command()
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
    limit: Annotated[int | None, typer.Option(min=1, help="score so many pairs, evenly spread")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    inception: Inception = None,
    lpips: LpipsFile = None,
    lpips_linear: LpipsLinear = None,
    bodies: Bodies = 250,
) -> None:
    """Train and score the six models of the paper's Table 1, and write the table beside the paper's."""
    from pg2.data.prepared import PreparedDataset
    from pg2.evaluation.instruments import instruments
    from pg2.pose.keypoints import read_pairs_csv
    from pg2.table1.report import markdown, write_table
    from pg2.table1.run import check_experiment, run_experiment

    if pairs and len(pairs) != len(data):
        raise Pg2Error(f"give --pairs for each of the {len(data)} data sets, or not at all")
    sets = [PreparedDataset(path) for path in data]
    if len({path.resolve().name for path in data}) < len(data):
        raise Pg2Error("two of the data sets have the same folder name, and would share a folder in --out")
    lists = [read_pairs_csv(path) for path in pairs] if pairs else [None] * len(sets)
    for dataset, chosen in zip(sets, lists, strict=True):
        check_experiment(dataset, preset=preset, budget=budget, seed=seed, pairs=chosen, limit=limit)
    tools = instruments(inception, lpips, lpips_linear, bodies)
    command = shlex.join(["pg2", *sys.argv[1:]])
    experiments = []
    for path, dataset, chosen in zip(data, sets, lists, strict=True):
        experiments.append(
            run_experiment(
                dataset,
                out / path.resolve().name,
                preset=preset,
                budget=budget,
                seed=seed,
                pairs=chosen,
                limit=limit,
                instruments=tools,
            )
        )
        write_table(out, experiments, command)  # the hours of the first are not lost with the second
    print(markdown(experiments, command))


@userstudy.command("make")
def userstudy_make_command(
    generated: Annotated[Path, typer.Argument(help="folder of generated pictures")],
    real: Annotated[Path, typer.Argument(help="folder of real pictures of the same size")],
    out: Annotated[Path, typer.Argument(help="folder to make")],
    count: Annotated[int, typer.Option(min=1, help="pictures of each kind")] = 55,
    practice: Annotated[int, typer.Option(min=0, help="first answers of each person that do not count")] = 10,
    seconds: Annotated[float, typer.Option(help="how long a picture is shown")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="other pictures and orders for another number")] = 0,
) -> None:
    """Draw pictures from two folders and write them as a study."""
    from pg2.userstudy.study import make_study

    make_study(generated, real, out, count=count, practice=practice, seconds=seconds, seed=seed)
    print(out)


@userstudy.command("serve")
def userstudy_serve_command(
    study: Annotated[Path, typer.Argument(help="a folder that `pg2 userstudy make` made")],
    host: Annotated[
        str, typer.Option(help="0.0.0.0 lets other computers of the network take part")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8001,
) -> None:
    """Let people take part in a browser; needs pg2[serve]."""
    from pg2.userstudy.server import serve

    serve(study, host, port)


@userstudy.command("report")
def userstudy_report_command(
    study: Annotated[Path, typer.Argument(help="a folder that people have taken part in")],
    out: Annotated[
        Path | None,
        typer.Option(help="folder for report.json, report.md and pictures.png; default: print only"),
    ] = None,
) -> None:
    """Print R2G and G2R with 95 % confidence intervals, and the pictures that deceived most."""
    from pg2.userstudy.report import findings, markdown, write_report
    from pg2.userstudy.study import Study

    asked = Study.load(study)
    found = findings(asked)
    command = shlex.join(["pg2", *sys.argv[1:]])
    if out is not None:
        write_report(out, asked, found, command)
    print(markdown(asked, found, command))


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
