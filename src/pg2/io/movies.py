"""Films, read within bounds, and written: videos by PyAV (extra `video`), animated pictures by Pillow."""

import importlib.util
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from pg2.errors import Pg2Error
from pg2.io.files import atomic_path
from pg2.io.picture_files import open_picture
from pg2.io.pictures import to_array
from pg2.io.pixels import Image8

_VIDEOS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"}
_ANIMATED = {".gif", ".webp", ".png", ".apng"}

MOVIES = _VIDEOS | _ANIMATED
"""File name endings of what may be a film."""

WRITTEN = {".mp4", ".gif", ".png", ".webp"}
"""File name endings of films that can be written."""

_MAX_BYTES = 2_000_000_000  # of a video
_MAX_SIDE = 8192  # pixels; cameras have up to 7680
_MAX_DECODED = 40_000  # frames of a video, of which most may be passed over
_MAX_PIXELS = 3_000_000_000  # of all frames of an animated picture
_ENOUGH = 1280  # pixels of the longer side; people are not found better in more
_MAX_WRITTEN = 1_500_000_000  # bytes of all frames together, uncompressed

# Formats that hold their pictures themselves. Others are lists of further files and addresses to be read.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"

# Seconds: of a frame that says none; and what is taken for none, as browsers do.
_DELAY, _SHORTEST = 0.1, 0.005
_QUALITY = "17"  # of H.264, from 0 (perfect) to 51
_PALETTE_FROM = 8  # frames, from which the colours of a GIF are chosen


@dataclass(frozen=True)
class Movie:
    """A film that is being read.

    Attributes:
        frames: its pictures, upright uint8 RGB [H, W, 3], at most 1280 pixels a side, at equal distances in
            time.
        fps: so many of them a second.
        expected: how many they are by what the file says; None: it does not say.
    """

    frames: Iterator[Image8]
    fps: float
    expected: int | None


@contextmanager
def open_movie(path: Path, most_fps: float) -> Iterator[Movie]:
    """Open a film, of which frames are passed over where it has more than `most_fps` a second.

    Raises:
        Pg2Error: it is none, is damaged or too large, or PyAV is missing; also while the frames are read.
    """
    if path.suffix.lower() in _ANIMATED:
        with ExitStack() as opened:
            reading = open_picture(path)
            picture = reading.__enter__()
            # It takes whatever is raised within for damage of the picture, and here others work meanwhile.
            opened.callback(reading.__exit__, None, None, None)
            yield _animated(picture, path, most_fps)
        return
    av = _av(f"to read {path}")
    if path.stat().st_size > _MAX_BYTES:
        raise Pg2Error(f"{path} is larger than {_MAX_BYTES // 1_000_000_000} GB; cut the video shorter")
    with ExitStack() as opened:
        file = opened.enter_context(path.open("rb"))
        with _damaged(path):
            options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": ""}
            container = opened.enter_context(av.open(file, options=options))
        if not container.streams.video:
            raise Pg2Error(f"{path} has no video in it")
        stream = container.streams.video[0]
        width, height = stream.codec_context.width, stream.codec_context.height
        if not 0 < max(width, height) <= _MAX_SIDE:
            raise Pg2Error(f"{path} has {height}x{width} pixels; up to {_MAX_SIDE} a side are read")
        own = float(stream.average_rate or most_fps)
        fps = min(own, most_fps)
        expected = None
        if stream.duration and stream.time_base:
            expected = max(math.ceil(float(stream.duration * stream.time_base) * fps), 1)
        yield Movie(_decoded(container, stream, own, fps, path), fps, expected)


@contextmanager
def _damaged(path: Path) -> Iterator[None]:
    """Say of whatever FFmpeg raises which file it is about; some of it is an OSError of no known number."""
    try:
        yield
    except (_av(f"to read {path}").error.FFmpegError, ValueError, OSError) as error:
        raise Pg2Error(f"{path} is damaged, or no video that can be read ({error})") from error


def _av(what: str) -> Any:
    try:
        import av
        import av.error
    except ImportError as error:
        raise Pg2Error(f'{what}, PyAV is needed: pip install "pg2[video]"; or use a GIF') from error
    return av


