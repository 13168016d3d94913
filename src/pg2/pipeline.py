"""Photo + pose -> picture: the one door that the command line and Python users come through."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from pg2.errors import Pg2Error
from pg2.full_size import Fetched, at_full_size
from pg2.io.devices import choose_device, runs_bf16
from pg2.io.files import exists
from pg2.io.picture_files import MAX_PIXELS, called
from pg2.io.pictures import MIN_SIDE, load_image, load_shrunk, to_array
from pg2.io.pixels import Image8, from_images, to_images
from pg2.models.inputs import COPIED, PERSON, WARPED, Inputs, Output, PictureInfo, shown
from pg2.models.pg2 import PG2
from pg2.pose.estimator import ENOUGH, PoseEstimator
from pg2.pose.facing import doubts
from pg2.pose.framing import Framing
from pg2.pose.keypoints import Pose
from pg2.pose.named import NAMES, named_pose, suggestion
from pg2.pose.placing import in_place as put_in_place
from pg2.pose.skeleton import draw_skeleton
from pg2.reports.grids import strip

Photo = str | Path | bytes | Image.Image | Image8
"""A picture file, the content of one, a Pillow image, or uint8 RGB [H, W, 3]."""


_BLURRED = 3.0  # pixels of the frame for one of the photo, from which on a result is seen to be blurred

# Told apart by those, too, who do not tell red from green (Okabe and Ito's blue and orange).
_COPIED_COLOUR, _INVENTED_COLOUR = (np.array(colour, np.float32) for colour in ((0, 114, 178), (230, 159, 0)))


class SourcePoseError(Pg2Error):
    """The pose that is said to be on a photo cannot be the one there."""


@dataclass(frozen=True)
class Source:
    """A photo, and the person on it cut to a model's frame.

    Attributes:
        photo: as it was given.
        framing: where on the photo the frame lies.
        image: uint8 RGB [h, w, 3], what the frame shows.
        pose: the person's pose, in the frame.
    """

    photo: Photo = field(repr=False)
    framing: Framing
    image: Image8 = field(repr=False)
    pose: Pose


@dataclass(frozen=True)
class Result:
    """What one photo and one pose gave. All pictures are in the model's frame, but for `full_size`.

    Attributes:
        image: the result, of the model's last stage.
        pictures: what the model made on the way, by name, in order: "coarse" (stage I), then those of its
            second stage, such as "difference". A difference is grey where there is none, at half its
            strength, so that it fits into 8 bits; a mask goes from black to white.
        headings: what each of them, and with a second stage the image, is called above it in the strip.
        pose: the target pose, in the frame.
        source: the photo, cut to the frame around the person.
        skeleton: the target pose, drawn.
        full_size: the photo with the result over the person at the photo's scale; what was copied from the
            photo is copied once more, at that scale. Where the model knows the person's outline, all else on
            the photo stays as it is.
        copied: which share of the person is fetched from the photo, 0 to 1; the rest is invented. None: the
            model does not say.
        doubts: what the photo does not tell of what the pose asks for; see `pg2.pose.facing.doubts`.
        about: `copied` and `doubts` as one sentence; "" where there is nothing to say.
        origin: what is copied (blue) and what is invented (orange); None: the model does not say.
    """

    image: Image.Image
    pictures: Mapping[str, Image.Image]
    headings: Mapping[str, str]
    pose: Pose
    copied: float | None
    _source: Source
    _changed: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    _places: npt.NDArray[np.float32] | None = field(default=None, repr=False)

    @property
    def named(self) -> dict[str, Image.Image]:
        """All pictures in the frame: image, those of the stages, source and skeleton."""
        return {"image": self.image, **self.pictures, "source": self.source, "skeleton": self.skeleton}

    @property
    def source(self) -> Image.Image:
        """The photo, cut to the frame around the person."""
        return Image.fromarray(self._source.image)

    @property
    def full_size(self) -> Image.Image:
        """The photo with the result over the person at the photo's scale."""
        framing, photo = self._source.framing, _array(self._source.photo)
        fetched = None
        if self._places is not None:
            share = np.asarray(self.pictures[COPIED].convert("L"))
            fetched = Fetched(self._places, np.asarray(self.pictures[WARPED]), share)
        return Image.fromarray(at_full_size(photo, framing, np.asarray(self.image), self._changed, fetched))

    @cached_property
    def doubts(self) -> tuple[str, ...]:
        """What the photo does not tell of what the pose asks for."""
        enlarged = max(self._source.framing.scale)
        small = f"a pixel of the photo is {enlarged:.0f} pixels of the result"
        return (*doubts(self._source.pose, self.pose), *([small] if enlarged >= _BLURRED else []))

    @property
    def about(self) -> str:
        """How much is known of the result, as one sentence without its full stop."""
        shares = ""
        if self.copied is not None:
            known = round(100 * self.copied)
            shares = f"{known} % of the person is copied from the photo, {100 - known} % is invented"
        return "; ".join(filter(None, (shares, *self.doubts)))

    @property
    def origin(self) -> Image.Image | None:
        """The result in grey, the person in blue where it is copied, in orange where it is invented."""
        if self.copied is None:
            return None
        copied, person = (
            np.asarray(self.pictures[name].convert("L"), np.float32)[..., None] / 255
            for name in (COPIED, PERSON)
        )
        grey = np.asarray(self.image.convert("L"), np.float32)[..., None]
        tint = copied * _COPIED_COLOUR + (person - copied) * _INVENTED_COLOUR + (1 - person) * 255
        return Image.fromarray((0.5 * grey + 0.5 * tint).round().clip(0, 255).astype(np.uint8))

    @cached_property
    def skeleton(self) -> Image.Image:
        """The target pose, drawn."""
        return Image.fromarray(_skeleton(self.pose))

    @property
    def strip(self) -> Image.Image:
        """Source, target skeleton, every stage's pictures and the result beside each other, with headings."""
        pictures, labels = self.named, {"source": "source", "skeleton": "target pose", **self.headings}
        return Image.fromarray(strip([np.asarray(pictures[name]) for name in labels], list(labels.values())))


