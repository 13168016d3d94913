"""The re-identification benchmark: its scores against a slow reference, its batches, a run of a few steps."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from data_samples import prepared_market

from pg2 import PG2
from pg2.data.prepared import PreparedDataset
from pg2.models.config import CoarseConfig, ModelConfig

BENCHMARK = Path(__file__).parents[2] / "benchmarks/reid.py"


@pytest.fixture(scope="module")
def reid() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_reid", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["benchmark_reid"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def data_and_model(folder: Path) -> PreparedDataset:
    """A data set of four training people, and a model for it, in folders `data` and `model`."""
    torch.manual_seed(0)
    config = ModelConfig(frame=(32, 16), coarse=CoarseConfig(width=8, blocks=2), refine=None)
    PG2(config).save(folder / "model")
    return prepared_market(folder / "data", (2, 7, 11, 30))


def slow_scores(distance: Any, people: Any, cameras: Any, queries: Any) -> tuple[float, float]:
    """Mean average precision and rank-1 by their definitions, a picture at a time."""
    averages, firsts = [], []
    for number, query in enumerate(queries):
        ranked = sorted(range(len(people)), key=lambda place: (distance[number][place], place))
        right, seen, precisions = 0, 0, []
        for place in ranked:
            if people[place] == people[query] and cameras[place] == cameras[query]:
                continue
            seen += 1
            if people[place] == people[query]:
                right += 1
                precisions.append(right / seen)
            if seen == 1:
                firsts.append(float(right))
        averages.append(sum(precisions) / len(precisions))
    return sum(averages) / len(averages), sum(firsts) / len(firsts)


def test_scores_are_those_of_a_slow_reference(reid: ModuleType) -> None:
    generator = np.random.default_rng(3)
    people, cameras = generator.integers(0, 9, 80), generator.integers(1, 4, 80)
    queries = reid.queries_of(people, cameras)
    assert len(queries) == len({(people[q], cameras[q]) for q in queries}) > 15
    # Whole numbers: many pictures are at the same distance.
    distance = generator.integers(0, 12, (len(queries), 80)).astype(float)
    scores = reid.retrieval(distance, people[queries], cameras[queries], people, cameras)
    assert scores == pytest.approx(slow_scores(distance, people, cameras, queries))
    assert 0 < scores[0] < 1


def test_scores_of_a_case_by_hand(reid: ModuleType) -> None:
    """The nearest picture is by the query's own camera and does not count; hits are then second and third."""
    people, cameras = np.array([1, 1, 2, 1, 1, 2]), np.array([1, 1, 1, 2, 3, 2])
    distance = np.array([[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]])
    scores = reid.retrieval(distance, people[:1], cameras[:1], people, cameras)
    assert scores == pytest.approx(((1 / 2 + 2 / 3) / 2, 0.0))
    with pytest.raises(ValueError, match="query 0 has no picture by another camera"):
        reid.retrieval(np.zeros((1, 2)), people[:1], cameras[:1], people[:2], cameras[:2])
    # Nobody else's camera saw person 3: no query.
    assert reid.queries_of(np.array([3, 3, 4, 4, 4]), np.array([1, 1, 1, 2, 2])).tolist() == [2, 3]


def test_batches_mix_made_pictures_of_the_same_person(reid: ModuleType) -> None:
    """The value of each picture says whose it is, and whether it was made."""
    values = torch.tensor([10, 10, 20, 30, 30, 30], dtype=torch.uint8)

    def pictures(shift: int, which: slice) -> Any:
        images = (values[which] + shift)[:, None, None, None].expand(-1, 3, 32, 16).contiguous()
        return reid.Pictures(images, values[which].numpy().astype(np.int64), np.ones(len(images), np.int64))

    real, made = pictures(0, slice(None)), pictures(100, slice(0, 3))
    batches = reid.Batches(reid.ARMS["transport-erasing"], real, made, 0, 0.5)
    shares = []
    for _ in range(40):
        images, labels = batches.next()
        assert images.shape == (3 * reid.EACH, 3, 32, 16)
        whose = torch.from_numpy(batches.people)[labels]
        found = images.flatten(1).long()
        # What is erased is of one value, the mean of the real pictures.
        erased = found == batches._mean[0]
        assert ((found % 100 == whose[:, None]) | erased).all()
        shares.append((found.amax(1)[whose < 30] > 100).float().mean())
        assert (found.amax(1)[whose == 30] < 100).all()  # of whom nothing was made
    assert 0.4 < torch.stack(shares).mean() < 0.6
    nothing = reid.Batches(reid.ARMS["transport"], real, made, 0, 0.0)
    assert max(int(nothing.next()[0].max()) for _ in range(20)) < 100
    again = reid.Batches(reid.ARMS["transport-erasing"], real, made, 0, 0.5)
    first = reid.Batches(reid.ARMS["transport-erasing"], real, made, 0, 0.5).next()[0]
    assert (again.next()[0] == first).all()


