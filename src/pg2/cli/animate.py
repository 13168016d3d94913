"""`pg2 animate`: the person of a photo moves."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from pg2.cli.options import BackendOption, Background, Device, Model, Person, PrecisionOption, Revision
from pg2.cli.telling import of_several
from pg2.errors import Pg2Error
from pg2.io.files import exists
from pg2.io.packaged import DEFAULT_MODEL


def animate(
    photo: Annotated[Path, typer.Argument(help="a photo of a person, of any size")],
    motion: Annotated[
        str,
        typer.Option(
            help="walk, wave or turn; or poses separated by commas; or a folder of OpenPose JSON files or "
            "pictures, one JSON file with a list of them, a video or an animated picture"
        ),
    ],
    model: Model = DEFAULT_MODEL,
    out: Annotated[
        Path, typer.Option(help="the film to write, .mp4, .gif, .png or .webp; replaces one of that name")
    ] = Path("motion.gif"),
    fps: Annotated[
        float | None, typer.Option(help="frames a second, up to 120; default: the motion's own")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="longest length of the motion; for walk, wave and turn the approximate length"),
    ] = None,
    missing: Annotated[
        Literal["hold", "skip"],
        typer.Option(help="frames that show nobody: the pose before goes on, or they are left out"),
    ] = "hold",
    smooth: Annotated[
        float, typer.Option(min=0, max=5, help="seconds over which keypoints are made steady; 0: not at all")
    ] = 0.06,
    background: Background = None,
    person: Person = None,
    pose_person: Annotated[
        int | None, typer.Option(min=0, help="the same for a motion of several people, in its first frame")
    ] = None,
    device: Device = "auto",
    precision: PrecisionOption = "fp32",
    backend: BackendOption = None,
    revision: Revision = None,
) -> None:
    """Let the person of a photo move; says how fast it was made and how much it flickers."""
    from pg2.io.movies import check_written, write_movie
    from pg2.io.outputs import exclusive
    from pg2.motion.animate import animate
    from pg2.motion.named import MOTIONS
    from pg2.motion.reading import read_motion
    from pg2.motion.sequence import MOST_FRAMES
    from pg2.pipeline import Pipeline

    if out.resolve() in (photo.resolve(), Path(motion).resolve()):
        raise Pg2Error(f"--out {out} is one of the given files, which are only read; give another name")
    check_written(out, 1, (1, 1))
    with exclusive(out):
        pipeline = Pipeline.from_pretrained(
            model, device=device, dtype=precision, revision=revision, background=background, backend=backend
        )
        poses = read_motion(motion, pipeline, fps=fps, seconds=seconds, person=pose_person)
        count = len(poses.complete(missing))
        check_written(out, count, pipeline.frame)
        if poses.cut:
            _say(f"{motion} is longer; its first {len(poses.poses)} frames are taken (at most {MOST_FRAMES})")
        if poses.empty:
            done = "the pose before is held" if missing == "hold" else "they are left out"
            _say(f"{poses.empty} of {len(poses.poses)} frames show nobody: {done}")
        # What ships, or was interpolated, is steady as it is.
        given = motion in MOTIONS or not exists(motion)
        made = animate(
            pipeline, photo, poses, person=person, missing=missing, smooth=0.0 if given else smooth
        )
        write_movie(out, made.images, made.fps)
    print(out)
    flickers = "" if made.flicker is None else f"; flicker {made.flicker:.1f} of 255 grey levels"
    _say(
        f"{len(made.images)} frames ({len(made.images) / made.fps:.1f} s at {made.fps:.3g} a second), "
        f"{made.made} of them different, made in {made.seconds:.1f} s "
        f"({made.made / made.seconds:.1f} frames/s){flickers}"
    )
    if said := of_several(made.copied, made.doubtful, made.made):
        _say(said)


def _say(sentence: str) -> None:
    print(f"pg2: {sentence}", file=sys.stderr)
