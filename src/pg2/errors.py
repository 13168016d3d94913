"""The one exception that is meant for a person."""

import re

# Line breaks, terminals' control sequences, and what turns the direction of writing round: names of files may
# hold all of them.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

_LONGEST = 1900  # characters; a path may have 4096


class Pg2Error(Exception):
    """What is wrong with which file or setting, and what to do about it, in one sentence.

    The command line prints it without a traceback and exits with code 2.
    """

    def __init__(self, *sentences: str) -> None:
        """Take one sentence, or several, a line each. Whatever names they repeat, each stays on one line."""
        super().__init__("\n".join(map(_line, sentences)))


def _line(sentence: str) -> str:
    text = _UNSEEN.sub(" ", sentence.encode("utf-8", "backslashreplace").decode("utf-8"))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
