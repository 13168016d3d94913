"""The published files of keypoints and pairs."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from real_data import MARKET, needs

from pg2.errors import Pg2Error
from pg2.pose.formats import (
    CSV_HEADER,
    PointList,
    format_keypoints_csv,
    from_list,
    read_keypoints_csv,
    read_pairs_csv,
    spelling,
    to_list,
)


def test_csv_goes_round(tmp_path: Path) -> None:
    points = np.arange(36, dtype=np.float32).reshape(18, 2)
    points[3] = np.nan
    points[4] = 1.125, 7
    text = format_keypoints_csv([("a b.jpg", points), ("c:d.jpg", points + 1)])
    assert text.splitlines()[0] == CSV_HEADER
    assert text.splitlines()[1].startswith("a b.jpg: [1, 3, 5, -1, 7, 11, ")
    (tmp_path / "k.csv").write_text(text)
    read = read_keypoints_csv(tmp_path / "k.csv")
    assert list(read) == ["a b.jpg", "c:d.jpg"]
    np.testing.assert_array_equal(read["a b.jpg"], points)
    np.testing.assert_array_equal(read["c:d.jpg"], points + 1)


@needs(MARKET)
def test_the_published_csv_goes_round_to_the_letter(tmp_path: Path) -> None:
    published = MARKET / "market-annotation-test.csv"
    poses = read_keypoints_csv(published)
    assert len(poses) == 1427
    assert format_keypoints_csv(poses.items()).split() == published.read_text().split()


ROW = "[" + ", ".join("1" * 18) + "]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line"),
        ("name,x,y\n", "first line"),
        (f"{CSV_HEADER}\na.jpg: {ROW}\n", "line 2"),
        (f"{CSV_HEADER}\na.jpg: {ROW}: {ROW}\nb.jpg: {ROW}: [1, 2]\n", "line 3"),
        (f"{CSV_HEADER}\na.jpg: {ROW}: {ROW.replace('1]', 'NaN]')}\n", "line 2"),
        (f"{CSV_HEADER}\na.jpg: {ROW}: {ROW.replace('1]', 'null]')}\n", "line 2"),
        (f"{CSV_HEADER}\na.jpg: {ROW}: {ROW.replace('1]', '9' * 400 + ']')}\n", "line 2"),
        (f"{CSV_HEADER}\na.jpg: {ROW}: {ROW.replace('1]', '9' * 5000 + ']')}\n", "line 2"),
        (f"{CSV_HEADER}\na.jpg: {ROW}: {ROW.replace('1]', '1e39]')}\n", "line 2"),
        (f"{CSV_HEADER}\na.jpg: {ROW}: {ROW.replace('1]', '-1e7]')}\n", "line 2"),
        (f"{CSV_HEADER}\na.jpg: {ROW}: {'[' * 5000}\n", "line 2"),
        (f"{CSV_HEADER}\na.jpg: {ROW}: {'[' * 100_000}\n", "line 2"),
        (f"{CSV_HEADER}\n{':' * 50}\n", "line 2"),
    ],
)
def test_csv_of_another_form(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "k.csv").write_text(text)
    with pytest.raises(Pg2Error, match=rf"k\.csv.*{words}"):
        read_keypoints_csv(tmp_path / "k.csv")


def test_csv_missing_or_binary(tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match="cannot read"):
        read_keypoints_csv(tmp_path / "k.csv")
    (tmp_path / "k.csv").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(Pg2Error, match="not a text file"):
        read_keypoints_csv(tmp_path / "k.csv")


def test_lists_that_are_far_too_large_are_not_read(tmp_path: Path) -> None:
    """Sparse files: nothing is on the disk."""
    for read, size in ((read_keypoints_csv, 256_000_000), (read_pairs_csv, 32_000_000)):
        with (tmp_path / "k.csv").open("wb") as file:
            file.truncate(size + 1)
        with pytest.raises(Pg2Error, match=rf"k\.csv is larger than {size // 1_000_000} MB"):
            read(tmp_path / "k.csv")


@settings(max_examples=50)
@given(st.text(st.sampled_from('[]{}:,"\\ \n\r\0a019.-e\x85'), max_size=200))
def test_any_lines_give_points_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    for start, read in ((CSV_HEADER + "\n", read_keypoints_csv), ("from,to\n", read_pairs_csv)):
        path.write_text(start + text, newline="")
        with contextlib.suppress(Pg2Error):
            read(path)


def test_pair_lists(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("from,to\na.jpg,b.jpg\nb.jpg,a.jpg\n")
    assert read_pairs_csv(path) == [("a.jpg", "b.jpg"), ("b.jpg", "a.jpg")]
    for text in ("", "from,to\n", "a,b\nc,d\n"):
        path.write_text(text)
        with pytest.raises(Pg2Error, match="not a pair list"):
            read_pairs_csv(path)
    path.write_text("from,to\n" + "a" * 200_000 + ",b\n")
    with pytest.raises(Pg2Error, match="cannot read"):
        read_pairs_csv(path)
    path.write_text("from,to\na.jpg\n")
    with pytest.raises(Pg2Error, match="both names"):
        read_pairs_csv(path)
    with pytest.raises(Pg2Error, match="cannot read"):
        read_pairs_csv(tmp_path / "nowhere.csv")


def test_two_spellings_of_deepfashion_are_one() -> None:
    one = spelling("fashionWOMENTees_Tanksid0000790303_7additional.jpg")
    assert spelling("fasionWOMENTeesTanksid0000790303_7additional.jpg") == one
    assert spelling("fashionWOMENTees_Tanksid0000790303_1front.jpg") != one
    assert spelling("fashionMENTees_Tanksid0000790303_7additional.jpg") != one
    assert spelling("fashionWOMENTees_Tanksid0000790302_7additional.jpg") != one
    for name in ("0002_c1s1_000451_03.jpg", "fashion_week/1_2.jpg", "fasion.jpg"):
        assert spelling(name) == name


def test_keypoints_as_json_go_round() -> None:
    points = np.random.default_rng(0).uniform(-9, 900, (18, 2)).astype(np.float32)
    points[5] = np.nan
    written = json.dumps(to_list(points))
    read = TypeAdapter(PointList).validate_json(written, strict=True)
    np.testing.assert_array_equal(from_list(read), points)
    assert to_list(points)[5] is None
    assert to_list(points.round(1), 3)[0] == [round(float(value), 1) for value in points[0]]


@pytest.mark.parametrize("point", ["[1, 1e7]", "[NaN, 1]", "[1]", "[1, 2, 3]", "7"])
def test_keypoints_in_json_that_are_none(point: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(PointList).validate_json(f"[{', '.join([point] * 18)}]")
    with pytest.raises(ValidationError):
        TypeAdapter(PointList).validate_json("[" + ", ".join(["[1, 2]"] * 17) + "]")
