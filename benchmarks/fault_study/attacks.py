"""The attacks that pg2 did not survive once, against services and commands as people start them."""

import contextlib
import http.client
import io
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from fault_study.asking import Material
from serving import Server, body

_MEMORY = 1_000_000_000  # bytes that a service may grow by
_SLOWEST = 5.0  # seconds that anybody else waits
_FILES = 256
_CROWD = 300
_LARGE = 600_000_000


class Attack(NamedTuple):
    """What became of an attack.

    Attributes:
        name: what was done.
        survived: whether it did no harm.
        words: figures.
    """

    name: str
    survived: bool
    words: str


# ---- what is sent


def many_scans(scans: int = 5000) -> bytes:
    """A small progressive JPEG of 2000x2000, whose last scan comes again and again."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (2000, 2000), 128).save(buffer, "JPEG", progressive=True, quality=10)
    content = buffer.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * scans + b"\xff\xd9"


def webp_bomb(side: int = 10_000) -> bytes:
    """A WebP of under 50 bytes that says it has so many pixels a side, all of one colour."""
    bits = f"{side - 1:014b}"[::-1] + f"{side - 1:014b}"[::-1] + "0000" + "000" + "1000" * 5
    bits += "0" * (-len(bits) % 8)
    data = b"\x2f" + bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8)) + b"\0"
    data += b"\0" * (len(data) % 2)
    chunk = b"VP8L" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk


def _json_bodies(material: Material) -> list[bytes]:
    start = b'{"photo": "", "pose": '
    person = json.dumps(material.pose["people"][0]).encode()
    crowd = b'{"people": [' + b",".join([person] * (9_000_000 // len(person))) + b"]}}"
    return [
        start + b"[" + b"[]," * 3_000_000 + b"[]]}",
        start + b"[" * 4_000_000 + b"]" * 4_000_000 + b"}",
        start + crowd,
        start + b'{"people": [' + b"{}," * 3_000_000 + b"{}]}}",
    ]


# ---- a service under attack


class _Watch:
    """How others fare meanwhile: the longest wait for /healthz, and the memory of the process."""

    def __init__(self, place: str, pid: int) -> None:
        self._place, self._pid = place, pid
        self._before = self._memory()
        self.slowest, self.most, self.failed = 0.0, 0, ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _memory(self) -> int:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self._pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0

    def _look(self) -> None:
        while True:
            began = time.monotonic()
            try:
                status = ask(self._place, "GET", "/healthz" if self._healthy else "/api/study")[0]
                if status != 200:
                    self.failed = f"status {status}"
            except (OSError, http.client.HTTPException) as error:
                self.failed = type(error).__name__
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.most = max(self.most, self._memory() - self._before)
            if self._over.wait(0.02):
                return

    _healthy = True

    @property
    def well(self) -> bool:
        return not self.failed and self.slowest < _SLOWEST and self.most < _MEMORY

    def __str__(self) -> str:
        failed = f"; others: {self.failed}" if self.failed else ""
        return f"others waited {self.slowest:.2f} s at most, memory +{self.most / 1e6:.0f} MB{failed}"


class _WatchOfStudy(_Watch):
    _healthy = False


def ask(place: str, method: str, path: str, content: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """One request on a connection of its own; status and body."""
    connection = http.client.HTTPConnection(place, timeout=120)
    try:
        connection.request(
            method, path, content, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _photo_form(photo: bytes) -> bytes:
    return (
        b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
        + photo
        + b"\r\n--x--\r\n"
    )


_ANSWERS = (
    b'{"position": NaN, "answer": "real"}',
    b'{"position": 0, "answer": "real", "milliseconds": Infinity}',
    b'{"position": 1e400, "answer": "real"}',
    b'{"position": 0, "answer": "\\ud800"}',
    b"[" * 4000,
    b"\xff",
)
_FORM = {"Content_Type": "multipart/form-data; boundary=x"}
_JSON = {"Content_Type": "application/json"}


def _listed(statuses: list[int]) -> str:
    return ", ".join(map(str, sorted(set(statuses))))


def _refused(server: Any, path: str, bodies: list[bytes], kind: dict[str, str], name: str) -> Attack:
    """Send bodies all at once: each is refused, and nobody else suffers."""
    began = time.monotonic()
    with _Watch(server.place, server.process.pid) as watch, ThreadPoolExecutor(len(bodies)) as pool:
        statuses = list(pool.map(lambda content: ask(server.place, "POST", path, content, **kind)[0], bodies))
    seconds = time.monotonic() - began
    good = ask(server.place, "POST", "/v1/generate", body(), **_FORM)[0]
    refused = all(400 <= status < 500 for status in statuses)
    words = f"{len(bodies)} at once refused ({_listed(statuses)}) in {seconds:.1f} s; {watch}"
    return Attack(name, refused and watch.well and good == 200, words)


def service_attacks(material: Material, model: str) -> Iterator[Attack]:
    """On one `pg2 serve`, one after another; then it stops when it is asked to."""
    with Server("--model", model) as server:
        for _ in range(3):
            ask(server.place, "POST", "/v1/generate", body(), **_FORM)
        jpeg = _photo_form(many_scans())
        yield _refused(
            server,
            "/v1/pose",
            [jpeg] * 8,
            _FORM,
            f"progressive JPEG of 5,000 scans ({len(jpeg) / 1000:.0f} kB)",
        )
        webp = webp_bomb()
        yield _refused(
            server, "/v1/pose", [_photo_form(webp)] * 8, _FORM, f"WebP of 100 megapixels in {len(webp)} bytes"
        )
        bodies = _json_bodies(material)
        name = "9 MB of JSON: empty lists, 4,000,000 levels deep, thousands of people"
        yield _refused(server, "/v1/generate", bodies * 2, _JSON, name)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        code = server.process.wait(60)
        seconds = time.monotonic() - began
        yield Attack(
            "SIGTERM after all that", code == 0 and seconds < 20, f"exit code {code} after {seconds:.1f} s"
        )


@contextlib.contextmanager
def few_files(count: int) -> Iterator[None]:
    """Processes that start meanwhile may have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def unfinished_headers(model: str) -> Attack:
    """More connections that never end their header than the service may have files open."""
    with few_files(_FILES):
        server = Server("--model", model)
    with server:
        host, _, port = server.place.partition(":")
        opened = []
        with _Watch(server.place, server.process.pid) as watch:
            for _ in range(_CROWD):
                with contextlib.suppress(OSError):
                    connection = socket.create_connection((host, int(port)), timeout=5)
                    connection.sendall(b"GET / HTTP/1.1\r\nX: ")
                    opened.append(connection)
            time.sleep(2)
        for connection in opened:
            connection.close()
        status = ask(server.place, "POST", "/v1/generate", body(), **_FORM)[0]
        log = Path(server._log.name).read_text()
    tracebacks = log.count("Traceback")
    words = (
        f"{len(opened)} connections, {_FILES} files; {watch}; then {status}; {len(log) / 1000:.0f} kB of log"
    )
    survived = watch.well and status == 200 and not tracebacks and len(log) < 1_000_000
    return Attack("unfinished headers under ulimit -n 256", survived, words)


