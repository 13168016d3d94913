"""Places, threads, bytes and time: each has an end, and its own answer."""

import asyncio
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving_samples import (
    CONTENT,
    PHOTO,
    POSE,
    SOURCE_POSE,
    TWO,
    Held,
    Start,
    ask,
    error_of,
    form,
    in_loop,
    picture,
    wait_for,
)
from starlette.testclient import TestClient

from pg2.errors import Pg2Error
from pg2.io.movies import movie_bytes, written_here
from pg2.pipeline import Pipeline
from pg2.serving import reading
from pg2.serving.app import service_app
from pg2.serving.limits import Answer, Gate, Threads, ended
from pg2.serving.options import ServeOptions
from pg2.serving.service import Service
from pg2.web.bodies import from_json
from pg2.web.errors import ApiError


def test_requests_that_come_together_share_a_run(start: Start, models: tuple[str, str]) -> None:
    """And their pictures are those of the pipeline, within one grey level of the rare value: PyTorch sums in
    another order for another number of pictures."""
    pipeline = Pipeline.from_pretrained(models[0])
    names = ["front", "back", "left", "right", "walking", "arms-raised"]
    with start(batch=6, batch_wait=5000) as (client, service), ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(lambda name: client.post("/v1/generate", **form(pose=name)), names))
        assert service.metrics.registry.get_sample_value("pg2_batch_size_count", {"model": TWO}) == 1
        assert service.metrics.registry.get_sample_value("pg2_batch_size_sum", {"model": TWO}) == 6
    for name, answer in zip(names, answers, strict=True):
        expected = np.asarray(pipeline(PHOTO, name, source_pose=POSE).image).astype(int)
        difference = np.abs(picture(answer.content) - expected)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01


def test_one_too_many_is_told_at_once(start: Start) -> None:
    with (
        start(queue=2, batch=1) as (client, service),
        Held(service) as held,
        ThreadPoolExecutor(2) as clients,
    ):
        taken = [clients.submit(client.post, "/v1/generate", **form()) for _ in range(2)]
        wait_for(lambda: service.gate.inside == 2)
        for path in ("/v1/generate", "/v1/pose"):
            answer = client.post(path, **form())
            error_of(answer, 429, "busy")
            assert int(answer.headers["Retry-After"]) >= 1
        assert client.get("/healthz").status_code == 200
        held.free.set()
        assert [request.result().status_code for request in taken] == [200, 200]
        assert client.post("/v1/generate", **form()).status_code == 200
        assert 'pg2_rejected_total{code="busy"} 2.0' in client.get("/metrics").text


def test_late_requests_are_given_up_and_cost_nothing(start: Start) -> None:
    """One is being done, the other never starts."""
    with (
        start(timeout=0.3, batch=1) as (client, service),
        Held(service) as held,
        ThreadPoolExecutor(2) as two,
    ):
        late = [two.submit(client.post, "/v1/generate", **form()) for _ in range(2)]
        for request in late:
            assert "within 0.3 seconds" in error_of(request.result(), 504, "timeout")
        assert service.gate.inside == 0
        held.free.set()
        assert client.post("/v1/generate", **form()).status_code == 200
        assert held.batches == [1, 1]


def test_a_stopping_service_takes_nothing_new_and_finishes(start: Start) -> None:
    with start() as (client, service), Held(service) as held, ThreadPoolExecutor(1) as clients:
        assert client.get("/readyz").json() == {"status": "ready"}
        taken = clients.submit(client.post, "/v1/generate", **form())
        wait_for(lambda: held.batches)
        service.stop()
        assert client.get("/readyz").status_code == 503
        assert client.get("/readyz").json() == {"status": "stopping"}
        assert client.get("/healthz").status_code == 200
        refused = client.post("/v1/generate", **form())
        assert "stopping" in error_of(refused, 503, "not_ready")
        assert "Retry-After" in refused.headers
        held.free.set()
        assert taken.result().status_code == 200


