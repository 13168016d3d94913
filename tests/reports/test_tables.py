"""Markdown tables: their lines, and cells that hold what Markdown takes for its own."""

import pytest

from pg2.reports.tables import markdown_table, print_table


def test_headings_a_rule_and_a_line_a_row() -> None:
    assert markdown_table(["", "SSIM", "PSNR"], [["stage I", "0.5", "–"], ["stage II", "", "12"]]) == [
        "| | SSIM | PSNR |",
        "|---|---|---|",
        "| stage I | 0.5 | – |",
        "| stage II | | 12 |",
    ]


def test_a_table_for_people_is_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """However many columns: no cell is folded or cut, and brackets are only letters."""
    headings = ["", *(f"a picture of the number {number}" for number in range(8))]
    print_table(headings, [["[bold]SSIM", *(f"0.{number}" for number in range(8))]])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert len(lines) == 3
    assert lines[0].split("  ")[0] == "a picture of the number 0"
    assert lines[2].split() == ["[bold]SSIM", *(f"0.{number}" for number in range(8))]


def test_a_table_without_rows() -> None:
    assert markdown_table(["a"], []) == ["| a |", "|---|"]


def test_no_cell_breaks_the_table() -> None:
    assert markdown_table(["a|b"], [["one\ntwo|three"]]) == ["| a\\|b |", "|---|", "| one two\\|three |"]


@pytest.mark.parametrize("row", [["1"], ["1", "2", "3"]])
def test_a_row_of_another_length_is_refused(row: list[str]) -> None:
    with pytest.raises(ValueError, match="cells below 2 headings"):
        markdown_table(["a", "b"], [row])
