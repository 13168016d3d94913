"""The models behind the API: loaded once, shared by all requests, and stopped in order."""

import asyncio
import base64
import contextlib
import hashlib
import io
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote

import numpy as np
import torch
from PIL import Image

from pg2.errors import Pg2Error
from pg2.export.graph import Engine, is_exported
from pg2.export.openvino_engine import is_installed, runs_bf16
from pg2.io.devices import Precision
from pg2.io.movies import movie_bytes, written_here
from pg2.io.pictures import load_shrunk
from pg2.io.pixels import Image8
from pg2.models.inputs import Inputs
from pg2.models.pg2 import shipped_models
from pg2.motion.animate import Plan
from pg2.motion.named import FPS, MOTIONS, named_motion, through
from pg2.motion.sequence import Motion
from pg2.pipeline import Backend, Pipeline, Result, Source, SourcePoseError
from pg2.pose.estimator import ENOUGH, NoPersonError, PoseEstimator
from pg2.pose.keypoints import Pose
from pg2.serving.batching import Batcher
from pg2.serving.kept import KeptPhoto, KeptPhotos
from pg2.serving.limits import Gate, Threads, ended
from pg2.serving.monitoring import Metrics
from pg2.serving.names import names_for_clients
from pg2.serving.options import ServeOptions
from pg2.serving.schemas import (
    MAX_POSES,
    MIN_POSES,
    AnimationRequest,
    GenerateAnswer,
    GenerateRequest,
    KeptAnswer,
    Keypoints,
    ModelEntry,
    ModelPicture,
    MotionsAnswer,
    PoseAnswer,
    Timings,
    points_of,
    target,
)
from pg2.web.errors import ApiError
from pg2.web.logs import log

_PHOTO_THREADS = 2  # photos of up to 65 megapixels that are in memory at a time
_MOST_KEPT = 64  # photos that are kept for clients who go on with them
_ANIMATIONS = 2  # that are made at a time; others wait
_PICTURES_AT_A_TIME = 4  # of an animation, so that it leaves room in a run for others
_MOST_PICTURES = 120  # of an animation
_COMPRESSION = 1  # of PNG: a fifth larger than by its usual 6, in half of the time
_IDLE = 1.0  # seconds that threads have to end when there is nothing more to do


@dataclass(frozen=True)
class _Job:
    source: Source
    target: Pose
    drawn: bool
    """Whether the answer shows the skeleton."""


@dataclass(frozen=True)
class _Made:
    result: Result
    began: float
    ended: float
    batch: int


@dataclass(frozen=True)
class Served:
    """A model, and those who wait for it."""

    pipeline: Pipeline
    batcher: Batcher[_Job, _Made]
    entry: ModelEntry
    source: str
    """What the pipeline was loaded from."""


@dataclass(frozen=True)
class Generated:
    """What a request for a picture gave: PNG, or all pictures and their circumstances."""

    content: bytes | GenerateAnswer
    timings: Timings
    copied: float | None
    doubts: Sequence[str]


@dataclass(frozen=True)
class Animated:
    """What a request for an animation gave: a film of so many frames, and the mean of what is copied."""

    content: bytes
    frames: int
    timings: Timings
    copied: float | None


