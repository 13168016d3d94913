"""What a user study found: R2G and G2R with their uncertainty, and which pictures deceived."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from pg2.errors import Pg2Error
from pg2.io.files import atomic_path, write_json, write_text
from pg2.io.outputs import check_own, exclusive
from pg2.io.pictures import load_image
from pg2.io.pixels import Image8
from pg2.reports.grids import grid
from pg2.reports.tables import markdown_table
from pg2.userstudy.answers import Answer, Answers
from pg2.userstudy.intervals import Interval, cluster_bootstrap, wilson
from pg2.userstudy.study import Kind, Study

FILES = ("report.json", "report.md", "pictures.png")
"""What `write_report` puts into its folder."""

SHARES: dict[str, Kind] = {"R2G": "real", "G2R": "generated"}
"""The paper's two numbers -> the kind of picture that they count mistakes on."""

_WORDS = {"R2G": "real judged generated", "G2R": "generated judged real"}
_HOW = {
    "wilson": "Wilson score interval, all answers taken as independent",
    "bootstrap": "percentiles of 10,000 seeded resamples of the people, as one person's answers are alike",
}
_LISTED = 10  # generated pictures in the table of the page
_EXAMPLES = 6  # pictures in each part of the contact sheet


@dataclass(frozen=True)
class Share:
    """How many of the counted answers to one kind of picture were wrong.

    Attributes:
        wrong, answers: counts.
        share: wrong / answers.
        wilson, bootstrap: 95 % intervals; there is no bootstrap with one person.
    """

    wrong: int
    answers: int
    share: float
    wilson: Interval
    bootstrap: Interval | None


@dataclass(frozen=True)
class PictureScore:
    """How one picture was judged: `wrong` of `answers` counted answers took it for the other kind."""

    id: str
    kind: Kind
    name: str
    wrong: int
    answers: int


@dataclass(frozen=True)
class Findings:
    """What the answers to a study say.

    Only who finished counts: everybody then judged the same pictures, as in the paper, and a look at the page
    that is broken off changes nothing.

    Attributes:
        finished, unfinished: how many people.
        left_out: answers of the unfinished.
        shares: "R2G" and "G2R".
        median_milliseconds: of the counted answers, from when the picture had gone; None if none was timed.
        pictures: those with counted answers, both kinds, most deceptive first.
    """

    finished: int
    unfinished: int
    left_out: int
    shares: dict[str, Share]
    median_milliseconds: float | None
    pictures: list[PictureScore]


def findings(study: Study) -> Findings:
    """Count the answers to a study.

    Raises:
        Pg2Error: nobody has finished yet.
    """
    people = Answers(study).by_participant()
    finished = [given for given in people if len(given) == len(study.pictures)]
    left_out = sum(map(len, people)) - sum(map(len, finished))
    if not finished:
        raise Pg2Error(
            f"nobody has finished {study.folder} yet (people who began: {len(people)}, their answers: "
            f"{left_out}); let them go on with `pg2 userstudy serve {study.folder}`"
        )
    counted = [[answer for answer in given if answer.counted] for given in finished]
    kinds = {picture.id: picture.kind for picture in study.pictures}
    times = [answer.milliseconds for given in counted for answer in given if answer.milliseconds is not None]
    return Findings(
        finished=len(finished),
        unfinished=len(people) - len(finished),
        left_out=left_out,
        shares={name: _share(counted, kinds, kind) for name, kind in SHARES.items()},
        median_milliseconds=median(times) if times else None,
        pictures=_scores(counted, study),
    )


def _share(people: Sequence[Sequence[Answer]], kinds: dict[str, Kind], kind: Kind) -> Share:
    wrong = [sum(a.answer != kind for a in given if kinds[a.picture] == kind) for given in people]
    total = [sum(kinds[a.picture] == kind for a in given) for given in people]
    return Share(
        sum(wrong),
        sum(total),
        sum(wrong) / sum(total),
        wilson(sum(wrong), sum(total)),
        cluster_bootstrap(wrong, total) if len(people) > 1 else None,
    )


def _scores(people: Sequence[Sequence[Answer]], study: Study) -> list[PictureScore]:
    said: dict[str, list[Kind]] = {picture.id: [] for picture in study.pictures}
    for given in people:
        for answer in given:
            said[answer.picture].append(answer.answer)
    scores = [
        PictureScore(
            picture.id,
            picture.kind,
            picture.name,
            sum(answer != picture.kind for answer in said[picture.id]),
            len(said[picture.id]),
        )
        for picture in study.pictures
        if said[picture.id]
    ]
    return sorted(scores, key=lambda score: (-score.wrong / score.answers, -score.answers, score.name))


