"""What people answered: one SQLite file beside the pictures of a study, a row an answer."""

import contextlib
import json
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from pg2.errors import Pg2Error
from pg2.userstudy.study import Kind, Study

_FILE = "answers.sqlite"

_TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS participants (
  number INTEGER PRIMARY KEY,
  token TEXT NOT NULL UNIQUE,
  pictures TEXT NOT NULL,
  started TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS answers (
  participant INTEGER NOT NULL REFERENCES participants (number),
  position INTEGER NOT NULL,
  picture TEXT NOT NULL,
  answer TEXT NOT NULL CHECK (answer IN ('real', 'generated')),
  milliseconds INTEGER,
  PRIMARY KEY (participant, position)
) WITHOUT ROWID;
"""

_TAKE_OVER = """
UPDATE participants SET token = ?, started = CURRENT_TIMESTAMP WHERE number = (
  SELECT number FROM participants
  WHERE NOT EXISTS (SELECT 1 FROM answers WHERE participant = number)
  ORDER BY started, number LIMIT 1
)
"""


class UnknownParticipantError(Pg2Error):
    """The token is not one that `Answers.enter` gave."""


class OutOfTurnError(Pg2Error):
    """An answer to a picture that is not the participant's next, other than a repeat of what is stored."""


class FullError(Pg2Error):
    """As many people take part as may."""


@dataclass(frozen=True)
class Answer:
    """One stored answer.

    Attributes:
        picture: id of the picture.
        answer: what the person said it is.
        milliseconds: from when the picture had gone to the answer; None where the person was interrupted.
        counted: not one of the practice.
    """

    picture: str
    answer: Kind
    milliseconds: int | None
    counted: bool


class Answers:
    """The answers to one study.

    Every call stands alone and is safe from several threads and processes; what it wrote is on the disk when
    it returns. All raise Pg2Error where the file is damaged or the disk is full.
    """

    def __init__(self, study: Study, *, create: bool = False) -> None:
        """Open the answers to `study`.

        Args:
            study: whose answers.
            create: make the file if it is not there.

        Raises:
            Pg2Error: there is none.
        """
        self._study = study
        self._pictures = {picture.id for picture in study.pictures}
        self.path = study.folder / _FILE
        if create:
            with self._connected() as connection:
                connection.executescript(_TABLES)
        elif not self.path.is_file():
            raise Pg2Error(
                f"{study.folder} has no answers yet; get some with `pg2 userstudy serve {study.folder}`"
            )

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(
                sqlite3.connect(self.path, timeout=10, isolation_level=None)
            ) as connection:
                yield connection
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # SQLite's own words repeat what is damaged, which need not be text.
            raise Pg2Error(f"the answers in {self.path} cannot be read or written: {error}") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def enter(self, most: int | None = None) -> str:
        """Let a new participant in, with an order of the pictures of their own.

        Args:
            most: participants. When there are so many, a new one takes the place of the one who has been
                there longest without an answer.

        Returns:
            The token by which they go on: random, and all that is ever known of them.

        Raises:
            FullError: there are so many, and all have answered something.
        """
        token = secrets.token_urlsafe(16)
        with self._transaction() as connection:
            (number,) = connection.execute("SELECT count(*) FROM participants").fetchone()
            if most is not None and number >= most:
                if connection.execute(_TAKE_OVER, (token,)).rowcount == 0:
                    raise FullError(
                        f"this study is complete with {most:,} participants; thank you for coming"
                    )
                return token
            connection.execute(
                "INSERT INTO participants (number, token, pictures) VALUES (?, ?, ?)",
                (number, token, json.dumps(self._study.order(number))),
            )
        return token

    def order(self, token: str) -> list[str]:
        """The ids of all pictures in the participant's order.

        Raises:
            UnknownParticipantError: nobody has this token.
        """
        with self._transaction() as connection:
            return self._participant(connection, token)[1]

    def given(self, token: str) -> list[Answer]:
        """The participant's answers so far, in their order.

        Raises:
            UnknownParticipantError: nobody has this token.
        """
        with self._transaction() as connection:
            return self._of(connection, self._participant(connection, token)[0])

    def record(self, token: str, position: int, answer: Kind, milliseconds: int | None) -> None:
        """Store the answer to the participant's picture number `position`, from 0.

        The same answer to the same picture may come again; it is stored once, and its first time is kept.

        Raises:
            UnknownParticipantError: nobody has this token.
            OutOfTurnError: `position` is not the next one, and not a repeat either.
        """
        with self._transaction() as connection:
            number, pictures = self._participant(connection, token)
            given = self._of(connection, number)
            if position < len(given) and given[position].answer == answer:
                return
            if position != len(given) or position >= len(pictures):
                raise OutOfTurnError(
                    f"{len(given)} pictures are answered; number {position + 1} is not the next"
                )
            connection.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?)",
                (number, position, pictures[position], answer, milliseconds),
            )

    def by_participant(self) -> list[list[Answer]]:
        """All answers of each participant, in their order; empty for one who gave none yet."""
        with self._transaction() as connection:
            numbers = connection.execute("SELECT number FROM participants ORDER BY number").fetchall()
            return [self._of(connection, number) for (number,) in numbers]

    def _of(self, connection: sqlite3.Connection, number: int) -> list[Answer]:
        rows = connection.execute(
            "SELECT picture, answer, milliseconds, position >= ? FROM answers "
            "WHERE participant = ? ORDER BY position",
            (self._study.practice, number),
        )
        found = [Answer(picture, answer, time, bool(counted)) for picture, answer, time, counted in rows]
        for given in found:
            if (
                given.picture not in self._pictures
                or given.answer not in get_args(Kind)
                or not isinstance(given.milliseconds, int | None)
            ):
                raise self._damaged()
        return found

    def _participant(self, connection: sqlite3.Connection, token: str) -> tuple[int, list[str]]:
        row = connection.execute(
            "SELECT number, pictures FROM participants WHERE token = ?", (token,)
        ).fetchone()
        if row is None:
            raise UnknownParticipantError("nobody takes part under this token")
        try:
            pictures = json.loads(row[1])
            if sorted(pictures) != sorted(self._pictures):
                raise ValueError("other pictures")
        except (ValueError, TypeError, RecursionError) as error:
            raise self._damaged() from error
        return row[0], pictures

    def _damaged(self) -> Pg2Error:
        return Pg2Error(f"the answers in {self.path} are damaged, or of another study; take a copy of before")
