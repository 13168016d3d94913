"""A crowd of unfinished requests where a process may have only 256 files open."""

import json
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2

SERVER = """
import logging, uvicorn
from fastapi import FastAPI
from pg2.web.connections import Config
from pg2.web.logs import configure, log
from pg2.web.sockets import listen, url_of
configure()
app = FastAPI()
app.get("/healthz")(lambda: "ok")
with listen("127.0.0.1", 0) as listener:
    log(logging.INFO, "listening", url=url_of(listener))
    uvicorn.Server(Config(app)).run(sockets=[listener])
"""


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


def test_a_crowd_beyond_the_open_files(tmp_path: Path) -> None:
    """The server answers while they are there and after they have gone; its log stays JSON, and short."""
    log = tmp_path / "log"
    with log.open("w") as written:
        process = subprocess.Popen([sys.executable, "-c", SERVER], stderr=written, preexec_fn=few_files)
    crowd: list[socket.socket] = []
    try:
        end = time.monotonic() + 60
        while not log.read_text().endswith("\n"):
            assert time.monotonic() < end
            time.sleep(0.05)
        url = json.loads(log.read_text().splitlines()[0])["url"]
        place = ("127.0.0.1", int(url.rsplit(":")[-1].strip("/")))
        for _ in range(300):
            crowd.append(socket.create_connection(place, timeout=20))
            crowd[-1].sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        assert httpx2.get(f"{url}healthz", timeout=20).json() == "ok"
        for connection in crowd:
            connection.close()
        assert httpx2.get(f"{url}healthz", timeout=20).json() == "ok"
    finally:
        for connection in crowd:
            connection.close()
        process.kill()
        process.wait()
    said = log.read_text()
    assert len(said) < 20_000
    lines = [json.loads(line) for line in said.splitlines()]
    assert {line["message"] for line in lines[1:]} == {"too many connections; the slowest client goes"}
    assert len(lines) <= 21
