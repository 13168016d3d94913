"""Whether pg2's Inception of 2015 is that of torch-fidelity: both with the same random weights.

    pip download --no-deps torch-fidelity==0.4.0
    python benchmarks/inception.py torch_fidelity-0.4.0-py3-none-any.whl

It is no test because torch-fidelity as a whole needs torchvision; its Inception alone, read from the wheel,
does not.
"""

import argparse
import importlib
import sys
import tempfile
import types
from pathlib import Path

import torch
from torch import nn

from pg2.evaluation.inception import Inception, InceptionV3


def lively() -> InceptionV3:
    """Random weights whose signal neither dies nor explodes on the way."""
    network = InceptionV3()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.bias):
                assert values is not None
                nn.init.normal_(values, std=0.1)
            for values in (module.running_var, module.weight):
                assert values is not None
                nn.init.uniform_(values, 0.5, 1.5)
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path, help="torch-fidelity, as downloaded")
    wheel = parser.parse_args().wheel.resolve()
    # A package without its own first lines, which import all the rest.
    package = types.ModuleType("torch_fidelity")
    package.__path__ = [str(wheel / "torch_fidelity")]
    sys.modules["torch_fidelity"] = package
    module = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")

    torch.manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 128, 64), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        weights = Path(folder) / "random.pth"
        torch.save(lively().state_dict(), weights)
        theirs = module.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(weights)
        ).eval()
        features, logits = theirs(images)
        ours = Inception(weights).look(images)
    probabilities = logits.softmax(1)
    for name, a, b in (("features", ours.pooled, features), ("p(y|x)", ours.probabilities, probabilities)):
        print(
            f"{name}: largest difference {float((a - b).abs().max()):.1e}, mean {float(b.abs().mean()):.1e}"
        )


if __name__ == "__main__":
    main()
