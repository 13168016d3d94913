"""What each setting of a protocol does to the score of one and the same set of pictures.

    pg2 evaluate MODEL DATA --pairs CSV --out scores --store pictures
    python benchmarks/protocols.py pictures --generated refined

Prints the table of docs/protocols.md.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from pg2.evaluation.classifier import Classifier
from pg2.evaluation.distributions import frechet_distance, inception_score, kernel_distance
from pg2.evaluation.stored import StoredPictures
from pg2.io.progress import tracked

Picture = npt.NDArray[np.uint8]


def paper(a: Picture, b: Picture) -> float:
    """SSIM by the paper's protocol."""
    return float(structural_similarity(a, b, channel_axis=-1, data_range=255))


def gaussian(a: Picture, b: Picture, data_range: int | None = None) -> float:
    """SSIM by the later protocol; its range is that of the generated picture unless given."""
    return float(
        structural_similarity(
            b,
            a,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=data_range or max(int(a.max()) - int(a.min()), 1),
        )
    )


def window(a: Picture, b: Picture, side: int) -> float:
    """The paper's SSIM with windows of another size."""
    return float(structural_similarity(a, b, channel_axis=-1, data_range=255, win_size=side))


def grey(a: Picture, b: Picture) -> float:
    """SSIM of the luminance alone."""
    one, other = (np.asarray(Image.fromarray(picture).convert("L")) for picture in (a, b))
    return float(structural_similarity(one, other, data_range=255))


def as_jpeg(a: Picture, b: Picture, quality: int) -> float:
    """The paper's SSIM of a generated picture that was stored as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(a).save(buffer, "JPEG", quality=quality)
    return paper(np.asarray(Image.open(buffer)), b)


def enlarged(a: Picture, b: Picture) -> float:
    """The paper's SSIM after both pictures were enlarged twice."""
    size = (2 * a.shape[1], 2 * a.shape[0])
    one, other = (np.asarray(Image.fromarray(p).resize(size, Image.Resampling.BICUBIC)) for p in (a, b))
    return paper(one, other)


def inside(a: Picture, b: Picture, mask: Picture) -> float:
    """SSIM averaged over the body's pixels alone, nothing blackened."""
    _, values = structural_similarity(a, b, channel_axis=-1, data_range=255, full=True)
    return float(values.mean(axis=2)[mask > 0].mean()) if mask.any() else float("nan")


