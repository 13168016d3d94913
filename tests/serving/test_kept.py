"""Photos that are kept for further requests: found by their token, within bounds, gone when they shall be."""

import asyncio
import io
import json
import logging
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving_samples import CONTENT, ONE, SOURCE_POSE, TWO, Start, error_of, form, grey, picture, wait_for
from starlette.testclient import TestClient

from pg2.io.packaged import SAMPLES
from pg2.pipeline import Pipeline
from pg2.serving.kept import KeptPhoto, KeptPhotos
from pg2.web.errors import ApiError
from pg2.web.logs import JsonFormatter


def keep(client: TestClient, photo: bytes = CONTENT) -> dict[str, Any]:
    answer = client.post("/v1/photos", files={"photo": photo})
    assert answer.status_code == 200, answer.text
    kept: dict[str, Any] = answer.json()
    return kept


def of(kept: str, **fields: object) -> dict[str, Any]:
    return form(photo=None, source_pose=None, kept=kept, **fields)


def test_a_kept_photo_gives_the_same_pictures(client: TestClient) -> None:
    kept = keep(client)
    token = kept.pop("kept")
    assert kept.pop("seconds") == 600
    assert kept == client.post("/v1/pose", files={"photo": CONTENT}).json()
    known = json.dumps({"size": kept["size"], "keypoints": kept["people"][0]})
    for wanted in ({"pose": "back"}, {"pose": "left", "model": ONE}, {"format": "full_size"}):
        expected = client.post("/v1/generate", **form(source_pose=known, **wanted))
        assert client.post("/v1/generate", **of(token, **wanted)).content == expected.content
    answer = client.post("/v1/generate", json={"kept": token, "pose": "back", "format": "json"}).json()
    assert answer["model"] == TWO


