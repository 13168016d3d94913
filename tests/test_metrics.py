"""The scores agree with scikit-image and hold their invariants."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torch.nn import functional as F

from pg2 import metrics


def natural(seed: int, size: tuple[int, int] = (128, 64)) -> Tensor:
    """A smooth field with edges, texture and noise: uint8 [1, 3, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 4, generator=generator)
    picture = F.interpolate(coarse, size, mode="bicubic") * 200
    picture[..., size[0] // 4 : size[0] // 2, size[1] // 4 :] += 60
    picture += 8 * torch.randn(picture.shape, generator=generator)
    return picture.clamp(0, 255).round().to(torch.uint8)


def noise(seed: int, size: tuple[int, int] = (128, 64)) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, 3, *size), generator=generator, dtype=torch.uint8)


def flat(value: int) -> Tensor:
    return torch.full((1, 3, 128, 64), value, dtype=torch.uint8)


PAIRS = {
    "natural": (natural(0), natural(1)),
    "nearly alike": (natural(0), (natural(0).float() * 0.9 + 10).to(torch.uint8)),
    "random": (noise(0), noise(1)),
    "natural and random": (natural(2), noise(2)),
    "identical": (natural(3), natural(3)),
    "flat target": (natural(4), flat(90)),
    "both flat": (flat(0), flat(255)),
    "low contrast": (flat(100) + noise(5) // 128, flat(100) + noise(6) // 128),
}


def pictures(pair: tuple[Tensor, Tensor]) -> list[np.ndarray]:
    return [picture[0].permute(1, 2, 0).numpy() for picture in pair]


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())
def test_ssim_is_that_of_scikit_image(pair: tuple[Tensor, Tensor]) -> None:
    a, b = pictures(pair)
    expected = structural_similarity(a, b, channel_axis=-1, data_range=255)
    assert metrics.ssim(*pair).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("pair", [p for n, p in PAIRS.items() if n != "both flat"])
def test_ssim_gaussian_is_that_of_scikit_image(pair: tuple[Tensor, Tensor]) -> None:
    generated, target = pictures(pair)
    expected = structural_similarity(
        target,
        generated,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=int(generated.max()) - int(generated.min()),
    )
    assert metrics.ssim_gaussian(*pair).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("size", [(139, 203), (7, 7), (11, 300)])
def test_ssim_of_any_size_is_that_of_scikit_image(size: tuple[int, int]) -> None:
    """Computed in tiles and a few planes at a time: no window is lost between them, or counted twice."""
    pair = torch.cat([natural(7, size), noise(7, size)]), torch.cat([natural(8, size), natural(7, size)])
    for number in range(2):
        a, b = pictures((pair[0][number:], pair[1][number:]))
        expected = structural_similarity(a, b, channel_axis=-1, data_range=255)
        assert metrics.ssim(*pair)[number].item() == pytest.approx(expected, abs=1e-9)
        as_float = metrics.ssim(pair[0].float(), pair[1].float())[number].item()
        assert as_float == pytest.approx(expected, abs=1e-9)
        if min(size) < 11:
            continue
        expected = structural_similarity(
            b,
            a,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=int(a.max()) - int(a.min()),
        )
        assert metrics.ssim_gaussian(*pair)[number].item() == pytest.approx(expected, abs=1e-9)


def test_a_flat_generated_picture_still_has_a_gaussian_score() -> None:
    assert metrics.ssim_gaussian(flat(7), flat(7)).item() == pytest.approx(1.0)
    assert abs(metrics.ssim_gaussian(flat(7), natural(0)).item()) < 0.1


def test_the_two_protocols_differ() -> None:
    pair = PAIRS["natural"]
    assert abs((metrics.ssim(*pair) - metrics.ssim_gaussian(*pair)).item()) > 1e-3


def test_mask_ssim_blackens_the_background_and_counts_it() -> None:
    a, b = PAIRS["natural"]
    mask = torch.zeros(1, 1, 128, 64)
    mask[..., 30:100, 20:40] = 1
    x, y = (picture * mask[0].permute(1, 2, 0).numpy().astype(np.uint8) for picture in pictures((a, b)))
    expected = structural_similarity(x, y, channel_axis=-1, data_range=255)
    assert metrics.mask_ssim(a, b, mask).item() == pytest.approx(expected, abs=1e-9)
    assert metrics.mask_ssim(a, b, torch.zeros_like(mask)).item() == pytest.approx(1.0)


