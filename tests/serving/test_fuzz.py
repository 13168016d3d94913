"""Anything may be sent: the answer is what was asked for or an error of the client's, never one of ours."""

import io
import json
import random
import struct
import zlib
from typing import Any

import hypothesis
import numpy as np
import pytest
import schemathesis
from hypothesis import strategies as st
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving_samples import CONTENT, POSE, form, wait_for
from starlette.testclient import TestClient

from pg2.serving.app import service_app
from pg2.serving.options import ServeOptions
from pg2.serving.schemas import Keypoints
from pg2.serving.service import Service

FEW = hypothesis.settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png_of(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG that says it is so large, whatever it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def gif_of(width: int, height: int, frames: int) -> bytes:
    """A GIF that says it is so large, of frames of one pixel."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame * frames + b";"


PERSON = Image.open(io.BytesIO(CONTENT)).convert("RGB")
NOISE = np.random.default_rng(3).integers(0, 256, (256, 256), dtype=np.uint16) * 257


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(PERSON, "JPEG", exif=exif)


PICTURES = {
    "truncated.jpg": (CONTENT[: len(CONTENT) // 2], 422),
    "truncated.png": (saved(PERSON, "PNG")[:-9000], 422),
    "empty": (b"", 422),
    "text.jpg": (b"a letter to a friend", 422),
    "html.png": (b"<html><script>alert(1)</script>", 422),
    "header-only.png": (saved(PERSON, "PNG")[:33], 422),
    "bomb.gif": (gif_of(65535, 65535, 2), 422),
    "many-frames.gif": (gif_of(256, 256, 5000), 200),
    "huge.png": (png_of(2**31 - 1, 2**31 - 1), 422),
    "large.png": (png_of(12_000, 12_000), 422),
    "bomb.png": (png_of(20_000, 20_000, bytes(10_000_000)), 422),
    "lying.png": (png_of(256, 256, bytes(100)), 422),
    "dot.png": (saved(PERSON.resize((1, 1)), "PNG"), 422),
    "line.png": (saved(PERSON.resize((3000, 16)), "PNG"), 422),
    "16-bit.png": (saved(Image.fromarray(NOISE), "PNG"), 200),
    "float.tif": (saved(Image.fromarray(np.full((256, 256), np.nan, np.float32)), "TIFF"), 200),
    "cmyk.jpg": (saved(PERSON.convert("CMYK"), "JPEG"), 200),
    "palette.png": (saved(PERSON.quantize(16), "PNG", transparency=3), 200),
    "one-bit.png": (saved(PERSON.convert("1"), "PNG"), 200),
    "animated.webp": (saved(PERSON, "WEBP", save_all=True, append_images=[PERSON.rotate(90)]), 200),
    "rotated.jpg": (rotated(), 200),
    "picture.eps": (saved(PERSON, "EPS"), 422),
}


@pytest.mark.filterwarnings("ignore:.*animated")
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_all_kinds(client: TestClient, name: str) -> None:
    """As the photo, as the pose, and to find people on; what is a picture may still show nobody."""
    content, status = PICTURES[name]
    answer = client.post("/v1/generate", **form(photo=content))
    assert answer.status_code == status, answer.text
    assert client.post("/v1/generate", **form(pose=content)).status_code in (status, 422)
    assert client.post("/v1/pose", files={"photo": (name, content)}).status_code == (
        200 if name == "line.png" else status
    )


@pytest.mark.filterwarnings("ignore")
def test_damaged_pictures(client: TestClient) -> None:
    chance = random.Random(0)
    wholes = [saved(PERSON.resize((64, 64)), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")]
    pose = json.dumps(Keypoints.of(POSE.resize((64, 64))).model_dump())
    statuses = set()
    for number in range(120):
        damaged = bytearray(wholes[number % len(wholes)])
        for _ in range(4):
            damaged[chance.randrange(min(len(damaged), 400))] = chance.randrange(256)
        statuses.add(client.post("/v1/generate", **form(photo=bytes(damaged), source_pose=pose)).status_code)
    assert statuses == {200, 422}


POINT = st.none() | st.lists(st.floats(-1.1e6, 1.1e6) | st.integers(-300, 300), min_size=2, max_size=2)
POSES = st.fixed_dictionaries(
    {
        "size": st.lists(st.integers(0, 600) | st.integers(0, 2_000_000), min_size=2, max_size=2),
        "keypoints": st.lists(POINT, min_size=18, max_size=18),
    }
)


@hypothesis.settings(FEW, max_examples=25)
@hypothesis.given(pose=POSES, own=POSES)
def test_any_pose(client: TestClient, pose: Any, own: Any) -> None:
    own["size"] = [256, 256]
    for fields in ({"pose": pose}, {"source_pose": own}, {"pose": pose, "source_pose": own}):
        texts = {name: json.dumps(value) for name, value in fields.items()}
        answer = client.post("/v1/generate", **form(format="full_size", **texts))
        assert answer.status_code in (200, 422), answer.text


JSONS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["photo", "size"]), inner),
    max_leaves=8,
)


@FEW
@hypothesis.given(photo=JSONS, pose=JSONS, source_pose=JSONS, person=JSONS)
def test_any_json(client: TestClient, **fields: Any) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1/generate", content=json.dumps(fields), headers=headers)
    assert answer.status_code in (400, 422)


@FEW
@hypothesis.given(
    body=st.binary()
    | st.lists(
        st.sampled_from(
            [
                b"--x",
                b"--x--",
                b"\r\n",
                b"\r\n\r\n",
                b'Content-Disposition: form-data; name="photo"',
                b"; filename=",
            ]
        )
        | st.binary(max_size=5)
    ).map(b"".join),
    kind=st.sampled_from(["application/json", "multipart/form-data; boundary=x", "multipart/form-data"]),
)
def test_any_body(client: TestClient, body: bytes, kind: str) -> None:
    answer = client.post("/v1/generate", content=body, headers={"Content-Type": kind})
    assert 400 <= answer.status_code < 500


def test_the_api_keeps_what_its_document_says(models: tuple[str, str]) -> None:
    """Of every route: statuses, content types and answers are as documented, whatever is sent."""
    service = Service(ServeOptions(models=models))
    schema = schemathesis.openapi.from_asgi("/openapi.json", service_app(service))
    wait_for(lambda: service.state == "ready")
    checks = [not_a_server_error, status_code_conformance, content_type_conformance]
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == 15

    for operation in operations:
        seen = set()

        @hypothesis.settings(FEW, max_examples=30 if operation.method == "post" else 6)
        @hypothesis.given(case=operation.as_strategy())
        def test(case: Any) -> None:
            answer = case.call_and_validate(checks=[*checks, response_schema_conformance])
            seen.add(answer.status_code)  # noqa: B023

        test()
        assert seen
