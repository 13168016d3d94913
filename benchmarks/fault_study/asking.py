"""Malformed requests to both web apps: `pg2 serve` and `pg2 userstudy serve`."""

import base64
import json
import os
import random
import time
from typing import Any, NamedTuple

from fault_study.mutations import alter, bytewise, json_file, mutated

_ALLOWED = {200, 201, 204, 206, 304, 400, 401, 403, 404, 405, 409, 410, 413, 415, 416, 421, 422, 429, 499}
"""What may be answered; among them nothing of 500 and above."""


class Request(NamedTuple):
    """A request as it is sent."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Material(NamedTuple):
    """What whole requests are made of.

    Attributes:
        photo: a small JPEG of a person.
        pictures: the content of pictures, by names that tell their format.
        pose: an OpenPose document.
        keypoints: of the person on the photo, as the API takes them.
    """

    photo: bytes
    pictures: dict[str, bytes]
    pose: dict[str, Any]
    keypoints: dict[str, Any]


_BROKEN_HEADERS = (
    (b"content-type", b"multipart/form-data; boundary=" + b"x" * 300),
    (b"content-type", b"multipart/form-data; boundary=\xff"), (b"content-type", b"multipart/form-data"),
    (b"content-type", b'multipart/form-data; boundary=""'), (b"content-type", b""),
    (b"content-type", b"application/json; charset=utf-99"), (b"content-type", b"text/plain"),
    (b"accept", b"\xff\xfe"), (b"accept", b"application/json;q=nan"), (b"accept", b"image/png;q=0, */*;q=x"),
    (b"x-request-id", b"\xff" * 40), (b"x-request-id", b"a" * 5000), (b"x-request-id", b"{}\\n%s"),
    (b"host", b"evil.example.org"), (b"host", b"[::1"), (b"host", b"[v1.x]"), (b"host", b"a:b:c"),
    (b"host", b""), (b"host", b"\xff.\xff"), (b"host", b"127.0.0.1:99999999"), (b"origin", b"null"),
    (b"origin", b"\xff://"), (b"sec-fetch-site", b"cross-site"), (b"authorization", b"Bearer \xff"),
    (b"authorization", b"Basic"), (b"content-length", b"-1"), (b"content-length", b"\xb2"),
    (b"content-length", b"9" * 30), (b"range", b"bytes=0-0,1-1,2-2"), (b"range", b"bytes=9-1"),
    (b"range", b"bytes=-"), (b"range", b"bytes=\xff"), (b"if-none-match", b"\xff"),
    (b"if-modified-since", b"x"), (b"cookie", b"\0"), (b"expect", b"100-continue"),
)  # fmt: skip


def breaks_http(request: Request) -> bool:
    """Whether it has a header for which a server may cut the connection before it has read the body."""
    return any(header in _BROKEN_HEADERS for header in request.headers)


_PATHS = (
    "/v1/photos/%00", "/v1/photos/x", "/v1/motions", "/v1/animations",
    "/", "/v1", "/v1/models", "/v1/poses", "/v1/samples", "/v1/samples/00003.jpg", "/v1/samples/..%2f..%2fx",
    "/v1/samples/%00", "/v1/samples/%ff.jpg", "/v1/samples/" + "9" * 5000, "/healthz", "/readyz", "/metrics",
    "/openapi.json", "/index.html", "/..%2f..%2f..%2fetc/passwd", "/%2e%2e/x", "/\\x", "//x", "/%00", "/%ff",
    "/" + "a" * 3000, "/v1/generate/", "/v1/pose?x=%ff", "/" + "a/" * 2000, "/.%00", "/con",
    "/%c0%ae%c0%ae/", "/static/../../x", "/%F0%9F%98%80", "/a" * 300 + ".js",
)  # fmt: skip

_STUDY_PATHS = (
    "/api/study", "/api/participants", "/api/participants/%00", "/api/participants/%ff", "/pictures/x.png",
    "/api/participants/" + "x" * 5000, "/pictures/..%2fstudy.json", "/pictures/%2e%2e/study.json",
    "/study.json",
)  # fmt: skip


def _form(chance: random.Random, fields: list[tuple[str, bytes]]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    lines = b""
    for name, value in fields:
        file = b'; filename="a.jpg"' if value[:1] not in b"{[" and len(value) > 200 else b""
        lines += (
            b"--x\r\nContent-Disposition: form-data; name="
            + json.dumps(name).encode()
            + file
            + b"\r\n\r\n"
            + value
            + b"\r\n"
        )
    return [(b"content-type", b"multipart/form-data; boundary=x")], lines + b"--x--\r\n"


def service_request(chance: random.Random, material: Material) -> Request:
    """A request to `pg2 serve`, mostly malformed."""
    if chance.random() < 0.08:
        method = chance.choice(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X"))
        return Request(method, chance.choice(_PATHS), [chance.choice(_BROKEN_HEADERS)], b"")
    photo = material.photo
    if chance.random() < 0.4:
        name = chance.choice(sorted(material.pictures))
        photo = mutated(chance, name, material.pictures[name])
    if chance.random() < 0.2:
        headers, body = _form(chance, [("photo", photo)])
        return _broken(chance, chance.choice(("/v1/pose", "/v1/photos")), headers, body)
    if chance.random() < 0.06:
        motion: Any = chance.choice(("wave", ["front", material.pose], [material.keypoints, "back"]))
        wanted = {
            "motion": motion,
            "fps": 5,
            "seconds": 0.4,
            "format": "gif",
            "source_pose": material.keypoints,
        }
        changed = alter(chance, json.loads(json.dumps(wanted)))
        whole = {"photo": base64.b64encode(photo).decode(), **(changed if isinstance(changed, dict) else {})}
        body = json.dumps(whole).encode()
        return _broken(chance, "/v1/animations", [(b"content-type", b"application/json")], body)
    pose: Any = chance.choice(("walking", material.pose, material.keypoints))
    fields: dict[str, Any] = {
        "pose": json.loads(json.dumps(pose)),
        "source_pose": json.loads(json.dumps(material.keypoints)),
        **chance.choice(
            (
                {},
                {},
                {"format": "json"},
                {"format": "full_size"},
                {"format": "strip"},
                {"person": 0},
                {"kept": "x"},
                {"origin": True, "format": "json"},
                {"model": "x"},
            )
        ),
    }
    if chance.random() < 0.6:
        fields = alter(chance, {"pose": fields.pop("pose"), **fields}) if chance.random() < 0.8 else {}
    if not isinstance(fields, dict):
        fields = {"pose": fields}
    if chance.random() < 0.5:
        whole = {"photo": base64.b64encode(photo).decode(), **fields}
        body = json.dumps(whole).encode()
        if chance.random() < 0.2 and len(body) < 200_000:
            body = json_file(chance, body)
        return _broken(chance, "/v1/generate", [(b"content-type", b"application/json")], body)
    parts = [("photo", photo)]
    for name, value in fields.items():
        text = value if isinstance(value, str) else json.dumps(value)
        parts.append((name, text.encode("utf-8", "surrogatepass")))
    if chance.random() < 0.1:
        parts = parts * chance.choice((2, 20))
    return _broken(chance, "/v1/generate", *_form(chance, parts))


def _broken(chance: random.Random, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Request:
    """The request, perhaps with a broken body or header."""
    if chance.random() < 0.15:
        body = bytewise(chance, body)
    if chance.random() < 0.1:
        added = chance.choice(_BROKEN_HEADERS)
        headers = [header for header in headers if header[0] != added[0]] + [added]
    return Request("POST", path, headers, body)


def study_request(chance: random.Random, token: str, picture: str) -> Request:
    """A request to `pg2 userstudy serve`, mostly malformed."""
    kind = [(b"content-type", b"application/json")]
    if chance.random() < 0.3:
        path = chance.choice(
            (*_STUDY_PATHS, f"/api/participants/{token}", f"/pictures/{picture}.png", *_PATHS)
        )
        return Request(
            chance.choice(("GET", "POST", "HEAD", "PUT")), path, [chance.choice(_BROKEN_HEADERS)], b"{}"
        )
    answer = alter(chance, {"position": 0, "answer": "real", "milliseconds": 400})
    body = json.dumps(answer).encode("utf-8", "surrogatepass")
    if chance.random() < 0.4:
        body = json_file(chance, b'{"position": 0, "answer": "real", "milliseconds": 400}')
    return _broken(chance, f"/api/participants/{token}/answers", kind, body)


class Asking:
    """Both web apps in this process, and clients of them."""

    def __init__(self, examples: Any) -> None:
        """`examples`: the folder of whole files."""
        import shutil

        from starlette.testclient import TestClient

        from pg2.serving.app import service_app
        from pg2.serving.options import ServeOptions
        from pg2.serving.service import Service
        from pg2.userstudy.server import study_app
        from pg2.userstudy.study import Study

        self.material = material(examples)
        service = Service(ServeOptions(models=(str(examples / "model"),), timeout=20, threads=1))
        study = examples.parent / f"study of {os.getpid()}"
        shutil.copytree(examples / "study", study)
        self._clients = [TestClient(service_app(service)), TestClient(study_app(Study.load(study)))]
        for client in self._clients:
            client.__enter__()
        end = time.monotonic() + 60
        while service.state == "loading" and time.monotonic() < end:
            time.sleep(0.02)
        self._token = self._clients[1].post("/api/participants").json()["token"]
        self._picture = Study.load(study).pictures[0].id

    def ask(self, chance: random.Random) -> None:
        """Send one request.

        Raises:
            Pg2Error: it was refused, as it should be.
            Exception: anything else; a wrong status among them.
        """
        from pg2.errors import Pg2Error

        of_study = chance.random() < 0.3
        if of_study:
            request = study_request(chance, self._token, self._picture)
        else:
            request = service_request(chance, self.material)
        answer = self._clients[of_study].request(
            request.method,
            request.path,
            headers=request.headers,
            content=request.body,
            follow_redirects=False,
        )
        if answer.status_code in (307, 308):
            return
        if answer.status_code not in _ALLOWED:
            raise RuntimeError(
                f"{request.method} {request.path[:100]} was answered {answer.status_code}: {answer.text[:99]}"
            )
        if answer.status_code >= 400:
            # HEAD has no body.
            words = answer.json()["error"]["message"] if answer.content else f"status {answer.status_code}"
            raise Pg2Error(words)


def material(examples: Any) -> Material:
    """From the examples' folder."""
    from pg2.io.packaged import SAMPLES
    from pg2.pose.formats import read_keypoints_csv
    from pg2.pose.keypoints import Pose
    from pg2.serving.schemas import Keypoints

    pose = Pose(read_keypoints_csv(SAMPLES / "keypoints.csv")["00003/00.jpg"], (256, 256))
    return Material(
        (SAMPLES / "00003/00.jpg").read_bytes(),
        {file.name: file.read_bytes() for file in sorted((examples / "pictures").iterdir())},
        pose.to_openpose(),
        Keypoints.of(pose).model_dump(mode="json"),
    )
