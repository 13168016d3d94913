"""Photo + pose -> picture: the one door that the command line and Python users come through."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from pg2.errors import Pg2Error
from pg2.export.graph import Engine, Graph, is_exported
from pg2.io.files import exists
from pg2.io.picture_files import MAX_PIXELS, called
from pg2.io.pictures import MIN_SIDE, load_image, load_shrunk, to_array
from pg2.io.pixels import Image8, check_finite, from_images, to_images
from pg2.models.inputs import (
    CHANGED,
    COPIED,
    FETCHED,
    PERSON,
    WARPED,
    Inputs,
    Output,
    PictureInfo,
    as_bytes,
    from_bytes,
    results,
)
from pg2.pose.estimator import ENOUGH, PoseEstimator
from pg2.pose.facing import doubts, shown_by
from pg2.pose.framing import Framing
from pg2.pose.keypoints import Pose
from pg2.pose.named import is_named, named_pose, suggestion
from pg2.reports.grids import strip

# PyTorch takes a second to load, and an exported model does without it.
if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pg2.models.pg2 import PG2

Backend = Literal["torch", "onnx", "openvino"]
"""What a model runs on: PyTorch, onnxruntime, or OpenVINO (extra "openvino")."""

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
        from pg2.full_size import Fetched, at_full_size

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
    import torch

    from pg2.pose.skeleton import draw_skeleton

    assert pose.size is not None
    return to_images(draw_skeleton(torch.from_numpy(pose.points.copy())[None], pose.size))[0]


class Pipeline:
    """Puts the person of a photo into a pose, with a trained model. It only infers.

    >>> pipe = Pipeline.from_pretrained("fast/market1501")
    >>> pipe("photo.jpg", "walking").image.save("walking.png")
    """

    def __init__(self, model: "PG2 | Graph", dtype: "torch.dtype | str | None" = None) -> None:
        """A pipeline of a model, or of an exported one.

        Args:
            model: what makes the pictures.
            dtype: of a `PG2`'s arithmetic, torch.float32 (None, "fp32") or torch.bfloat16 ("bf16"), which is
                faster and less exact where the device has it.
        """
        self._graph = model if isinstance(model, Graph) else None
        self._model: PG2 | None = None
        if isinstance(model, Graph):
            self.rough = model.rough
            return
        import torch

        from pg2.io.devices import runs_bf16

        self.rough = _is_rough(dtype)
        if self.rough and not runs_bf16(model.device):
            warnings.warn("this processor has no bf16; the model computes in fp32", stacklevel=2)
            self.rough = False
        self._model = model.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        *,
        device: "str | torch.device" = "cpu",
        dtype: "torch.dtype | str | None" = None,
        background: str | None = None,
        backend: Backend | None = None,
        threads: int | None = None,
        **options: Any,
    ) -> "Pipeline":
        """Load a shipped model by name, a model folder, a file of `pg2 export`, or a model of the hub.

        Args:
            model: see `PG2.from_pretrained`, and for further options; or an exported model, FILE.onnx.
            device: "cpu", "cuda", "mps", or "auto" for the fastest that is there.
            dtype: what the networks compute in: torch.float32 (None, "fp32") or torch.bfloat16 ("bf16").
            background: behind the person, "keep" (the photo's own) or "expected" (like training pictures');
                None: as the model was made. Models whose second stage fetches from the photo have the choice.
            backend: "torch", "onnx" or "openvino"; None: torch, and onnx for an exported model. For onnx and
                openvino any other model is exported in memory first, which takes a while.
            threads: processor threads of onnx and openvino; None: one a core. PyTorch has its own setting.

        Raises:
            Pg2Error: no such model, device, background or backend, or a file that is damaged.
        """
        exported = is_exported(model)
        backend = backend or ("onnx" if exported else "torch")
        if backend not in ("torch", "onnx", "openvino"):
            raise Pg2Error(f'there is no backend "{backend}"; give torch, onnx or openvino')
        if backend == "torch":
            if exported:
                raise Pg2Error(f"{model} is an exported model, which runs on onnx or openvino, not on torch")
            return cls(_loaded(model, device, background, options), dtype)
        if str(device) not in ("auto", "cpu"):
            raise Pg2Error(
                f"the backend {backend} runs on the processor, not on {device}; leave out the device"
            )
        rough = _is_rough(dtype)
        if exported:
            if options.get("revision") is not None:
                raise Pg2Error(f"{model} is a file and has no revision {options['revision']}")
            graph = Graph.open(model, backend, rough=rough, threads=threads)
        else:
            from pg2.export.onnx_file import check_packages, to_onnx

            check_packages()
            content, _ = to_onnx(_loaded(model, "cpu", background, options))
            graph = Graph(content, str(model), backend, rough=rough, threads=threads)
        if rough and not graph.rough:
            warnings.warn(f"{backend} has no bf16 here; the model computes in fp32", stacklevel=2)
        pipeline = cls(graph)
        if background is not None:
            pipeline.set_background(background)
        return pipeline

    @property
    def model(self) -> "PG2":
        """The networks.

        Raises:
            Pg2Error: it is an exported model, which has them in another form.
        """
        if self._model is None:
            raise Pg2Error("an exported model cannot be changed, saved or trained; take the model itself")
        return self._model

    @property
    def backend(self) -> Backend:
        """What the model runs on."""
        engine: Engine | None = None if self._graph is None else self._graph.engine
        return engine or "torch"

    @property
    def dtype(self) -> "torch.dtype":
        """What the networks compute in."""
        import torch

        return torch.bfloat16 if self.rough else torch.float32

    @property
    def precision(self) -> str:
        """The same by name: float32 or bfloat16."""
        return "bfloat16" if self.rough else "float32"

    @property
    def background(self) -> str | None:
        """What the second stage puts behind the person; None: it has no choice."""
        return self.model.background if self._graph is None else self._graph.description.background

    def set_background(self, background: str) -> None:
        """Put another background behind the person. See `PG2.set_background`.

        Raises:
            Pg2Error: the model does not know it, or is an exported one with another.
        """
        if self._graph is None:
            self.model.set_background(background)
        elif background != self.background:
            fixed = "no choice of backgrounds" if self.background is None else f'"{self.background}"'
            raise Pg2Error(
                f'the exported model has {fixed}, not "{background}"; export the model with that background'
            )

    @property
    def stages(self) -> tuple[str, ...]:
        """The pictures that the stages make, by name; the last one is the result."""
        return tuple(self.model.stages) if self._graph is None else self._graph.description.stages

    @property
    def parameters(self) -> int:
        """How many the networks have."""
        if self._graph is not None:
            return self._graph.description.parameters
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def digest(self) -> str:
        """The weights as 16 hexadecimal digits. See `PG2.digest`."""
        return self.model.digest if self._graph is None else self._graph.description.weights

    def save_pretrained(self, folder: str | Path, **options: Any) -> None:
        """Write the model as a folder of config.json and model.safetensors. See `huggingface_hub`'s mixin."""
        self.model.save_pretrained(folder, **options)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload the model to the Hugging Face hub. See `huggingface_hub`'s mixin."""
        return str(self.model.push_to_hub(repo_id, **options))

    @property
    def frame(self) -> tuple[int, int]:
        """(height, width) of the pictures that the model makes."""
        frame: tuple[int, int] = (
            self.model.config.frame if self._graph is None else self._graph.description.frame
        )
        return frame

    @cached_property
    def estimator(self) -> PoseEstimator:
        """Finds people on photos; loaded when first needed."""
        return PoseEstimator()

    def to(self, device: "str | torch.device") -> "Pipeline":
        """Move the model to a device, such as "cuda"."""
        from pg2.io.devices import choose_device

        self.model.to(choose_device(device))
        return self

    @property
    def pictures(self) -> Mapping[str, PictureInfo]:
        """The pictures that the model makes on the way. See `PG2.pictures`."""
        return self.model.pictures if self._graph is None else self._graph.description.pictures

    @property
    def tells_origin(self) -> bool:
        """Whether its results say what of them is copied and what invented: `Result.copied` and `origin`."""
        return {COPIED, PERSON} <= self.pictures.keys()

    def results(self, output: Output) -> "Mapping[str, Tensor]":
        """The picture of each stage. See `PG2.results`."""
        return results(self.stages, output)

    @property
    def device(self) -> "torch.device":
        """Where the model runs."""
        import torch

        return self.model.device if self._graph is None else torch.device("cpu")

    def run(self, inputs: Inputs) -> Output:
        """The model on tensors that are in its frame already, wherever they are.

        Returns:
            float32 pictures on the model's device, and of the maps "changed" and "fetched", where there are.
            Pictures of an exported model are of whole grey levels.
        """
        import torch

        if self._graph is not None:
            source, *poses = (tensor.cpu() for tensor in inputs)
            made = self._graph(source.movedim(1, -1).numpy(), *(pose.numpy() for pose in poses))
            return from_bytes({name: torch.from_numpy(array) for name, array in made.items()}, self.pictures)
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, self.dtype) if self.rough else nullcontext(),
        ):
            output = self.model(inputs.to(self.device))
        pictures = {name: picture.float() for name, picture in output.pictures.items()}
        maps = {name: output.maps[name].float() for name in (CHANGED, FETCHED) if name in output.maps}
        return Output(output.image.float(), pictures, maps)

    def target_pose(self, pose: Pose | Photo, person: int | None = None) -> Pose:
        """A pose in the model's frame from a `Pose`, a named pose, an OpenPose JSON file or a photo.

        Raises:
            Pg2Error: it is none of these, or shows nobody.
        """
        given = pose
        if isinstance(pose, str) and is_named(pose):
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
        from pg2.pose.placing import in_place

        with _naming(source.photo):
            return in_place(target, source.pose, source.framing.shown)

    def placed(self, pose: object, target: Pose, source: Source, in_place: bool | None) -> Pose:
        """A pose where a command is to show it.

        Args:
            pose: what `target` was made of; see `target_pose`.
            target: the pose.
            source: the person.
            in_place: `place` it, or not; None: a named pose, for a photo that shows no legs: they would have
                to be invented.

        Raises:
            Pg2Error: as `place`, where `in_place` asks for it.
        """
        if in_place is None:
            if not is_named(pose) or "legs" in shown_by(source.pose).some:
                return target
            with contextlib.suppress(Pg2Error):
                return self.place(target, source)
            return target
        return self.place(target, source) if in_place else target

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
        made = self._drawn(
            np.stack([source.image for source in sources]),
            np.stack([source.pose.points for source in sources]),
            np.stack([target.points for target in targets]),
        )
        infos = self.pictures
        headings = {name: info.heading for name, info in infos.items()}
        if len(self.stages) > 1:  # with one, the image is its picture
            headings["image"] = "result"
        copied: list[float | None] = [None] * len(sources)
        if self.tells_origin:
            fetched, person = (made[name].sum((1, 2), dtype=np.float64) for name in (COPIED, PERSON))
            copied = (fetched / person.clip(255)).clip(0, 1).tolist()
        changed, places = made.get(CHANGED), made.get(FETCHED)
        if not {COPIED, WARPED} <= infos.keys():
            places = None
        return [
            Result(
                image=Image.fromarray(made["image"][number]),
                pictures={name: Image.fromarray(made[name][number]).convert("RGB") for name in infos},
                headings=headings,
                pose=target,
                copied=copied[number],
                _source=source,
                _changed=None if changed is None else changed[number],
                _places=None if places is None else places[number],
            )
            for number, (source, target) in enumerate(zip(sources, targets, strict=True))
        ]

    def _drawn(
        self, source: Image8, source_points: npt.NDArray[Any], target_points: npt.NDArray[Any]
    ) -> dict[str, npt.NDArray[Any]]:
        """The pictures and maps of a batch by name. See `as_bytes`."""
        if self._graph is not None:
            return self._graph(source, source_points, target_points)
        import torch

        poses = (torch.from_numpy(points) for points in (source_points, target_points))
        output = self.run(Inputs(from_images(list(source)), *poses))
        check_finite(output.image, *output.pictures.values())
        return {name: picture.cpu().numpy() for name, picture in as_bytes(output, self.pictures).items()}

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


def _is_rough(dtype: "torch.dtype | str | None") -> bool:
    """Whether this is bfloat16.

    Raises:
        Pg2Error: it is neither that nor float32.
    """
    known = {"None": False, "fp32": False, "torch.float32": False, "bf16": True, "torch.bfloat16": True}
    if str(dtype) not in known:
        raise Pg2Error(f"a model computes in float32 or bfloat16, not {dtype}")
    return known[str(dtype)]


def _loaded(
    model: str | Path, device: "str | torch.device", background: str | None, options: Mapping[str, Any]
) -> "PG2":
    from pg2.io.devices import choose_device
    from pg2.models.pg2 import PG2

    loaded = PG2.from_pretrained(model, device=choose_device(device), **options)
    if background is not None:
        loaded.set_background(background)
    return loaded


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
