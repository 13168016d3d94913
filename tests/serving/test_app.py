"""Every address: what it gives, and what it refuses."""

import base64
import hashlib
import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from serving_samples import (
    CONTENT,
    ONE,
    PHOTO,
    POSE,
    SOURCE_POSE,
    TWO,
    Start,
    error_of,
    form,
    grey,
    picture,
)
from starlette.testclient import TestClient

from pg2 import PG2, Pipeline, cli
from pg2.export.onnx_file import LARGEST
from pg2.export.openvino_engine import is_installed, runs_bf16
from pg2.io.packaged import SAMPLES, SERVICE_PAGE
from pg2.models.inputs import Inputs
from pg2.pose.estimator import MOVENET
from pg2.pose.named import NAMES, named_pose
from pg2.serving import app as app_module
from pg2.serving.schemas import AnimationRequest, GenerateRequest, Keypoints
from pg2.web.logs import JsonFormatter

TEXT = base64.b64encode(CONTENT).decode()


@pytest.fixture(scope="module")
def pipelines(models: tuple[str, str]) -> list[Pipeline]:
    return [Pipeline.from_pretrained(model) for model in models]


@pytest.mark.parametrize("number", [0, 1])
def test_each_picture_is_the_pipelines(client: TestClient, pipelines: list[Pipeline], number: int) -> None:
    result, model = pipelines[number](PHOTO, "walking", source_pose=POSE), (TWO, ONE)[number]
    for name, expected in {**result.named, "strip": result.strip, "full_size": result.full_size}.items():
        answer = client.post("/v1/generate", **form(model=model, format=name))
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/png"
        np.testing.assert_array_equal(picture(answer.content), np.asarray(expected))


