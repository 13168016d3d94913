"""The data set of rendered people: killed, resumed, extended, refused."""

import functools
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg2 import cli
from pg2.errors import Pg2Error
from pg2.io.geometry_file import from_surface, read_geometry
from pg2.io.outputs import exclusive
from pg2.pose.formats import read_keypoints_csv
from pg2.rendering import people
from pg2.rendering.options import RenderOptions
from pg2.rendering.people import render_people
from pg2.rendering.pictures import Photographer


def start(out: Path, count: int) -> subprocess.Popen[bytes]:
    """`pg2 render` with the options of the fixtures, in its own process group; waits for the first person."""
    command = [sys.executable, "-m", "pg2", "render", str(out), "--people", str(count), "--poses", "4"]
    command += ["--size", "64x64", "--seed", "3", "--workers", "1"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(out.parent / "home")}
    # A test run in the background ignores Ctrl-C, and its children would inherit that.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    running = subprocess.Popen(
        command, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=heed, env=environment
    )
    for _ in range(1200):
        if (out / "00000").exists() or running.poll() is not None:
            break
        time.sleep(0.05)
    assert running.poll() is None, running.communicate()[1]
    return running


def contents(out: Path) -> dict[str, bytes]:
    return {file.relative_to(out).as_posix(): file.read_bytes() for file in out.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def rendered(egl: None, options: RenderOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people; the run by one worker was killed after the first, and continued by two."""
    out = tmp_path_factory.mktemp("rendered") / "people"
    running = start(out, 40)
    running.kill()  # the parent alone: its worker must notice
    running.communicate()
    for folder in sorted(out.glob("[0-9]*"))[1:]:
        shutil.rmtree(folder)
    (out / ".00001.left_ove" / "00001").mkdir(parents=True, exist_ok=True)
    assert not (out / "keypoints.csv").exists()
    report = render_people(out, 2, options, workers=2)
    assert (report.people, report.pictures, report.new_people) == (2, 8, 1)
    return out


def test_a_killed_rendering_resumes_to_the_same_bytes(rendered, pictures):
    assert not [file.name for file in rendered.iterdir() if file.name.startswith(".")]
    truth = read_keypoints_csv(rendered / "keypoints.csv")
    assert list(truth) == [f"{person:05d}/{pose:02d}.jpg" for person in range(2) for pose in range(4)]
    for name, (person, pose) in zip(truth, np.ndindex(2, 4), strict=True):
        picture = pictures[person][pose]
        buffer = io.BytesIO()
        Image.fromarray(picture.image).save(buffer, "JPEG", quality=92, subsampling=0)
        assert (rendered / name).read_bytes() == buffer.getvalue()
        np.testing.assert_array_equal(truth[name], picture.points)


def test_nothing_is_kept_in_the_home(rendered):
    """Graphics drivers would keep compiled shaders there."""
    assert not list((rendered.parent / "home").rglob("*"))


def test_what_lies_beside_the_pictures(rendered, pictures):
    records = json.loads((rendered / "people.json").read_text())
    assert [record["person"] for record in records] == [0, 1]
    assert records[1]["images"][2] == {"image": "00001/02.jpg", **pictures[1][2].record}
    assert (
        (rendered / "keypoints.csv").read_text().startswith("name:keypoints_y:keypoints_x\n00000/00.jpg: [")
    )
    assert "." not in (rendered / "keypoints.csv").read_text().split(": ", 1)[1].split("\n")[0]
    made = json.loads((rendered / "render.json").read_text())
    assert made["options"] == {
        "poses": 4, "size": "64x64", "seed": 3, "look": "studio", "framing": "full"
    }  # fmt: skip
    assert "CC0 1.0" in (rendered / "LICENSE.txt").read_text()


def test_a_finished_rendering_does_nothing(rendered, options):
    before = {file: file.stat().st_mtime_ns for file in rendered.rglob("*")}
    report = render_people(rendered, 2, options)
    assert report.summary() == "already rendered: 2 people, 8 pictures"
    assert render_people(rendered, 1, options).people == 2
    assert {file: file.stat().st_mtime_ns for file in rendered.rglob("*")} == before
    (rendered / "people.json").rename(rendered.parent / "people.json")
    render_people(rendered, 2, options)
    assert (rendered / "people.json").read_bytes() == (rendered.parent / "people.json").read_bytes()


def test_more_people_extend_it_and_ctrl_c_stops_cleanly(rendered, options, tmp_path):
    out = tmp_path / "people"
    shutil.copytree(rendered, out)
    running = start(out, 200)
    while not (out / "00002").exists():
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"Traceback" not in said
    assert not [file.name for file in out.iterdir() if file.name.startswith(".")]
    count = len(list(out.glob("[0-9]*")))
    assert count < 200
    report = render_people(out, count, options)
    assert (report.people, report.new_people) == (count, 0)
    new, old = contents(out), contents(rendered)
    for name in [name for name in old if "/" in name]:
        assert new[name] == old[name]
    assert new["keypoints.csv"].startswith(old["keypoints.csv"])


def test_geometry_lies_beside_pictures_that_stay_the_same(rendered, options, tmp_path):
    out, wanted = tmp_path / "people", replace(options, geometry=True)
    render_people(out, 1, wanted, workers=1)
    before, after = contents(rendered), contents(out)
    assert {f"00000/{pose:02d}.geometry.npz" for pose in range(4)} <= after.keys()
    for name in [name for name in before if name.startswith("00000/")]:
        assert after[name] == before[name]
    # The same bytes from another process.
    with Photographer(wanted) as photographer:
        first = next(photographer.photograph(0)[1])
    assert first.surface is not None
    expected = from_surface(first.surface, first.mask, (3, 0), after["00000/00.jpg"]).to_bytes()
    assert after["00000/00.geometry.npz"] == expected
    for pose in range(4):
        geometry = read_geometry(out / f"00000/{pose:02d}.geometry.npz", after[f"00000/{pose:02d}.jpg"])
        assert (geometry.size, geometry.person) == ((64, 64), (3, 0))
    with pytest.raises(Pg2Error, match=r"other options \(geometry True instead of False\)"):
        render_people(out, 2, options)
    with pytest.raises(Pg2Error, match=r"other options \(geometry False instead of True\)"):
        render_people(rendered, 2, wanted)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 4}, r"seed 3 instead of 4"),
        ({"size": (64, 32)}, r"size 64x64 instead of 64x32"),
        ({"poses": 5, "look": "street"}, r"poses 4 instead of 5, look studio instead of street"),
    ],
)
def test_other_options_are_refused(rendered, options, change, said):
    other = RenderOptions(**{"poses": 4, "size": (64, 64), "seed": 3} | change)
    with pytest.raises(Pg2Error, match=said):
        render_people(rendered, 2, other)


def test_a_set_from_before_there_were_looks_is_gone_on_with(rendered, options, tmp_path):
    out = tmp_path / "people"
    shutil.copytree(rendered, out)
    settings = (out / "render.json").read_text()
    assert '"look": "studio"' in settings
    (out / "render.json").write_text(settings.replace('"look"', '"background"'))
    assert render_people(out, 2, options).new_people == 0
    with pytest.raises(Pg2Error, match="look studio instead of street"):
        render_people(out, 2, replace(options, look="street"))


def test_other_renderers_are_refused(rendered, options, monkeypatch):
    monkeypatch.setattr(people, "RENDERER", people.RENDERER + 1)
    with pytest.raises(Pg2Error, match="another version of pg2"):
        render_people(rendered, 3, options)


def test_places_that_hold_something_else(options, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/render.json").write_text("{}")
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday/photo.jpg").write_text("x")
    with pytest.raises(Pg2Error, match="is a file, and rendered people need a folder"):
        render_people(tmp_path / "file", 1, options)
    with pytest.raises(Pg2Error, match="was not written by `pg2 render`"):
        render_people(tmp_path / "full", 1, options)
    with pytest.raises(Pg2Error, match="holds no rendered people"):
        render_people(tmp_path / "holiday", 1, options)


def test_a_second_rendering_is_refused_and_deletes_nothing(options, tmp_path):
    """What the first one is making looks just like what a killed one left."""
    making = tmp_path / "people" / ".00000.abcdefgh" / "00000"
    making.mkdir(parents=True)
    with exclusive(tmp_path / "people"), pytest.raises(Pg2Error, match="another command is at work on"):
        render_people(tmp_path / "people", 1, options)
    assert making.exists()


@pytest.mark.usefixtures("egl")
def test_a_place_that_cannot_be_written_to(options, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Pg2Error, match="cannot write"):
        render_people(tmp_path / "file/people", 1, options)


def test_numbers_out_of_range(options, tmp_path):
    for count, workers in ((0, 1), (100_001, 1), (1, 0)):
        with pytest.raises(Pg2Error, match=r"give 1 to 100,000 people|at least 1 worker"):
            render_people(tmp_path / "out", count, options, workers=workers)
    assert not (tmp_path / "out").exists()


def test_without_the_extra(options, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Pg2Error, match=r'anny and moderngl and scipy; .* pip install "pg2\[render\]"'):
        render_people(tmp_path / "out", 1, options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "250x256"], "multiples of 16"),
        (["--size", "large"], "HEIGHTxWIDTH"),
        (["--people", "0"], "give 1 to 100,000 people, not 0"),
        (["--poses", "0"], "give 1 to 100 poses"),
        (["--people", "1"], "apt-get install libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri"),
    ],
)
def test_the_command_refuses_in_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GLCONTEXT_LINUX_LIBEGL", "libnowhere.so.1")
    monkeypatch.setattr(sys, "argv", ["pg2", "render", str(tmp_path / "out"), *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_is_there(rendered, monkeypatch, capsys):
    arguments = ["--people", "2", "--poses", "4", "--size", "64x64", "--seed", "3"]
    monkeypatch.setattr(sys, "argv", ["pg2", "render", str(rendered), *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 0
    assert capsys.readouterr().out == "already rendered: 2 people, 8 pictures\n"
    monkeypatch.setattr(sys, "argv", ["pg2", "render", str(rendered), *arguments, "--geometry"])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 2
    assert "geometry False instead of True" in capsys.readouterr().err


def test_a_damaged_table_is_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "people.json"
    file.write_bytes(b"\xff\xfe")
    people._write_if_new(file, "[]")
    assert file.read_text() == "[]"