def _decoded(container: Any, stream: Any, own: float, fps: float, path: Path) -> Iterator[Image8]:
    begin: float | None = None
    taken = 0
    decoded = container.decode(stream)
    for number in count():
        with _damaged(path):
            frame = next(decoded, None)
        if frame is None:
            return
        if number >= _MAX_DECODED:
            raise Pg2Error(
                f"{path} has over {_MAX_DECODED:,} frames; cut the video shorter, or give --seconds"
            )
        time = float(frame.time) if frame.time is not None else number / own
        begin = time if begin is None else begin
        # Half a frame of the video of patience: times are rounded in the file. One that is shown for long is
        # taken several times.
        while time - begin >= taken / fps - 0.5 / own:
            if max(frame.width, frame.height) > _MAX_SIDE:
                raise Pg2Error(f"{path} has frames of over {_MAX_SIDE} pixels a side")
            share = min(1.0, _ENOUGH / max(frame.width, frame.height))
            size = [max(round(side * share), 1) for side in (frame.width, frame.height)]
            image = frame.reformat(*size, format="rgb24").to_ndarray()
            yield np.ascontiguousarray(np.rot90(image, round(getattr(frame, "rotation", 0) / 90)))
            taken += 1
            if taken > _MAX_DECODED:
                return


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (Pg2Error, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise almost anything for damaged content
        raise Pg2Error(f"{path} is damaged and cannot be decoded ({error})") from error


def _animated(picture: Image.Image, path: Path, most_fps: float) -> Movie:
    with _readable(path):
        many = int(getattr(picture, "n_frames", 1))
    if many < 2:
        raise Pg2Error(f"{path} is a single picture; a motion needs several")
    if many > _MAX_DECODED or many * picture.width * picture.height > _MAX_PIXELS:
        raise Pg2Error(
            f"{path} has {many} frames of {picture.height}x{picture.width} pixels, which are too many; "
            "make it shorter or smaller"
        )
    delays = np.array([_shown(picture, number, path)[1] for number in range(many)])
    fps = min(1 / delays.min(), most_fps)
    ends = delays.cumsum()
    # A little after each time: its frame has begun, though times are rounded.
    frames = min(max(round(ends[-1] * fps), 1), _MAX_DECODED)
    wanted = np.searchsorted(ends, (np.arange(frames) + 1e-3) / fps, "right")
    images = (_shown(picture, int(number), path)[0] for number in wanted.clip(0, many - 1))
    return Movie(images, float(fps), len(wanted))


def _shown(picture: Image.Image, number: int, path: Path) -> tuple[Image8, float]:
    """A frame of an animated picture, and for how many seconds it is shown."""
    with _readable(path):
        picture.seek(number)
        frame = picture.copy()
        delay = float(picture.info.get("duration") or 0) / 1000
        frame.thumbnail((_ENOUGH, _ENOUGH))
        return to_array(frame), delay if delay >= _SHORTEST else _DELAY


def check_written(path: Path, frames: int, frame: tuple[int, int]) -> None:
    """Say before any work is done what could not be written after it.

    Raises:
        Pg2Error: the format is not known, PyAV is missing, or the frames take too much memory.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITTEN:
        raise Pg2Error(f"{path} must end in one of {', '.join(sorted(WRITTEN))}")
    if suffix in _VIDEOS:
        _av(f"to write {path}")
    if frames * frame[0] * frame[1] * 3 > _MAX_WRITTEN:
        raise Pg2Error(
            f"{frames} frames of {frame[0]}x{frame[1]} pixels are too many to keep; give --seconds"
        )


def write_movie(path: Path, frames: Sequence[Image8], fps: float) -> None:
    """Write frames, uint8 RGB [H, W, 3] of one size, as a film by the file name's ending, atomically.

    GIF, PNG (APNG) and WebP repeat for ever. GIF has 256 colours, chosen once for all frames, and times in
    hundredths of a second; of an MP4 a last odd row or column is left out, as H.264 wants.

    Raises:
        Pg2Error: see `check_written`; and the file cannot be written.
    """
    check_written(path, len(frames), (frames[0].shape[0], frames[0].shape[1]))
    with atomic_path(path) as new, new.open("wb") as file:
        _write(file, path.suffix.lower(), frames, fps)


def written_here() -> list[str]:
    """The endings of `WRITTEN` that can be written here: videos need PyAV."""
    return sorted(WRITTEN if importlib.util.find_spec("av") else WRITTEN - _VIDEOS)


def movie_bytes(suffix: str, frames: Sequence[Image8], fps: float) -> bytes:
    """The content of the film that `write_movie` would write, in memory.

    Args:
        suffix: one of `written_here`.
        frames: uint8 RGB [H, W, 3] of one size.
        fps: frames a second.
    """
    buffer = io.BytesIO()
    _write(buffer, suffix, frames, fps)
    return buffer.getvalue()


def _write(file: IO[bytes], suffix: str, frames: Sequence[Image8], fps: float) -> None:
    if suffix in _VIDEOS:
        _write_video(file, frames, fps)
        return
    pictures = [Image.fromarray(frame) for frame in frames]
    options: dict[str, Any] = {"duration": 1000 / fps, "loop": 0}
    if suffix == ".gif":
        # Colours chosen anew, or dithered, in each frame would flicker.
        some = frames[:: -(-len(frames) // _PALETTE_FROM)]
        palette = Image.fromarray(np.concatenate(some, axis=1)).quantize(256)
        pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
        options |= {"duration": 10 * max(round(100 / fps), 2), "optimize": False}
    elif suffix == ".webp":
        options |= {"quality": 90, "duration": round(1000 / fps)}
    pictures[0].save(file, suffix[1:].upper(), save_all=True, append_images=pictures[1:], **options)


def _write_video(file: IO[bytes], frames: Sequence[Image8], fps: float) -> None:
    av = _av("to write a video")
    height, width = (side // 2 * 2 for side in frames[0].shape[:2])
    try:
        with av.open(file, "w", format="mp4") as container:
            codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
            stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1000))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"crf": _QUALITY} if codec == "libx264" else {"qscale": "3"}
            for frame in frames:
                picture = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(frame[:height, :width]), format="rgb24"
                )
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
    except av.error.FFmpegError as error:
        raise Pg2Error(f"the video cannot be written: {error}") from error