def _skeleton(pose: Pose) -> Image8:
    assert pose.size is not None
    return to_images(draw_skeleton(torch.from_numpy(pose.points.copy())[None], pose.size))[0]


class Pipeline:
    """Puts the person of a photo into a pose, with a trained model. It only infers.

    >>> pipe = Pipeline.from_pretrained("fast/market1501")
    >>> pipe("photo.jpg", "walking").image.save("walking.png")
    """

    model: PG2
    dtype: torch.dtype

    def __init__(self, model: PG2, dtype: torch.dtype = torch.float32) -> None:
        """`dtype`: of the arithmetic; bfloat16, where the device has it, is faster and less exact."""
        if dtype not in (torch.float32, torch.bfloat16):
            raise Pg2Error(f"a model computes in float32 or bfloat16, not {dtype}")
        if dtype == torch.bfloat16 and not runs_bf16(model.device):
            warnings.warn("this processor has no bf16; the model computes in fp32", stacklevel=2)
            dtype = torch.float32
        self.dtype = dtype
        self.model = model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        background: str | None = None,
        **options: Any,
    ) -> "Pipeline":
        """Load a shipped model by name, a model folder, or a model on the Hugging Face hub.

        Args:
            model: see `PG2.from_pretrained`, and for further options.
            device: "cpu", "cuda", "mps", or "auto" for the fastest that is there.
            dtype: what the networks compute in: torch.float32 or torch.bfloat16.
            background: behind the person, "keep" (the photo's own) or "expected" (like training pictures');
                None: as the model was made. Models whose second stage fetches from the photo have the choice.

        Raises:
            Pg2Error: no such model, device or background, or a file that is damaged.
        """
        loaded = PG2.from_pretrained(model, device=choose_device(device), **options)
        if background is not None:
            loaded.set_background(background)
        return cls(loaded, dtype)

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
        self.model.to(choose_device(device))
        return self

    @property
    def pictures(self) -> Mapping[str, PictureInfo]:
        """The pictures that the model makes on the way. See `PG2.pictures`."""
        return self.model.pictures

    @property
    def tells_origin(self) -> bool:
        """Whether its results say what of them is copied and what invented: `Result.copied` and `origin`."""
        return {COPIED, PERSON} <= self.pictures.keys()

    def results(self, output: Output) -> Mapping[str, Tensor]:
        """The picture of each stage. See `PG2.results`."""
        return self.model.results(output)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.model.device

    def run(self, inputs: Inputs) -> Output:
        """The model on tensors that are in its frame already, wherever they are.

        Returns:
            float32 pictures on the model's device, and of the maps "changed" and "fetched", where there are.
        """
        rough = self.dtype == torch.bfloat16
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype) if rough else nullcontext():
            output = self.model(inputs.to(self.device))
        pictures = {name: picture.float() for name, picture in output.pictures.items()}
        maps = {name: part.float() for name, part in output.maps.items() if name in ("changed", "fetched")}
        return Output(output.image.float(), pictures, maps)

    def target_pose(self, pose: Pose | Photo, person: int | None = None) -> Pose:
        """A pose in the model's frame from a `Pose`, a named pose, an OpenPose JSON file or a photo.

        Raises:
            Pg2Error: it is none of these, or shows nobody.
        """
        given = pose
        if isinstance(pose, str) and pose.replace("_", "-") in NAMES:
            pose = named_pose(pose)
        elif isinstance(pose, str | Path):
            if not exists(pose):
                raise Pg2Error(
                    f'"{pose}" is neither a named pose nor a photo or JSON file; {suggestion(str(pose))}'
                )
            if Path(pose).suffix.lower() == ".json":
                pose = Pose.load(pose, person)
        if isinstance(pose, str | Path | bytes):
            image, size = load_shrunk(pose, ENOUGH)
            pose = self._pose_in(given, image, person).resize(size)
        if not isinstance(pose, Pose):
            pose = self._pose_in(given, _array(pose), person)
        framed = Framing.around(pose, pose.size, self.frame).pose(pose)
        if not framed.present.any():
            raise Pg2Error("the target pose lies outside its picture")
        return framed

    def _pose_in(self, photo: Pose | Photo, image: Image8, person: int | None) -> Pose:
        with _naming(photo):
            return self.estimator.estimate(image, person)

    def prepare(self, photo: Photo, *, person: int | None = None, source_pose: Pose | None = None) -> Source:
        """The person of a photo, in the model's frame. See `__call__`; it touches no network but MoveNet."""
        image = _array(photo)
        if source_pose is not None:
            return self._framed(photo, image, source_pose, _around_given)
        return self._framed(photo, image, self._pose_in(photo, image, person), Framing.around)

    def _framed(
        self,
        photo: Photo,
        image: Image8,
        pose: Pose,
        around: Callable[[Pose, tuple[int, int], tuple[int, int]], Framing],
    ) -> Source:
        framing = around(pose, (image.shape[0], image.shape[1]), self.frame)
        return Source(photo, framing, framing.image(image), framing.pose(pose))

    def prepare_everybody(self, photo: Photo) -> list[Source]:
        """Everybody on a photo, largest first, each in a frame around them. See `prepare`.

        Raises:
            Pg2Error: not a photo, or it shows nobody.
        """
        image = _array(photo)
        with _naming(photo):
            poses = self.estimator.everybody(image)
        return [self._framed(photo, image, pose, Framing.around) for pose in poses]

    def place(self, target: Pose, source: Source) -> Pose:
        """A pose of `target_pose` where the person of a photo stands, in their size (`pg2.pose.placing`).

        Raises:
            Pg2Error: there is nothing to go by, or nothing of the pose stays in the photo.
        """
        with _naming(source.photo):
            return put_in_place(target, source.pose, source.framing.shown)

    def make(
        self, sources: Sequence[Source], targets: Sequence[Pose], *, in_place: bool = False, batch: int = 16
    ) -> list[Result]:
        """Each source in the target pose beside it.

        In company a few values may differ by a grey level, because PyTorch then sums in another order.

        Args:
            sources: from `prepare`.
            targets: from `target_pose`, as many.
            in_place: put each pose where the source's person stands; see `place`.
            batch: pictures in one run of the model, at most; memory grows with it.
        """
        if len(sources) != len(targets):
            raise ValueError(f"{len(sources)} sources cannot take {len(targets)} poses, one each")
        if in_place:
            targets = [self.place(target, source) for source, target in zip(sources, targets, strict=True)]
        return [
            result
            for first in range(0, len(sources), batch)
            for result in self._make(sources[first : first + batch], targets[first : first + batch])
        ]

    def _make(self, sources: Sequence[Source], targets: Sequence[Pose]) -> list[Result]:
        """The same in one run of the model, of at least one."""
        poses = ([item.pose.points for item in sources], [target.points for target in targets])
        keypoints = [torch.from_numpy(np.stack(points)) for points in poses]
        output = self.run(Inputs(from_images([source.image for source in sources]), *keypoints))
        infos = self.pictures
        headings = {name: info.heading for name, info in infos.items()}
        if len(self.model.stages) > 1:  # with one, the image is its picture
            headings["image"] = "result"
        made = to_images(output.image)
        further = {
            name: to_images(shown(picture, infos[name].kind)) for name, picture in output.pictures.items()
        }
        copied: list[float | None] = [None] * len(sources)
        if self.tells_origin:
            fetched, person = (output.pictures[name].sum((1, 2, 3)) for name in (COPIED, PERSON))
            copied = (fetched / person.clamp_min(1.0)).clamp(0, 1).tolist()
        changed = None
        if "changed" in output.maps:
            changed = (output.maps["changed"][:, 0] * 255).round().clamp(0, 255).byte().cpu().numpy()
        places = None
        if "fetched" in output.maps and {COPIED, WARPED} <= output.pictures.keys():
            places = output.maps["fetched"].cpu().numpy()
        return [
            Result(
                image=Image.fromarray(made[number]),
                pictures={name: Image.fromarray(images[number]) for name, images in further.items()},
                headings=headings,
                pose=target,
                copied=copied[number],
                _source=source,
                _changed=None if changed is None else changed[number],
                _places=None if places is None else places[number],
            )
            for number, (source, target) in enumerate(zip(sources, targets, strict=True))
        ]

    def __call__(
        self,
        photo: Photo,
        pose: Pose | Photo,
        *,
        person: int | None = None,
        source_pose: Pose | None = None,
        in_place: bool = False,
    ) -> Result:
        """The person of `photo` in `pose`.

        Args:
            photo: of any size; it is cut to the model's frame around the person. A photo that has the frame's
                proportions already is taken whole.
            pose: a `Pose`, the name of a pose that ships, an OpenPose JSON file, or another photo.
            person: which person of the photo, 0 being the largest; None takes the largest.
            source_pose: where the person stands in the photo, when known; it is estimated otherwise.
            in_place: put the pose where the person stands, in their size: of half a person on the photo the
                result shows half, and nobody moves. Otherwise the pose fills the frame.

        Raises:
            SourcePoseError: `source_pose` lies in a picture of another size than the photo, or outside it.
            Pg2Error: a file that is not what it should be, or a photo that shows nobody.
        """
        known = None if source_pose is None else [source_pose]
        return self.grid([photo], [pose], person=person, source_poses=known, in_place=in_place)[0][0]

    def grid(
        self,
        photos: Sequence[Photo],
        poses: Sequence[Pose | Photo],
        *,
        person: int | None = None,
        pose_person: int | None = None,
        source_poses: Sequence[Pose] | None = None,
        in_place: bool = False,
    ) -> list[list[Result]]:
        """Every photo in every pose: a row a photo, a column a pose. See `__call__` and `make`."""
        targets = [self.target_pose(pose, pose_person) for pose in poses]
        rows = []
        for number, photo in enumerate(photos):
            known = None if source_poses is None else source_poses[number]
            source = self.prepare(photo, person=person, source_pose=known)
            rows.append(self.make([source] * len(targets), targets, in_place=in_place))
        return rows