def test_not_ready_before_the_models_are_there(
    models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    load = Pipeline.from_pretrained
    monkeypatch.setattr(
        Pipeline, "from_pretrained", lambda *a, **options: go.wait(10) and load(*a, **options)
    )
    service = Service(ServeOptions(models=models))
    with TestClient(service_app(service)) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert "being loaded" in error_of(client.get("/v1/models"), 503, "not_ready")
        go.set()
        wait_for(lambda: client.get("/readyz").status_code == 200)


def test_a_model_that_cannot_be_had(start: Start) -> None:
    with start(models=("./nowhere",)) as (client, service):
        assert isinstance(service.failure, Pg2Error)
        assert client.get("/readyz").status_code == 503


JSON = {"Content-Type": "application/json"}


def request_json() -> bytes:
    asked = {"photo": base64.b64encode(CONTENT).decode(), "pose": "left", "source_pose": SOURCE_POSE}
    return json.dumps(asked).encode()


@pytest.mark.parametrize("complete", [True, False])
def test_a_client_that_goes_away_is_forgotten(models: tuple[str, str], complete: bool) -> None:
    """During its own body, or while it waits behind another request."""
    service = Service(ServeOptions(models=models, batch=1))

    async def test(app: Any) -> None:
        with Held(service) as held:
            body = {"type": "http.request", "body": request_json(), "more_body": False}
            first = asyncio.create_task(ask(app, [body], JSON))
            while not held.batches:
                await asyncio.sleep(0.005)
            messages = [body | {"more_body": not complete}, {"type": "http.disconnect"}]
            second = asyncio.create_task(ask(app, messages, JSON))
            await asyncio.sleep(0.05)
            assert (service.gate.present, service.gate.inside) == (2, 1 + complete)
            await second
            assert (service.gate.present, service.gate.inside) == (1, 1)
            held.free.set()
            assert (await first)[0]["status"] == 200
            assert held.batches == [1]

    in_loop(service, test)
    assert service.metrics.registry.get_sample_value("pg2_rejected_total", {"code": "client_gone"}) == 1


def test_a_slow_body_is_given_up(models: tuple[str, str]) -> None:
    service = Service(ServeOptions(models=models, timeout=0.2))
    messages = [{"type": "http.request", "body": b"{", "more_body": True}]
    sent = in_loop(service, lambda app: ask(app, messages, JSON))
    assert sent[0]["status"] == 504


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
def test_a_body_that_is_too_large_is_not_read_to_its_end(
    models: tuple[str, str], kind: str, announced: bool
) -> None:
    service = Service(ServeOptions(models=models, max_body=100_000))
    start = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
    pieces = [start, *[b"x" * 40_000] * 1000]
    read = 0

    def messages() -> Iterator[dict[str, Any]]:
        nonlocal read
        for piece in pieces:
            read += len(piece)
            yield {"type": "http.request", "body": piece, "more_body": True}

    headers = {"Content-Type": kind} | ({"Content-Length": "40000000"} if announced else {})
    sent = in_loop(service, lambda app: ask(app, messages(), headers))  # type: ignore[arg-type]
    assert sent[0]["status"] == 413
    assert read <= (0 if announced else 200_000)


def test_threads_keep_no_work_of_those_who_gave_up() -> None:
    """However many come and go while all threads are busy, none of their work is kept."""

    async def test() -> None:
        threads, free, done = Threads(1), threading.Event(), []
        try:
            running = asyncio.create_task(threads.run(free.wait, 10))
            await asyncio.sleep(0.01)
            for way in range(20):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.001):
                        await threads.run(done.append, way)
            running.cancel()
            await asyncio.sleep(0)
            late = asyncio.create_task(threads.run(done.append, "late"))
            await asyncio.sleep(0.01)
            assert threads.executor._work_queue.qsize() == 0
            free.set()
            await late
            assert done == ["late"]
        finally:
            free.set()
            threads.executor.shutdown()

    asyncio.run(test())


