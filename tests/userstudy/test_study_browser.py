"""The page in a real browser: the whole of a small study, by keyboard, with a reload and a pause."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from study_samples import GENERATED, REAL, fill

from pg2.userstudy.answers import Answers
from pg2.userstudy.study import Study, make_study

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("there is no chromium here", allow_module_level=True)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    folders = fill(tmp_path / "generated", 2, GENERATED), fill(tmp_path / "real", 2, REAL)
    return make_study(*folders, tmp_path / "study", count=2, practice=1, seconds=0.2)


@pytest.fixture
def address(study: Study) -> Iterator[str]:
    command = [sys.executable, "-m", "pg2", "userstudy", "serve", str(study.folder), "--port", "0"]
    # A process that pytest runs in the background may be deaf to Ctrl-C, and its children with it.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().split()[0]
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 130


@pytest.fixture
def page(address: str) -> Iterator[Any]:
    """A new browser on the page; whatever it reports as an error fails the test."""
    troubles: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text))
        page.goto(address)
        yield page
        browser.close()
    assert not troubles


def asked(page: Any, number: int) -> None:
    """Wait until the page asks about picture `number`."""
    page.locator("#count", has_text=f"{number} of 4").wait_for()
    page.locator("#answers:not(.waiting)").wait_for()


def test_someone_takes_part_by_keyboard(page: Any, study: Study) -> None:
    page.get_by_role("heading", name="Real or generated?").wait_for()
    assert "1 picture" in page.locator("#welcome").inner_text()
    page.keyboard.press("Enter")
    page.locator("#count", has_text="1 of 4 · practice").wait_for()
    page.keyboard.press("ArrowLeft")  # too early: nothing is asked yet
    asked(page, 1)
    assert Answers(study).by_participant() == [[]]
    page.keyboard.press("ArrowLeft")
    page.get_by_role("heading", name="That was the practice").wait_for()
    page.keyboard.press("Space")

    asked(page, 2)
    page.reload()
    page.get_by_role("heading", name="Welcome back").wait_for()
    page.get_by_role("button", name="Go on").click()
    asked(page, 2)  # at once: its picture is not shown a second time
    page.keyboard.press("p")
    page.keyboard.press("g")
    page.get_by_role("heading", name="Pause").wait_for()
    page.keyboard.press("Space")
    asked(page, 3)
    page.keyboard.press("ArrowRight")
    asked(page, 4)
    page.get_by_role("button", name="Real").click()
    page.get_by_role("heading", name="Thank you!").wait_for()

    (given,) = Answers(study).by_participant()
    assert [answer.answer for answer in given] == ["real", "generated", "generated", "real"]
    assert [answer.picture for answer in given] == study.order(0)
    assert [answer.milliseconds is None for answer in given] == [False, True, False, False]
    kinds = {picture.id: picture.kind for picture in study.pictures}
    right = sum(answer.answer == kinds[answer.picture] for answer in given[1:])
    assert f"right on {right} of 3 pictures" in page.locator("#thanks").inner_text()

    page.get_by_role("button", name="The next person").click()
    page.get_by_role("button", name="Start").click()
    asked(page, 1)
    assert [len(answers) for answers in Answers(study).by_participant()] == [4, 0]
