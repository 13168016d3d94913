"""The real process: `pg2 serve`, its socket, its logs, and how it stops."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from serving_samples import error_of, form, wait_for

from pg2 import cli, web


class Process:
    """A running `pg2 serve`, at a port of its own."""

    def __init__(self, folder: Path, *arguments: object, code: str = "") -> None:
        """`code` is run before."""
        self._log = folder / "log"
        command = [sys.executable, "-c", f"{code}\nfrom pg2.cli import main\nmain()", "serve", "--port", "0"]
        command += map(str, arguments)
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, stderr=log)
        wait_for(lambda: self.said("ready") or self._process.poll() is not None, 60)
        self.url = str(self.said("listening")[0]["url"])

    def said(self, message: str) -> list[dict[str, Any]]:
        """The lines of the log with this message; every line is JSON."""
        whole, _, _ = self._log.read_text().rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if line["message"] == message]

    def count(self, metric: str) -> float:
        """A metric, summed over its labels."""
        found = re.findall(
            rf"^{metric}(?:{{.*}})? (\S+)$", httpx2.get(self.url + "metrics").text, re.MULTILINE
        )
        return sum(map(float, found))

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def ended(self) -> int:
        """Wait for the end; its exit code."""
        return self._process.wait(20)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def serve(tmp_path: Path, models: tuple[str, str]) -> Iterator[Any]:
    """Start `pg2 serve` with a tiny model."""
    started: list[Process] = []

    def start(*arguments: object, code: str = "") -> Process:
        started.append(Process(tmp_path, "--model", models[0], "--threads", 1, *arguments, code=code))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def test_what_was_taken_is_answered_before_the_end(serve: Any) -> None:
    """Twenty requests wait for company; at SIGTERM they are kept, and others are told to go elsewhere."""
    process = serve("--batch", 64, "--batch-wait", 1500, "--grace", 20)
    url = process.url + "v1/generate"
    with ThreadPoolExecutor(20) as clients, httpx2.Client(timeout=20) as kept:
        assert kept.get(process.url + "readyz").status_code == 200
        taken = [clients.submit(httpx2.post, url, timeout=20, **form()) for _ in range(20)]
        wait_for(lambda: process.count("pg2_queue_length") == 20)
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGTERM)
        wait_for(lambda: kept.get(process.url + "readyz").status_code == 503)
        error_of(kept.post(url, **form()), 503, "not_ready")
        answers = [request.result() for request in taken]
    assert [answer.status_code for answer in answers] == [200] * 20
    assert len({answer.content for answer in answers}) == 1
    assert process.ended() == 0
    assert process.said("stopped")
    statuses = [line["status"] for line in process.said("request") if line["route"] == "/v1/generate"]
    assert sorted(statuses) == [200] * 20 + [503]


def test_a_second_signal_stops_at_once(serve: Any) -> None:
    process = serve("--batch-wait", 15_000)
    with ThreadPoolExecutor(1) as clients:
        taken = clients.submit(httpx2.post, process.url + "v1/generate", timeout=20, **form())
        wait_for(lambda: process.count("pg2_queue_length") == 1)
        began = time.monotonic()
        process.signal(signal.SIGINT)
        wait_for(lambda: process.said("stopping"))
        process.signal(signal.SIGINT)
        process.ended()
        assert time.monotonic() - began < 8
        assert taken.exception() is not None or taken.result().status_code >= 500


STUCK = """
import time
from pg2.serving import service
service.load_shrunk = lambda photo, enough: time.sleep(600)
"""


def test_stopping_waits_for_no_photo(serve: Any) -> None:
    process = serve("--grace", 0.2, code=STUCK)
    with ThreadPoolExecutor(1) as clients:
        asked = clients.submit(httpx2.post, process.url + "v1/pose", timeout=60, files={"photo": b"large"})
        wait_for(lambda: process.count("pg2_requests_inside") == 1)
        process.signal(signal.SIGTERM)
        error_of(asked.result(), 503, "not_ready")
        assert process.ended() == 0
    assert process.said("stopped")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "TAKEN"], "cannot listen on 127.0.0.1, port"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
        (["--port", "0", "--model", "./nowhere"], "there is no model ./nowhere"),
        (["--port", "0", "--device", "tpu"], 'there is no device "tpu" here; give auto, cpu'),
        (["--api-key-file", "nowhere"], "cannot read nowhere (the API key)"),
        (["--cors-origin", "*"], "an origin is SCHEME://HOST"),
    ],
)
def test_errors_are_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = [port if word == "TAKEN" else word for word in arguments]
        monkeypatch.setattr(sys, "argv", ["pg2", "serve", *arguments])
        monkeypatch.setattr("pg2.serving.server.configure", lambda: None)
        with pytest.raises(SystemExit, match="2"):
            cli.main()
    (line,) = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("{")]
    assert line.startswith("pg2: ")
    assert said in line


def test_no_limit_is_infinite(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--max-body", "--max-held", "--max-kept", "--keep", "--timeout", "--grace"):
        monkeypatch.setattr(sys, "argv", ["pg2", "serve", option, "inf"])
        with pytest.raises(SystemExit, match="2"):
            cli.main()
        said = capsys.readouterr().err
        assert option in said or option.strip("-") in said
        assert "Traceback" not in said


def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(web, "find_spec", lambda name: None if name == "uvicorn" else name)
    monkeypatch.setattr(sys, "argv", ["pg2", "serve"])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    said = capsys.readouterr().err
    assert said == 'pg2: serving needs uvicorn; install it with: pip install "pg2[serve]"\n'