def test_the_person_is_found_as_the_command_line_finds_them(
    client: TestClient, models: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.png"
    arguments = ["generate", str(PHOTO), "--pose", "back", "--model", models[0], "--device", "cpu"]
    arguments += ["--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["pg2", *arguments])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    answer = client.post("/v1/generate", **form(pose="back", source_pose=None))
    expected = picture(out.read_bytes())
    np.testing.assert_array_equal(picture(answer.content), expected)
    # What /v1/pose finds can be sent back, and gives the same picture.
    found = client.post("/v1/pose", files={"photo": CONTENT}).json()
    known = {"size": found["size"], "keypoints": found["people"][0]}
    again = client.post("/v1/generate", **form(pose="back", source_pose=json.dumps(known)))
    np.testing.assert_array_equal(picture(again.content), expected)


def test_json_holds_everything(client: TestClient) -> None:
    asked = {"photo": TEXT, "pose": "left", "source_pose": SOURCE_POSE, "format": "json"}
    answer = client.post("/v1/generate", json=asked)
    assert answer.status_code == 200
    body = answer.json()
    assert body["model"] == TWO
    assert body["batch"] == 1
    assert Keypoints.model_validate(body["pose"]).size == (64, 32)
    assert all(value >= 0 for value in body["timings"].values())
    assert "model;dur=" in answer.headers["Server-Timing"]
    assert list(body["pictures"]) == ["coarse", "difference"]
    # Clients of the time before `pictures` find the two in fields of their own.
    for name, text in body["pictures"].items():
        assert body[name] == text
    for name in ("image", "coarse", "difference", "source", "skeleton"):
        alone = client.post("/v1/generate", **form(pose="left", format=name))
        assert base64.b64decode(body[name]) == alone.content


def test_a_model_of_one_stage(client: TestClient) -> None:
    body = client.post("/v1/generate", **form(model=ONE, format="json")).json()
    assert list(body["pictures"]) == ["coarse"]
    assert body["pictures"]["coarse"] == body["coarse"] == body["image"]
    assert body["difference"] is None
    assert picture(base64.b64decode(body["image"])).shape == (32, 16, 3)


def test_what_is_not_known_is_said(client: TestClient, start: Start, fetching: str) -> None:
    said = "the photo shows the person from the front, the pose from behind"
    body = client.post("/v1/generate", **form(pose="back", format="json")).json()
    assert (body["copied"], body["doubts"], body["about"]) == (None, [said], said)
    headers = client.post("/v1/generate", **form(pose="back")).headers
    assert headers["X-Doubts"] == said
    assert "X-Copied" not in headers
    assert "X-Doubts" not in client.post("/v1/generate", **form(pose="front")).headers
    with start(models=(fetching,)) as (client, _):
        answer = client.post("/v1/generate", **form(pose="back", model=None, format="json"))
        body = answer.json()
        share = body["copied"]
        assert 0 < share < 1
        assert body["about"].startswith(f"{round(100 * share)} % of the person is copied from the photo, ")
        assert body["about"].endswith(said)
        answer = client.post("/v1/generate", **form(pose="back", model=None, format="origin"))
        assert answer.headers["X-Copied"] == str(share)
        origin = picture(answer.content)
        assert origin.shape == (64, 32, 3)
        # In JSON it is there for those who want it.
        assert body["origin"] is None
        asked = form(pose="back", model=None, format="json", origin="true")
        again = client.post("/v1/generate", **asked).json()["origin"]
        np.testing.assert_array_equal(picture(base64.b64decode(again)), origin)


def test_a_pose_where_the_person_stands(client: TestClient, pipelines: list[Pipeline]) -> None:
    """As `pg2 generate --in-place` puts it."""
    given = form(pose="arms-raised", model=TWO, format="json", in_place="true")
    body = client.post("/v1/generate", **given).json()
    usual = client.post("/v1/generate", **form(pose="arms-raised", model=TWO, format="json")).json()
    assert body["pose"] != usual["pose"]
    expected = pipelines[0](PHOTO, "arms-raised", source_pose=POSE, in_place=True)
    assert body["pose"] == Keypoints.of(expected.pose).model_dump(mode="json")
    np.testing.assert_array_equal(picture(base64.b64decode(body["image"])), np.asarray(expected.image))


def test_a_model_of_other_pictures(start: Start, fading: str) -> None:
    """Their names, headings and order are the model's, wherever they are met."""
    with start() as (client, _):
        entry = client.get("/v1/models").json()["models"][0]
        assert [picture["name"] for picture in entry["pictures"]] == ["coarse", "faded", "share"]
        assert entry["pictures"][2] == {"name": "share", "heading": "share of the source", "kind": "mask"}
        body = client.post("/v1/generate", **form(format="json")).json()
        assert list(body["pictures"]) == ["coarse", "faded", "share"]
        assert body["coarse"] == body["pictures"]["coarse"]
        assert body["difference"] is None
        share = client.post("/v1/generate", **form(format="share"))
        assert base64.b64decode(body["pictures"]["share"]) == share.content
        pixels = picture(share.content)
        assert (pixels[0].min(), pixels[-1].max()) == (255, 0)
        wide = picture(client.post("/v1/generate", **form(format="strip")).content).shape[1]
        assert wide > 6 * picture(base64.b64decode(body["image"])).shape[1] * 4
        refused = client.post("/v1/generate", **form(format="difference"))
        assert "gives image, coarse, faded, share, source" in error_of(refused, 422, "invalid")


def test_a_picture_that_the_model_does_not_make(client: TestClient) -> None:
    for model, own, asked in (
        (TWO, "coarse, difference", "warped"),
        (ONE, "coarse", "difference"),
        (ONE, "coarse", "pose"),
    ):
        said = error_of(client.post("/v1/generate", **form(model=model, format=asked)), 422, "invalid")
        gives = f"image, {own}, source, skeleton, strip, full_size, json"
        assert said == f"format: {model} gives {gives}; choose one of them"
    long = client.post("/v1/generate", **form(format="x" * 65))
    assert "at most 64 characters" in error_of(long, 422, "invalid")
    empty = {"photo": TEXT, "pose": "left", "source_pose": SOURCE_POSE, "format": ""}
    error_of(client.post("/v1/generate", json=empty), 422, "invalid")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("image/png", "image/png"),
        ("*/*", "image/png"),
        ("application/json, text/plain, */*", "image/png"),
    ],
)
def test_accept_chooses_where_format_does_not(client: TestClient, accept: str, kind: str) -> None:
    answer = client.post("/v1/generate", headers={"Accept": accept}, **form())
    assert answer.headers["Content-Type"] == kind
    answer = client.post("/v1/generate", headers={"Accept": accept}, **form(format="image"))
    assert answer.headers["Content-Type"] == "image/png"


