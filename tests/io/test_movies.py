"""Films: written and read again, and what is none."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg2 import Pg2Error
from pg2.io import movies
from pg2.io.movies import check_written, movie_bytes, open_movie, write_movie, written_here
from pg2.io.pixels import Image8


def frames(count: int = 12) -> list[Image8]:
    """A bright square that goes to the right over smooth colours."""
    ground = np.zeros((64, 48, 3), np.uint8)
    ground[..., 0], ground[..., 2] = np.linspace(0, 120, 48), np.linspace(30, 200, 64)[:, None]
    made = []
    for number in range(count):
        picture = ground.copy()
        picture[20:36, 2 * number : 2 * number + 16] = 250
        made.append(picture)
    return made


def read(path: Path, most_fps: float = 120) -> tuple[list[Image8], float]:
    with open_movie(path, most_fps) as movie:
        return list(movie.frames), movie.fps


@pytest.mark.parametrize("ending", [".gif", ".png", ".webp", ".mp4"])
def test_a_film_can_be_read_again(tmp_path: Path, ending: str) -> None:
    if ending == ".mp4":
        pytest.importorskip("av", reason="PyAV is not installed (extra video)")
    path, made = tmp_path / f"film{ending}", frames()
    write_movie(path, made, 20)
    again, fps = read(path)
    assert fps == pytest.approx(20)
    assert len(again) == len(made)
    for picture, expected in zip(again, made, strict=True):
        assert np.abs(picture.astype(int) - expected).mean() < 6
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert ending in written_here()
    if ending != ".mp4":  # which notes when it was made
        assert movie_bytes(ending, made, 20) == path.read_bytes()
    # Every second frame, where there are too many a second.
    half, fps = read(path, 10)
    assert fps == pytest.approx(10)
    assert len(half) == 6
    assert np.abs(half[1].astype(int) - made[2]).mean() < 6


def test_a_gif_does_not_flicker_where_nothing_moves(tmp_path: Path) -> None:
    write_movie(tmp_path / "a.gif", frames(), 20)
    still = np.stack(read(tmp_path / "a.gif")[0])[:, :16]
    assert np.ptp(still.astype(int), axis=0).max() == 0


def test_odd_sides_in_an_mp4(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra video)")
    write_movie(tmp_path / "a.mp4", [picture[:63, :47] for picture in frames()], 25)
    assert read(tmp_path / "a.mp4")[0][0].shape == (62, 46, 3)


def test_what_is_no_film(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "still.png")
    with pytest.raises(Pg2Error, match="single picture"):
        read(tmp_path / "still.png")
    (tmp_path / "text.gif").write_text("no picture")
    with pytest.raises(Pg2Error, match="not a picture"):
        read(tmp_path / "text.gif")
    write_movie(tmp_path / "whole.gif", frames(), 20)
    (tmp_path / "half.gif").write_bytes((tmp_path / "whole.gif").read_bytes()[:4000])
    with pytest.raises(Pg2Error, match="damaged"):
        read(tmp_path / "half.gif")


def test_what_is_no_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra video)")
    # A list of further files and addresses, which FFmpeg would go on to read.
    (tmp_path / "list.mp4").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"
    )
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name in ("list.mp4", "text.mp4", "empty.mp4"):
        with pytest.raises(Pg2Error, match=f"{name} is damaged, or no video"):
            read(tmp_path / name)
    write_movie(tmp_path / "a.mp4", frames(), 20)
    monkeypatch.setattr(movies, "_MAX_SIDE", 60)
    with pytest.raises(Pg2Error, match="64x48 pixels; up to 60 a side"):
        read(tmp_path / "a.mp4")
    monkeypatch.setattr(movies, "_MAX_SIDE", 100)
    monkeypatch.setattr(movies, "_MAX_DECODED", 5)
    with pytest.raises(Pg2Error, match="over 5 frames"):
        read(tmp_path / "a.mp4")
    monkeypatch.setattr(movies, "_MAX_BYTES", 100)
    with pytest.raises(Pg2Error, match="larger than"):
        read(tmp_path / "a.mp4")


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    (tmp_path / "a.mov").write_bytes(b"something")
    with pytest.raises(Pg2Error, match=r'pip install "pg2\[video\]"'):
        read(tmp_path / "a.mov")
    with pytest.raises(Pg2Error, match="PyAV is needed"):
        check_written(tmp_path / "b.mp4", 2, (64, 64))
    check_written(tmp_path / "b.gif", 2, (64, 64))
    assert written_here() == [".gif", ".png", ".webp"]


def test_what_cannot_be_written_is_said_before(tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match="must end in one of"):
        check_written(tmp_path / "a.jpg", 2, (64, 64))
    with pytest.raises(Pg2Error, match="too many to keep"):
        check_written(tmp_path / "a.gif", 600, (1024, 1024))


def test_errors_of_others_are_not_of_the_film(tmp_path: Path) -> None:
    write_movie(tmp_path / "a.gif", frames(), 20)

    def work() -> None:
        with open_movie(tmp_path / "a.gif", 20):
            raise ValueError("of what looks at the frames")

    with pytest.raises(ValueError, match="of what looks at the frames"):
        work()


def test_a_video_without_times_has_its_own_pace() -> None:
    """Of a second at 60 frames, of which 30 are wanted."""
    pytest.importorskip("av", reason="PyAV is not installed (extra video)")

    class Frame:
        time, width, height = None, 8, 8

        def reformat(self, *_: int, format: str) -> "Frame":
            assert format == "rgb24"
            return self

        def to_ndarray(self) -> Image8:
            return np.zeros((8, 8, 3), np.uint8)

    class Container:
        def decode(self, _: object) -> Iterator[Frame]:
            return (Frame() for _ in range(60))

    assert len(list(movies._decoded(Container(), None, 60.0, 30.0, Path("a.avi")))) == 30