def test_a_run_of_a_few_steps(
    reid: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes on where it was stopped, and says what it stands on."""
    data = data_and_model(tmp_path)
    command = [
        "reid.py", str(data.path), str(tmp_path / "out"), "--model", str(tmp_path / "model"), "--steps", "2",
        "--share", "0.67", "--per-picture", "1", "--arms", "none,erasing,transport", "--seeds", "2",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", command)
    reid.main()
    said = capsys.readouterr().out
    assert "| none |" in said
    assert "| transport |" in said
    assert "the best plain arm" in said
    assert f"python {' '.join(command)}" in said
    files = {file: file.read_bytes() for file in (tmp_path / "out").glob("*.json")}
    assert len(files) == 6
    part = {data.records[index].name for index in reid.part_of(data, 0.67)}
    assert len(part) == 8
    text = (tmp_path / "out/made/transport/manifest.jsonl").read_text()
    for line in map(json.loads, text.splitlines()):
        assert {line["source"], line["pose"]} <= part
    # Same seed, same result; the others stay.
    again = tmp_path / "out/none-seed1.json"
    again.unlink()
    reid.main()
    for file, content in files.items():
        before, now = json.loads(content), json.loads(file.read_text())
        assert (before["mAP"], before["settings"]) == (pytest.approx(now["mAP"]), now["settings"])
        assert file == again or file.read_bytes() == content
    monkeypatch.setattr(sys, "argv", [*command[:-1], "1", "--steps", "3"])
    with pytest.raises(SystemExit, match="of other settings"):
        reid.main()


def test_settings_are_chosen_without_the_test_people(
    reid: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_and_model(tmp_path)
    seen: list[tuple[set[int], set[int], set[int]]] = []
    batches = reid.Batches

    def noted(arm: Any, real: Any, made: Any, *rest: Any) -> Any:
        own = set() if made is None else set(made.people.tolist())
        seen.append((set(real.people.tolist()), own, set()))
        return batches(arm, real, made, *rest)

    monkeypatch.setattr(reid, "Batches", noted)
    evaluated = reid.evaluated

    def looked_for(network: Any, test: Any) -> Any:
        seen[-1][2].update(test.people.tolist())
        return evaluated(network, test)

    monkeypatch.setattr(reid, "evaluated", looked_for)
    command = [
        "reid.py", str(data.path), str(tmp_path / "out"), "--model", str(tmp_path / "model"), "--steps", "1",
        "--share", "1", "--per-picture", "1", "--arms", "none,transport", "--seeds", "1", "--validation",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", command)
    reid.main()
    train = {int(record.person) for record in data.records if record.split == "train"}
    text = (tmp_path / "out/made/transport/manifest.jsonl").read_text()
    used = {int(line[name][:4]) for line in map(json.loads, text.splitlines()) for name in ("source", "pose")}
    for real, made, held_out in seen:
        assert not used & held_out
        assert held_out
        assert real | held_out == train
        assert not (real | made) & held_out
    assert seen[1][1]
    assert not seen[0][1]
    part = ["reid.py", str(data.path), "--share", "1", "--validation", "--write-part", str(tmp_path / "part")]
    monkeypatch.setattr(sys, "argv", part)
    reid.main()
    assert {int(record.person) for record in PreparedDataset(tmp_path / "part").records} == seen[0][0]
    monkeypatch.setattr(sys, "argv", command[:-1])
    with pytest.raises(SystemExit, match="of other settings"):
        reid.main()


def test_the_part_as_a_data_set(reid: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = prepared_market(tmp_path / "data")
    command = ["reid.py", str(data.path), "--share", "0.67", "--write-part", str(tmp_path / "part")]
    monkeypatch.setattr(sys, "argv", command)
    reid.main()
    part = PreparedDataset(tmp_path / "part")
    assert [record.name for record in part.records] == [
        data.records[index].name for index in reid.part_of(data, 0.67)
    ]
    assert {record.split for record in part.records} == {"train"}
    with pytest.raises(SystemExit, match="give a new folder"):
        reid.main()