def test_all_ways_to_give_a_pose_agree(client: TestClient) -> None:
    pose = named_pose("right")
    expected = client.post("/v1/generate", **form(pose="right")).content
    for given in (Keypoints.of(pose).model_dump(), pose.to_openpose()):
        assert client.post("/v1/generate", **form(pose=json.dumps(given))).content == expected
        asked = {"photo": TEXT, "pose": given, "source_pose": SOURCE_POSE}
        assert client.post("/v1/generate", json=asked).content == expected


def test_a_photo_as_pose(client: TestClient, pipelines: list[Pipeline]) -> None:
    other = SAMPLES / "00001/01.jpg"
    expected = pipelines[0](PHOTO, other, source_pose=POSE)
    answer = client.post("/v1/generate", **form(pose=other.read_bytes()))
    np.testing.assert_array_equal(picture(answer.content), np.asarray(expected.image))
    asked = {
        "photo": TEXT,
        "pose": {"photo": base64.b64encode(other.read_bytes()).decode()},
        "source_pose": SOURCE_POSE,
    }
    assert client.post("/v1/generate", json=asked).content == answer.content


def test_lists(client: TestClient) -> None:
    listed = client.get("/v1/models").json()["models"]
    assert [(m["name"], m["frame"], m["stages"], m["default"]) for m in listed] == [
        (TWO, [64, 32], 2, True),
        (ONE, [32, 16], 1, False),
    ]
    assert all(m["parameters"] > 1000 for m in listed)
    assert listed[1]["formats"] == ["image", "coarse", "source", "skeleton", "strip", "full_size", "json"]
    coarse = {"name": "coarse", "heading": "stage I", "kind": "image"}
    difference = {"name": "difference", "heading": "difference map", "kind": "difference"}
    assert [m["pictures"] for m in listed] == [[coarse, difference], [coarse]]
    answer = client.get("/v1/poses").json()
    poses = answer["poses"]
    assert tuple(pose.pop("name") for pose in poses) == NAMES
    assert Keypoints.model_validate(poses[0]).pose() == named_pose(NAMES[0])
    assert answer["joints"][4] == {"name": "right wrist", "mirrored": 7}
    assert answer["limbs"][3] == {"start": 3, "end": 4, "colour": "#ffc800"}
    assert (len(answer["joints"]), len(answer["limbs"])) == (18, 17)
    samples = client.get("/v1/samples").json()["samples"]
    assert len(samples) == 24
    sample = next(sample for sample in samples if sample["name"] == "00003")
    photo = client.get(sample["url"])
    assert photo.headers["Content-Type"] == "image/jpeg"
    assert photo.content == CONTENT
    assert {"size": sample["size"], "keypoints": sample["keypoints"]} == json.loads(json.dumps(SOURCE_POSE))


@pytest.mark.parametrize("name", ["99999", "..", "..%2f00003", "00003%2f00.jpg", "keypoints.csv"])
def test_samples_that_are_none(client: TestClient, name: str) -> None:
    error_of(client.get(f"/v1/samples/{name}"), 404, "not_found")


def test_everybody_on_a_photo(client: TestClient) -> None:
    answer = client.post("/v1/pose", json={"photo": TEXT})
    assert answer.json()["size"] == [256, 256]
    (person,) = answer.json()["people"]
    near = [
        np.hypot(x - kx, y - ky)
        for (x, y), (kx, ky) in zip(person, POSE.points, strict=True)
        if not np.isnan(kx)
    ]
    assert np.median(near) < 8
    assert client.post("/v1/pose", files={"photo": grey()}).json() == {"size": [150, 200], "people": []}


