"""Every answer is on the disk at once, once, and in its turn."""

import sqlite3
import threading
from pathlib import Path

import pytest
from study_samples import kinds, take_part

from pg2.errors import Pg2Error
from pg2.userstudy.answers import Answer, Answers, OutOfTurnError, UnknownParticipantError
from pg2.userstudy.study import Study


def rows(study: Study) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(study.folder / "answers.sqlite")
    try:
        return connection.execute("SELECT * FROM answers").fetchall()
    finally:
        connection.close()


def test_answers_are_kept_in_order_and_practice_is_told_apart(study: Study) -> None:
    answers = Answers(study, create=True)
    token = answers.enter()
    order = answers.order(token)
    assert order == study.order(0)
    answers.record(token, 0, "real", 300)
    answers.record(token, 1, "generated", None)
    answers.record(token, 2, "real", 0)
    assert rows(study) == [
        (0, 0, order[0], "real", 300),
        (0, 1, order[1], "generated", None),
        (0, 2, order[2], "real", 0),
    ]
    # Another process, or the same one started anew, finds them.
    assert Answers(study).given(token) == [
        Answer(order[0], "real", 300, counted=False),
        Answer(order[1], "generated", None, counted=False),
        Answer(order[2], "real", 0, counted=True),
    ]


def test_a_second_post_of_one_answer_is_stored_once(study: Study) -> None:
    answers = Answers(study, create=True)
    token = answers.enter()
    answers.record(token, 0, "real", 300)
    answers.record(token, 0, "real", 900)
    with pytest.raises(OutOfTurnError, match="number 1 is not the next"):
        answers.record(token, 0, "generated", 900)
    with pytest.raises(OutOfTurnError, match="number 3 is not the next"):
        answers.record(token, 2, "real", 900)
    assert [row[3:] for row in rows(study)] == [("real", 300)]


def test_nothing_comes_after_the_last_picture(study: Study) -> None:
    token = take_part(study, kinds(study).__getitem__)
    with pytest.raises(OutOfTurnError):
        Answers(study).record(token, 6, "real", 1)
    assert len(rows(study)) == 6


def test_everybody_is_a_participant_of_their_own(study: Study) -> None:
    answers = Answers(study, create=True)
    tokens = [answers.enter() for _ in range(4)]
    assert len(set(tokens)) == 4
    assert [answers.order(token) for token in tokens] == [study.order(number) for number in range(4)]
    answers.record(tokens[2], 0, "real", 1)
    assert [len(given) for given in answers.by_participant()] == [0, 0, 1, 0]
    assert Answers(study, create=True).given(tokens[2]), "opened anew, nothing is lost"
    for call in (answers.order, answers.given, lambda token: answers.record(token, 0, "real", 1)):
        with pytest.raises(UnknownParticipantError):
            call("someone")


def test_many_at_once_lose_nothing(study: Study) -> None:
    Answers(study, create=True)
    threads = [threading.Thread(target=take_part, args=(study, lambda _: "real")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(given) for given in Answers(study).by_participant()] == [6] * 8


def test_no_answers_and_damaged_ones_are_said(study: Study) -> None:
    with pytest.raises(Pg2Error, match="has no answers yet; get some with"):
        Answers(study)
    Path(study.folder / "answers.sqlite").write_bytes(b"not a database, but long enough to be one" * 20)
    for call in (lambda: Answers(study, create=True), lambda: Answers(study).by_participant()):
        with pytest.raises(
            Pg2Error, match=r"answers\.sqlite cannot be read or written: file is not a database"
        ):
            call()


def test_a_damaged_schema_that_is_no_text_is_said(study: Study) -> None:
    Answers(study, create=True)
    file = Path(study.folder / "answers.sqlite")
    file.write_bytes(file.read_bytes().replace(b"CREATE TABLE", b"CREATE \xb1ABLE"))
    with pytest.raises(Pg2Error, match=r"answers\.sqlite cannot be read or written"):
        Answers(study, create=True)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE participants SET pictures = 'no list'",
        "UPDATE participants SET pictures = '[1, 2]'",
        "UPDATE participants SET pictures = NULL",
        "UPDATE answers SET picture = 'of another study'",
        "UPDATE answers SET milliseconds = 'long'",
    ],
)
def test_damaged_answers_are_refused(study: Study, change: str) -> None:
    token = take_part(study, kinds(study).__getitem__)
    connection = sqlite3.connect(study.folder / "answers.sqlite")
    with connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'pictures TEXT NOT NULL', 'pictures')"
        )
        connection.execute("PRAGMA writable_schema = RESET")
    connection.execute(change)
    connection.commit()
    connection.close()
    with pytest.raises(Pg2Error, match=r"answers\.sqlite are damaged, or of another study"):
        Answers(study).given(token)
    if "answers" in change:
        with pytest.raises(Pg2Error, match="are damaged"):
            Answers(study).by_participant()
