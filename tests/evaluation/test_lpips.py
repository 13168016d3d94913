"""LPIPS with stand-in AlexNet weights and the learned channel weights of version 0.1."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pg2.errors import Pg2Error
from pg2.evaluation.lpips import Lpips

SHAPES = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    state: dict[str, Tensor] = {"classifier.6.bias": torch.zeros(1000)}
    for index, (outputs, inputs, size) in SHAPES.items():
        state[f"features.{index}.weight"] = torch.randn(outputs, inputs, size, size) * 0.05
        state[f"features.{index}.bias"] = torch.zeros(outputs)
    path = tmp_path_factory.mktemp("lpips") / "alexnet.pth"
    torch.save(state, path)
    return path


def by_hand(alexnet: Path, linear: list[Tensor], a: Tensor, b: Tensor) -> Tensor:
    """The published formula, written out."""
    state = torch.load(alexnet)

    def features(images: Tensor) -> list[Tensor]:
        shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
        scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
        x, found = ((images / 255 * 2 - 1) - shift) / scale, []
        for number, index in enumerate(SHAPES):
            if number in (1, 2):
                x = F.max_pool2d(x, 3, 2)
            stride, padding = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))[number]
            weight, bias = state[f"features.{index}.weight"], state[f"features.{index}.bias"]
            x = F.relu(F.conv2d(x, weight, bias, stride, padding))
            found.append(F.normalize(x, dim=1, eps=1e-10))
        return found

    layers = zip(features(a), features(b), linear, strict=True)
    return sum(((F.conv2d((x - y) ** 2, w)).mean((1, 2, 3)) for x, y, w in layers), torch.zeros(len(a)))


def test_the_formula(alexnet: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    linear = [torch.rand(1, shape[0], 1, 1) for shape in SHAPES.values()]
    file = tmp_path / "alex.pth"
    torch.save({f"lin{i}.model.1.weight": weight for i, weight in enumerate(linear)}, file)
    a, b = torch.randint(0, 256, (2, 3, 3, 80, 64)).float()
    lpips = Lpips(alexnet, file)
    found = lpips.distance(lpips.look(a), lpips.look(b))
    torch.testing.assert_close(found.float(), by_hand(alexnet, linear, a, b), rtol=1e-4, atol=1e-6)
    assert not lpips.distance(lpips.look(a), lpips.look(a)).any()


def test_the_learned_weights_come_with_torchmetrics(alexnet: Path) -> None:
    lpips = Lpips(alexnet)
    assert [weight.shape[1] for weight in lpips._weights] == [64, 192, 384, 256, 256]
    assert all((weight >= 0).all() for weight in lpips._weights)


def test_nothing_of_it_stays_on_the_cpu(alexnet: Path) -> None:
    lpips = Lpips(alexnet, device="meta")
    look = lpips.look(torch.empty(2, 3, 128, 64, dtype=torch.uint8, device="meta"))
    distance = lpips.distance(look, look)
    assert (distance.device.type, distance.shape, distance.dtype) == ("meta", (2,), torch.float64)


def test_wrong_files_are_named(alexnet: Path, tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match="there is no file"):
        Lpips(tmp_path / "absent.pth")
    with pytest.raises(Pg2Error, match="holds another network than LPIPS"):
        Lpips(alexnet, alexnet)
    text = tmp_path / "page.pth"
    text.write_text("<html>not found</html>")
    with pytest.raises(Pg2Error, match="cannot be read as the weights of AlexNet"):
        Lpips(text)
