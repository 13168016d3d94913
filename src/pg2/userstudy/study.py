"""A user study on disk: which pictures are shown, how, and what each of them is.

A folder that `make_study` writes once and nothing changes later:

- `study.json`: the settings, and which picture is real and which generated. It never reaches a browser.
- `pictures/ID.png`: the pictures under random names.

The answers lie beside them (`pg2.userstudy.answers`).
"""

import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pg2.errors import Pg2Error
from pg2.io.files import atomic_path, read_json, sha256, write_json
from pg2.io.outputs import exclusive
from pg2.io.picture_files import pictures_below
from pg2.io.pictures import load_image

Kind = Literal["real", "generated"]
"""What a picture is, and what a person may say that it is."""

_MANIFEST, _PICTURES = "study.json", "pictures"


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Picture(_Checked):
    """One picture of a study."""

    id: str = Field(pattern="^[0-9a-f]{16}$", description="random: it says nothing of what the picture is")
    kind: Kind
    name: str = Field(description="its file, below the folder it was taken from")


class Study(_Checked):
    """A user study: its settings and its pictures."""

    folder: Path = Field(exclude=True)
    format: Literal[1] = 1
    id: str = Field(pattern="^[0-9a-f]{16}$", description="by which a browser tells studies apart")
    size: tuple[int, int] = Field(description="(height, width) of every picture in pixels")
    practice: int = Field(ge=0, description="how many of each person's first answers do not count")
    seconds: float = Field(gt=0, le=60, description="how long a picture is shown")
    seed: int = Field(ge=0, description="of the choice of pictures and of each person's order")
    folders: dict[Kind, str] = Field(description="where the pictures were taken from")
    pictures: tuple[Picture, ...] = Field(description="sorted by id, so that the place says nothing either")

    @model_validator(mode="after")
    def _counts_some_of_both(self) -> "Study":
        real = sum(picture.kind == "real" for picture in self.pictures)
        if not 2 * real == len(self.pictures) > 2 * self.practice:
            raise ValueError("as many real as generated pictures are needed, and more of each than practice")
        if len({picture.id for picture in self.pictures}) < len(self.pictures):
            raise ValueError("two pictures have one id")
        return self

    @classmethod
    def load(cls, folder: str | Path) -> "Study":
        """Read a study.

        Raises:
            Pg2Error: `folder` holds no study, or it lacks a picture.
        """
        folder = Path(folder)
        path = folder / _MANIFEST
        if not path.is_file():
            raise Pg2Error(f"{folder} holds no user study; make one with `pg2 userstudy make`")
        values = read_json(path, "the settings of a user study")
        try:
            study = cls.model_validate({**values, "folder": folder})
        except (TypeError, ValidationError) as error:
            raise Pg2Error(f"{path} was not written by this version of `pg2 userstudy make`") from error
        for picture in study.pictures:
            if not study.file(picture.id).is_file():
                raise Pg2Error(
                    f"{folder} lacks the picture {study.file(picture.id).name}; make the study again"
                )
        return study

    def file(self, picture: str) -> Path:
        """The PNG file of the picture with the id `picture`."""
        return self.folder / _PICTURES / f"{picture}.png"

    def order(self, participant: int) -> list[str]:
        """The ids of all pictures in the order in which the participant of that number sees them."""
        order = np.random.default_rng((self.seed, 2, participant)).permutation(len(self.pictures))
        return [self.pictures[index].id for index in order]


