"""An error is a sentence, whatever the names are that it repeats."""

from pg2.errors import Pg2Error


def test_a_name_with_line_breaks_stays_on_one_line() -> None:
    error = Pg2Error("there is no file a\nb\x1b[31m\u2028c\u202egpj.exe")
    assert str(error) == "there is no file a b [31m c gpj.exe"
    assert str(Pg2Error("two  spaces of a name stay")) == "two  spaces of a name stay"


def test_what_is_no_text_can_be_written() -> None:
    assert str(Pg2Error("there is no file \ud800.jpg")).encode() == b"there is no file \\ud800.jpg"


def test_endless_names_are_cut() -> None:
    text = str(Pg2Error(f"there is no file {'x' * 100_000}; give another"))
    assert len(text) < 2000
    assert text.startswith("there is no file xxx")
    assert text.endswith("xxx; give another")


def test_several_sentences_have_a_line_each() -> None:
    assert str(Pg2Error("2 photos:", "a\nb is none", "c is none")) == "2 photos:\na b is none\nc is none"
