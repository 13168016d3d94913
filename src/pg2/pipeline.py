"""Photo + pose -> picture: the one door that the command line and Python users come through."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pg2.errors import Pg2Error
from pg2.io.pictures import MAX_PIXELS, MIN_SIDE, load_image, to_rgb
from pg2.io.pixels import Image8, to_images
from pg2.models.pg2 import PG2, PG2Output
from pg2.pose.estimator import PoseEstimator
from pg2.pose.framing import Framing
from pg2.pose.keypoints import Pose
from pg2.pose.maps import pose_input
from pg2.pose.named import NAMES, named_pose
from pg2.pose.skeleton import draw_skeleton
from pg2.reports.grids import strip

Photo = str | Path | bytes | Image.Image | Image8
"""A picture file, the content of one, a Pillow image, or uint8 RGB [H, W, 3]."""


@dataclass(frozen=True)
class Source:
    """A photo, and the person on it cut to a model's frame.

    Attributes:
        photo: as it was given.
        framing: where on the photo the frame lies.
        image: uint8 RGB [h, w, 3], what the frame shows.
    """

    photo: Photo = field(repr=False)
    framing: Framing
    image: Image8 = field(repr=False)


@dataclass(frozen=True)
class Result:
    """What one photo and one pose gave. All pictures are in the model's frame, but for `full_size`.

    Attributes:
        image: the result: refined by a two-stage model, coarse by a one-stage model.
        coarse: stage I.
        difference: what stage II adds, grey where nothing (half its strength, so that it fits into 8 bits);
            None for a one-stage model.
        pose: the target pose, in the frame.
        source: the photo, cut to the frame around the person.
        skeleton: the target pose, drawn.
        full_size: the photo with the result pasted over the person at the photo's scale.
    """

    image: Image.Image
    coarse: Image.Image
    difference: Image.Image | None
    pose: Pose
    _source: Source

    @property
    def source(self) -> Image.Image:
        """The photo, cut to the frame around the person."""
        return Image.fromarray(self._source.image)

    @property
    def full_size(self) -> Image.Image:
        """The photo with the result pasted over the person at the photo's scale."""
        pasted = self._source.framing.paste(_array(self._source.photo), np.asarray(self.image))
        return Image.fromarray(pasted)

    @cached_property
    def skeleton(self) -> Image.Image:
        """The target pose, drawn."""
        return Image.fromarray(_skeleton(self.pose))

    @property
    def strip(self) -> Image.Image:
        """Source, target skeleton, stage I, difference map and result beside each other, with headings."""
        shown = {"source": self.source, "target pose": self.skeleton, "stage I": self.coarse}
        if self.difference is not None:
            shown |= {"difference map": self.difference, "result": self.image}
        return Image.fromarray(strip([np.asarray(picture) for picture in shown.values()], list(shown)))


def _skeleton(pose: Pose) -> Image8:
    assert pose.size is not None
    return to_images(draw_skeleton(torch.from_numpy(pose.points.copy())[None], pose.size))[0]


