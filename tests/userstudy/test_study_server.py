"""The page hands out pictures by id, takes each answer once, and never says what a picture is."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from study_samples import kinds

from pg2.userstudy.answers import Answers
from pg2.userstudy.server import study_app
from pg2.userstudy.study import Study


@pytest.fixture
def client(study: Study) -> Iterator[TestClient]:
    with TestClient(study_app(study)) as client:
        yield client


def enter(client: TestClient) -> str:
    response = client.post("/api/participants", json={})
    assert response.status_code == 201
    return f"/api/participants/{response.json()['token']}"


def refused(response: Any, status: int, code: str) -> str:
    """What an error says, after its shape has been checked."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert (error["code"], error["request_id"]) == (code, response.headers["x-request-id"])
    message: str = error["message"]
    return message


def answer(client: TestClient, me: str, position: int, said: str, time: int | None = 400) -> int:
    given = {"position": position, "answer": said, "milliseconds": time}
    return client.post(f"{me}/answers", json=given).status_code


def test_a_participant_goes_through_the_whole_study(client: TestClient, study: Study) -> None:
    told = client.get("/api/study").json()
    assert told == {"id": study.id, "total": 6, "practice": 2, "seconds": 0.1, "width": 16, "height": 32}
    me = enter(client)
    session = client.get(me).json()
    assert session == {"pictures": study.order(0), "answered": 0, "result": None}
    truth = kinds(study)
    for position, picture in enumerate(session["pictures"]):
        assert client.get(f"/pictures/{picture}.png").content == study.file(picture).read_bytes()
        # Wrong on the last two, right on the others.
        right = (truth[picture] == "real") == (position < 4)
        assert answer(client, me, position, "real" if right else "generated") == 204
        assert client.get(me).json()["answered"] == position + 1
    assert client.get(me).json()["result"] == {"right": 2, "counted": 4}
    assert [len(given) for given in Answers(study).by_participant()] == [6]


def test_an_answer_out_of_turn_is_refused_and_a_repeat_is_not(client: TestClient, study: Study) -> None:
    me = enter(client)
    assert answer(client, me, 0, "real") == 204
    assert answer(client, me, 0, "real") == 204
    assert answer(client, me, 0, "generated") == 409
    assert answer(client, me, 2, "real") == 409
    assert client.get(me).json()["answered"] == 1
    assert client.get("/api/participants/someone").status_code == 404
    assert answer(client, "/api/participants/someone", 0, "real") == 404


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"position": -1, "answer": "real"},
        {"position": 2**70, "answer": "real"},
        {"position": 0, "answer": "maybe"},
        {"position": 0, "answer": "real", "milliseconds": -5},
        {"position": 0, "answer": "real", "milliseconds": 2**63},
        {"position": 0, "answer": "real", "milliseconds": 0.5},
        [],
    ],
)
def test_nonsense_is_refused(client: TestClient, given: Any) -> None:
    me = enter(client)
    assert refused(client.post(f"{me}/answers", json=given), 422, "invalid")
    assert client.get(me).json()["answered"] == 0


