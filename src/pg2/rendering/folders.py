"""The folder of one rendered person; it appears under its name when it is complete.

    OUT/00000/00.jpg            a picture, by its number
    OUT/00000/00.geometry.npz   where asked for, which place on the person each of its pixels shows
    OUT/00000/.record.json      the person's rows of the tables of the data set

From the hidden file the tables of all people are written when a rendering ends.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from PIL import Image
from pydantic import BaseModel, Field, ValidationError, field_validator

from pg2.errors import Pg2Error
from pg2.io.files import atomic_path, read_json
from pg2.io.geometry_file import SUFFIX, from_surface
from pg2.pose.keypoints import COUNT

if TYPE_CHECKING:
    from pg2.rendering.picture import Picture

_RECORD = ".record.json"

_Point = Annotated[list[int], Field(min_length=2, max_length=2)]


class _Complete(BaseModel):
    """What the hidden file holds."""

    record: dict[str, Any]
    keypoints: dict[str, Annotated[list[_Point | None], Field(min_length=COUNT, max_length=COUNT)]]

    @field_validator("record")
    @classmethod
    def _has_images(cls, record: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(record.get("images"), list):
            raise ValueError("it names no images")
        return record


def person_folder(out: Path, person: int) -> Path:
    """Where in the data set `out` the person of this number lies."""
    return out / f"{person:05d}"


def is_complete(folder: Path) -> bool:
    """Whether it is the folder of a person."""
    return (folder / _RECORD).is_file()


def write_person(
    out: Path, seed: int, person: int, attributes: dict[str, Any], pictures: Iterable["Picture"]
) -> None:
    """Write the folder of a person; it appears when it is complete.

    Args:
        out: the data set.
        seed: of the data set.
        person: their number.
        attributes: of the person, for JSON.
        pictures: of the person; consumed one at a time.

    Raises:
        Pg2Error: the disk is full or the place cannot be written to.
    """
    with atomic_path(person_folder(out, person)) as new:
        new.mkdir()
        images, keypoints = [], {}
        for number, picture in enumerate(pictures):
            name, file = f"{person:05d}/{number:02d}.jpg", new / f"{number:02d}.jpg"
            Image.fromarray(picture.image).save(
                file, quality=picture.quality, subsampling=picture.subsampling
            )
            if picture.surface is not None:
                geometry = from_surface(picture.surface, picture.mask, (seed, person), file.read_bytes())
                file.with_suffix(SUFFIX).write_bytes(geometry.to_bytes())
            images.append({"image": name, **picture.record})
            keypoints[name] = [None if np.isnan(x) else [int(x), int(y)] for x, y in picture.points]
        record = {"person": person, **attributes, "images": images}
        (new / _RECORD).write_text(json_text({"record": record, "keypoints": keypoints}), encoding="utf-8")


def read_person(folder: Path) -> tuple[dict[str, Any], dict[str, list[list[int] | None]]]:
    """What the tables say of a person: their record, and of each picture's name the keypoints (x, y).

    Raises:
        Pg2Error: the file in the folder is damaged.
    """
    complete = read_json(folder / _RECORD, "the record of a rendered person")
    try:
        found = _Complete.model_validate(complete)
    except ValidationError as error:
        raise Pg2Error(
            f"{folder / _RECORD} is damaged; remove {folder} and run the same command again, which renders "
            "this person anew"
        ) from error
    return found.record, found.keypoints


def json_text(value: Any) -> str:
    """As it is written into the data set."""
    return json.dumps(value, indent=1, allow_nan=False) + "\n"
