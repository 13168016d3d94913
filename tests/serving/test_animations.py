"""Animations: what `pg2 animate` makes, within bounds."""

import asyncio
import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from serving_samples import (
    CONTENT,
    ONE,
    PHOTO,
    POSE,
    SOURCE_POSE,
    Held,
    Start,
    ask,
    error_of,
    form,
    in_loop,
    wait_for,
)
from starlette.testclient import TestClient

from pg2 import Pipeline
from pg2.motion.animate import Plan
from pg2.motion.named import MOTIONS, named_motion, through
from pg2.pose.named import named_pose
from pg2.serving import service as service_module
from pg2.serving.options import ServeOptions
from pg2.serving.schemas import Keypoints
from pg2.serving.service import Service


def moving(**fields: object) -> dict[str, Any]:
    return form(**({"pose": None, "motion": "wave", "fps": "5", "format": "png"} | fields))


def frames_of(content: bytes) -> list[npt.NDArray[np.int64]]:
    with Image.open(io.BytesIO(content)) as film:
        pictures = []
        for number in range(film.n_frames):
            film.seek(number)
            pictures.append(np.asarray(film.convert("RGB")).astype(np.int64))
    return pictures


@pytest.fixture(scope="module")
def pipeline(models: tuple[str, str]) -> Pipeline:
    return Pipeline.from_pretrained(models[0])


def expected(pipeline: Pipeline, plan: Plan) -> list[npt.NDArray[np.int64]]:
    source = pipeline.prepare(PHOTO, source_pose=POSE)
    made = pipeline.make([source] * len(plan.poses), plan.poses)
    return [np.asarray(made[number].image).astype(np.int64) for number in plan.order]


def assert_same(content: bytes, pictures: list[npt.NDArray[np.int64]]) -> None:
    """But for a grey level: in other company PyTorch sums in another order."""
    made = frames_of(content)
    assert len(made) == len(pictures)
    for one, other in zip(made, pictures, strict=True):
        assert np.abs(one - other).max() <= 1


def test_a_motion_by_name(client: TestClient, pipeline: Pipeline) -> None:
    answer = client.post("/v1/animations", **moving())
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Frames"] == "10"
    assert "model;dur=" in answer.headers["Server-Timing"]
    assert_same(answer.content, expected(pipeline, Plan.of(named_motion("wave", 5), (64, 32), smooth=0)))
    asked = {"photo": base64.b64encode(CONTENT).decode(), "source_pose": SOURCE_POSE}
    asked |= {"motion": "wave", "fps": 5, "format": "png", "seconds": 1}
    assert len(frames_of(client.post("/v1/animations", json=asked).content)) == 5


def test_between_poses(client: TestClient, pipeline: Pipeline) -> None:
    left = named_pose("left")
    for given in ("left", Keypoints.of(left).model_dump(), left.to_openpose()):
        motion = json.dumps(["front", given])
        answer = client.post("/v1/animations", **moving(motion=motion, fps="4", seconds="2"))
        poses = [pipeline.target_pose(pose) for pose in ("front", "left")]
        plan = Plan.of(through(poses, 4, 2), (64, 32), smooth=0)
        # The way back shows the same poses; but in the middle the other end is the nearer one.
        assert (len(plan.order), len(plan.poses)) == (8, 6)
        assert_same(answer.content, expected(pipeline, plan))


@pytest.mark.parametrize(("kind", "media"), [("gif", "GIF"), ("webp", "WEBP"), ("mp4", None)])
def test_other_formats(client: TestClient, kind: str, media: str | None) -> None:
    if media is None:
        pytest.importorskip("av", reason="PyAV is not installed (extra video)")
    answer = client.post("/v1/animations", **moving(format=kind, model=ONE))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == ("video/mp4" if media is None else f"image/{kind}")
    if media is None:
        assert answer.content[4:8] == b"ftyp"
    else:
        with Image.open(io.BytesIO(answer.content)) as film:
            assert (film.format, film.size, film.n_frames) == (media, (16, 32), 10)
            assert film.info["loop"] == 0


