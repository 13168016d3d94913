"""Curves as SVG."""

import re
from xml.etree import ElementTree

from pg2.reports.curves import chart


def test_points_lie_where_their_values_say() -> None:
    figure = chart("SSIM", {"a": [(0, 0.0), (50, 0.5), (100, 1.0)], "<b>": [(0, 1.0), (100, 1.0)]}, "steps")
    root = ElementTree.fromstring(figure.replace("&#9632;", "*"))
    lines = [line.attrib["points"] for line in root.iter("polyline")]
    first = [tuple(map(float, point.split(","))) for point in lines[0].split()]
    assert first[0][0] < first[1][0] < first[2][0]
    assert first[0][1] > first[1][1] > first[2][1], "more is higher up"
    assert abs(first[1][0] - (first[0][0] + first[2][0]) / 2) < 0.1
    second = [tuple(map(float, point.split(","))) for point in lines[1].split()]
    assert second[0][1] == second[1][1] == first[2][1]
    assert "&lt;b&gt;" in figure
    colours = re.findall(r'stroke="(#\w+)"', figure)
    assert len(set(colours)) == 2


def test_one_point_and_many_curves_are_drawn_too() -> None:
    figure = chart("L1", {str(number): [(3, 2.0)] for number in range(20)}, "steps")
    assert len(ElementTree.fromstring(figure.replace("&#9632;", "*")).findall(".//polyline")) == 20
