"""The folder of a rendered person."""

import json
from pathlib import Path

import pytest

from pg2.errors import Pg2Error
from pg2.rendering.folders import read_person

POINTS = [[1, 2], None, *([[3, 4]] * 16)]
WHOLE = {"record": {"person": 0, "images": []}, "keypoints": {"00000/00.jpg": POINTS}}


@pytest.mark.parametrize(
    "damaged",
    [
        [],
        {},
        {**WHOLE, "record": []},
        {**WHOLE, "record": {"person": 0}},
        {**WHOLE, "keypoints": [POINTS]},
        {**WHOLE, "keypoints": {"00000/00.jpg": 5}},
        {**WHOLE, "keypoints": {"00000/00.jpg": POINTS[1:]}},
        {**WHOLE, "keypoints": {"00000/00.jpg": [[1, 2, 3]] * 18}},
        {**WHOLE, "keypoints": {"00000/00.jpg": [["x", "y"]] * 18}},
    ],
)
def test_a_damaged_record_is_refused(tmp_path: Path, damaged: object) -> None:
    file = tmp_path / ".record.json"
    file.write_text(json.dumps(WHOLE))
    assert read_person(tmp_path) == (WHOLE["record"], WHOLE["keypoints"])
    file.write_text(json.dumps(damaged))
    with pytest.raises(Pg2Error, match=r"\.record\.json is damaged; remove .* renders this person anew"):
        read_person(tmp_path)