class Service:
    """All that outlives a request. Use it as `async with`: models load in the background from then on.

    Leaving it takes a second or two, whatever its threads are at.

    PyTorch runs on one thread, `pg2-model`; photos are decoded, searched for people and encoded on others.
    """

    def __init__(self, options: ServeOptions) -> None:
        self.options = options
        self.metrics = Metrics()
        self.gate = Gate(options.queue, options.max_held)
        self.metrics.inside.set_function(lambda: self.gate.inside)
        self.metrics.held.set_function(lambda: self.gate.held)
        self.kept = KeptPhotos(_MOST_KEPT, options.max_kept, options.keep)
        self.metrics.photos.set_function(lambda: len(self.kept))
        self.metrics.kept.set_function(lambda: self.kept.held)
        self.state: Literal["loading", "ready", "stopping"] = "loading"
        self.failure: Exception | None = None
        self.models: dict[str, Served] = {}

    async def __aenter__(self) -> Self:
        self.threads = Threads(_PHOTO_THREADS)
        self._animating = asyncio.Semaphore(_ANIMATIONS)
        self._worker = ThreadPoolExecutor(1, "pg2-model")
        self._loading = asyncio.create_task(self._load())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        self.kept.clear()
        self._loading.cancel()
        await asyncio.gather(self._loading, return_exceptions=True)
        for served in self.models.values():
            await served.batcher.close()
        self.end()

    def end(self) -> bool:
        """Let go of the threads; whether they ended. One may be at a photo that takes it minutes."""
        return ended(self._worker, self.threads.executor, seconds=_IDLE)

    def stop(self) -> None:
        """Take no new requests; those that were taken are answered."""
        if self.state != "stopping":
            self.state = "stopping"
            log(logging.INFO, "stopping", inside=self.gate.present)

    async def check_open(self) -> None:
        """Say so if no request can be answered now.

        Raises:
            ApiError: models are not loaded yet, or the service stops.
        """
        if self.state != "ready":
            reason = "the models are being loaded" if self.state == "loading" else "the service is stopping"
            raise ApiError("not_ready", f"{reason}; try again in a few seconds", {"Retry-After": "5"})

    async def _load(self) -> None:
        began = time.perf_counter()
        shipped = shipped_models()
        names = names_for_clients(self.options.models or shipped, shipped)
        loop = asyncio.get_running_loop()
        try:
            pipelines = await loop.run_in_executor(self._worker, self._pipelines, names)
        except Exception as error:
            self.failure = error
            return
        for name, pipeline in pipelines.items():
            self.models[name] = self._served(name, pipeline, names[name])
        first = next(iter(pipelines.values()))
        self._estimator = first.estimator
        if self.state == "loading":
            self.state = "ready"
            seconds = round(time.perf_counter() - began, 3)
            log(logging.INFO, "ready", models=list(names), device=str(first.device), seconds=seconds)

    def _quickest(self, model: str) -> Engine | None:
        """The backend for a model if none was asked for: a service pays for OpenVINO's long start only once.

        None leaves the choice to `Pipeline.from_pretrained`.
        """
        computes = not self.options.in_browser
        return "openvino" if computes and is_exported(model) and is_installed() else None

    def _exact_enough(self, backend: Backend | None) -> Precision:
        """The precision that was asked for, or the quickest whose pictures are nearly those of fp32."""
        return self.options.precision or ("bf16" if backend == "openvino" and runs_bf16() else "fp32")

    def _pipelines(self, names: Mapping[str, str]) -> dict[str, Pipeline]:
        if self.options.threads is not None:
            torch.set_num_threads(self.options.threads)
        estimator = PoseEstimator(threads=self.options.threads)
        pipelines = {}
        for name, model in names.items():
            backend = self.options.backend or self._quickest(model)
            pipeline = pipelines[name] = Pipeline.from_pretrained(
                model,
                device=self.options.device,
                dtype=self._exact_enough(backend),
                backend=backend,
                threads=self.options.threads,
            )
            pipeline.estimator = estimator
            # The first run is slow, alone and of several; better now than on the first clients' time.
            for count in {1, min(2, self.options.batch)}:
                nowhere = torch.full((count, 18, 2), torch.nan)
                nothing = torch.zeros(count, 3, *pipeline.frame, dtype=torch.uint8)
                pipeline.run(Inputs(nothing, nowhere, nowhere))
        return pipelines

    def _served(self, name: str, pipeline: Pipeline, source: str) -> Served:
        def run(jobs: Sequence[_Job]) -> list[_Made]:
            began = time.perf_counter()
            sources, targets = [job.source for job in jobs], [job.target for job in jobs]
            results = pipeline.make(sources, targets, batch=len(jobs))
            for job, result in zip(jobs, results, strict=True):
                if job.drawn:
                    _ = result.skeleton  # drawn by PyTorch, hence on its thread, and kept
            ended = time.perf_counter()
            self.metrics.batch.labels(name).observe(len(jobs))
            return [_Made(result, began, ended, len(jobs)) for result in results]

        batcher = Batcher(run, self._worker, self.options.batch, self.options.batch_wait / 1000)
        self.metrics.queue.labels(name).set_function(lambda: len(batcher))
        entry = ModelEntry(
            name=name,
            frame=pipeline.frame,
            stages=len(pipeline.stages),
            pictures=[
                ModelPicture(name=key, heading=info.heading, kind=info.kind)
                for key, info in pipeline.pictures.items()
            ],
            formats=list(_formats(pipeline)),
            parameters=pipeline.parameters,
            default=not self.models,
            onnx=_address(name, Path(source)) if self.options.in_browser else None,
        )
        return Served(pipeline, batcher, entry, source)

    async def poses(self, photo: bytes) -> PoseAnswer:
        """Everybody on a photo.

        Raises:
            ApiError: it is not a photo.
        """
        size, people = await self.threads.run(self._find, photo)
        return PoseAnswer(size=size, people=list(map(points_of, people)))

    async def keep(self, photo: bytes) -> KeptAnswer:
        """The same, and keep the photo for further requests.

        Raises:
            ApiError: it is not a photo, or shows nobody.
        """
        size, people = await self.threads.run(self._find, photo)
        if not people:
            raise ApiError("no_person", "photo: no person is seen in the picture, so it is not kept")
        # Of what is kept the photo itself is the most, and after it a picture in a model's frame.
        room = len(photo) + max(3 * math.prod(served.pipeline.frame) for served in self.models.values())
        token = self.kept.put(KeptPhoto(photo, people), room)
        return KeptAnswer(
            size=size, people=list(map(points_of, people)), kept=token, seconds=self.options.keep
        )

    def _find(self, photo: bytes) -> tuple[tuple[int, int], list[Pose]]:
        """The (height, width) of a photo, and everybody on it, largest first."""
        with _about("photo"):
            image, size = load_shrunk(photo, ENOUGH)
            found = self._estimator.estimate_all(image)
        return size, [pose.resize(size) for pose in found]

    def motions(self) -> MotionsAnswer:
        """The motions that ship, and the formats in which animations can be had."""
        return MotionsAnswer(motions=list(MOTIONS), formats=[suffix[1:] for suffix in written_here()])

    def _model(self, name: str | None) -> tuple[str, Served]:
        """The model that is called so; None: the default one.

        Raises:
            ApiError: there is no such model.
        """
        name = next(iter(self.models)) if name is None else name
        if name not in self.models:
            raise ApiError("invalid", f"model: there is no such model; choose {' or '.join(self.models)}")
        return name, self.models[name]

    def _source(self, asked: GenerateRequest | AnimationRequest, pipeline: Pipeline) -> Callable[[], Source]:
        """What finds the person whom a request is about, on a thread: it may take a while.

        Raises:
            ApiError: the photo is not kept. What is returned raises it, too: it cannot be used.
        """
        kept = None if asked.kept is None else self.kept.get(asked.kept)

        def find() -> Source:
            with _about("photo"):
                if kept is not None:
                    return kept.source(pipeline, asked.person)
                assert asked.photo is not None
                given = None if asked.source_pose is None else asked.source_pose.pose()
                return pipeline.prepare(asked.photo, person=asked.person, source_pose=given)

        return find

    async def generate(self, asked: GenerateRequest, form: str) -> Generated:
        """The picture that is asked for as PNG, or with the form "json" all that have the frame's size.

        Raises:
            ApiError: the request asks for what cannot be had.
        """
        name, served = self._model(asked.model)
        pipeline, formats = served.pipeline, served.entry.formats
        if form not in formats:
            raise ApiError("invalid", f"format: {name} gives {', '.join(formats)}; choose one of them")
        find = self._source(asked, pipeline)

        def prepare() -> tuple[Source, Pose]:
            with _about("pose"):
                wanted = pipeline.target_pose(target(asked.pose, asked.pose_person), asked.pose_person)
            source = find()
            if asked.in_place:
                with _about("pose"):
                    wanted = pipeline.place(wanted, source)
            return source, wanted

        clock = [time.perf_counter()]
        source, wanted = await self.threads.run(prepare)
        clock.append(time.perf_counter())
        made = await served.batcher.submit(_Job(source, wanted, form in ("json", "strip", "skeleton")))
        clock += [made.began, made.ended]
        encoded = await self.threads.run(_encode, made.result, form, asked.origin and "origin" in formats)
        clock.append(time.perf_counter())
        timings = _timings(clock)
        copied = None if made.result.copied is None else round(made.result.copied, 3)
        doubts = made.result.doubts
        if form != "json":
            return Generated(encoded[form], timings, copied, doubts)
        text = {key: base64.b64encode(png).decode() for key, png in encoded.items()}
        answer = GenerateAnswer(
            model=name,
            image=text["image"],
            pictures={key: text[key] for key in made.result.pictures},
            source=text["source"],
            skeleton=text["skeleton"],
            pose=Keypoints.of(made.result.pose),
            copied=copied,
            doubts=list(doubts),
            about=made.result.about,
            origin=text.get("origin"),
            batch=made.batch,
            timings=timings,
        )
        return Generated(answer, timings, copied, doubts)

    async def animate(self, asked: AnimationRequest, take: Callable[[int], None]) -> Animated:
        """The person of a photo, moving. `take` is told first how many bytes all pictures will have.

        Raises:
            ApiError: the request asks for what cannot be had; and whatever `take` raises.
        """
        _, served = self._model(asked.model)
        pipeline = served.pipeline
        formats = self.motions().formats
        if asked.format not in formats:
            known = " or ".join(formats)
            raise ApiError("invalid", f"format: for {asked.format} the service lacks PyAV; choose {known}")
        find = self._source(asked, pipeline)

        def prepare() -> tuple[Source, Plan]:
            with _about("motion"):
                plan = Plan.of(_motion(asked, pipeline), pipeline.frame, smooth=0.0)
                if len(plan.poses) > _MOST_PICTURES:
                    raise Pg2Error(
                        f"it takes {len(plan.poses)} pictures, and {_MOST_PICTURES} are the most; ask for "
                        "fewer seconds or frames a second"
                    )
            return find(), plan

        clock = [time.perf_counter()]
        source, plan = await self.threads.run(prepare)
        take(len(plan.poses) * 3 * math.prod(pipeline.frame))
        clock.append(time.perf_counter())
        images: list[Image8] = []
        copied: list[float] = []
        async with self._animating:
            clock.append(time.perf_counter())
            for first in range(0, len(plan.poses), _PICTURES_AT_A_TIME):
                some = plan.poses[first : first + _PICTURES_AT_A_TIME]
                jobs = (_Job(source, pose, drawn=False) for pose in some)
                for made in await asyncio.gather(*map(served.batcher.submit, jobs)):
                    images.append(np.asarray(made.result.image))
                    copied += [] if made.result.copied is None else [made.result.copied]
            clock.append(time.perf_counter())
            frames = [images[number] for number in plan.order]
            content = await self.threads.run(movie_bytes, f".{asked.format}", frames, plan.fps)
        clock.append(time.perf_counter())
        timings = _timings(clock)
        share = round(sum(copied) / len(copied), 3) if copied else None
        return Animated(content, len(frames), timings, share)