def test_what_there_is(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = client.get("/v1/motions").json()
    assert tuple(answer["motions"]) == MOTIONS
    assert {"gif", "png", "webp"} <= set(answer["formats"])
    monkeypatch.setattr(service_module, "written_here", lambda: [".gif", ".png", ".webp"])
    assert client.get("/v1/motions").json()["formats"] == ["gif", "png", "webp"]
    answer = client.post("/v1/animations", **moving(format="mp4"))
    assert "lacks PyAV; choose gif or png or webp" in error_of(answer, 422, "invalid")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"motion": "fly"}, "motion: there is no motion named"),
        ({"motion": None}, "motion: field required"),
        ({"motion": "/etc/passwd"}, "motion: there is no motion named"),
        ({"motion": "[]"}, "a list of 2 to 8 poses"),
        ({"motion": '["front"]'}, "a list of 2 to 8 poses"),
        ({"motion": json.dumps(["front"] * 9)}, "a list of 2 to 8 poses"),
        ({"motion": '["front", "flying"]'}, "motion: there is no pose named"),
        ({"motion": '["front", 7]'}, "give a named pose, keypoints or a photo"),
        ({"motion": '["front", "left"]', "fps": "30", "seconds": "10"}, "120 are the most"),
        ({"fps": "31"}, "fps: "),
        ({"fps": "0"}, "fps: "),
        ({"fps": "nan"}, "fps: "),
        ({"seconds": "11"}, "seconds: "),
        ({"seconds": "0.1"}, "seconds: "),
        ({"format": "avi"}, "format: "),
        ({"model": "none"}, "model: there is no such model"),
        ({"photo": b"no photo"}, "photo: the file is not a picture"),
        ({"photo": None}, "give a photo, or in its place"),
    ],
)
def test_what_is_refused(client: TestClient, fields: dict[str, Any], said: str) -> None:
    assert said in error_of(client.post("/v1/animations", **moving(**fields)), 422, "invalid")


def test_the_pictures_count_as_bytes_that_are_held(start: Start) -> None:
    """Before any is made."""
    with start(max_body=100_000, max_held=100_000) as (client, service), Held(service) as held:
        error_of(client.post("/v1/animations", **moving(motion="turn", fps="20")), 429, "busy")
        assert held.batches == []
        assert service.gate.held == 0
        held.free.set()
        assert client.post("/v1/animations", **moving(fps="2")).status_code == 200


def test_others_are_answered_meanwhile(start: Start) -> None:
    """Only a few pictures of an animation wait at a time, and two animations are made at a time."""
    with start() as (client, service), Held(service) as held, ThreadPoolExecutor(4) as clients:
        films = [clients.submit(client.post, "/v1/animations", **moving(fps="20")) for _ in range(3)]
        batcher = next(iter(service.models.values())).batcher
        wait_for(lambda: held.batches and held.batches[0] + len(batcher) == 8)
        single = clients.submit(client.post, "/v1/generate", **form())
        wait_for(lambda: held.batches[0] + len(batcher) == 9)
        held.free.set()
        assert single.result().status_code == 200
        assert [film.result().status_code for film in films] == [200] * 3
        pictures = len(Plan.of(named_motion("wave", 20), (64, 32), smooth=0).poses)
        assert sum(held.batches) == 3 * pictures + 1
        assert max(held.batches) <= 8


def test_a_client_that_goes_away_stops_it(models: tuple[str, str]) -> None:
    service = Service(ServeOptions(models=models))

    async def test(app: Any) -> None:
        with Held(service) as held:
            asked = {"photo": base64.b64encode(CONTENT).decode(), "motion": "turn"}
            body = json.dumps(asked | {"source_pose": SOURCE_POSE}).encode()
            messages = [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]
            await ask(app, messages, {"Content-Type": "application/json"}, "/v1/animations")
            held.free.set()
            await asyncio.sleep(0.05)
            assert sum(held.batches) <= 4
            assert service.gate.held == 0

    in_loop(service, test)


def test_one_that_takes_too_long_is_given_up(start: Start) -> None:
    with start(timeout=0.5) as (client, service), Held(service):
        error_of(client.post("/v1/animations", **moving()), 504, "timeout")
        assert service.gate.inside == 0


def test_how_much_is_copied(start: Start, fetching: str) -> None:
    with start(models=(fetching,)) as (client, _):
        answer = client.post("/v1/animations", **moving())
        assert 0 < float(answer.headers["X-Copied"]) < 1
