"""A model to be scored, made of functions, and a data set in memory."""

from collections import Counter
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from pg2.errors import Pg2Error
from pg2.io.pixels import Image8, to_unit
from pg2.models.inputs import Inputs, Output, PictureInfo

Stage = Callable[[Tensor, Tensor], Tensor]
"""From source pictures [B, 3, H, W] in [-1, 1] and target poses [B, 18, 2] to pictures."""


class FakeModel:
    """The interface of a `Pipeline`, with a function for each of its stages: none, one or two."""

    def __init__(self, *stages: Stage, device: torch.device | str = "cpu") -> None:
        self._stages, self.device = stages, torch.device(device)
        named = {"coarse": PictureInfo("stage I"), "difference": PictureInfo("difference map", "difference")}
        self.pictures = dict(list(named.items())[: len(stages)])

    def run(self, inputs: Inputs) -> Output:
        inputs = inputs.to(self.device)
        source = to_unit(inputs.source)
        made = [stage(source, inputs.target_keypoints) for stage in self._stages]
        shown = [*made[:1], *(refined - made[0] for refined in made[1:])]
        return Output(made[-1] if made else source, dict(zip(self.pictures, shown, strict=True)))

    def results(self, output: Output) -> Mapping[str, Tensor]:
        if not self._stages:
            return {}
        images = {"coarse": output.pictures["coarse"], "refined": output.image}
        return dict(list(images.items())[: len(self._stages)])


def darker(source: Tensor, keypoints: Tensor) -> Tensor:
    """A stage I: the source at half its contrast."""
    return source * 0.5


class FakeData:
    """The interface of `PreparedDataset`, in memory; each picture shows another person.

    Attributes:
        decoded: how often each picture was.
    """

    def __init__(self, pictures: dict[str, Image8], keypoints: np.ndarray) -> None:
        self.has_geometry = False
        self.frame = next(iter(pictures.values())).shape[:2]
        self.records = [SimpleNamespace(name=name, person=name) for name in pictures]
        self.keypoints = keypoints
        self.decoded: Counter[int] = Counter()
        self._pictures = list(pictures.values())

    def image(self, index: int) -> Image8:
        self.decoded[index] += 1
        return self._pictures[index]

    def index_of(self, name: str) -> int:
        for index, record in enumerate(self.records):
            if record.name == name:
                return index
        raise Pg2Error(f"no {name}")


def noise(count: int, level: Callable[[int], int] = lambda _: 0, high: int = 256) -> FakeData:
    """`count` pictures "0.jpg", "1.jpg", ... of 32x16: noise below `high` on a grey level each."""
    rng = np.random.default_rng(0)
    pictures = {
        f"{i}.jpg": (rng.integers(0, high, (32, 16, 3)) + level(i)).astype(np.uint8) for i in range(count)
    }
    keypoints = rng.uniform((0, 0), (16, 32), (count, 18, 2)).astype(np.float32)
    keypoints[:, 12:] = np.nan
    return FakeData(pictures, keypoints)


def stacked(data: FakeData, names: list[str]) -> Tensor:
    """The pictures of those names, uint8 [B, 3, H, W]."""
    pictures = [data.image(data.index_of(name)) for name in names]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
