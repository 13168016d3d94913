"""The Dockerfile, as far as it can be checked without Docker; `make lint` runs hadolint on it."""

import http.server
import json
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest
import typer

from pg2.cli.app import app

ROOT = Path(__file__).parents[2]


def _instructions() -> list[tuple[str, str]]:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)
    ]


INSTRUCTIONS = _instructions()
LAST_STAGE = INSTRUCTIONS[max(i for i, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM") :]


def _last(word: str) -> str:
    return [rest for name, rest in LAST_STAGE if name == word][-1]


def _health_command() -> list[str]:
    command: list[str] = json.loads(_last("HEALTHCHECK").partition("CMD ")[2])
    return command


def test_it_runs_as_nobody_in_particular() -> None:
    assert int(_last("USER").partition(":")[0]) > 0


def test_what_is_copied_is_there_not_ignored_and_all_that_an_installation_needs() -> None:
    copied = [
        source
        for word, rest in INSTRUCTIONS
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    ]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored.index("*") < min(ignored.index(f"!{source}") for source in copied)
    assert [source for source in copied if not (ROOT / source).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {
        "pyproject.toml",
        "src",
        project["readme"],
        *(name.split("/")[0] for name in project["license-files"]),
    }
    assert needed <= set(copied)


def test_its_command_is_one_that_pg2_takes() -> None:
    assert json.loads(_last("ENTRYPOINT")) == ["pg2"]
    name, *arguments = json.loads(_last("CMD"))
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    options = command.make_context(name, arguments).params
    assert options["host"] == "0.0.0.0"
    assert _last("EXPOSE") == str(options["port"])
    assert f":{options['port']}/healthz" in _health_command()[-1]


@pytest.mark.parametrize(("status", "well"), [(200, True), (503, False)])
def test_the_health_check_tells_well_from_ill(status: int, well: bool) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        python, *arguments = _health_command()
        assert python == "python"
        arguments = [argument.replace(":8000", f":{server.server_port}") for argument in arguments]
        ended = subprocess.run([sys.executable, *arguments], stderr=subprocess.DEVNULL)
        server.shutdown()
    assert (ended.returncode == 0) == well


def test_the_lock_names_one_version_of_pytorch() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert len([line for line in lines if line.startswith("torch==")]) == 1