def test_json_is_read_on_a_thread(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop has others to answer meanwhile."""
    names = []

    def read(text: bytes, name: str) -> Any:
        names.append(threading.current_thread().name)
        return from_json(text, name)

    monkeypatch.setattr(reading, "from_json", read)
    with start() as (client, _):
        assert client.post("/v1/generate", content=request_json(), headers=JSON).status_code == 200
    assert [name[:9] for name in names] == ["pg2-photo"]


@pytest.mark.parametrize("people", [b"[],", b'{"pose_keypoints_2d":[0,0,0]},'])
def test_json_of_too_many_values(start: Start, people: bytes) -> None:
    body = b'{"photo":"","pose":{"people":[%b{}]}}' % (people * 60_000)
    with start() as (client, _):
        error_of(client.post("/v1/generate", content=body, headers=JSON), 413, "too_large")


def test_all_bodies_together_have_a_limit(models: tuple[str, str]) -> None:
    """What is held is given back, whatever becomes of the request."""
    service = Service(ServeOptions(models=models, max_body=100_000, max_held=150_000, timeout=1))
    piece = {"type": "http.request", "body": b" " * 60_000, "more_body": True}

    async def test(app: Any) -> None:
        late = [asyncio.create_task(ask(app, [piece], JSON)) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert service.gate.held == 120_000
        refused = await ask(app, [piece], JSON)
        assert (refused[0]["status"], service.gate.held) == (429, 120_000)
        assert [(await sent)[0]["status"] for sent in late] == [504, 504]
        assert (service.gate.held, service.gate.present) == (0, 0)

    in_loop(service, test)


def test_an_answer_counts_until_it_is_read() -> None:
    gate, sent = Gate(1, 1_000_000), []

    async def test() -> None:
        reading = asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)
            if message.get("body"):
                await reading.wait()

        answer = Answer(b"x" * 900_000, gate, media_type="image/png")
        sending = asyncio.create_task(answer({"type": "http"}, None, send))  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        assert (gate.held, len(sent)) == (900_000, 2)
        with pytest.raises(ApiError, match="too many requests"):
            async with gate.come(1) as take:
                take(200_000)
        assert gate.held == 900_000
        reading.set()
        await sending

    asyncio.run(test())
    assert gate.held == 0
    assert dict(sent[0]["headers"])[b"content-length"] == b"900000"
    assert b"".join(message.get("body", b"") for message in sent) == b"x" * 900_000
    assert not sent[-1].get("more_body", False)


def test_what_is_not_answered_in_the_grace_is_told_so(models: tuple[str, str]) -> None:
    """Requests that wait for a thread or the model, and those whose body has not come."""
    service = Service(ServeOptions(models=models))

    async def test(app: Any) -> None:
        with Held(service):
            body = {"type": "http.request", "body": request_json(), "more_body": False}
            taken = [
                asyncio.create_task(ask(app, [body | {"more_body": more}], JSON)) for more in (False, True)
            ]
            while service.gate.inside == 0:
                await asyncio.sleep(0.005)
            service.stop()
            service.gate.close(asyncio.get_running_loop().time() + 0.1)
            assert [(await sent)[0]["status"] for sent in taken] == [503, 503]
            assert service.gate.present == 0

    in_loop(service, test)


def test_threads_that_do_not_end_are_left() -> None:
    free = threading.Event()
    with ThreadPoolExecutor(1) as busy, ThreadPoolExecutor(1) as idle:
        busy.submit(free.wait, 10)
        never = busy.submit(free.wait, 10)
        assert not ended(busy, idle, seconds=0.3)
        assert never.cancelled()
        free.set()
        assert ended(busy, idle, seconds=10)


class Written:
    """Files opened for writing while it is watched, by anybody in this process."""

    def __init__(self) -> None:
        self.watching = False
        self.opened: list[object] = []
        sys.addaudithook(self._hear)  # for good: Python has no way to take one off again

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.watching and event == "open":
            path, mode, flags = arguments
            if flags & (os.O_WRONLY | os.O_RDWR) or (isinstance(mode, str) and set(mode) & set("wax+")):
                self.opened.append(path)

    def __enter__(self) -> "Written":
        self.opened, self.watching = [], True
        return self

    def __exit__(self, *_: object) -> None:
        self.watching = False


def test_nothing_of_a_photo_goes_to_disk(start: Start) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    photo, written = buffer.getvalue(), Written()
    assert len(photo) > 3_000_000
    with written, tempfile.SpooledTemporaryFile(max_size=1_000_000) as spooled:
        spooled.write(photo)
    assert written.opened, "it sees what an ordinary upload would do"
    for kind in written_here():  # modules are compiled, to disk, when they are first imported
        movie_bytes(kind, [np.zeros((16, 16, 3), np.uint8)] * 2, 2)
    points = [[x, y] for (x, y) in np.random.default_rng(1).integers(100, 900, (18, 2)).tolist()]
    source_pose = json.dumps({"size": [1000, 1000], "keypoints": points})
    with start() as (client, _), written:
        for fields in (form(photo=photo, source_pose=source_pose, format="full_size"), form(pose=photo)):
            assert client.post("/v1/generate", **fields).status_code in (200, 422)
        assert client.post("/v1/pose", files={"photo": photo}).status_code == 200
        assert client.post("/v1/photos", files={"photo": CONTENT}).status_code == 200
        film = form(photo=photo, source_pose=source_pose, pose=None, motion="wave", fps="2")
        for kind in written_here():
            assert client.post("/v1/animations", **film | {"data": {"format": kind[1:]}}).status_code == 200
    assert written.opened == []
