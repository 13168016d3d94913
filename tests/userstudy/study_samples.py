"""Tiny pictures to make studies from, and people who answer by a rule."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from pg2.userstudy.answers import Answers
from pg2.userstudy.study import Kind, Study

REAL, GENERATED = 60, 200
"""The grey of each kind of picture, by which a test can tell them apart."""


def fill(folder: Path, count: int, grey: int, size: tuple[int, int] = (16, 32), suffix: str = "png") -> Path:
    """`count` pictures of about that grey, each with a grey of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", size, (grey + number,) * 3).save(folder / f"{number:02}.{suffix}")
    return folder


def grey_of(picture: Path) -> int:
    with Image.open(picture) as opened:
        return int(np.asarray(opened.convert("L")).mean())


def kinds(study: Study) -> dict[str, Kind]:
    return {picture.id: picture.kind for picture in study.pictures}


def take_part(
    study: Study, rule: Callable[[str], Kind], count: int | None = None, time: int | None = 500
) -> str:
    """Someone new answers the first `count` pictures (all) by `rule`, each after `time` milliseconds."""
    answers = Answers(study, create=True)
    token = answers.enter()
    for position, picture in enumerate(answers.order(token)[:count]):
        answers.record(token, position, rule(picture), time)
    return token
