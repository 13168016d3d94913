"""A second stage that fetches learns, on the people that ship, what neither copying nor stage I can do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from pg2.data.loader import assemble
from pg2.data.pairs import Pairs
from pg2.data.prepared import PreparedDataset
from pg2.data.sources.folder import prepare_folder
from pg2.io.packaged import SAMPLES
from pg2.io.pixels import to_unit
from pg2.models.pg2 import PG2
from pg2.pose.maps import pose_mask
from pg2.training.loop import train
from pg2.training.recipe import load_recipe

SETTINGS = [
    "model.frame=[64, 64]",
    "model.coarse={width: 16, blocks: 3, bottleneck: 32, unshuffle: 2}",
    "model.refine={kind: transport, widths: [16, 32, 32], finish: 16, radius: 3}",
    "data.validation_people=0",
    "coarse={steps: 100, batch: 8, lr: 2.0e-3}",
    "refined={steps: 200, batch: 8, lr: 2.0e-3, clip: 1}",
    "refined.losses={l1: {weight: 1}, warped: {weight: 1}, painted: {weight: 0.5}, copied: {weight: 0.3}}",
    "refined.losses.silhouette.weight=0.3",
]


@pytest.mark.filterwarnings("ignore:.*knows no exact flow")
def test_transport_beats_copying_and_stage_one_on_the_body(tmp_path: Path) -> None:
    prepare_folder(SAMPLES, tmp_path / "data", (64, 64))
    data = PreparedDataset(tmp_path / "data")
    folder = train(load_recipe("debug", SETTINGS), data, tmp_path / "run", Console(quiet=True))
    model = PG2.from_pretrained(folder)
    usable = data.usable("train")
    pairs = Pairs([data.records[index].person for index in usable], usable)
    chosen = np.random.default_rng(0).choice(len(pairs), 64, replace=False)
    batch = assemble(data, [(*pairs[int(number)], False) for number in chosen])
    with torch.no_grad():
        output = model(batch.inputs)
    target, mask = to_unit(batch.target), pose_mask(batch.inputs.target_keypoints, (64, 64))

    def on_the_body(picture: torch.Tensor) -> float:
        return float(((picture - target).abs() * mask).sum() / (3 * mask.sum()))

    copied, coarse = on_the_body(to_unit(batch.inputs.source)), on_the_body(output.pictures["coarse"])
    made = on_the_body(output.image)
    assert made < 0.8 * min(coarse, copied), (made, coarse, copied)