def markdown(study: Study, found: Findings, command: str | None = None) -> str:
    """The findings as a page."""

    def percent(interval: Interval | None) -> str:
        return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %" if interval else "one person: none"

    def row(name: str, share: Share) -> list[str]:
        return [
            f"**{name}**, {_WORDS[name]}",
            f"{100 * share.share:.1f} %",
            f"{share.wrong:,} of {share.answers:,}",
            percent(share.wilson),
            percent(share.bootstrap),
        ]

    each = len(study.pictures) // 2
    height, width = study.size
    generated = [score for score in found.pictures if score.kind == "generated"]
    people = f"{found.finished:,} {'person' if found.finished == 1 else 'people'}"
    lines = [
        f"# User study: {people}, {sum(share.answers for share in found.shares.values()):,} counted answers",
        "",
        *markdown_table(
            ["", "share", "answers", "95 %, over answers", "95 %, over people"],
            [row(name, share) for name, share in found.shares.items()],
        ),
        "",
        f"{each} real and {each} generated pictures of {height}x{width}, each shown for {study.seconds:g} s, "
        f"in an order of each person's own; the first {study.practice} answers of each are not counted. "
        "Who only guesses has 50 % in both rows.",
        "",
        f"- **95 %, over answers**: {_HOW['wilson']}.",
        f"- **95 %, over people**: {_HOW['bootstrap']}.",
    ]
    if found.median_milliseconds is not None:
        seconds = found.median_milliseconds / 1000
        lines.append(f"- **Median time of an answer**: {seconds:.2f} s after the picture had gone.")
    if found.unfinished:
        lines.append(
            f"- **Not finished**: {found.unfinished:,}; answers left out for that: {found.left_out:,}."
        )
    judged = [
        [score.name, f"{100 * score.wrong / score.answers:.0f} %", f"{score.wrong} of {score.answers}"]
        for score in generated[:_LISTED]
    ]
    lines += ["", *markdown_table(["generated picture", "judged real", "answers"], judged)]
    if len(generated) > _LISTED:
        lines += ["", f"The {_LISTED} of {len(generated)} judged real most often; report.json has all."]
    if command:
        lines += ["", f"Made with `{command}`."]
    return "\n".join(lines) + "\n"


def contact_sheet(study: Study, found: Findings) -> Image8:
    """The generated pictures that were judged real most and least often, up to six each.

    Returns:
        uint8 [H, W, 3]: two columns; beside each picture the share and the counts.
    """
    generated = [score for score in found.pictures if score.kind == "generated"]
    few = max(min(_EXAMPLES, len(generated) // 2), 1)
    parts = {"most convincing": generated[:few]}
    if len(generated) > 1:
        parts["least convincing"] = generated[: -few - 1 : -1]
    return np.hstack(
        [
            grid(
                [[_picture(study, score.id)] for score in scores],
                [title],
                [
                    f"{100 * score.wrong / score.answers:.0f} %\n{score.wrong} of {score.answers}"
                    for score in scores
                ],
            )
            for title, scores in parts.items()
        ]
    )


def _picture(study: Study, picture: str) -> Image8:
    file = study.file(picture)
    image = load_image(file)
    if image.shape[:2] != study.size:
        raise Pg2Error(f"{file} is not of the study's {study.size[0]}x{study.size[1]} pixels; it was changed")
    return image


def write_report(out: str | Path, study: Study, found: Findings, command: str | None = None) -> None:
    """Write report.json, report.md and pictures.png into the folder `out`, all or nothing.

    Args:
        out: a new folder, or one that holds an earlier report, which is replaced.
        study: that was answered.
        found: what `findings` gave.
        command: that made the report, to be written down.

    Raises:
        Pg2Error: `out` holds something else, or the disk is full.
    """
    out = check_own(out, FILES)
    with exclusive(out):
        _write(out, study, found, command)


def _write(out: Path, study: Study, found: Findings, command: str | None) -> None:
    document = {
        "study": study.model_dump(exclude={"pictures"}),
        **asdict(found),
        "confidence": _HOW,
        "command": command,
        "version": version("pg2"),
    }
    sheet = contact_sheet(study, found)
    with atomic_path(out) as new:
        new.mkdir()
        write_json(new / "report.json", document)
        write_text(new / "report.md", markdown(study, found, command))
        Image.fromarray(sheet).save(new / "pictures.png")