def test_the_person_is_prepared_once(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = []
    prepare = Pipeline.prepare

    def counted(pipeline: Pipeline, *arguments: Any, **options: Any) -> Any:
        prepared.append(pipeline.frame)
        return prepare(pipeline, *arguments, **options)

    monkeypatch.setattr(Pipeline, "prepare", counted)
    token = keep(client)["kept"]
    assert prepared == []
    for pose in ("front", "back", "left"):
        client.post("/v1/generate", **of(token, pose=pose))
    assert prepared == [(64, 32)]
    client.post("/v1/generate", **of(token, model=ONE))
    client.post("/v1/generate", **of(token, model=ONE))
    assert prepared == [(64, 32), (32, 16)]


def test_one_of_several_people(client: TestClient) -> None:
    both = Image.new("RGB", (512, 256))
    for number, person in enumerate(("00003", "00009")):
        with Image.open(SAMPLES / person / "00.jpg") as opened:
            both.paste(opened, (256 * number, 0))
    buffer = io.BytesIO()
    both.save(buffer, "PNG")
    kept = keep(client, buffer.getvalue())
    assert len(kept["people"]) == 2
    first, second = (
        picture(client.post("/v1/generate", **of(kept["kept"], person=number, format="source")).content)
        for number in ("0", "1")
    )
    assert np.abs(first - second).max() > 50
    again = client.post("/v1/generate", **of(kept["kept"], format="source"))
    np.testing.assert_array_equal(picture(again.content), first)
    third = client.post("/v1/generate", **of(kept["kept"], person="2"))
    assert "photo: 2 people are seen" in error_of(third, 422, "no_person")


def test_what_is_dropped_is_gone(client: TestClient) -> None:
    token = keep(client)["kept"]
    assert client.post("/v1/generate", **of(token)).status_code == 200
    for _ in range(2):
        answer = client.delete(f"/v1/photos/{token}")
        assert (answer.status_code, answer.content) == (204, b"")
    for path, fields in (("generate", of(token)), ("animations", of(token, pose=None, motion="wave"))):
        assert "send it again" in error_of(client.post(f"/v1/{path}", **fields), 410, "gone")
    error_of(client.post("/v1/generate", **of("a token of somebody else's")), 410, "gone")


def test_what_is_not_kept(client: TestClient) -> None:
    error_of(client.post("/v1/photos", files={"photo": grey()}), 422, "no_person")
    error_of(client.post("/v1/photos", files={"photo": b"no photo"}), 422, "invalid")
    error_of(client.post("/v1/photos", files={}), 415, "unsupported_type")
    token = keep(client)["kept"]
    for fields, said in (
        ({}, "give a photo, or in its place the token"),
        ({"kept": token, "photo": CONTENT}, "give a photo, or in its place the token"),
        ({"kept": token, "source_pose": json.dumps(SOURCE_POSE)}, "the people are known"),
        ({"kept": "x" * 65}, "at most 64 characters"),
    ):
        answer = client.post("/v1/generate", **form(**({"photo": None, "source_pose": None} | fields)))
        assert said in error_of(answer, 422, "invalid")


def test_a_photo_goes_when_nobody_asks_for_it(start: Start) -> None:
    with start(keep=0.2) as (client, service):
        kept = keep(client)
        assert kept["seconds"] == 0.2
        wait_for(lambda: not len(service.kept))
        assert service.kept.held == 0
        error_of(client.post("/v1/generate", **of(kept["kept"])), 410, "gone")
    with start() as (client, service):
        keep(client)
        assert service.kept.held == len(CONTENT) + 64 * 32 * 3
        assert "pg2_kept_photos 1.0" in client.get("/metrics").text
    assert (len(service.kept), service.kept.held) == (0, 0)


def test_with_a_key_it_is_dropped_with_the_key_alone(start: Start) -> None:
    with start(api_key="k") as (client, service):
        headers = {"X-API-Key": "k"}
        token = client.post("/v1/photos", files={"photo": CONTENT}, headers=headers).json()["kept"]
        error_of(client.delete(f"/v1/photos/{token}"), 401, "unauthorized")
        assert len(service.kept) == 1
        assert client.delete(f"/v1/photos/{token}", headers=headers).status_code == 204
        assert len(service.kept) == 0


def test_pages_of_other_sites_drop_nothing(start: Start) -> None:
    with start() as (client, service):
        token = keep(client)["kept"]
        answer = client.delete(f"/v1/photos/{token}", headers={"Origin": "https://evil.example"})
        error_of(answer, 403, "forbidden")
        assert len(service.kept) == 1


def test_tokens_are_not_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pg2.web"):
        token = keep(client)["kept"]
        client.post("/v1/generate", **of(token))
        client.delete(f"/v1/photos/{token}")
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert [json.loads(line)["route"] for line in lines][2] == "/v1/photos/{token}"
    assert token not in "".join(lines)
    assert token not in client.get("/metrics").text


def test_the_oldest_make_room() -> None:
    async def test() -> None:
        photos = KeptPhotos(3, 100, 60.0)
        first, second = (photos.put(KeptPhoto(b"", []), 30) for _ in range(2))
        assert first != second
        assert len(first) >= 32
        photos.get(first)  # now the second is the oldest
        third = photos.put(KeptPhoto(b"", []), 30)
        fourth = photos.put(KeptPhoto(b"", []), 1)  # one more than three
        with pytest.raises(ApiError, match="not kept any more"):
            photos.get(second)
        assert (len(photos), photos.held) == (3, 61)
        fifth = photos.put(KeptPhoto(b"", []), 90)  # more bytes than are free, beside any but one of them
        for token in (first, third):
            with pytest.raises(ApiError, match="not kept any more"):
                photos.get(token)
        photos.get(fourth)
        photos.get(fifth)
        assert photos.held == 91
        with pytest.raises(ApiError, match="more than the 100 bytes"):
            photos.put(KeptPhoto(b"", []), 101)
        assert (len(photos), photos.held) == (2, 91)
        photos.clear()
        assert (len(photos), photos.held) == (0, 0)

    asyncio.run(test())


def test_each_use_keeps_it_for_longer() -> None:
    async def test() -> None:
        photos = KeptPhotos(3, 100, 0.3)
        token = photos.put(KeptPhoto(b"", []), 30)
        end = asyncio.get_running_loop().time() + 0.6
        while asyncio.get_running_loop().time() < end:
            photos.get(token)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.6)
        assert (len(photos), photos.held) == (0, 0)

    asyncio.run(test())
