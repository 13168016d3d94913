"""A request for the service, ways to ask it, and ways to look at its answers."""

import asyncio
import io
import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from starlette.testclient import TestClient

from pg2.io.packaged import SAMPLES
from pg2.io.pixels import to_unit
from pg2.models.inputs import Inputs, Output, PictureInfo
from pg2.models.stage import Refiner
from pg2.pipeline import Result
from pg2.pose.formats import read_keypoints_csv
from pg2.pose.keypoints import Pose
from pg2.serving.app import service_app
from pg2.serving.schemas import Keypoints
from pg2.serving.service import Service

PHOTO = SAMPLES / "00003/00.jpg"
CONTENT = PHOTO.read_bytes()
POSE = Pose(read_keypoints_csv(SAMPLES / "keypoints.csv")["00003/00.jpg"], (256, 256))
SOURCE_POSE = Keypoints.of(POSE).model_dump()

TWO, ONE = "two", "one"
"""What clients call the models of the fixture `models`."""

Start = Callable[..., AbstractContextManager[tuple[TestClient, Service]]]


class Fade(Refiner):
    """A second stage with pictures of other names: the source at the top fades into the coarse picture."""

    pictures: ClassVar = {
        "faded": PictureInfo("faded source"),
        "share": PictureInfo("share of the source", "mask"),
    }

    def forward(self, inputs: Inputs, coarse: torch.Tensor) -> Output:
        source = to_unit(inputs.source)
        share = torch.linspace(1, 0, coarse.shape[2])[:, None].expand_as(coarse[:, :1])
        return Output(share * source + (1 - share) * coarse, {"faded": share * source, "share": share})


def form(**fields: object) -> dict[str, Any]:
    """The arguments of a POST that asks for a picture by form; the person need not be found."""
    fields = {"photo": CONTENT, "pose": "walking", "source_pose": json.dumps(SOURCE_POSE)} | fields
    return {
        "files": {
            name: ("a.jpg" if isinstance(value, bytes) else None, value)
            for name, value in fields.items()
            if value is not None
        }
    }


def error_of(answer: Any, status: int, code: str) -> str:
    """What an error says, after its shape has been checked."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert set(error) == {"code", "message", "request_id"}
    assert error["code"] == code
    assert error["request_id"] == answer.headers["X-Request-ID"]
    message: str = error["message"]
    assert message
    assert "\n" not in message
    return message


def picture(content: bytes) -> npt.NDArray[np.int64]:
    """A PNG as an array, wide enough to subtract."""
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.format == "PNG"
        return np.asarray(opened).astype(np.int64)


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is so; fail when it does not come to be."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.005)


def grey() -> bytes:
    """A picture of nobody."""
    buffer = io.BytesIO()
    Image.new("RGB", (200, 150), "grey").save(buffer, "PNG")
    return buffer.getvalue()


class Held:
    """A pipeline's `make` that waits until it may go on, and remembers its batches."""

    def __init__(self, service: Service) -> None:
        self._pipeline = next(iter(service.models.values())).pipeline
        self._make = self._pipeline.make
        self.batches: list[int] = []
        self.free = threading.Event()

    def __enter__(self) -> "Held":
        self._pipeline.make = self  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *_: object) -> None:
        self.free.set()
        self._pipeline.make = self._make  # type: ignore[method-assign]

    def __call__(self, sources: Sequence[Any], targets: Sequence[Any], *, batch: int) -> list[Result]:
        self.batches.append(len(sources))
        assert self.free.wait(10)
        return self._make(sources, targets, batch=batch)


async def ask(
    app: Any, messages: Iterable[dict[str, Any]], headers: dict[str, str], path: str = "/v1/generate"
) -> list[dict[str, Any]]:
    """POST as a server would hand it on: the body as `messages`."""
    sent: list[dict[str, Any]] = []
    queue = iter(messages)

    async def receive() -> dict[str, Any]:
        message = next(queue, None)
        if message is None:
            await asyncio.sleep(60)
            raise AssertionError
        if message["type"] == "http.disconnect":
            await asyncio.sleep(0.1)
        return message

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    return sent


def in_loop(service: Service, test: Any) -> Any:
    """Run `test(app)` in an event loop of its own, with the models loaded."""

    async def run() -> Any:
        app = service_app(service)
        async with service:
            while service.state == "loading":
                await asyncio.sleep(0.005)
            return await test(app)

    return asyncio.run(run())