@contextlib.contextmanager
def _about(field: str) -> Iterator[None]:
    try:
        yield
    except Pg2Error as error:
        field = "source_pose" if isinstance(error, SourcePoseError) else field
        code = "no_person" if isinstance(error, NoPersonError) else "invalid"
        raise ApiError(code, f"{field}: {error}") from error
    except ApiError as error:
        raise ApiError(error.code, f"{field}: {error.message}") from error


def _address(name: str, file: Path) -> str:
    """Where clients get a file: another one has another address, so that browsers can keep this one."""
    return f"v1/models/{quote(name)}?{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}"


def _formats(pipeline: Pipeline) -> tuple[str, ...]:
    """What may be asked for: `json`, or a picture of a `pg2.pipeline.Result` by its name there."""
    origin = ["origin"] if pipeline.tells_origin else []
    return ("image", *pipeline.pictures, "source", "skeleton", *origin, "strip", "full_size", "json")


def _motion(asked: AnimationRequest, pipeline: Pipeline) -> Motion:
    fps = FPS if asked.fps is None else asked.fps
    if isinstance(asked.motion, str):
        return named_motion(asked.motion[:100], fps, asked.seconds)
    if not isinstance(asked.motion, list) or not MIN_POSES <= len(asked.motion) <= MAX_POSES:
        raise Pg2Error(f"give the name of a motion, or a list of {MIN_POSES} to {MAX_POSES} poses")
    return through([pipeline.target_pose(target(pose)) for pose in asked.motion], fps, asked.seconds)


def _timings(clock: Sequence[float]) -> Timings:
    """Of five moments: the beginning, prepared, the model's turn, made, encoded."""
    prepare, queue, model, encode = (round((end - begin) * 1000, 2) for begin, end in pairwise(clock))
    return Timings(prepare=prepare, queue=queue, model=model, encode=encode)


def _encode(result: Result, form: str, origin: bool) -> dict[str, bytes]:
    """The wanted pictures as PNG, by name; with the form "json" also `origin`, if that is wanted."""
    pictures: dict[str, Image.Image] = result.named if form == "json" else {}
    if form != "json":  # not all of them are drawn for one
        pictures[form] = result.pictures[form] if form in result.pictures else getattr(result, form)
    elif origin and result.origin is not None:
        pictures["origin"] = result.origin
    encoded = {}
    for name, picture in pictures.items():
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", compress_level=_COMPRESSION)
        encoded[name] = buffer.getvalue()
    return encoded