BROKEN_POSE = {"size": [256, 256], "keypoints": [[1, 2]] * 17}


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"pose": "wavin"}, "invalid", 'pose: there is no pose named "wavin"'),
        ({"pose": "/etc/passwd"}, "invalid", "no pose named"),
        ({"pose": str(PHOTO)}, "invalid", "no pose named"),
        ({"pose": None}, "invalid", "pose: field required"),
        ({"pose": "{"}, "bad_request", "pose is not valid JSON"),
        ({"pose": "{}"}, "invalid", "pose: size: field required"),
        ({"pose": json.dumps(BROKEN_POSE)}, "invalid", "at least 18 items"),
        ({"pose": json.dumps(SOURCE_POSE | {"keypoints": [None] * 18})}, "invalid", "no keypoint at all"),
        (
            {"pose": json.dumps(SOURCE_POSE | {"keypoints": [[900, 9]] * 18})},
            "invalid",
            "outside its picture",
        ),
        ({"pose": '{"people": []}'}, "invalid", "pose: the document holds no person"),
        ({"pose": b"no photo"}, "invalid", "pose: the file is not a picture"),
        ({"pose": grey()}, "no_person", "pose: no person is seen"),
        ({"photo": b"no photo"}, "invalid", "photo: the file is not a picture"),
        ({"photo": b""}, "invalid", "photo: the file is not a picture"),
        ({"photo": "forgotten @"}, "invalid", "photo: must be a file"),
        ({"photo": None, "source_pose": None}, "invalid", "the request: give a photo, or in its place"),
        ({"photo": grey(), "source_pose": None}, "no_person", "photo: no person is seen"),
        (
            {"photo": grey()},
            "invalid",
            "source_pose: the pose on the photo lies in a picture of 256x256 pixels, but the photo",
        ),
        (
            {"source_pose": json.dumps(SOURCE_POSE | {"keypoints": [None] * 18})},
            "invalid",
            "source_pose: the pose has no keypoint at all",
        ),
        ({"source_pose": json.dumps(BROKEN_POSE)}, "invalid", "source_pose.keypoints: "),
        ({"source_pose": "here"}, "invalid", "source_pose: "),
        ({"source_pose": '{"size": [NaN, 3]}'}, "bad_request", "source_pose is not valid JSON"),
        ({"source_pose": None, "person": "5"}, "no_person", "photo: one person is seen"),
        ({"person": "-1"}, "invalid", "person: "),
        ({"person": "first"}, "invalid", "person: "),
        ({"model": "fast/other"}, "invalid", "model: there is no such model"),
        ({"model": "/etc"}, "invalid", "model: there is no such model"),
        ({"colour": "red"}, "invalid", "colour: extra inputs are not permitted"),
    ],
)
def test_requests_that_ask_for_what_cannot_be(
    client: TestClient, fields: dict[str, Any], code: str, said: str
) -> None:
    status = 400 if code == "bad_request" else 422
    assert said in error_of(client.post("/v1/generate", **form(**fields)), status, code)


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        ("application/json", b"", 400, "bad_request"),
        ("application/json", b"{", 400, "bad_request"),
        ("application/json", b"\xff\xfe", 400, "bad_request"),
        ("application/json", b"[" * 10_000, 400, "bad_request"),
        ("application/json", b"[" * 100_000, 413, "too_large"),
        ("application/json", b'{"photo": "aGk=", "pose": NaN}', 400, "bad_request"),
        ("application/json", b"[]", 422, "invalid"),
        ("application/json", b"null", 422, "invalid"),
        ("application/json", b'{"photo": 1, "pose": "left"}', 422, "invalid"),
        ("application/json", b'{"photo": "?", "pose": "left"}', 422, "invalid"),
        ("application/json", b'{"photo": "aGk=", "pose": 1}', 422, "invalid"),
        ("application/json", b'{"photo": "aGk=", "pose": {"photo": "?"}}', 422, "invalid"),
        ("application/json", b'{"photo": "aGk=", "pose": "left", "person": true}', 422, "invalid"),
        ("application/json", b'{"photo": "aGk=", "pose": "left", "person": 1e999}', 422, "invalid"),
        ("multipart/form-data", b"", 400, "bad_request"),
        ("multipart/form-data; boundary=x", b"", 422, "invalid"),
        ("multipart/form-data; boundary=x", b"--x\r\nhello", 422, "invalid"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nhello\r\n--x--", 400, "bad_request"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"a: b\r\n" * 100_000, 400, "bad_request"),
        ("multipart/form-data; boundary=x", b"--x\r\na: " + b"b" * 1_000_000, 400, "bad_request"),
        ("application/x-www-form-urlencoded", b"photo=1", 415, "unsupported_type"),
        ("image/jpeg", b"\xff\xd8", 415, "unsupported_type"),
        ("", b"hello", 415, "unsupported_type"),
    ],
)
def test_bodies_that_are_none(client: TestClient, kind: str, body: bytes, status: int, code: str) -> None:
    for route in ("/v1/generate", "/v1/pose"):
        error_of(client.post(route, content=body, headers={"Content-Type": kind}), status, code)