def study_bodies(study: Path) -> Attack:
    """Bodies without end, numbers that are none, strangers: `pg2 userstudy serve` refuses them all."""
    command = [sys.executable, "-m", "pg2", "userstudy", "serve", str(study), "--port", "0", "--people", "50"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        place = process.stdout.readline().split("//")[1].split()[0].rstrip("/")
        with _WatchOfStudy(place, process.pid) as watch:
            token = json.loads(ask(place, "POST", "/api/participants", b"{}", **_JSON)[1])["token"]
            path = f"/api/participants/{token}/answers"
            statuses = [ask(place, "POST", path, content, **_JSON)[0] for content in _ANSWERS]
            statuses.append(ask(place, "GET", "/api/study", Host="evil.example.org")[0])
            statuses.append(
                ask(place, "POST", "/api/participants", b"{}", Origin="https://evil.example.org", **_JSON)[0]
            )
            statuses += [_endless(place, path, chunked) for chunked in (False, True)]
            # Who has answered keeps their place in a study that is full.
            given = b'{"position": 0, "answer": "real", "milliseconds": 300}'
            answered = ask(place, "POST", path, given, **_JSON)[0]
            crowd = [ask(place, "POST", "/api/participants", b"{}", **_JSON)[0] for _ in range(100)]
            kept = json.loads(ask(place, "GET", f"/api/participants/{token}")[1]).get("answered")
    finally:
        process.terminate()
        process.wait()
    refused = all(400 <= status < 500 for status in statuses) and set(crowd) <= {201, 403}
    words = f"{len(statuses)} bodies and strangers refused ({_listed(statuses)}); {watch}"
    return Attack(
        "userstudy: 600 MB bodies, NaN, foreign sites",
        refused and watch.well and (answered, kept) == (204, 1),
        words,
    )


def _endless(place: str, path: str, chunked: bool) -> int:
    """Send 600 MB, announced or not; the status that they are refused with, 400 where they are cut off."""
    host, _, port = place.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {_LARGE}"
        head = f"POST {path} HTTP/1.1\r\nHost: {place}\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
        connection.sendall(head.encode())
        piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n" if chunked else b" " * 0x100000
        try:
            for _ in range(_LARGE // 0x100000):
                connection.sendall(piece)
        except OSError:
            pass
        try:
            return int(connection.recv(100).split()[1])
        except (OSError, IndexError):
            return 400


def eps_photo() -> Attack:
    """An EPS called photo.jpg must start no Ghostscript."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        started = home / "started"
        program = home / "programs" / "gs"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\ntouch {started}\n")
        program.chmod(0o755)
        (home / "raw" / "ann").mkdir(parents=True)
        Image.new("RGB", (64, 128), "grey").save(home / "raw" / "ann" / "photo.eps")
        (home / "raw" / "ann" / "photo.eps").rename(home / "raw" / "ann" / "photo.jpg")
        path = f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        codes = []
        for line in (["prepare", "folder", "raw", "data"], ["pose", "raw/ann/photo.jpg", "--out", "poses"]):
            ran = subprocess.run(
                [sys.executable, "-m", "pg2", *line],
                cwd=home,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
            )
            codes.append(ran.returncode)
        words = f"exit codes {codes}; Ghostscript {'was started' if started.exists() else 'was not started'}"
        return Attack("an EPS called photo.jpg", not started.exists() and 0 not in codes, words)


def all_attacks(examples: Path, model: str) -> list[Attack]:
    """All of them, one after another."""
    from fault_study.asking import material

    found = list(service_attacks(material(examples), model))
    rest: list[Callable[[], Attack]] = [
        lambda: unfinished_headers(model),
        lambda: study_bodies(examples / "study"),
        eps_photo,
    ]
    return [*found, *(attack() for attack in rest)]
