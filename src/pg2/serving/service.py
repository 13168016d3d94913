"""The models behind the API: loaded once, shared by all requests, and stopped in order."""

import asyncio
import base64
import contextlib
import io
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self

import torch
from PIL import Image

from pg2.errors import Pg2Error
from pg2.io.devices import DTYPES
from pg2.io.pictures import load_shrunk
from pg2.models.inputs import COPIED, PERSON, Inputs
from pg2.models.pg2 import shipped_models
from pg2.pipeline import Pipeline, Result, Source, SourcePoseError
from pg2.pose.estimator import ENOUGH, NoPersonError, PoseEstimator
from pg2.pose.keypoints import Pose
from pg2.serving.batching import Batcher
from pg2.serving.limits import Gate, Threads, ended
from pg2.serving.monitoring import Metrics
from pg2.serving.names import names_for_clients
from pg2.serving.options import ServeOptions
from pg2.serving.schemas import (
    GenerateAnswer,
    GenerateRequest,
    Keypoints,
    ModelEntry,
    ModelPicture,
    PoseAnswer,
    Timings,
    points_of,
)
from pg2.web.errors import ApiError
from pg2.web.logs import log

_PHOTO_THREADS = 2  # photos of up to 65 megapixels that are in memory at a time
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

    @property
    def formats(self) -> tuple[str, ...]:
        """What may be asked for: `json`, or a picture of a `pg2.pipeline.Result` by its name there."""
        pictures = self.pipeline.pictures
        origin = ["origin"] if {COPIED, PERSON} <= pictures.keys() else []
        return ("image", *pictures, "source", "skeleton", *origin, "strip", "full_size", "json")


@dataclass(frozen=True)
class Generated:
    """What a request for a picture gave: PNG, or all pictures and their circumstances."""

    content: bytes | GenerateAnswer
    timings: Timings
    copied: float | None
    doubts: Sequence[str]


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
        self.state: Literal["loading", "ready", "stopping"] = "loading"
        self.failure: Exception | None = None
        self.models: dict[str, Served] = {}

    async def __aenter__(self) -> Self:
        self.threads = Threads(_PHOTO_THREADS)
        self._worker = ThreadPoolExecutor(1, "pg2-model")
        self._loading = asyncio.create_task(self._load())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
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
            self.models[name] = self._served(name, pipeline)
        first = next(iter(pipelines.values()))
        self._estimator = first.estimator
        if self.state == "loading":
            self.state = "ready"
            seconds = round(time.perf_counter() - began, 3)
            log(logging.INFO, "ready", models=list(names), device=str(first.device), seconds=seconds)

    def _pipelines(self, names: Mapping[str, str]) -> dict[str, Pipeline]:
        if self.options.threads is not None:
            torch.set_num_threads(self.options.threads)
        estimator = PoseEstimator(threads=self.options.threads)
        pipelines = {}
        for name, model in names.items():
            pipeline = pipelines[name] = Pipeline.from_pretrained(
                model, device=self.options.device, dtype=DTYPES[self.options.precision]
            )
            pipeline.estimator = estimator
            # The first run is slow; better now than on the first client's time.
            nowhere = torch.full((1, 18, 2), torch.nan)
            pipeline.run(Inputs(torch.zeros(1, 3, *pipeline.frame, dtype=torch.uint8), nowhere, nowhere))
        return pipelines

    def _served(self, name: str, pipeline: Pipeline) -> Served:
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
        model = pipeline.model
        entry = ModelEntry(
            name=name,
            frame=pipeline.frame,
            stages=len(model.stages),
            pictures=[
                ModelPicture(name=key, heading=info.heading, kind=info.kind)
                for key, info in pipeline.pictures.items()
            ],
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            default=not self.models,
        )
        return Served(pipeline, batcher, entry)

    async def poses(self, photo: bytes) -> PoseAnswer:
        """Everybody on a photo.

        Raises:
            ApiError: it is not a photo.
        """

        def find() -> PoseAnswer:
            with _about("photo"):
                image, size = load_shrunk(photo, ENOUGH)
                found = self._estimator.estimate_all(image)
            return PoseAnswer(size=size, people=[points_of(pose.resize(size)) for pose in found])

        return await self.threads.run(find)

    async def generate(self, asked: GenerateRequest, form: str) -> Generated:
        """The picture that is asked for as PNG, or with the form "json" all that have the frame's size.

        Raises:
            ApiError: the request asks for what cannot be had.
        """
        name = next(iter(self.models)) if asked.model is None else asked.model
        served = self.models.get(name)
        if served is None:
            raise ApiError("invalid", f"model: there is no such model; choose {' or '.join(self.models)}")
        if form not in served.formats:
            raise ApiError("invalid", f"format: {name} gives {', '.join(served.formats)}; choose one of them")
        clock = [time.perf_counter()]
        source, target = await self.threads.run(_prepare, served.pipeline, asked)
        clock.append(time.perf_counter())
        made = await served.batcher.submit(_Job(source, target, form in ("json", "strip", "skeleton")))
        clock += [made.began, made.ended, time.perf_counter()]
        encoded = await self.threads.run(_encode, made.result, form)
        clock.append(time.perf_counter())
        prepare, queue, model, _, encode = (round((end - begin) * 1000, 2) for begin, end in pairwise(clock))
        timings = Timings(prepare=prepare, queue=queue, model=model, encode=encode)
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
            batch=made.batch,
            timings=timings,
        )
        return Generated(answer, timings, copied, doubts)


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


def _prepare(pipeline: Pipeline, asked: GenerateRequest) -> tuple[Source, Pose]:
    with _about("pose"):
        target = pipeline.target_pose(asked.target(), asked.pose_person)
    given = None if asked.source_pose is None else asked.source_pose.pose()
    with _about("photo"):
        source = pipeline.prepare(asked.photo, person=asked.person, source_pose=given)
    return source, target


def _encode(result: Result, form: str) -> dict[str, bytes]:
    """The wanted pictures as PNG, by name."""
    pictures: dict[str, Image.Image] = result.named if form == "json" else {}
    if form != "json":  # not all of them are drawn for one
        pictures[form] = result.pictures[form] if form in result.pictures else getattr(result, form)
    encoded = {}
    for name, picture in pictures.items():
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        encoded[name] = buffer.getvalue()
    return encoded