def test_a_field_twice(client: TestClient) -> None:
    files = [("photo", CONTENT), ("photo", CONTENT)]
    assert "two fields photo" in error_of(client.post("/v1/pose", files=files), 400, "bad_request")


def test_other_addresses_and_methods(client: TestClient) -> None:
    error_of(client.get("/v2/generate"), 404, "not_found")
    error_of(client.get("/docs"), 404, "not_found")
    for method, path in (("DELETE", "/v1/models"), ("POST", "/healthz")):
        error_of(client.request(method, path), 405, "method_not_allowed")


def test_request_ids(client: TestClient) -> None:
    assert (
        client.get("/healthz", headers={"X-Request-ID": "abc-1.2_3"}).headers["X-Request-ID"] == "abc-1.2_3"
    )
    for given in ("", "a b", "x" * 65, "<script>"):
        made = client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"]
        assert made != given
        assert len(made) == 32


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/v1/nothing"])
def test_browsers_are_kept_strict(client: TestClient, path: str) -> None:
    headers = client.get(path, headers={"Origin": "https://evil.example"}).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in headers
    assert headers.get("Cache-Control") == ("no-store" if path.startswith("/v1") else None)


def test_other_sites_that_may(start: Start) -> None:
    site = "https://shop.example"
    with start(cors_origins=(site,), api_key="k") as (client, _):
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
        for origin, allowed in ((site, site), ("https://evil.example", None)):
            answer = client.options("/v1/generate", headers={"Origin": origin, **asks})
            assert answer.headers.get("Access-Control-Allow-Origin") == allowed
            answer = client.get("/v1/models", headers={"Origin": origin})
            assert answer.status_code == 401
            assert answer.headers.get("Access-Control-Allow-Origin") == allowed


def test_models_run_where_and_as_they_are_told(
    start: Start, monkeypatch: pytest.MonkeyPatch, pipelines: list[Pipeline]
) -> None:
    """Shown by PyTorch's device of shapes without values, which is everywhere."""
    with start(device="meta") as (client, service):
        assert {served.pipeline.device.type for served in service.models.values()} == {"meta"}
        assert client.get("/readyz").status_code == 200
    monkeypatch.setattr("pg2.io.devices.runs_bf16", lambda _: True)  # every processor can, if slowly
    with start(precision="bf16") as (client, service):
        assert {served.pipeline.dtype for served in service.models.values()} == {torch.bfloat16}
        made = picture(client.post("/v1/generate", **form()).content)
    off = np.abs(made - np.asarray(pipelines[0](PHOTO, "walking", source_pose=POSE).image))
    assert 0 < off.max() <= 12


