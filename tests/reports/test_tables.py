"""Markdown tables: their lines, and cells that hold what Markdown takes for its own."""

import pytest

from pg2.reports.tables import markdown_table


def test_headings_a_rule_and_a_line_a_row() -> None:
    assert markdown_table(["", "SSIM", "PSNR"], [["stage I", "0.5", "–"], ["stage II", "", "12"]]) == [
        "| | SSIM | PSNR |",
        "|---|---|---|",
        "| stage I | 0.5 | – |",
        "| stage II | | 12 |",
    ]


def test_a_table_without_rows() -> None:
    assert markdown_table(["a"], []) == ["| a |", "|---|"]


def test_no_cell_breaks_the_table() -> None:
    assert markdown_table(["a|b"], [["one\ntwo|three"]]) == ["| a\\|b |", "|---|", "| one two\\|three |"]


@pytest.mark.parametrize("row", [["1"], ["1", "2", "3"]])
def test_a_row_of_another_length_is_refused(row: list[str]) -> None:
    with pytest.raises(ValueError, match="cells below 2 headings"):
        markdown_table(["a", "b"], [row])
