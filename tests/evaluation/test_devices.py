"""Scores are the same wherever they are computed; the numbers of pairs come back."""

from pathlib import Path
from typing import Any

import pytest
import torch
from evaluation_samples import FakeModel, darker, noise
from torch import Tensor

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.evaluation.classifier import Classifier
from pg2.evaluation.instruments import Instruments, instruments
from pg2.evaluation.protocol import evaluate, training_features
from pg2.evaluation.scores import Evaluation
from pg2.evaluation.stored import StoredPictures, score_stored

PAIRS = [(f"{number % 5}.jpg", f"{number * 3 % 5}.jpg") for number in range(12)]
DATA: Any = noise(5)


def tinted(source: Tensor, keypoints: Tensor) -> Tensor:
    return source * 0.5 + keypoints.nanmean((1, 2)).view(-1, 1, 1, 1) / 100


def accelerator() -> torch.device:
    device = torch.accelerator.current_accelerator()
    assert device is not None
    return device


def tools(device: torch.device | str) -> Instruments:
    return Instruments([Classifier(device)], device=device)


def assert_alike(found: Evaluation, wanted: Evaluation) -> None:
    assert found.rows.keys() == wanted.rows.keys()
    for row, scores in wanted.rows.items():
        for score, values in scores.items():
            assert found.rows[row][score].device.type == "cpu"
            torch.testing.assert_close(found.rows[row][score], values, rtol=1e-3, atol=1e-3)
        for score, estimate in wanted.sets[row].items():
            mean = found.sets[row][score].mean
            assert mean == pytest.approx(estimate.mean, rel=1e-2, abs=1e-2), (row, score)


def test_there_is_no_such_device() -> None:
    with pytest.raises(Pg2Error, match='there is no device "nowhere" here'):
        instruments(bodies=0, device="nowhere")
    assert instruments(bodies=0, device="cpu").device == torch.device("cpu")


@pytest.mark.gpu
@pytest.mark.parametrize(("model_there", "scores_there"), [(True, True), (True, False), (False, True)])
def test_an_accelerator_gives_the_scores_of_the_cpu(
    tiny: PreparedDataset, model_there: bool, scores_there: bool
) -> None:
    """Pictures are brought to where they are scored."""

    def scored(model_at: torch.device | str, scored_at: torch.device | str) -> Evaluation:
        looking = tools(scored_at)
        model = FakeModel(darker, tinted, device=model_at)
        training = training_features(tiny, looking, progress=False)
        return evaluate(model, DATA, PAIRS, instruments=looking, training=training, progress=False)

    places = [accelerator() if there else "cpu" for there in (model_there, scores_there)]
    assert_alike(scored(*places), scored("cpu", "cpu"))


@pytest.mark.gpu
def test_an_accelerator_scores_stored_pictures_alike(tmp_path: Path) -> None:
    model = FakeModel(darker, device=accelerator())
    evaluate(model, DATA, PAIRS, store=tmp_path / "kept", progress=False)
    folders = [tmp_path / "kept" / name for name in ("coarse", "target", "source", "target_mask")]
    found, wanted = (
        score_stored(
            StoredPictures(*folders[:2], sources=folders[2], masks=folders[3]),
            tools(device),
            folders[2],
            progress=False,
        )
        for device in (accelerator(), "cpu")
    )
    assert_alike(found, wanted)


@pytest.mark.gpu
def test_without_instruments_scores_are_computed_where_the_model_runs() -> None:
    found, wanted = (
        evaluate(FakeModel(darker, device=device), DATA, PAIRS, progress=False)
        for device in (accelerator(), "cpu")
    )
    assert_alike(found, wanted)