@pytest.mark.parametrize(
    "text",
    [
        '{"position": NaN, "answer": "real"}', '{"position": 0, "answer": Infinity}',
        '{"position": 1e400, "answer": "real"}', '{"position": 0, "answer": -1e999}',
        '{"position": 0, "answer": "\\ud800"}', '{"\\udfff": 0}', "", "{", "[" * 3000,
        '{"position": ' + "9" * 3000 + "}",
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(client: TestClient, text: str) -> None:
    me = enter(client)
    answer = client.post(f"{me}/answers", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert refused(answer, answer.status_code, "bad_request" if answer.status_code == 400 else "invalid")
    assert client.get(me).json()["answered"] == 0


def test_a_body_has_an_end(client: TestClient) -> None:
    me = enter(client)

    def pieces() -> Iterator[bytes]:
        for _ in range(10):
            yield b" " * 1000

    headers = {"Content-Type": "application/json"}
    assert refused(client.post(f"{me}/answers", content=b" " * 5000, headers=headers), 413, "too_large")
    assert refused(client.post(f"{me}/answers", content=pieces(), headers=headers), 413, "too_large")


def test_participants_have_an_end(study: Study) -> None:
    """But who only looked in keeps nobody out."""
    with TestClient(study_app(study, people=2)) as client:
        first, second = enter(client), enter(client)
        assert answer(client, first, 0, "real") == 204
        third = enter(client)
        assert refused(client.get(second), 404, "not_found")
        assert client.get(third).json()["pictures"] == study.order(1)
        assert answer(client, third, 0, "real") == 204
        assert "complete with 2 participants" in refused(client.post("/api/participants"), 403, "forbidden")
        assert client.get(first).json()["answered"] == 1


def test_other_names_and_pages_of_other_sites(study: Study) -> None:
    with TestClient(study_app(study, hosts=("study.example",))) as client:
        me = enter(client)
        for path in ("/", "/api/study", f"/pictures/{study.pictures[0].id}.png"):
            assert refused(client.get(path, headers={"Host": "evil.example"}), 421, "wrong_host")
        assert client.get("/", headers={"Host": "study.example"}).status_code == 200
        for path in ("/api/participants", f"{me}/answers"):
            for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
                assert refused(client.post(path, json={}, headers=headers), 403, "forbidden")
        ours = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
        assert client.post("/api/participants", json={}, headers=ours).status_code == 201
        assert len(Answers(study).by_participant()) == 2


def test_no_answer_of_the_server_tells_what_a_picture_is(client: TestClient, study: Study) -> None:
    """Neither in words, nor by a date of its file, nor by headers that differ between the kinds."""
    me = enter(client)
    for path in ("/api/study", me):
        assert "kind" not in client.get(path).text
    names = {name for picture in study.pictures for name in (picture.name, study.folders[picture.kind])}
    assert not [name for name in names if name in client.get(me).text]
    told = set()
    for picture in study.pictures:
        headers = client.get(f"/pictures/{picture.id}.png").headers
        own = ("content-length", "x-request-id")
        told.add(tuple((name, value) for name, value in headers.items() if name not in own))
        assert not {"last-modified", "etag"} & headers.keys()
    assert len(told) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/study.json",
        "/answers.sqlite",
        "/pictures/study.json",
        "/pictures/../study.json",
        "/pictures/%2e%2e/study.json",
        "/pictures/..%2fstudy.json",
        "/pictures/..%2fstudy.json%00.png",
        "/..%2f..%2fserver.py",
        "/%2e%2e/server.py",
        "/../study.json",
        "/pictures/0123456789abcdef.png",
        "/pictures/",
        "/docs",
        "/openapi.json",
    ],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    enter(client)
    assert client.get(path).status_code == 404


def test_the_page_runs_only_what_is_its_own(client: TestClient) -> None:
    for path, kind in (("/", "text/html"), ("/study.js", "javascript"), ("/study.css", "text/css")):
        response = client.get(path)
        assert response.status_code == 200
        assert kind in response.headers["content-type"]
        policy = response.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert "http://" not in response.text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in response.text


def test_pictures_may_be_kept_by_the_browser_and_the_rest_may_not(client: TestClient, study: Study) -> None:
    picture = client.get(f"/pictures/{study.pictures[0].id}.png")
    assert "immutable" in picture.headers["cache-control"]
    assert picture.headers["content-type"] == "image/png"
    for path in ("/api/study", enter(client), "/nothing"):
        assert client.get(path).headers["cache-control"] == "no-store"


def test_a_form_of_another_site_cannot_take_part(client: TestClient, study: Study) -> None:
    """What a browser sends across sites without asking comes as text/plain."""
    me = enter(client)
    given = json.dumps({"position": 0, "answer": "real"})
    response = client.post(f"{me}/answers", content=given, headers={"Content-Type": "text/plain"})
    assert refused(response, 415, "unsupported_type")
    assert Answers(study).by_participant() == [[]]


def test_a_damaged_file_of_answers_is_said_to_those_who_can_help(
    study: Study, caplog: pytest.LogCaptureFixture
) -> None:
    client = TestClient(study_app(study))
    for file in study.folder.glob("answers.sqlite*"):
        file.unlink()
    (study.folder / "answers.sqlite").write_bytes(b"no database, however long it may be" * 20)
    response = client.post("/api/participants", json={})
    assert str(study.folder) not in refused(response, 500, "internal")
    (logged,) = [record.getMessage() for record in caplog.records if record.name == "pg2.web"]
    assert str(study.folder) in logged
    assert "not a database" in logged


def test_without_the_extra_the_way_out_is_said() -> None:
    code = "import sys\nsys.modules['fastapi'] = None\nfrom pg2.cli import main\nmain()"
    command = [sys.executable, "-c", code, "userstudy", "serve", "nowhere"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == 'pg2: serving needs fastapi; install it with: pip install "pg2[serve]"\n'
