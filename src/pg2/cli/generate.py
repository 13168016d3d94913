"""`pg2 pose`, `pg2 generate` and `pg2 views`: from photos to poses and pictures."""

import operator
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from PIL import Image

from pg2.cli.options import (
    BackendOption,
    Background,
    Device,
    Model,
    ModelArgument,
    Person,
    PrecisionOption,
    Ray,
    Revision,
)
from pg2.cli.telling import of_several, tell
from pg2.errors import Pg2Error
from pg2.io.files import atomic_path
from pg2.io.packaged import DEFAULT_MODEL
from pg2.io.picture_files import SUFFIXES

if TYPE_CHECKING:
    from pg2.many import Kind
    from pg2.pipeline import Backend, Pipeline, Result

Out = Annotated[Path, typer.Option(help="the picture to write; replaces one of that name")]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="stop at the first photo that cannot be used; default: leave it out, exit code 1"
    ),
]
InPlace = Annotated[
    bool | None,
    typer.Option(
        "--in-place/--no-in-place",
        help="move and scale the pose to the person of the photo; or let it fill the picture; default: a "
        "named pose is fitted to the person if the photo shows no legs",
    ),
]
_VIEWS = ("front", "left", "back", "right")


def _load(
    model: str,
    device: str,
    precision: str,
    revision: str | None,
    background: str | None,
    backend: "Backend | None",
    kind: "Kind" = "image",
) -> "Pipeline":
    """The model that is to make pictures of this kind.

    Raises:
        Pg2Error: it cannot be had, or makes no such pictures.
    """
    from pg2.pipeline import Pipeline

    pipeline = Pipeline.from_pretrained(
        model, device=device, dtype=precision, revision=revision, background=background, backend=backend
    )
    if kind == "origin" and not pipeline.tells_origin:
        raise Pg2Error(f"{model} does not know what it copies from the photo; leave out --origin")
    if kind == "full_size" and background is None and pipeline.background is not None:
        # Another background would stand in the photo as a box.
        pipeline.set_background("keep")
    return pipeline


def _kind(**wanted: bool) -> "Kind":
    """The one picture that is wanted, by its name in `pg2.pipeline.Result`.

    Raises:
        Pg2Error: it is more than one.
    """
    names: list[Any] = [name for name, is_wanted in wanted.items() if is_wanted]
    if len(names) > 1:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in names)
        raise Pg2Error(f"{options} are different pictures; give one of them")
    kind: Kind = names[0] if names else "image"
    return kind


def _check_out(path: Path, inputs: Sequence[Path]) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise Pg2Error(f"{path} must end in the name of a picture format, such as .png or .jpg")
    if path.resolve() in [file.resolve() for file in inputs]:
        raise Pg2Error(f"--out {path} is one of the given files, which are only read; give another name")


def _save(picture: Image.Image, path: Path) -> None:
    with atomic_path(path) as new:
        picture.save(new)
    print(path)


def _rows(
    pipeline: "Pipeline",
    photos: Sequence[Path],
    poses: Sequence[str],
    strict: bool,
    person: int | None,
    pose_person: int | None = None,
    in_place: bool | None = None,
) -> "list[list[Result]]":
    """A row of results a photo, a column a pose; a photo that cannot be used is named and left out.

    Where poses are put in place, see `Pipeline.placed`, though nobody asked for it, that is said.

    Raises:
        Pg2Error: a pose that cannot be used; and a photo, where it is the only one, or `strict`.
    """
    targets = [pipeline.target_pose(pose, pose_person) for pose in poses]
    rows, halves = [], 0
    for photo in photos:
        try:
            source = pipeline.prepare(photo, person=person)
            placed = [
                pipeline.placed(pose, target, source, in_place)
                for pose, target in zip(poses, targets, strict=True)
            ]
            rows.append(pipeline.make([source] * len(targets), placed))
            halves += in_place is None and any(map(operator.is_not, placed, targets))
        except Pg2Error as error:
            if strict or len(photos) == 1:
                raise
            print(f"pg2: left out: {error}", file=sys.stderr)
    if not rows:
        raise Pg2Error(f"none of the {len(photos)} photos could be used, so nothing is written")
    if halves:
        shows = "the photo shows" if len(rows) == 1 else f"{halves} of {len(rows)} photos show"
        print(f"pg2: {shows} no legs, and so does the result (--no-in-place shows them)", file=sys.stderr)
    return rows