def make_study(
    generated: str | Path,
    real: str | Path,
    out: str | Path,
    *,
    count: int = 55,
    practice: int = 10,
    seconds: float = 1.0,
    seed: int = 0,
) -> Study:
    """Draw pictures of both kinds and write them as a study into the folder `out`, all or nothing.

    A study that the same call made is given back as it is.

    Pixels are taken as they are, and stored as PNG without metadata. What tells the kinds apart without
    looking at people is up to the folders: only differing sizes are refused, not JPEG artefacts of one kind.

    Args:
        generated, real: folders of pictures, searched with all folders below them; such as refined and
            target of `pg2 evaluate --store`.
        out: the folder to make.
        count: how many pictures of each kind are drawn. The paper: 55.
        practice: how many of each person's first answers do not count, under `count`. The paper: 10.
        seconds: how long a picture is shown, up to 60. The paper: 1.
        seed: other pictures and orders for another number.

    Raises:
        Pg2Error: a setting out of range, `out` holds something else, too few pictures, a damaged one,
            pictures of several sizes, or the disk is full.
    """
    generated, real, out = Path(generated), Path(real), Path(out)
    if count < 1 or not 0 <= practice < count:
        raise Pg2Error(f"practice must be 0 or more and under the count of {count}, not {practice}")
    if not 0 < seconds <= 60:
        raise Pg2Error(f"pictures are shown for up to 60 seconds, not {seconds:g}")
    folders: dict[Kind, Path] = {"real": real, "generated": generated}
    files = {kind: _files(folder, kind) for kind, folder in folders.items()}
    if real.resolve().is_relative_to(generated.resolve()) or generated.resolve().is_relative_to(
        real.resolve()
    ):
        raise Pg2Error(f"{real} and {generated} lie in each other; real and generated pictures must be apart")
    drawn = [
        (kind, file, os.fsencode(file.relative_to(folders[kind])).decode(errors="replace"))
        for kind, file in _drawn(files, count, seed)
    ]
    settings: dict[str, Any] = {
        "practice": practice,
        "seconds": seconds,
        "seed": seed,
        "folders": {kind: str(folder) for kind, folder in folders.items()},
    }
    with exclusive(out):
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            return _same(out, settings, [(kind, name) for kind, _, name in drawn])
        return _write(out, settings, drawn)


def _same(out: Path, settings: Mapping[str, Any], drawn: Collection[tuple[Kind, str]]) -> Study:
    """The study that is there already, where it is of these settings and pictures."""
    if not (out / _MANIFEST).is_file():
        raise Pg2Error(f"{out} is there already and is no user study; give a new folder")
    study = Study.load(out)
    found = sorted((picture.kind, picture.name) for picture in study.pictures)
    if study.model_dump(include=set(settings)) != settings or found != sorted(drawn):
        raise Pg2Error(f"{out} is there already and is another user study; give a new folder for this one")
    return study


def _write(out: Path, settings: Mapping[str, Any], drawn: Iterable[tuple[Kind, Path, str]]) -> Study:
    pictures: list[Picture] = []
    size: tuple[int, int] | None = None
    with atomic_path(out) as new:
        (new / _PICTURES).mkdir(parents=True)
        for kind, file, name in drawn:
            image = load_image(file)
            height, width = image.shape[:2]
            size = size or (height, width)
            if (height, width) != size:
                raise Pg2Error(
                    f"{file} is {height}x{width} pixels, others are {size[0]}x{size[1]}: "
                    "another size would give the answer away; bring all pictures to one size"
                )
            pictures.append(Picture(id=secrets.token_hex(8), kind=kind, name=name))
            Image.fromarray(image).save(new / _PICTURES / f"{pictures[-1].id}.png")
        assert size is not None
        study = Study(
            folder=out,
            id=secrets.token_hex(8),
            size=size,
            **settings,
            pictures=tuple(sorted(pictures, key=lambda picture: picture.id)),
        )
        write_json(new / _MANIFEST, study.model_dump())
    return study


def _files(folder: Path, kind: Kind) -> list[Path]:
    """The pictures to draw from: one that is there several times, as the target of several pairs, once."""
    if not folder.is_dir():
        there = "a file" if folder.exists() else "not there"
        raise Pg2Error(f"{folder} is {there}; give a folder of {kind} pictures")
    seen: dict[str, Path] = {}
    for file in pictures_below(folder):
        seen.setdefault(sha256(file), file)
    return list(seen.values())


def _drawn(files: dict[Kind, list[Path]], count: int, seed: int) -> Iterator[tuple[Kind, Path]]:
    for stream, (kind, found) in enumerate(files.items()):
        if len(found) < count:
            raise Pg2Error(
                f"{len(found)} different {kind} pictures are too few for a study with {count}; "
                "give more, or a smaller --count"
            )
        for index in np.random.default_rng((seed, stream)).choice(len(found), count, replace=False):
            yield kind, found[index]