def test_psnr_and_l1() -> None:
    a, b = PAIRS["natural"]
    x, y = pictures((a, b))
    assert metrics.psnr(a, b).item() == pytest.approx(peak_signal_noise_ratio(x, y, data_range=255))
    assert metrics.l1(a, b).item() == pytest.approx(np.abs(x.astype(float) - y).mean())
    assert metrics.psnr(a, a).item() == metrics.MAX_PSNR


def test_sharpness_of_a_ramp_is_its_slope_and_blur_lowers_it() -> None:
    ramp = torch.arange(64.0).expand(1, 3, 32, 64) * 3
    assert metrics.sharpness(ramp).item() == pytest.approx(3.0)
    assert metrics.sharpness(flat(80)).item() == pytest.approx(0.0, abs=1e-9)
    sharp = natural(0)
    blurred = F.avg_pool2d(sharp.float(), 3, 1, 1)
    assert metrics.sharpness(blurred).item() < 0.7 * metrics.sharpness(sharp).item()


def test_a_batch_scores_as_its_pictures_alone_and_as_float() -> None:
    a = torch.cat([natural(seed, (24, 20)) for seed in range(11)])
    b = torch.cat([natural(seed, (24, 20)) for seed in range(11, 22)])
    for score in (metrics.ssim, metrics.ssim_gaussian, metrics.psnr, metrics.l1):
        together = score(a, b)
        assert together.shape == (11,)
        assert together.dtype == torch.float64
        alone = torch.cat([score(x[None], y[None]) for x, y in zip(a, b, strict=True)])
        torch.testing.assert_close(together, alone)
        torch.testing.assert_close(score(a.float(), b.float()), together)


small = st.integers(0, 2**31).map(lambda seed: natural(seed, (16, 13)) if seed % 2 else noise(seed, (16, 13)))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(a=small, b=small)
def test_invariants(a: Tensor, b: Tensor) -> None:
    for score in (metrics.ssim, metrics.ssim_gaussian):
        assert score(a, a).item() == pytest.approx(1.0, abs=1e-12)
        assert -1.0 <= score(a, b).item() <= 1.0
    assert metrics.ssim(a, b).item() == pytest.approx(metrics.ssim(b, a).item(), abs=1e-12)
    mirrored = metrics.ssim(a.flip(-1), b.flip(-1)).item()
    assert metrics.ssim(a, b).item() == pytest.approx(mirrored, abs=1e-12)
    assert metrics.l1(a, b).item() == metrics.l1(b, a).item() >= 0
    assert metrics.psnr(a, b).item() == metrics.psnr(b, a).item()


@pytest.mark.parametrize(
    ("a", "b"),
    [((2, 3, 32, 32), (1, 3, 32, 32)), ((3, 32, 32), (3, 32, 32)), ((1, 1, 32, 32), (1, 1, 32, 32))],
)
def test_wrong_shapes_are_named(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one shape"):
        metrics.ssim(torch.zeros(a), torch.zeros(b))


def test_too_small_a_picture_is_refused() -> None:
    picture = torch.zeros(1, 3, 10, 10)
    assert metrics.ssim(picture, picture).item() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="at least 11"):
        metrics.ssim_gaussian(picture, picture)


def test_scores_stay_where_the_pictures_are() -> None:
    """On a device that has no values, only shapes, and refuses tensors of two places."""
    a, b = torch.empty(2, 4, 3, 32, 16, dtype=torch.uint8, device="meta")
    mask = torch.empty(4, 1, 32, 16, dtype=torch.uint8, device="meta")
    pairs = [score(a, b) for score in (metrics.ssim, metrics.ssim_gaussian, metrics.psnr, metrics.l1)]
    for scores in (*pairs, metrics.mask_ssim(a, b, mask), metrics.sharpness(a)):
        assert (scores.device.type, scores.shape, scores.dtype) == ("meta", (4,), torch.float64)


def test_a_device_without_float64_leaves_it_to_the_cpu() -> None:
    class OnMps(Tensor):
        device = torch.device("mps")

        def double(self) -> Tensor:
            raise TypeError("the MPS framework doesn't support float64")

        def cpu(self) -> Tensor:  # type: ignore[override]
            return self.as_subclass(Tensor)

    found = metrics.exact(torch.ones(2, 3).as_subclass(OnMps))
    assert (type(found), found.dtype, found.device.type) == (Tensor, torch.float64, "cpu")
