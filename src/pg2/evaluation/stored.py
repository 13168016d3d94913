"""Scoring pictures that are there already, anyone's: two folders, or the panels that peers publish."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from pg2.errors import Pg2Error
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.measuring import Measuring
from pg2.evaluation.scores import COPY, Evaluation
from pg2.evaluation.tally import Tally
from pg2.io.devices import tf32
from pg2.io.picture_files import SUFFIXES, pictures_below
from pg2.io.pictures import load_image
from pg2.io.pixels import Image8
from pg2.io.progress import tracked
from pg2.pose.estimator import NoPersonError, PoseEstimator
from pg2.pose.formats import read_keypoints_csv
from pg2.pose.keypoints import COUNT
from pg2.pose.maps import pose_mask

GENERATED = "generated"
"""The row of the pictures that are scored."""

PANELS = ("source", "target", "generated")
"""What a panel may be called; any other name is skipped over."""

AUTO = "auto"

_SMALLEST = 11  # pixels a side, those of the largest window of SSIM

_Value = TypeVar("_Value")
_Files = list[dict[str, Path]]
_Names = list[dict[str, str]]


def pictures_in(folder: str | Path) -> list[Path]:
    """The picture files of a folder and the folders below it, by name.

    Raises:
        Pg2Error: no such folder, or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise Pg2Error(f"there is no folder {folder}; give one with pictures")
    files = pictures_below(folder)
    if not files:
        raise Pg2Error(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return files


def _name_in(folder: Path, file: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def _panel_names(name: str) -> dict[str, str]:
    """The names on a panel: SOURCE.jpg___TARGET.jpg_vis, as one line of work has it, says two."""
    source, between, target = name.removesuffix("_vis").partition("___")
    if not between:
        return dict.fromkeys(PANELS, name)
    ends = (PurePosixPath(end).with_suffix("").as_posix() for end in (source, target))
    return dict(zip(("source", "target"), ends, strict=True)) | {"generated": name}


def _in_natural_order(file: Path) -> list[tuple[int, str]]:
    """A key that puts 2_made behind 1_made and before 10_made."""
    return [
        (int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", file.as_posix())
    ]


def _by_name(found: Mapping[str, _Value]) -> dict[str, _Value]:
    """By path without ending, and by its last part alone where that is of one path only."""
    paths = {PurePosixPath(name).with_suffix("").as_posix(): value for name, value in found.items()}
    last = [PurePosixPath(path).name for path in paths]
    times = Counter(last)
    alone = {name: value for name, value in zip(last, paths.values(), strict=True) if times[name] == 1}
    return alone | paths


class StoredPictures:
    """Generated pictures and their targets, matched; with sources, masks and keypoints where there are any.

    Attributes:
        pairs: (generated, target) names, in the order in which they are scored.
    """

    def __init__(
        self,
        generated: str | Path,
        target: str | Path | None = None,
        *,
        sources: str | Path | None = None,
        panels: Sequence[str] = (),
        masks: str | Path | None = None,
        source_masks: str | Path | None = None,
        by_order: bool = False,
    ) -> None:
        """Match the files; nothing is read yet.

        Args:
            generated: a folder of generated pictures; with `panels` of panels beside each other.
            target: a folder of the real ones, of the same names without their endings.
            sources: a folder of the source pictures, likewise; for the row of copied sources.
            panels: names of the panels from left to right, such as source, target, generated. Files called
                SOURCE___TARGET_vis say the names of both, for `masks` and `source_masks`.
            masks: where the targets' pose masks come from: a folder of mask pictures (0 is background), a
                keypoint CSV in the published format, or "auto": from poses that are found on the targets.
                Masks and keypoints have the names of the targets.
            source_masks: the same for the sources, with the names of the sources.
            by_order: match the files of the folders by their order in place of their names; 2 comes before
                10.

        Raises:
            Pg2Error: an absent folder, unequal numbers or names, or a combination that makes no sense.
        """
        self._panels = [name.strip() for name in panels]
        if self._panels:
            if target is not None or sources is not None:
                raise Pg2Error("--panels takes one folder: targets and sources are panels of its pictures")
            for needed in ("target", "generated"):
                if self._panels.count(needed) != 1:
                    raise Pg2Error(
                        f"--panels must name {needed} once, as in source,target,generated, not "
                        f'"{",".join(self._panels)}"'
                    )
            files = pictures_in(generated)
            self._files: _Files = [{"panels": file} for file in files]
            self._names: _Names = [_panel_names(_name_in(Path(generated), file)) for file in files]
        else:
            if target is None:
                raise Pg2Error("give a folder of generated and one of target pictures, or --panels")
            folders = {"generated": Path(generated), "target": Path(target)}
            if sources is not None:
                folders["source"] = Path(sources)
            self._files, self._names = _matched(folders, by_order)
        self.pairs = [(names["generated"], names["target"]) for names in self._names]
        self._has_source = "source" in (self._panels or self._files[0])
        if source_masks is not None and not self._has_source:
            raise Pg2Error(
                "--source-masks needs the source pictures: give --sources, or panels that show them"
            )
        if (
            str(masks).lower().endswith(".csv")
            and str(masks) == str(source_masks)
            and all(names["source"] == names["target"] for names in self._names)
        ):
            raise Pg2Error(
                f"{masks} has one pose for each name, and sources and targets have the same names: give "
                "--source-masks another file"
            )
        self._masks = {"target": masks, "source": source_masks}
        self._size: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self._files)

    @cached_property
    def _estimator(self) -> PoseEstimator:
        return PoseEstimator(thorough=True)

    @cached_property
    def _tables(self) -> dict[str, dict[str, np.ndarray]]:
        found = {}
        for side, masks in self._masks.items():
            if masks is not None and Path(masks).suffix.lower() == ".csv":
                found[side] = _by_name(read_keypoints_csv(masks))
        return found

    def pictures(self, index: int) -> dict[str, Image8]:
        """The pictures of one pair: "generated", "target" and perhaps "source"."""
        name, files = self._names[index]["generated"], self._files[index]
        if self._panels:
            whole = load_image(files["panels"])
            width = whole.shape[1]
            if width % len(self._panels):
                raise Pg2Error(
                    f"{files['panels']} is {width} pixels wide, which does not divide into "
                    f"{len(self._panels)} panels"
                )
            parts = np.split(whole, len(self._panels), axis=1)
            found = {panel: part for panel, part in zip(self._panels, parts, strict=True) if panel in PANELS}
        else:
            found = {side: load_image(file) for side, file in files.items()}
        for picture in found.values():
            size = (picture.shape[0], picture.shape[1])
            if min(size) < _SMALLEST:
                raise Pg2Error(
                    f"{name} is {size[0]}x{size[1]} pixels; SSIM needs {_SMALLEST} a side at least"
                )
            self._size = self._size or size
            if size != self._size:
                raise Pg2Error(
                    f"pictures of different sizes cannot be scored together: {name} is {size[0]}x{size[1]} "
                    f"where others are {self._size[0]}x{self._size[1]}; bring them to one size first"
                )
        return found

    def _keypoints(self, index: int, side: str, picture: Image8) -> np.ndarray | None:
        """Keypoints [18, 2] from the CSV, or estimated; None where masks come from elsewhere."""
        masks, name = self._masks[side], self._names[index][side]
        if masks is None:
            return None
        if str(masks) == AUTO:
            try:
                return self._estimator.estimate(picture).points
            except NoPersonError:
                return np.full((COUNT, 2), np.nan, dtype=np.float32)
        table = self._tables.get(side)
        if table is None:
            return None
        if name not in table:
            raise Pg2Error(f"{masks} has no keypoints for {name}; one line for each picture is needed")
        points = table[name]
        height, width = picture.shape[:2]
        if (np.nan_to_num(points) > (width, height)).any():
            raise Pg2Error(
                f"{masks} has keypoints of {name} outside its {height}x{width} pixels: they are of another "
                "size or crop"
            )
        return points

    def _mask(self, index: int, side: str, picture: Image8, points: np.ndarray | None) -> Tensor | None:
        """The pose mask of a picture, uint8 [1, H, W] in {0, 1}; None where none are given."""
        folder, name = self._masks[side], self._names[index][side]
        if folder is None:
            return None
        size = (picture.shape[0], picture.shape[1])
        if points is not None:
            return pose_mask(torch.from_numpy(np.array(points))[None], size)[0].to(torch.uint8)
        found = self._mask_files[side].get(name)
        if found is None:
            raise Pg2Error(f"{folder} has no mask called {name}; one for each picture is needed")
        mask = load_image(found)
        if mask.shape[:2] != size:
            raise Pg2Error(
                f"the mask {found} is {mask.shape[0]}x{mask.shape[1]}, its picture {size[0]}x{size[1]}"
            )
        # Some keep 0 and 1, others 0 and 255, which JPEG blurs.
        body = mask.max(axis=2) > (0 if mask.max() <= 1 else 127)
        if not body.any():
            raise Pg2Error(f"the mask {found} is black: it shows no body")
        return torch.from_numpy(body.astype(np.uint8))[None]

    @cached_property
    def _mask_files(self) -> dict[str, dict[str, Path]]:
        return {
            side: _by_name({_name_in(Path(folder), file) + file.suffix: file for file in pictures_in(folder)})
            for side, folder in self._masks.items()
            if folder is not None and str(folder) != AUTO and side not in self._tables
        }

    def batches(self, size: int = 16) -> Iterator[dict[str, Tensor]]:
        """Stacked tensors: "generated", "target" and perhaps "source" uint8 [B, 3, H, W]; perhaps
        "target_mask" and "source_mask" uint8 [B, 1, H, W], and "keypoints" float [B, 18, 2].

        Raises:
            Pg2Error: a damaged file, pictures of different sizes, a mask or keypoints that are missing.
        """
        for start in range(0, len(self), size):
            parts: dict[str, list[Tensor]] = {}
            indices = range(start, min(start + size, len(self)))
            for index in indices:
                pictures = self.pictures(index)
                for side, picture in pictures.items():
                    parts.setdefault(side, []).append(torch.from_numpy(picture.copy()).permute(2, 0, 1))
                    if side not in self._masks:
                        continue
                    points = self._keypoints(index, side, picture)
                    if points is not None and side == "target":
                        parts.setdefault("keypoints", []).append(torch.from_numpy(np.array(points)))
                    mask = self._mask(index, side, picture, points)
                    if mask is not None:
                        parts.setdefault(f"{side}_mask", []).append(mask)
            yield {key: torch.stack(values) for key, values in parts.items()}


def _matched(folders: dict[str, Path], by_order: bool) -> tuple[_Files, _Names]:
    found = {side: pictures_in(folder) for side, folder in folders.items()}
    counts = {len(files) for files in found.values()}
    if len(counts) > 1:
        numbers = ", ".join(f"{folders[side]} {len(files):,}" for side, files in found.items())
        raise Pg2Error(f"the folders hold different numbers of pictures: {numbers}; one for one is needed")
    if by_order:
        found = {side: sorted(files, key=_in_natural_order) for side, files in found.items()}
    files = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
    names = [{side: _name_in(folders[side], file) for side, file in row.items()} for row in files]
    for row in [] if by_order else names:
        for side, other in row.items():
            if other != row["generated"]:
                raise Pg2Error(
                    f"the folders' pictures have other names: {folders['generated']} has {row['generated']} "
                    f"where {folders[side]} has {other}; rename them, or match them by order with --by-order"
                )
    return files, [dict.fromkeys(PANELS, row["generated"]) | row for row in names]


def score_stored(
    stored: StoredPictures,
    instruments: Instruments,
    training: str | Path | None = None,
    progress: bool = True,
) -> Evaluation:
    """Score stored pictures by the same protocols as a model.

    Args:
        stored: the pictures.
        instruments: for scores that need networks, and where all scores are computed.
        training: a folder of training pictures, for the distances to them.
        progress: show a progress bar when stderr is a terminal.

    Raises:
        Pg2Error: see `StoredPictures.batches`.
    """
    known: list[Tensor | None] = [None] * len(instruments.judges)
    if training is not None:
        if not instruments.judges:
            raise Pg2Error("distances to training pictures need pg2[metrics], or --inception")
        next(stored.batches(1))  # what cannot be scored is refused before the long look at them
        with tf32(False):
            known = [torch.cat(parts) for parts in zip(*_features(training, instruments), strict=True)]
    tally, measuring = Tally(instruments, len(stored), known), Measuring(instruments, len(stored))
    size = 16
    with torch.inference_mode(), tf32(False):
        batches = stored.batches(size)
        for start in tracked(range(0, len(stored), size), "scoring", progress):
            found = next(batches)
            # Published pictures do not say which of them are one: their pixels do.
            names = {
                side: _digests(found[side]) for side in ("source", "target", "target_mask") if side in found
            }
            parts = {name: tensor.to(instruments.device) for name, tensor in found.items()}
            rows = {COPY: parts["source"]} if "source" in parts else {}
            measured = measuring.batch(
                rows | {GENERATED: parts["generated"]},
                parts["target"],
                names["target"],
                which=tally.judged[start : start + size],
                target_mask=parts.get("target_mask"),
                source_mask=parts.get("source_mask"),
                keypoints=parts.get("keypoints"),
                real={COPY: names["source"]} if "source" in names else None,
                masked_names=[
                    target + mask
                    for target, mask in zip(
                        names["target"], names.get("target_mask", names["target"]), strict=True
                    )
                ],
            )
            tally.add(measured)
    return tally.evaluation(stored.pairs)


def _digests(pictures: Tensor) -> list[str]:
    """What tells pictures [B, C, H, W] apart, a text a picture."""
    return [sha256(picture.numpy().tobytes()).hexdigest() for picture in pictures]


def _features(folder: str | Path, instruments: Instruments) -> Iterator[list[Tensor]]:
    for file in pictures_in(folder):
        image = torch.from_numpy(load_image(file).copy()).permute(2, 0, 1)[None]
        yield [judge.look(image.to(instruments.device)).pooled for judge in instruments.judges]