@contextmanager
def _naming(photo: Pose | Photo) -> Iterator[None]:
    """Say of which file an error is."""
    try:
        yield
    except Pg2Error as error:
        name = called(photo)
        raise type(error)(str(error) if name is None else f"{name}: {error}") from error


def _around_given(pose: Pose, size: tuple[int, int], frame: tuple[int, int]) -> Framing:
    """The frame around a person on a photo of `size` whose pose is said to be `pose`."""
    if pose.size not in (None, size):
        raise SourcePoseError(
            f"the pose on the photo lies in a picture of {pose.size[0]}x{pose.size[1]} pixels, but the "
            f"photo has {size[0]}x{size[1]}"
        )
    try:
        return Framing.around(pose, size, frame)
    except Pg2Error as error:
        raise SourcePoseError(str(error)) from error


def _array(photo: Photo) -> Image8:
    """A photo as uint8 RGB [H, W, 3]."""
    if isinstance(photo, str | Path | bytes):
        return load_image(photo)
    if isinstance(photo, Image.Image):
        width, height = photo.size
    elif photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3:
        height, width = photo.shape[:2]
    else:
        raise Pg2Error(f"a photo is an array uint8 [H, W, 3], not {photo.dtype} {list(photo.shape)}")
    if min(width, height) < MIN_SIDE or width * height > MAX_PIXELS:
        raise Pg2Error(f"a photo of {height}x{width} pixels is too small or too large")
    return to_array(photo) if isinstance(photo, Image.Image) else photo