def boxed(a: Picture, b: Picture, mask: Picture) -> float:
    """The paper's SSIM with everything outside the body's bounding box cut away."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows) or min(np.ptp(rows), np.ptp(columns)) < 7:
        return float("nan")
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return paper(a[part], b[part])


def pair_scores(width: int) -> dict[str, Callable[[Picture, Picture, Picture, Picture], float]]:
    """Every setting of a score of a pair: generated, target, target mask, source mask -> score."""
    found: dict[str, Callable[[Picture, Picture, Picture, Picture], float]] = {
        "SSIM, the paper's: 7x7 uniform windows, RGB, range 255": lambda a, b, m, s: paper(a, b),
        "SSIM, Gaussian windows, range of the generated picture": lambda a, b, m, s: gaussian(a, b),
        "SSIM, Gaussian windows, range 255": lambda a, b, m, s: gaussian(a, b, 255),
        "SSIM, 11x11 uniform windows": lambda a, b, m, s: window(a, b, 11),
        "SSIM, 51x51 uniform windows": lambda a, b, m, s: window(a, b, 51),
        "SSIM, luminance alone": lambda a, b, m, s: grey(a, b),
        "SSIM, generated pictures stored as JPEG of quality 75": lambda a, b, m, s: as_jpeg(a, b, 75),
        "SSIM, both enlarged twice": lambda a, b, m, s: enlarged(a, b),
        "mask-SSIM, target's mask, mean over the frame (the paper's)": lambda a, b, m, s: paper(
            a * m[..., None], b * m[..., None]
        ),
        "mask-SSIM, source's mask (the released script)": lambda a, b, m, s: paper(
            a * s[..., None], b * s[..., None]
        ),
        "SSIM over the body's pixels alone": lambda a, b, m, s: inside(a, b, m),
        "SSIM within the body's bounding box": lambda a, b, m, s: boxed(a, b, m),
    }
    if width >= 256:
        edge = (width - 176) // 2
        found["SSIM, side borders cut: the middle 176 columns"] = lambda a, b, m, s: paper(
            a[:, edge : edge + 176], b[:, edge : edge + 176]
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", type=Path, help="what `pg2 evaluate --store` made")
    parser.add_argument("--generated", default="refined", help="folder of the generated pictures in it")
    given = parser.parse_args()
    stored = StoredPictures(
        given.pictures / given.generated,
        given.pictures / "target",
        sources=given.pictures / "source",
        masks=given.pictures / "target_mask",
        source_masks=given.pictures / "source_mask",
    )
    judge = Classifier()
    scores: dict[str, list[float]] = {}
    copied: dict[str, list[float]] = {}
    looks = {side: [] for side in ("generated", "target", "source")}  # type: ignore[var-annotated]
    probabilities, known, seen = [], {}, 0  # type: ignore[var-annotated]
    with torch.inference_mode():
        for parts in tracked(stored.batches(16), "scoring", total=-(-len(stored) // 16)):
            arrays = {side: tensor.permute(0, 2, 3, 1).numpy() for side, tensor in parts.items()}
            settings = pair_scores(arrays["target"].shape[2])
            for number in range(len(arrays["target"])):
                known.setdefault(arrays["target"][number].tobytes(), seen)
                seen += 1
                a, b, c = (arrays[side][number] for side in ("generated", "target", "source"))
                masks = [arrays[f"{side}_mask"][number][..., 0] for side in ("target", "source")]
                for name, setting in settings.items():
                    scores.setdefault(name, []).append(setting(a, b, *masks))
                    copied.setdefault(name, []).append(setting(c, b, *masks))
            for side in looks:
                look = judge.look(parts[side])
                looks[side].append(look.pooled)
                if side == "generated":
                    probabilities.append(look.probabilities)
    print(f"\n{len(stored):,} pairs of {given.pictures.name}/{given.generated}\n")
    print("| setting | generated | copied source |\n|---|---|---|")
    for name, values in scores.items():
        print(f"| {name} | {np.nanmean(values):.3f} | {np.nanmean(copied[name]):.3f} |")
    said = torch.cat(probabilities)
    features = {side: torch.cat(parts) for side, parts in looks.items()}
    first = list(known.values())
    order = torch.randperm(len(said), generator=torch.Generator().manual_seed(0))
    print("\n| setting | generated |\n|---|---|")
    print(
        f"| EfficientNet-Lite0 IS, 10 splits in the order of the pairs | {inception_score(said).mean:.3f} |"
    )
    print(f"| the same, shuffled first | {inception_score(said[order]).mean:.3f} |")
    print(f"| the same, all in one | {inception_score(said, 1).mean:.3f} |")
    tenth = inception_score(said[: len(said) // 10])
    print(f"| the same, 10 splits, the first tenth of the pictures | {tenth.mean:.3f} |")
    generated, target = features["generated"], features["target"]
    print(
        f"| EfficientNet-Lite0 FID, to the target of every pair | {frechet_distance(generated, target):.2f} |"
    )
    print(f"| the same, to every target picture once | {frechet_distance(generated, target[first]):.2f} |")
    few = order[: max(len(said) // 10, 2)]
    print(f"| the same, a tenth of the pictures | {frechet_distance(generated[few], target[few]):.2f} |")
    print(f"| the same, to the source pictures | {frechet_distance(generated, features['source']):.2f} |")
    kernel = kernel_distance(generated, target).mean
    print(f"| EfficientNet-Lite0 KID, to the target of every pair | {kernel:.4f} |")
    print(f"| the same, a tenth of the pictures | {kernel_distance(generated[few], target[few]).mean:.4f} |")


if __name__ == "__main__":
    main()
