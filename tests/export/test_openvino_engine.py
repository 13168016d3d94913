"""OpenVINO's engine: what of a source is worked out once, and that nobody gets another one's."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pg2.export import openvino_engine
from pg2.export.check import random_inputs
from pg2.export.graph import INPUTS, Graph
from pg2.export.openvino_engine import OpenVino, runs_bf16
from pg2.pose.keypoints import Points

pytest.importorskip("openvino")


@pytest.fixture(params=[False, True])
def rough(request: pytest.FixtureRequest) -> bool:
    if request.param and not runs_bf16():
        pytest.skip("this processor does not compute in bf16")
    return bool(request.param)


@pytest.mark.parametrize("together", [1, 2])
def test_each_picture_is_of_its_own_source(
    exported: Path, rough: bool, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sources that come again, alone and in batches, in another pose, with another pose of their own."""
    pictures, own, wanted = random_inputs((64, 32), 4)
    moved = own.copy()
    moved[:, 4] += 3
    turns = [(0, 0, 1), (0, 0, 2), (1, 1, 2), (0, 0, 2), (0, 1, 2), (3, 3, 0), (3, 3, 1)]
    order = [(*turn, poses) for turn in turns for poses in (own, moved)]
    graph = Graph.open(exported, "openvino", rough=rough, threads=1)

    def draw(source: int, pose: int, target: int, poses: Points) -> dict[str, npt.NDArray[np.generic]]:
        places = ((pictures, source), (poses, pose), (wanted, target))
        return graph(*(np.repeat(part[number : number + 1], together, 0) for part, number in places))

    made = [draw(*turn) for turn in order]
    monkeypatch.setattr(openvino_engine, "_same", lambda before, now: False)
    for found, turn in zip(made, order, strict=True):
        for name, expected in draw(*turn).items():
            np.testing.assert_array_equal(found[name], expected, name)


def test_what_the_source_says_is_worked_out_once(
    exported: Path, rough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bool] = []
    same = openvino_engine._same
    monkeypatch.setattr(openvino_engine, "_same", lambda *given: found.append(same(*given)) or found[-1])
    engine = OpenVino(exported.read_bytes(), source=INPUTS[:2], rough=rough, threads=1)
    pictures, own, wanted = random_inputs((64, 32), 4)  # of the last source there is no pose

    def draw(source: int, target: int) -> None:
        numbers = zip(INPUTS, (pictures, own, wanted), (source, source, target), strict=True)
        engine.run({name: part[number : number + 1] for name, part, number in numbers})

    for source, target in ((0, 1), (0, 2), (1, 2), (3, 0), (3, 1)):
        draw(source, target)
    assert found == [True, False, False, True]


def test_a_photo_that_is_changed_in_place_is_another_one(exported: Path, rough: bool) -> None:
    pictures, own, wanted = random_inputs((64, 32), 1)
    graph = Graph.open(exported, "openvino", rough=rough, threads=1)
    before = graph(pictures, own, wanted)["image"]
    pictures[:] = 255 - pictures
    after = graph(pictures, own, wanted)["image"]
    assert np.abs(after.astype(int) - before).mean() > 5