@pytest.mark.parametrize(("batch", "tried"), [(1, {1}), (8, {1, 2})])
def test_runs_of_one_and_of_several_are_warm(
    start: Start, exported: Path, batch: int, tried: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO compiles for each when it is first asked, which takes seconds."""
    sizes = []
    run = Pipeline.run

    def recorded(pipeline: Pipeline, inputs: Inputs, *rest: object, **more: object) -> object:
        sizes.append(len(inputs.source))
        return run(pipeline, inputs, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Pipeline, "run", recorded)
    with start(models=(str(exported),), threads=1, backend="onnx", batch=batch):
        assert set(sizes) == tried


@pytest.mark.parametrize("installed", [False, True])
def test_an_exported_model_is_served(
    start: Start, exportable: PG2, exported: Path, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the quickest engine that is installed, nearly as PyTorch draws it."""
    if installed and not is_installed():
        pytest.skip("OpenVINO is not installed")
    monkeypatch.setattr("pg2.serving.service.is_installed", lambda: installed)
    with start(models=(str(exported),), threads=1, precision="fp32") as (client, service):
        backends = {served.pipeline.backend for served in service.models.values()}
        assert backends == {"openvino" if installed else "onnx"}
        (entry,) = client.get("/v1/models").json()["models"]
        assert (entry["name"], entry["stages"], entry["frame"]) == ("model", 2, [64, 32])
        assert [picture["name"] for picture in entry["pictures"]] == list(exportable.pictures)
        made = picture(client.post("/v1/generate", **form()).content)
    expected = Pipeline(exportable)(PHOTO, "walking", source_pose=POSE).image
    assert np.abs(made - np.asarray(expected)).max() <= LARGEST


@pytest.mark.parametrize("has_it", [True, False])
def test_openvino_computes_in_bf16_where_the_processor_does(
    start: Start, exportable: PG2, exported: Path, has_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_installed():
        pytest.skip("OpenVINO is not installed")
    if has_it and not runs_bf16():
        pytest.skip("this processor does not compute in bf16")
    monkeypatch.setattr("pg2.serving.service.runs_bf16", lambda: has_it)
    with start(models=(str(exported),), threads=1) as (client, service):
        assert next(iter(service.models.values())).pipeline.precision == ("bfloat16" if has_it else "float32")
        made = picture(client.post("/v1/generate", **form()).content)
    expected = Pipeline(exportable)(PHOTO, "walking", source_pose=POSE).image
    assert np.abs(made - np.asarray(expected)).mean() < 2


@pytest.mark.gpu
def test_an_accelerator_serves(start: Start, pipelines: list[Pipeline]) -> None:
    with start(device="auto") as (client, service):
        assert next(iter(service.models.values())).pipeline.device.type != "cpu"
        made = picture(client.post("/v1/generate", **form()).content)
    off = np.abs(made - np.asarray(pipelines[0](PHOTO, "walking", source_pose=POSE).image))
    assert off.max() <= 2


def test_a_key_is_asked_for(start: Start) -> None:
    with start(api_key="secret") as (client, _):
        for path in ("/v1/models", "/v1/samples/00003", "/metrics", "/openapi.json"):
            for headers in (
                {},
                {"Authorization": "Bearer secre"},
                {"Authorization": "Basic secret"},
                {"X-API-Key": "secret1"},
                {"X-API-Key": b"secr\xe9t"},
            ):
                answer = client.get(path, headers=headers)  # type: ignore[arg-type]
                error_of(answer, 401, "unauthorized")
                assert answer.headers["WWW-Authenticate"] == "Bearer"
            for headers in ({"Authorization": "Bearer secret"}, {"X-API-Key": "secret"}):
                assert client.get(path, headers=headers).status_code == 200
        error_of(client.post("/v1/generate", **form()), 401, "unauthorized")
        assert client.post("/v1/generate", headers={"X-API-Key": "secret"}, **form()).status_code == 200
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200
        assert client.get("/openapi.json", headers={"X-API-Key": "secret"}).json()["components"][
            "securitySchemes"
        ]


def test_the_page(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").write_text("<h1>pg2</h1>")
    monkeypatch.setattr(app_module, "SERVICE_PAGE", tmp_path)
    with start(api_key="secret") as (client, _):
        assert client.get("/").text == "<h1>pg2</h1>"
        error_of(client.get("/nothing.js"), 404, "not_found")
        error_of(client.get("/..%2fother"), 404, "not_found")
        error_of(client.get("/v1/models"), 401, "unauthorized")


def test_the_document_has_an_example_of_every_answer(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    told = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert len(told) == 15
    for path, method in told:
        operation = document["paths"][path][method]
        assert operation["description"]
        for status, answer in operation["responses"].items():
            content = answer.get("content", {}).get("application/json")
            if content is not None and (status == "200" or status[0] == "4"):
                assert "example" in content or content["examples"], (path, status)
    for path, asked in (("/v1/generate", GenerateRequest), ("/v1/animations", AnimationRequest)):
        upload = document["paths"][path]["post"]["requestBody"]["content"]
        assert set(upload) == {"multipart/form-data", "application/json"}
        assert set(upload["multipart/form-data"]["schema"]["properties"]) == set(asked.model_fields)
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references == set(document["components"]["schemas"])


def test_where_models_lie_is_not_told(client: TestClient, models: tuple[str, str]) -> None:
    """Neither where they are listed, nor where one is asked for or counted."""
    answers = [
        client.get("/v1/models"),
        client.post("/v1/generate", **form(format="json")),
        client.post("/v1/generate", **form(model=models[0])),
        client.post("/v1/generate", **form(model=ONE, format="warped")),
        client.get("/metrics"),
        client.get("/openapi.json"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 422, 422, 200, 200]
    assert "choose two or one" in answers[2].text
    for answer in answers:
        assert str(Path(models[0]).parent) not in answer.text
        assert Path(models[0]).parent.name not in answer.text


def test_pages_of_other_sites_and_other_names(start: Start) -> None:
    strange = {"Origin": "https://evil.example"}
    with start(cors_origins=("https://shop.example",), hosts=("pg2.example",)) as (client, _):
        error_of(client.post("/v1/generate", headers=strange, **form()), 403, "forbidden")
        for headers in ({}, {"Origin": "http://testserver"}, {"Origin": "https://shop.example"}):
            assert client.post("/v1/generate", headers=headers, **form()).status_code == 200
        error_of(client.get("/v1/models", headers={"Host": "evil.example"}), 421, "wrong_host")
        assert client.get("/v1/models", headers={"Host": "pg2.example"}).status_code == 200
        assert client.get("/metrics").text.count('pg2_rejected_total{code="wrong_host"} 1.0') == 1


def test_with_a_key_it_does_not_matter_from_where(start: Start) -> None:
    with start(api_key="k") as (client, _):
        headers = {"Origin": "https://evil.example", "Host": "pg2.example", "X-API-Key": "k"}
        assert client.post("/v1/generate", headers=headers, **form()).status_code == 200


def test_metrics(start: Start) -> None:
    with start() as (client, _):
        client.post("/v1/generate", **form())
        client.post("/v1/generate", **form(pose="nope"))
        client.get("/some/path")
        text = client.get("/metrics").text
    for line in (
        'pg2_requests_total{method="POST",route="/v1/generate",status="200"} 1.0',
        'pg2_requests_total{method="POST",route="/v1/generate",status="422"} 1.0',
        'pg2_requests_total{method="GET",route="(page)",status="404"} 1.0',
        'pg2_request_seconds_count{route="/v1/generate"} 2.0',
        f'pg2_batch_size_sum{{model="{TWO}"}} 1.0',
        f'pg2_queue_length{{model="{TWO}"}} 0.0',
        'pg2_rejected_total{code="invalid"} 1.0',
        "pg2_requests_inside 0.0",
    ):
        assert line in text


def test_a_failure_is_told_without_its_reason(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither client nor log see the words of an unexpected error: they might quote somebody's pose."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("private words")

    with start() as (client, service), caplog.at_level(logging.INFO, "pg2.web"):
        monkeypatch.setattr(next(iter(service.models.values())).pipeline, "make", broken)
        answer = client.post("/v1/generate", **form())
        assert "private" not in error_of(answer, 500, "internal")
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert "private" not in "".join(lines)
    (failed,) = (json.loads(line) for line in lines if '"failed"' in line)
    assert failed["request_id"] == answer.headers["X-Request-ID"]
    assert failed["exception"] == "KeyError"
    assert any("broken" in frame for frame in failed["trace"])


def test_log_lines(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    points = [[123.4375, 77.8125], *SOURCE_POSE["keypoints"][1:]]
    with caplog.at_level(logging.INFO, "pg2.web"):
        pose = json.dumps(SOURCE_POSE | {"keypoints": points})
        client.post("/v1/generate", headers={"X-Request-ID": "mine"}, **form(source_pose=pose, pose=pose))
        client.post("/v1/generate", **form(pose="very secret"))
    lines = [JsonFormatter().format(record) for record in caplog.records]
    first, second = (json.loads(line) for line in lines)
    assert (first["request_id"], first["status"], first["route"]) == ("mine", 200, "/v1/generate")
    assert (second["status"], second["code"]) == (422, "invalid")
    assert first["milliseconds"] > 0
    for private in ("123.4375", "77.8125", "secret"):
        assert private not in "".join(lines)


def test_networks_for_browsers(start: Start, exported: Path) -> None:
    with start(models=(str(exported),), threads=1, in_browser=True) as (client, service):
        assert {served.pipeline.backend for served in service.models.values()} == {"onnx"}
        (entry,) = client.get("/v1/models").json()["models"]
        # Another file has another address, so that browsers can keep this one.
        digest = hashlib.sha256(exported.read_bytes()).hexdigest()
        assert entry["onnx"] == f"v1/models/model?{digest[:16]}"
        for address, file in ((entry["onnx"], exported), ("v1/estimator", MOVENET)):
            answer = client.get(address)
            assert answer.content == file.read_bytes()
            assert answer.headers["Cache-Control"] == "private, max-age=3600"
        error_of(client.get("/v1/models/other"), 404, "not_found")
        # So that the page may run WebAssembly, in threads; nothing else is loosened.
        headers = client.get("/").headers
        policy = dict(rule.split(maxsplit=1) for rule in headers["Content-Security-Policy"].split("; "))
        assert policy.pop("script-src") == "'self' 'wasm-unsafe-eval'"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert (
            client.get("/onnxruntime/ort.wasm.min.mjs").headers["Content-Type"].startswith("text/javascript")
        )
        assert (
            client.head("/onnxruntime/ort-wasm-simd-threaded.wasm").headers["Content-Type"]
            == "application/wasm"
        )
    with start(models=(str(exported),), threads=1) as (client, _):
        assert client.get("/v1/models").json()["models"][0]["onnx"] is None
        for address in ("/v1/models/model", "/v1/estimator"):
            error_of(client.get(address), 404, "not_found")
        plain = client.get("/").headers
        assert f"{plain['Content-Security-Policy']}; script-src" in headers["Content-Security-Policy"]
        assert "Cross-Origin-Embedder-Policy" not in plain


def test_networks_are_for_those_with_the_key(start: Start, exported: Path) -> None:
    with start(models=(str(exported),), threads=1, in_browser=True, api_key="k") as (client, _):
        for address in ("/v1/models/model", "/v1/estimator"):
            error_of(client.get(address), 401, "unauthorized")


def test_what_runs_in_browsers_is_as_its_readme_says() -> None:
    """Unchanged, and nothing else is there."""
    folder = SERVICE_PAGE / "onnxruntime"
    said = re.findall(
        r"^\| (\S+) \| ([0-9a-f]{64}) \|$", (folder / "README.md").read_text("utf-8"), re.MULTILINE
    )
    files = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.suffix != ".md"
    }
    assert dict(said) == files
