"""CONTRIBUTING's "a new second stage" and "a new loss", done: both trained end to end by the present loop."""

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
import torch
from pydantic import Discriminator, Field, Tag
from rich.console import Console
from torch import Tensor, nn

from pg2.data.prepared import PreparedDataset
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.pair_lists import all_test_pairs
from pg2.evaluation.protocol import pictures_of
from pg2.evaluation.run import score_and_report
from pg2.io.pixels import to_unit
from pg2.io.tensors import load_tensors
from pg2.models import pg2 as model_file
from pg2.models.config import DifferenceConfig, ModelConfig, StageNetwork, kind_of
from pg2.models.inputs import Inputs, Output, PictureInfo
from pg2.models.pg2 import PG2
from pg2.models.refine import build_refiner
from pg2.models.refine.difference import DifferenceRefiner
from pg2.models.stage import Refiner
from pg2.pipeline import Pipeline
from pg2.pose.keypoints import Pose
from pg2.training.loop import train
from pg2.training.recipe import load_recipe
from pg2.training.settings import Losses, Recipe, StageConfig
from pg2.training.terms import Ready, Term


class BlendConfig(StageNetwork):
    """Settings of a second stage: a file under models/refine/, a member of the union."""

    kind: Literal["blend"] = "blend"

    @property
    def multiple(self) -> int:
        return 1


class Blend(Refiner):
    """How much of the source to lay over the coarse picture, place by place."""

    config: BlendConfig
    pictures: ClassVar = {"mask": PictureInfo("mask", "mask")}

    def __init__(self, config: BlendConfig) -> None:
        super().__init__()
        self.config = config
        self.conv = nn.Conv2d(6, 1, 3, padding=1)

    def forward(self, inputs: Inputs, coarse: Tensor) -> Output:
        source = to_unit(inputs.source)
        mask = self.conv(torch.cat((source, coarse), 1)).float().sigmoid()
        return Output(mask * source + (1 - mask) * coarse, {"mask": mask})

    def start_from(self, start: Refiner, factor: int) -> None:
        self.check_fits(start, {})
        self.load_state_dict(start.state_dict())


RefineConfig = Annotated[
    Annotated[DifferenceConfig, Tag("difference")] | Annotated[BlendConfig, Tag("blend")],
    Discriminator(kind_of),
]


class WiderModel(ModelConfig):
    refine: RefineConfig | None = DifferenceConfig()


def blurred(image: Tensor, network: nn.Module) -> Tensor:
    """The pure function of the term."""
    blurry: Tensor = network(image)
    return blurry


class BlurTerm(Term):
    """L1 of what a frozen network sees; a class in training/losses.py, a field of `Losses`."""

    weight: float = Field(0.0, ge=0)
    size: int = 3

    def network(self) -> nn.Module:
        conv = nn.Conv2d(3, 3, self.size, padding=self.size // 2, bias=False)
        nn.init.constant_(conv.weight, 1 / 27)
        return conv

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        assert network is not None
        return (blurred(output.image, network) - blurred(ready.target, network)).abs().mean()


class WiderLosses(Losses):
    blur: BlurTerm = BlurTerm()


class WiderStage(StageConfig):
    losses: WiderLosses = WiderLosses()


class WiderRecipe(Recipe):
    model: WiderModel = WiderModel()
    coarse: WiderStage
    refined: WiderStage | None = None


@pytest.fixture
def trained(tiny: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of both; the recipe that it leaves is read by the wider settings."""

    def build(config: Any, frame: tuple[int, int]) -> Refiner:
        return Blend(config) if isinstance(config, BlendConfig) else build_refiner(config, frame)

    monkeypatch.setattr(model_file, "build_refiner", build)
    monkeypatch.setattr(model_file, "ModelConfig", WiderModel)
    values = load_recipe("debug").model_dump(mode="json")
    values["model"]["refine"] = {"kind": "blend"}
    values["refined"]["losses"] = {"l1": {"weight": 2}, "blur": {"weight": 3, "after": 2}}
    recipe = WiderRecipe.model_validate(values)
    assert set(recipe.refined.losses.terms) == {"l1", "blur"}  # type: ignore[union-attr]
    train(recipe, tiny, tmp_path / "run", Console(quiet=True))
    return tmp_path / "run"


def test_a_new_second_stage_and_a_new_loss_need_no_change_of_the_loop(trained: Path) -> None:
    tensors, metadata = load_tensors(trained / "refined/checkpoint.safetensors")
    assert json.loads(metadata["checkpoint"])["progress"]["step"] == 8
    weights = {name: value for name, value in tensors.items() if name.startswith("module/generator/")}
    assert set(weights) == {"module/generator/conv.weight", "module/generator/conv.bias"}
    assert not any("blur" in name for name in tensors), "what a term looks with is not the run's to keep"
    assert list((trained / "refined/samples").glob("*.png"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained / "refined/log"))
    events.Reload()
    assert "refined/blur" in events.Tags()["scalars"]


def test_reports_show_its_pictures(trained: Path, tiny: PreparedDataset, tmp_path: Path) -> None:
    pipeline = Pipeline(PG2.from_pretrained(trained / "refined/model"))
    pairs = all_test_pairs(tiny)[:3]
    shown = pictures_of(pipeline, tiny, pairs)
    assert list(shown) == ["source", "target", "stage I", "mask", "result"]
    score_and_report(
        tmp_path / "scores", pipeline, tiny, pairs, name="toy", data_name="tiny", instruments=Instruments()
    )
    rows = json.loads((tmp_path / "scores/scores.json").read_text())["rows"]
    assert list(rows) == ["copy source", "stage I (coarse)", "stage II (refined)"]


def test_names_that_mean_something_else_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DifferenceRefiner, "pictures", {"strip": PictureInfo("strip")})
    with pytest.raises(ValueError, match="names or headings that are taken"):
        PG2(ModelConfig.model_validate(load_recipe("debug").model.model_dump()))


def test_its_pictures_reach_everybody_by_name(trained: Path) -> None:
    model = PG2.from_pretrained(trained / "refined/model")
    assert isinstance(model.refine, Blend)
    assert list(model.pictures) == ["coarse", "mask"]
    photo = torch.randint(0, 256, (32, 16, 3), dtype=torch.uint8).numpy()
    pose = Pose((torch.rand(18, 2) * 14 + 1).numpy(), (32, 16))
    result = Pipeline(model)(photo, pose, source_pose=pose)
    assert list(result.pictures) == ["coarse", "mask"]
    mask = torch.tensor(result.pictures["mask"].getdata())
    assert bool((mask[:, 0] == mask[:, 2]).all()), "a mask is grey"
    assert result.strip.width > 5 * 16