class Pipeline:
    """Puts the person of a photo into a pose, with a trained model. It only infers.

    >>> pipe = Pipeline.from_pretrained("fast/market1501")
    >>> pipe("photo.jpg", "walking").image.save("walking.png")
    """

    def __init__(self, model: PG2) -> None:
        self.model = model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_pretrained(cls, model: str | Path, **options: Any) -> "Pipeline":
        """Load a shipped model by name, a model folder, or a model on the Hugging Face hub. See `PG2`."""
        return cls(PG2.from_pretrained(model, **options))

    def save_pretrained(self, folder: str | Path, **options: Any) -> None:
        """Write the model as a folder of config.json and model.safetensors. See `huggingface_hub`'s mixin."""
        self.model.save_pretrained(folder, **options)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload the model to the Hugging Face hub. See `huggingface_hub`'s mixin."""
        return str(self.model.push_to_hub(repo_id, **options))

    @property
    def frame(self) -> tuple[int, int]:
        """(height, width) of the pictures that the model makes."""
        frame: tuple[int, int] = self.model.config.frame
        return frame

    @cached_property
    def estimator(self) -> PoseEstimator:
        """Finds people on photos; loaded when first needed."""
        return PoseEstimator()

    def to(self, device: str | torch.device) -> "Pipeline":
        """Move the model to a device, such as "cuda"."""
        self.model.to(device)
        return self

    def run(self, source: Tensor, keypoints: Tensor) -> PG2Output:
        """The model on tensors that are in its frame already.

        Args:
            source: image [B, 3, H, W] in [-1, 1].
            keypoints: target pose [B, 18, 2], (x, y) in pixels of the frame, NaN where missing.

        Returns:
            images [B, 3, H, W] on the CPU.
        """
        device = next(self.model.parameters()).device
        with torch.inference_mode():
            pose = pose_input(keypoints.to(device), self.frame, **self.model.config.pose.model_dump())
            output = self.model(source.to(device), pose)
            image, coarse, difference = (None if part is None else part.float().cpu() for part in output)
        assert image is not None
        assert coarse is not None
        return PG2Output(image, coarse, difference)

    def scored(self, source: Tensor, keypoints: Tensor) -> dict[str, Tensor]:
        """`run`, as the evaluation takes it: the picture of each stage by name."""
        output = self.run(source, keypoints)
        return {"coarse": output.coarse} | ({} if output.difference is None else {"refined": output.image})

    def target_pose(self, pose: Pose | Photo, person: int | None = None) -> Pose:
        """A pose in the model's frame from a `Pose`, a named pose, an OpenPose JSON file or a photo.

        Raises:
            Pg2Error: it is none of these, or shows nobody.
        """
        given = pose
        if isinstance(pose, str) and pose.replace("_", "-") in NAMES:
            pose = named_pose(pose)
        elif isinstance(pose, str | Path):
            if not Path(pose).exists():
                raise Pg2Error(
                    f'"{pose}" is neither a named pose ({", ".join(NAMES)}) nor a photo or JSON file'
                )
            pose = Pose.load(pose, person) if Path(pose).suffix.lower() == ".json" else load_image(pose)
        if not isinstance(pose, Pose):
            pose = self._pose_in(given, _array(pose), person)
        framed = Framing.around(pose, pose.size, self.frame).pose(pose)
        if not framed.present.any():
            raise Pg2Error("the target pose lies outside its picture")
        return framed

    def _pose_in(self, photo: Pose | Photo, image: Image8, person: int | None) -> Pose:
        try:
            return self.estimator.estimate(image, person)
        except Pg2Error as error:
            raise type(error)(f"{photo}: {error}" if isinstance(photo, str | Path) else str(error)) from error

    def prepare(self, photo: Photo, *, person: int | None = None, source_pose: Pose | None = None) -> Source:
        """The person of a photo, in the model's frame. See `__call__`; it touches no network but MoveNet."""
        image = _array(photo)
        found = self._pose_in(photo, image, person) if source_pose is None else source_pose
        framing = Framing.around(found, (image.shape[0], image.shape[1]), self.frame)
        return Source(photo, framing, framing.image(image))

    def make(self, sources: Sequence[Source], targets: Sequence[Pose]) -> list[Result]:
        """Each source in the target pose beside it, all in one run of the model.

        Args:
            sources: from `prepare`, at least one.
            targets: from `target_pose`, as many.
        """
        images = torch.from_numpy(np.stack([source.image for source in sources]))
        keypoints = torch.from_numpy(np.stack([target.points for target in targets]))
        output = self.run(images.permute(0, 3, 1, 2) / 127.5 - 1.0, keypoints)
        made, coarse = to_images(output.image), to_images(output.coarse)
        difference = None if output.difference is None else to_images(output.difference / 2)
        return [
            Result(
                image=Image.fromarray(made[number]),
                coarse=Image.fromarray(coarse[number]),
                difference=None if difference is None else Image.fromarray(difference[number]),
                pose=target,
                _source=source,
            )
            for number, (source, target) in enumerate(zip(sources, targets, strict=True))
        ]

    def __call__(
        self, photo: Photo, pose: Pose | Photo, *, person: int | None = None, source_pose: Pose | None = None
    ) -> Result:
        """The person of `photo` in `pose`.

        Args:
            photo: of any size; it is cut to the model's frame around the person. A photo that has the frame's
                proportions already is taken whole.
            pose: a `Pose`, the name of a pose that ships, an OpenPose JSON file, or another photo.
            person: which person of the photo, 0 being the largest; None takes the largest.
            source_pose: where the person stands in the photo, when known; it is estimated otherwise.

        Raises:
            Pg2Error: a file that is not what it should be, or a photo that shows nobody.
        """
        return self.grid(
            [photo], [pose], person=person, source_poses=None if source_pose is None else [source_pose]
        )[0][0]

    def grid(
        self,
        photos: Sequence[Photo],
        poses: Sequence[Pose | Photo],
        *,
        person: int | None = None,
        pose_person: int | None = None,
        source_poses: Sequence[Pose] | None = None,
    ) -> list[list[Result]]:
        """Every photo in every pose: a row a photo, a column a pose. See `__call__`."""
        targets = [self.target_pose(pose, pose_person) for pose in poses]
        rows = []
        for number, photo in enumerate(photos):
            known = None if source_poses is None else source_poses[number]
            source = self.prepare(photo, person=person, source_pose=known)
            rows.append(self.make([source] * len(targets), targets))
        return rows


def _array(photo: Photo) -> Image8:
    """A photo as uint8 RGB [H, W, 3]."""
    if isinstance(photo, str | Path | bytes):
        return load_image(photo)
    if isinstance(photo, Image.Image):
        photo = np.asarray(to_rgb(photo))
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise Pg2Error(f"a photo is an array uint8 [H, W, 3], not {photo.dtype} {list(photo.shape)}")
    if min(photo.shape[:2]) < MIN_SIDE or photo.shape[0] * photo.shape[1] > MAX_PIXELS:
        raise Pg2Error(f"a photo of {photo.shape[1]} x {photo.shape[0]} pixels is too small or too large")
    return photo