def _end(photos: Sequence[Path], rows: Sequence[object]) -> None:
    """Say at the end how many photos were left out, and exit with code 1 if there are any."""
    if len(rows) < len(photos):
        print(f"pg2: {len(photos) - len(rows)} of {len(photos)} photos left out", file=sys.stderr)
        raise typer.Exit(1)


def _grid_picture(rows: "Sequence[Sequence[Result]]", poses: Sequence[str]) -> Image.Image:
    """Results as one picture: the poses on top, then a row a photo, the photo first."""
    import numpy as np

    from pg2.reports.grids import grid

    heads = [None, *(np.asarray(result.skeleton) for result in rows[0])]
    pictures = [[np.asarray(row[0].source), *(np.asarray(result.image) for result in row)] for row in rows]
    names = ["/".join(Path(name).with_suffix("").parts[-2:]) for name in poses]
    return Image.fromarray(grid([heads, *pictures], ["source", *names]))


def pose(
    photos: Annotated[list[Path] | None, typer.Argument(help="photos, each of at least one person")] = None,
    out: Annotated[Path, typer.Option(help="folder for STEM.json and STEM_overlay.png")] = Path("poses"),
    person: Person = None,
    list_: Annotated[bool, typer.Option("--list", help="show the named poses as a picture instead")] = False,
) -> None:
    """Find the 18 keypoints of the person on each photo, and say how many people are seen there.

    The overlay shows everybody, numbered as --person takes them. The estimator runs on the CPU.
    """
    from pg2.pose.named import NAMES, contact_sheet
    from pg2.pose.show import pose_photos

    if list_:
        print("named poses: " + ", ".join(NAMES))
        _save(Image.fromarray(contact_sheet()), out / "named.png")
    elif not photos:
        raise Pg2Error("give photos to find poses on, or --list for the poses that come with pg2")
    else:
        for keypoints, overlay, people in pose_photos(photos, out, person):
            seen = "1 person" if people == 1 else f"{people} people, --person 0 to {people - 1}"
            print(f"{keypoints} {overlay} ({seen})")


def generate(
    photos: Annotated[
        list[str],
        typer.Argument(
            help="photos of a person, of any size; with --poses folders, too, and addresses (s3://BUCKET/...)"
        ),
    ],
    pose: Annotated[
        list[str] | None,
        typer.Option(help="a named pose, an OpenPose JSON file or a photo; may be repeated"),
    ] = None,
    poses: Annotated[
        str | None,
        typer.Option(
            help="make a file of each photo and pose instead: a folder of JSON files or photos, names and "
            "files separated by commas, named (all that have a name), or random:8 (others for each photo)"
        ),
    ] = None,
    model: Model = DEFAULT_MODEL,
    out: Annotated[
        str | None,
        typer.Option(
            help="the picture to write, result.png by default, which replaces one of that name; with --poses "
            "the folder or its address, where the same command goes on"
        ),
    ] = None,
    strip: Annotated[
        bool, typer.Option("--strip", help="show source, target pose and every picture that the model makes")
    ] = False,
    full_size: Annotated[
        bool, typer.Option("--full-size", help="the whole photo, with the result over the person")
    ] = False,
    origin: Annotated[
        bool,
        typer.Option("--origin", help="show what is copied from the photo (blue), and invented (orange)"),
    ] = False,
    in_place: InPlace = None,
    strict: Strict = False,
    background: Background = None,
    person: Person = None,
    everybody: Annotated[
        bool, typer.Option("--everybody", help="with --poses: all people of a photo, a file each")
    ] = False,
    pose_person: Annotated[
        int | None, typer.Option(min=0, help="the same for pose photos and JSON files of several people")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 2, help="of --poses random:NUMBER")] = 0,
    device: Device = "auto",
    precision: PrecisionOption = "fp32",
    backend: BackendOption = None,
    revision: Revision = None,
    ray: Ray = None,
) -> None:
    """Put the person of a photo into a pose; several photos or poses give a grid, or with --poses files."""
    from pg2.io.outputs import exclusive
    from pg2.io.remote import is_address

    kind = _kind(strip=strip, full_size=full_size, origin=origin)
    if poses is not None:
        if pose:
            raise Pg2Error("--pose makes one picture, --poses a folder of them; give one of the two")
        if out is None or Path(out).suffix.lower() in SUFFIXES:
            raise Pg2Error("--poses writes many files; say with --out FOLDER where to")
        if ray is not None and device == "auto":
            device = "cpu"
        pipeline = _load(model, device, precision, revision, background, backend, kind)
        _generate_many(
            pipeline,
            photos,
            poses,
            out,
            model=model,
            person=person,
            everybody=everybody,
            pose_person=pose_person,
            kind=kind,
            in_place=in_place,
            seed=seed,
            strict=strict,
            ray=ray,
        )
        return
    if ray is not None:
        raise Pg2Error("--ray spreads many photos; say with --poses in which poses, and with --out where to")
    if not pose:
        raise Pg2Error("say with --pose which pose is wanted, or with --poses which ones, a file each")
    if everybody:
        raise Pg2Error("--everybody gives a file a person; say with --poses in which poses")
    if address := next(filter(is_address, [*photos, out or ""]), None):
        raise Pg2Error(f"{address} is an address; with --poses POSES --out FOLDER it can be given")
    files = [Path(photo) for photo in photos]
    folder = next((path for path in files if path.is_dir()), None)
    if folder is not None:
        raise Pg2Error(
            f"{folder} is a folder; with --poses POSES --out FOLDER each of its photos gives files"
        )
    one = len(photos) == 1 and len(pose) == 1
    if not one and kind != "image":
        raise Pg2Error(
            "--strip, --full-size and --origin show one photo in one pose; leave them out for a grid"
        )
    place = Path(out or "result.png")
    _check_out(place, [*files, *map(Path, pose)])
    with exclusive(place):
        pipeline = _load(model, device, precision, revision, background, backend, kind)
        rows = _rows(pipeline, files, pose, strict, person, pose_person, in_place)
        _save(getattr(rows[0][0], kind) if one else _grid_picture(rows, pose), place)
    tell(rows)
    _end(files, rows)


def _generate_many(pipeline: "Pipeline", photos: Sequence[str], poses: str, out: str, **options: Any) -> None:
    from pg2.manifest import MANIFEST, Failure
    from pg2.many import make_many

    def failed(failure: Failure) -> None:
        print(f"pg2: left out: {failure.error}", file=sys.stderr)

    done = make_many(pipeline, photos, poses, out, failed=failed, **options)
    print(f"{out.rstrip('/')}/{MANIFEST}: {done.made:,} pictures made, {done.kept:,} were there already")
    if done.crowded:
        print(
            f"pg2: {len(done.crowded)} of {done.photos} photos show several people; the largest was taken "
            "(--person NUMBER takes another, --everybody all)",
            file=sys.stderr,
        )
    if said := of_several(done.copied, done.doubtful, done.made):
        print(f"pg2: {said}", file=sys.stderr)
    if done.failures:
        photos_out = sum(failure.kind == "photo" for failure in done.failures)
        poses_out = len(done.failures) - photos_out
        what = [f"{photos_out} of {done.photos} photos"] if photos_out else []
        what += [f"{poses_out} poses"] if poses_out else []
        print(f"pg2: {' and '.join(what)} left out", file=sys.stderr)
        raise typer.Exit(1)


def views(
    model: ModelArgument,
    photos: Annotated[list[Path], typer.Argument(help="photos of a person; a row each")],
    out: Out = Path("views.png"),
    in_place: InPlace = None,
    strict: Strict = False,
    background: Background = None,
    person: Person = None,
    device: Device = "auto",
    precision: PrecisionOption = "fp32",
    backend: BackendOption = None,
    revision: Revision = None,
) -> None:
    """Show the person of a photo from the front, both sides and behind: many views from one."""
    from pg2.io.outputs import exclusive

    _check_out(out, photos)
    with exclusive(out):
        pipeline = _load(model, device, precision, revision, background, backend)
        rows = _rows(pipeline, photos, _VIEWS, strict, person, in_place=in_place)
        _save(_grid_picture(rows, _VIEWS), out)
    tell(rows)
    _end(photos, rows)
