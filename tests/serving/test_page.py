"""The page in a real browser, on a service of two tiny models: of two stages at 64x32, of one at 32x16."""

import contextlib
import io
import re
import shutil
import socket
import subprocess
import threading
import urllib.parse
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import numpy.typing as npt
import pytest
import uvicorn
from PIL import Image
from serving_samples import CONTENT, ONE, PHOTO, TWO, form, grey, picture, wait_for

from pg2 import PG2, Pg2Error, Pose
from pg2.export.onnx_file import LARGEST
from pg2.io.packaged import SAMPLES
from pg2.io.pictures import shrink
from pg2.models.config import CoarseConfig, ModelConfig
from pg2.pose.facing import doubts
from pg2.pose.framing import Framing
from pg2.pose.keypoints import COUNT
from pg2.pose.named import NAMES, named_pose
from pg2.pose.placing import in_place
from pg2.serving.app import service_app
from pg2.serving.options import ServeOptions
from pg2.serving.service import Service
from pg2.web.connections import Config

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("there is no chromium here", allow_module_level=True)

WRIST, ELBOW, SHOULDER = 4, 3, 2
OTHER = SAMPLES / "00001/01.jpg"


@contextlib.contextmanager
def serving(models: tuple[str, ...], **options: Any) -> Iterator[str]:
    """The address of a service in a thread of this process."""
    service = Service(ServeOptions(models=models, **options))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(Config(service_app(service)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_for(lambda: service.state == "ready" or service.failure)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def address(models: tuple[str, str]) -> Iterator[str]:
    with serving(models) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """The page as somebody sees it, and what the browser complains about or asks of another host."""

    def __init__(
        self, browser: Any, address: str, hold: bool = False, patience: float = 5_000, **options: Any
    ) -> None:
        self.page = browser.new_context(accept_downloads=True, **options).new_page()
        self.troubles: list[str] = []
        self.asked: list[Any] = []
        self.patience = patience
        self.page.set_default_timeout(2 * patience)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", lambda message: self.troubles.append(message.text))
        host = urllib.parse.urlsplit(address).netloc
        self.page.on("request", lambda request: self._asked(request, host))
        if hold:  # pictures are asked for in vain until `let_go`
            self.page.route("**/v1/generate", lambda _: None)
        self.page.goto(address)

    def let_go(self) -> None:
        self.page.unroute("**/v1/generate")

    def _asked(self, request: Any, host: str) -> None:
        self.asked.append(request)
        url = request.url
        if not url.startswith(("blob:", "data:", "about:")) and urllib.parse.urlsplit(url).netloc != host:
            self.troubles.append(f"a request to {url}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    def settled(self) -> None:
        """Wait until no answer is on its way."""
        api.expect(self.locator("#save-picture")).to_be_enabled(timeout=self.patience)
        api.expect(self.locator(".stage[aria-busy=true]")).to_have_count(0, timeout=self.patience)

    def pixels(self, image: str = "#picture") -> npt.NDArray[np.int64]:
        """What an <img> shows."""
        url = self.locator(image).evaluate("""async image => {
            await image.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            canvas.getContext("2d").drawImage(image, 0, 0);
            return canvas.toDataURL("image/png");
        }""")
        return picture(b64decode(url.partition(",")[2]))[..., :3]

    def joint(self, number: int) -> Any:
        return self.locator(f"#editor [data-joint='{number}']")

    def places(self) -> dict[int, tuple[float, float]]:
        """Where the joints are, in pixels of the frame and as their labels tell it."""
        labels = self.locator("#editor .joint:not([data-missing])").evaluate_all(
            "joints => joints.map(joint => [joint.dataset.joint, joint.getAttribute('aria-label')])"
        )
        found = {number: re.fullmatch(r"[a-z ]+, x (-?\d+), y (-?\d+)", label) for number, label in labels}
        return {int(number): (float(match[1]), float(match[2])) for number, match in found.items() if match}

    def place(self, number: int) -> tuple[float, float]:
        return self.places()[number]

    def on_screen(self, number: int) -> tuple[float, float]:
        self.locator("#editor").scroll_into_view_if_needed()
        x, y = (
            self.joint(number)
            .locator(".line")
            .evaluate("""line => {
            const matrix = line.getScreenCTM();
            const [x, y] = line.getAttribute("d").match(/[\\d.-]+/g).map(Number);
            return [matrix.a * x + matrix.e, matrix.d * y + matrix.f];
        }""")
        )
        return x, y

    def unit(self) -> float:
        """Pixels of the screen to one of the frame."""
        return float(self.locator("#editor").evaluate("editor => editor.getScreenCTM().a"))

    def drag(self, number: int, dx: float, dy: float) -> None:
        """Drag a joint by so many pixels of the frame."""
        (x, y), unit = self.on_screen(number), self.unit()
        self.mouse.move(x, y)
        self.mouse.down()
        self.mouse.move(x + dx * unit, y + dy * unit, steps=4)
        self.mouse.up()

    def saved(self, button: str) -> bytes:
        """What a button downloads."""
        with self.expect_download() as download:
            self.click(button)
        return Path(download.value.path()).read_bytes()

    def error(self) -> str:
        """What the page says is wrong; the browser's own line about it is then no trouble."""
        alert = self.get_by_role("alert")
        api.expect(alert).to_be_visible(timeout=self.patience)
        self.troubles[:] = [trouble for trouble in self.troubles if "Failed to load resource" not in trouble]
        text: str = alert.locator("p").inner_text()
        return text


Visiting = Callable[..., Visit]


@pytest.fixture
def visiting(browser: Any, address: str) -> Iterator[Visiting]:
    visits: list[Visit] = []

    def visit(to: str = address, **options: Any) -> Visit:
        visits.append(Visit(browser, to, **options))
        return visits[-1]

    yield visit
    for visit_ in visits:
        visit_.page.context.close()
        assert not visit_.troubles


@pytest.fixture(scope="module")
def shared(browser: Any, address: str) -> Visit:
    return Visit(browser, address, reduced_motion="reduce")


@pytest.fixture
def visit(shared: Visit) -> Iterator[Visit]:
    """The page as it opens, but that undo goes further back: opening it anew for each test takes long."""
    shared.emulate_media(color_scheme="light")
    shared.settled()
    if shared.locator("#model").input_value() != TWO:
        shared.select_option("#model", TWO)
    if "00000.jpg" not in shared.locator("#curl").inner_text():
        shared.click("#samples [data-sample='00000']")
    shared.get_by_role("tab", name="Result").click()
    shared.click("[data-mode=joint]")
    shared.click("#poses [data-pose=arms-raised]")
    shared.settled()
    yield shared
    assert not shared.troubles


def same(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> bool:
    """But for a grey level: requests in company are summed in another order."""
    return a.shape == b.shape and bool(np.abs(a - b).max() <= 1)


def test_on_opening_everything_is_there(visiting: Visiting, address: str) -> None:
    visit = visiting()
    visit.settled()
    samples = httpx2.get(f"{address}v1/samples").json()["samples"]
    photo = httpx2.get(address.rstrip("/") + samples[0]["url"]).content
    pose = visit.locator("#poses [aria-pressed=true]").get_attribute("data-pose")
    expected = httpx2.post(f"{address}v1/generate", **form(photo=photo, pose=pose, source_pose=None))
    assert same(visit.pixels(), picture(expected.content))
    assert visit.locator("#photo-box .bone").count() > 10
    assert visit.locator("#samples button").count() == 24
    assert visit.locator("#editor .joint:not([data-missing])").count() > 14
    assert visit.locator("#model").input_value() == TWO, "the default of the service"
    assert visit.get_by_role("alert").is_hidden()
    api.expect(visit.locator("#undo")).to_be_disabled()


def test_what_the_photo_does_not_show_is_said_below_the_result(visit: Visit) -> None:
    about = visit.locator("#about")
    visit.locator("#poses [data-pose=front]").click()
    api.expect(about).to_have_text("")
    visit.locator("#poses [data-pose=back]").click()
    api.expect(about).to_have_text("The photo shows the person from the front, the pose from behind.")


def test_the_commands_give_the_same_picture(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: tuple[str, str]
) -> None:
    """A model that is a folder is named as it is served: the Python lines run beside that folder."""
    (tmp_path / TWO).symlink_to(models[0])
    (tmp_path / "00000.jpg").write_bytes(visit.saved("#save-photo"))
    assert (tmp_path / "00000.jpg").read_bytes() == (SAMPLES / "00000/00.jpg").read_bytes()
    monkeypatch.chdir(tmp_path)
    for edited, tab, file in (
        (False, "Result", "result.png"),
        (True, "Result", "result.png"),
        (True, "Difference map", "difference.png"),
    ):
        if edited:
            visit.drag(WRIST, -4, 12)
            visit.joint(0).press("Delete")
            visit.settled()
        visit.get_by_role("tab", name=tab).click()
        visit.settled()
        shown = visit.pixels()
        assert same(picture(visit.saved("#save-picture")), shown)
        exec(visit.locator("#python").inner_text(), {})
        assert same(picture(Path(file).read_bytes()), shown)
        Path(file).unlink()
        command = visit.locator("#curl").inner_text()
        assert ("keypoints" in command) == edited
        if shutil.which("curl"):
            subprocess.run(["sh", "-c", command.replace("curl ", "curl -s ", 1)], check=True, timeout=20)
            assert same(picture(Path(file).read_bytes()), shown)


def test_half_a_person_stays_half_unless_somebody_wants_legs(visiting: Visiting, tmp_path: Path) -> None:
    with Image.open(PHOTO) as photo:
        photo.crop((48, 0, 208, 160)).save(tmp_path / "half.png")
    visit = visiting()
    visit.click("#poses [data-pose=walking]")
    visit.settled()
    whole = visit.places()
    assert not visit.is_checked("#in-place")
    visit.set_input_files("#photo-file", tmp_path / "half.png")
    api.expect(visit.locator("#in-place")).to_be_checked()
    visit.settled()
    assert visit.places() != whole
    assert "in_place=true" in visit.locator("#curl").inner_text()
    visit.uncheck("#in-place")
    visit.settled()
    assert visit.places() == whole
    assert "in_place" not in visit.locator("#curl").inner_text()


def test_a_pose_where_the_person_stands(visiting: Visiting, address: str) -> None:
    def expected(photo: str = "00000", **fields: object) -> npt.NDArray[np.int64]:
        asked = {"photo": (SAMPLES / photo / "00.jpg").read_bytes(), "source_pose": None} | fields
        return picture(httpx2.post(f"{address}v1/generate", **form(**asked)).content)

    visit = visiting()
    visit.click("#poses [data-pose=walking]")
    visit.settled()
    filling = visit.places()
    visit.check("#in-place")
    visit.settled()
    assert same(visit.pixels(), expected(pose="walking", in_place="true"))
    assert not same(visit.pixels(), expected(pose="walking"))
    assert visit.places() != filling
    assert visit.locator("#poses [aria-pressed=true]").get_attribute("data-pose") == "walking"
    assert "in_place=true" in visit.locator("#curl").inner_text()
    assert ", in_place=True)" in visit.locator("#python").inner_text()

    # For another photo it is put anew; one that is dragged stays as it is; the contact sheet keeps to it.
    visit.click("#samples [data-sample='00003']")
    visit.settled()
    assert same(visit.pixels(), expected("00003", pose="walking", in_place="true"))
    visit.click("#make-sheet")
    api.expect(visit.locator("#save-sheet")).to_be_enabled()
    placed = expected("00003", pose="back", in_place="true")
    assert same(visit.pixels("#sheet [data-pose=back] img"), placed)
    visit.drag(WRIST, -4, 12)
    visit.settled()
    assert "in_place" not in visit.locator("#curl").inner_text()
    visit.keyboard.press("Control+z")
    visit.settled()
    visit.uncheck("#in-place")
    visit.settled()
    assert same(visit.pixels(), expected("00003", pose="walking"))
    assert visit.places() == filling
    assert visit.locator("#sheet img").count() == 0


def test_dragging_redraws_while_it_goes_on_and_can_be_undone(visit: Visit) -> None:
    before, place = visit.pixels(), visit.place(WRIST)
    (x, y), unit = visit.on_screen(WRIST), visit.unit()
    visit.mouse.move(x, y)
    visit.mouse.down()
    visit.mouse.move(x - 5 * unit, y + 20 * unit, steps=5)
    assert visit.place(WRIST) == (place[0] - 5, place[1] + 20)
    visit.settled()
    halfway = visit.pixels()
    assert not same(before, halfway)
    visit.mouse.move(x, y + 30 * unit)
    visit.mouse.up()
    visit.settled()
    after = visit.pixels()
    assert not same(halfway, after)
    assert visit.locator("#poses [aria-pressed=true]").count() == 0

    visit.keyboard.press("Control+z")
    visit.settled()
    assert visit.place(WRIST) == place
    assert same(visit.pixels(), before)
    assert visit.locator("#poses [aria-pressed=true]").count() == 1
    visit.keyboard.press("Control+Shift+z")
    visit.settled()
    assert same(visit.pixels(), after)


def test_a_limb_and_the_whole_body(visit: Visit) -> None:
    before = visit.places()

    def moves() -> dict[int, tuple[float, float]]:
        return {n: (x - before[n][0], y - before[n][1]) for n, (x, y) in visit.places().items()}

    visit.keyboard.down("Shift")
    visit.drag(SHOULDER, -2, 5)
    visit.keyboard.up("Shift")
    arm = range(2, 5)
    assert moves() == {number: (-2, 5) if number in arm else (0, 0) for number in before}
    visit.click("#undo")

    visit.click("[data-mode=body]")
    visit.drag(ELBOW, 2, 3)
    assert set(moves().values()) == {(2, 3)}
    visit.click("#undo")

    visit.click("#mirror")
    mirrored = visit.places()
    assert mirrored[4][1] == before[7][1]
    assert mirrored[4][0] < mirrored[7][0]
    visit.click("#mirror")
    assert set(moves().values()) == {(0, 0)}
    visit.click("#smaller")
    smaller = visit.places()
    assert smaller[13][1] - smaller[0][1] < before[13][1] - before[0][1]
    visit.settled()


def test_by_keyboard(visit: Visit) -> None:
    x, y = visit.place(WRIST)
    visit.joint(WRIST).focus()
    assert visit.joint(WRIST).get_attribute("aria-label") == f"right wrist, x {x:.0f}, y {y:.0f}"
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowDown"):
        visit.keyboard.press(key)
    assert visit.place(WRIST) == (x + 1, y + 11)
    assert visit.locator("#joint").inner_text() == f"right wrist, x {x + 1:.0f}, y {y + 11:.0f}"
    visit.keyboard.press("Delete")
    api.expect(visit.joint(WRIST)).to_have_attribute("data-missing", "")
    visit.settled()
    without = visit.pixels()
    visit.get_by_role("button", name="+ right wrist").click()
    visit.settled()
    assert visit.place(WRIST) == (x + 1, y + 11)
    assert not same(without, visit.pixels())


def test_stages_and_models(visit: Visit) -> None:
    refined = visit.pixels()
    assert visit.get_by_role("tab").all_inner_texts() == ["Result", "Stage I", "Difference map"]
    visit.get_by_role("tab", name="Stage I").click()
    visit.settled()
    coarse = visit.pixels()
    visit.keyboard.press("ArrowRight")
    visit.settled()
    assert visit.get_by_role("tab", name="Difference map").get_attribute("aria-selected") == "true"
    # The map is half as strong as what it adds.
    assert np.abs(coarse + 2 * (visit.pixels() - 127.5) - refined).max() <= 4
    visit.locator("#compare").fill("100")
    api.expect(visit.locator("#source")).to_be_visible()

    visit.select_option("#model", ONE)
    visit.settled()
    assert visit.pixels().shape == (32, 16, 3)
    assert visit.get_by_role("tablist").is_hidden()
    x, y = visit.place(13)
    assert x < 16
    assert y < 32
    visit.select_option("#model", TWO)
    visit.settled()
    assert same(visit.pixels("#picture"), refined)


def test_a_model_of_other_pictures_has_other_tabs(
    visiting: Visiting, models: tuple[str, str], fading: str
) -> None:
    """All of them fit on a phone; what the new model lacks is not asked of it."""
    with serving(models) as address:
        visit = visiting(address, viewport={"width": 360, "height": 740})
        visit.settled()
        texts = ["Result", "Stage I", "Faded source", "Share of the source"]
        assert visit.get_by_role("tab").all_inner_texts() == texts
        assert visit.evaluate("document.documentElement.scrollWidth") == 360
        visit.get_by_role("tab", name="Share of the source").click()
        visit.settled()
        assert (visit.pixels()[0].min(), visit.pixels()[-1].max()) == (255, 0)
        # From the last tab on to the first one, and back.
        visit.keyboard.press("ArrowRight")
        assert visit.get_by_role("tab", name="Result").get_attribute("aria-selected") == "true"
        visit.keyboard.press("ArrowLeft")
        visit.drag(WRIST, -4, 12)
        visit.settled()
        assert visit.pixels()[0].min() == 255
        visit.select_option("#model", ONE)
        visit.settled()
        assert visit.get_by_role("tablist").is_hidden()
        assert "format" not in visit.locator("#curl").inner_text()
        assert visit.pixels().shape == (32, 16, 3)
        visit.page.context.close()


def test_a_photo_of_ones_own(visit: Visit, tmp_path: Path) -> None:
    before = visit.pixels()
    with Image.open(PHOTO) as opened:
        opened.resize((2000, 2000)).save(tmp_path / "large one.jpg")
    visit.set_input_files("#photo-file", tmp_path / "large one.jpg")
    visit.settled()
    assert not same(visit.pixels(), before)
    assert "large one-1280.jpg" in visit.locator("#curl").inner_text()
    with Image.open(io.BytesIO(visit.saved("#save-photo"))) as sent:
        assert sent.size == (1280, 1280)


def test_drops(visit: Visit) -> None:
    """A photo dropped on the skeleton gives its pose, elsewhere the person."""
    files = visit.evaluate_handle(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(bytes)], "dropped.jpg", { type: "image/jpeg" }));
            return data;
        }""",
        list(PHOTO.read_bytes()),
    )
    place, shown = visit.place(WRIST), visit.pixels("#source")
    visit.dispatch_event("#pose-panel", "drop", {"dataTransfer": files})
    visit.settled()
    assert visit.place(WRIST) != place
    assert same(visit.pixels("#source"), shown)
    visit.dispatch_event("#sheet", "drop", {"dataTransfer": files})
    visit.settled()
    assert not same(visit.pixels("#source"), shown)
    assert "dropped.jpg" in visit.locator("#curl").inner_text()


def test_one_of_several_people(visit: Visit, tmp_path: Path) -> None:
    both = Image.new("RGB", (512, 256))
    for number, person in enumerate(("00003", "00009")):
        with Image.open(SAMPLES / person / "00.jpg") as opened:
            both.paste(opened, (256 * number, 0))
    both.save(tmp_path / "both.png")
    visit.set_input_files("#photo-file", tmp_path / "both.png")
    visit.settled()
    largest = visit.pixels("#source")
    visit.get_by_role("button", name="Person 2").click()
    visit.settled()
    assert not same(visit.pixels("#source"), largest)
    assert "person=1" in visit.locator("#curl").inner_text()


def test_errors_are_readable(visit: Visit, tmp_path: Path) -> None:
    before = visit.pixels()
    (tmp_path / "text.jpg").write_text("no photo")
    visit.set_input_files("#photo-file", tmp_path / "text.jpg")
    assert "not a picture" in visit.error()
    visit.get_by_role("button", name="Close").click()
    Image.new("RGB", (100, 100)).save(tmp_path / "black.png")
    visit.set_input_files("#photo-file", tmp_path / "black.png")
    assert "Nobody was found on black.png" in visit.error()
    (tmp_path / "empty.json").write_text('{"people": []}')
    visit.set_input_files("#pose-file", tmp_path / "empty.json")
    api.expect(visit.get_by_role("alert")).to_contain_text("Pose:")
    assert same(visit.pixels(), before)
    visit.error()


def test_poses_of_files(visit: Visit, tmp_path: Path, address: str) -> None:
    visit.set_input_files("#pose-file", OTHER)
    visit.settled()
    shown = visit.pixels()
    photo = (SAMPLES / "00000/00.jpg").read_bytes()
    expected = httpx2.post(
        f"{address}v1/generate", **form(photo=photo, pose=OTHER.read_bytes(), source_pose=None)
    )
    assert same(shown, picture(expected.content))

    (tmp_path / "pose.json").write_bytes(visit.saved("#save-pose"))
    assert Pose.load(tmp_path / "pose.json").size == (64, 32)
    visit.locator("#poses button").first.click()
    visit.settled()
    assert not same(visit.pixels(), shown)
    visit.set_input_files("#pose-file", tmp_path / "pose.json")
    visit.settled()
    assert same(visit.pixels(), shown)


def test_contact_sheet_and_downloads(visit: Visit) -> None:
    assert same(picture(visit.saved("#save-picture")), visit.pixels())
    assert picture(visit.saved("#save-strip")).shape[1] > 5 * 32
    visit.click("#make-sheet")
    api.expect(visit.locator("#save-sheet")).to_be_enabled()
    assert visit.locator("#sheet img").count() == len(NAMES)
    assert picture(visit.saved("#save-sheet")).shape[1] > len(NAMES) * 32
    cell = visit.pixels("#sheet [data-pose=walking] img")
    visit.click("#sheet [data-pose=walking]")
    visit.settled()
    assert same(visit.pixels(), cell)


def test_animation(visit: Visit, address: str) -> None:
    """It is what the service makes, which plays and can be saved."""
    visit.select_option("[name=motion]", "wave")
    visit.select_option("[name=fps]", "10")
    visit.select_option("[name=format]", "png")
    visit.click("#make-animation")
    api.expect(visit.locator("#save-animation")).to_be_enabled()
    saved = visit.saved("#save-animation")
    photo = (SAMPLES / "00000/00.jpg").read_bytes()
    asked = {
        "photo": photo,
        "pose": None,
        "source_pose": None,
        "motion": "wave",
        "fps": "10",
        "format": "png",
    }
    expected = httpx2.post(f"{address}v1/animations", **form(**asked))
    frames = []
    for content in (saved, expected.content):
        with Image.open(io.BytesIO(content)) as film:
            # Pillow makes one of frames that are alike and follow one another, at both ends of the wave.
            assert (film.format, film.n_frames) == ("PNG", 16)
            film.seek(3)
            frames.append(np.asarray(film.convert("RGB")).astype(np.int64))
    assert same(*frames)
    api.expect(visit.locator("#animation-note")).to_contain_text("20 frames in ")
    # Who wants less to move on the screen starts it themselves.
    assert visit.locator("#animation-box").is_hidden()
    visit.get_by_role("button", name="Play").click()
    api.expect(visit.get_by_role("button", name="Play")).to_be_hidden()
    assert visit.pixels("#animation-box img").shape == (64, 32, 3)
    assert visit.get_by_text("A motion, and the person").is_hidden(), "not beside a narrow picture"


def test_an_animation_between_two_poses(visit: Visit) -> None:
    visit.click("#poses [data-pose=walking]")
    visit.settled()
    assert visit.locator("[name=from]").is_hidden()
    visit.select_option("[name=motion]", "between")
    visit.select_option("[name=from]", "front")
    visit.select_option("[name=fps]", "10")
    visit.select_option("[name=format]", "png")
    visit.click("#make-animation")
    api.expect(visit.locator("#save-animation")).to_be_enabled()
    with Image.open(io.BytesIO(visit.saved("#save-animation"))) as film:
        assert film.n_frames == 20
        film.seek(10)
        assert same(np.asarray(film.convert("RGB")).astype(np.int64), visit.pixels())
    # Another photo has no animation yet.
    visit.click("#samples [data-sample='00004']")
    api.expect(visit.locator("#save-animation")).to_be_disabled()
    visit.settled()


def test_a_film_plays(visiting: Visiting) -> None:
    pytest.importorskip("av", reason="PyAV is not installed (extra video)")
    visit = visiting()
    visit.settled()
    visit.select_option("[name=format]", "mp4")
    visit.select_option("[name=fps]", "10")
    visit.click("#make-animation")
    film = visit.locator("#animation-box video")
    film.wait_for()
    assert visit.saved("#save-animation")[4:8] == b"ftyp"
    size = film.evaluate("""async video => {
        if (!video.videoWidth) await new Promise((resolve) => (video.onloadeddata = resolve));
        return [video.videoWidth, video.videoHeight];
    }""")
    assert size == [32, 64]
    api.expect(film).to_have_js_property("paused", False)


def test_what_is_copied(visiting: Visiting, models: tuple[str, str], fetching: str) -> None:
    with serving((fetching, models[0])) as address:
        visit = visiting(address)
        visit.settled()
        about, toggle = visit.locator("#about"), visit.get_by_role("button", name="What is copied?")
        api.expect(about).to_have_text(
            re.compile(r"^\d+ % of the person is copied from the photo, \d+ % is invented")
        )
        assert visit.locator(".legend").is_hidden()
        plain = visit.pixels()
        toggle.click()
        api.expect(toggle).to_have_attribute("aria-pressed", "true")
        legend = visit.locator(".legend span").all_inner_texts()
        assert legend == ["copied from the photo", "invented"]
        photo = (SAMPLES / "00000/00.jpg").read_bytes()
        asked = form(photo=photo, pose="arms-raised", source_pose=None, format="origin")
        expected = picture(httpx2.post(f"{address}v1/generate", **asked).content)
        assert same(visit.pixels(), expected)
        assert same(picture(visit.saved("#save-picture")), expected)
        assert "format=origin" in visit.locator("#curl").inner_text()
        assert 'result.origin.save("origin.png")' in visit.locator("#python").inner_text()
        # It follows a drag, too.
        asked_for: list[Any] = []
        visit.page.on("request", lambda request: asked_for.append(request))
        visit.drag(WRIST, -4, 12)
        visit.settled()
        bodies = [request.post_data_buffer for request in asked_for if request.url.endswith("v1/generate")]
        live = [body for body in bodies if b"json" not in body]
        assert live
        assert all(b"\r\n\r\norigin\r\n" in body for body in live)
        assert not same(visit.pixels(), expected)
        visit.click("#undo")
        visit.settled()
        assert same(visit.pixels(), expected)
        toggle.click()
        assert same(visit.pixels(), plain)
        toggle.click()
        visit.get_by_role("tab", name="Stage I").click()
        api.expect(toggle).to_have_attribute("aria-pressed", "false")
        toggle.click()
        # A model that does not say has no such picture.
        visit.select_option("#model", TWO)
        visit.settled()
        assert toggle.is_hidden()
        assert "origin" not in visit.locator("#curl").inner_text()
        visit.page.context.close()


def kept(address: str) -> float:
    """How many photos the service keeps."""
    found = re.search(r"^pg2_kept_photos (\S+)$", httpx2.get(f"{address}metrics").text, re.MULTILINE)
    assert found
    return float(found[1])


def test_a_photo_is_sent_once_and_dropped(visiting: Visiting, models: tuple[str, str]) -> None:
    with serving(models) as address:
        visit = visiting(address)
        sent: list[Any] = []
        visit.settled()
        visit.page.on("request", lambda request: sent.append(request))
        visit.drag(WRIST, -4, 12)
        visit.settled()
        asked = [request for request in sent if request.method == "POST"]
        assert len(asked) > 1
        assert all(request.url == f"{address}v1/generate" for request in asked)
        assert max(len(request.post_data_buffer) for request in asked) < 4000
        before = visit.pixels()
        assert kept(address) == 1
        visit.click("#samples [data-sample='00004']")
        visit.settled()
        wait_for(lambda: kept(address) == 1)
        visit.click("#samples [data-sample='00000']")
        visit.settled()
        assert same(visit.pixels(), before)

        # One that the service has let go of is sent again, once.
        (*_, last) = (request for request in sent if request.url == f"{address}v1/generate")
        found = re.search(rb'name="kept"\r\n\r\n(\S+)', last.post_data_buffer)
        assert found
        assert httpx2.delete(f"{address}v1/photos/{found[1].decode()}").status_code == 204
        sent.clear()
        visit.click("#make-sheet")
        api.expect(visit.locator("#save-sheet")).to_be_enabled()
        assert [request.url for request in sent].count(f"{address}v1/photos") == 1
        assert kept(address) == 1
        visit.troubles[:] = [trouble for trouble in visit.troubles if "410" not in trouble]

        visit.goto("about:blank")
        wait_for(lambda: kept(address) == 0)
        visit.page.context.close()


def test_another_model_before_the_first_answer(
    visiting: Visiting, models: tuple[str, str], tmp_path: Path
) -> None:
    """Of the named poses' own size: no answer has to bring the pose into the editor."""
    PG2(ModelConfig(frame=(128, 64), coarse=CoarseConfig(width=8, blocks=2), refine=None)).save(
        tmp_path / "m"
    )
    with serving((models[0], str(tmp_path / "m"))) as address:
        visit = visiting(address, hold=True)
        api.expect(visit.locator("#model")).to_be_enabled()
        assert visit.locator("#model option").all_inner_texts() == ["two · 64x32", "m · 128x64"]
        api.expect(visit.locator("#photo-box .bone").first).to_be_attached()
        assert visit.locator("#editor .joint[aria-label]").count() == 0
        visit.select_option("#model", "m")
        assert visit.places()[WRIST] != visit.places()[ELBOW]
        visit.let_go()
        visit.settled()
        assert visit.pixels().shape == (128, 64, 3)
        assert visit.places()[WRIST] != visit.places()[ELBOW]
        visit.page.context.close()


def test_an_old_result_is_dim_and_not_for_download(visit: Visit, tmp_path: Path) -> None:
    """From the moment that a photo, a person or a model is chosen, until their own result is there."""
    strength = "box => getComputedStyle(box).opacity"
    held: list[Any] = []
    for path, act in (
        ("**/v1/samples/00004", lambda: visit.click("#samples [data-sample='00004']")),
        ("**/v1/photos", lambda: visit.set_input_files("#photo-file", OTHER)),
        ("**/v1/generate", lambda: visit.select_option("#model", ONE)),
    ):
        assert visit.locator("#result-box").evaluate(strength) == "1"
        visit.route(path, lambda route: held.append(route))
        act()
        api.expect(visit.locator("#save-picture")).to_be_disabled()
        api.expect(visit.locator("#save-strip")).to_be_disabled()
        assert float(visit.locator("#result-box").evaluate(strength)) < 0.5
        visit.unroute(path)
        visit.settled()
    assert visit.locator("#result-box").evaluate(strength) == "1"
    # A photo that cannot be used leaves the result as it was.
    (tmp_path / "text.jpg").write_text("no photo")
    visit.set_input_files("#photo-file", tmp_path / "text.jpg")
    assert "not a picture" in visit.error()
    visit.settled()
    assert visit.locator("#result-box").evaluate(strength) == "1"
    visit.get_by_role("button", name="Close").click()


def test_the_newest_request_wins(visit: Visit) -> None:
    poses = ("left", "walking", "back")
    expected = {}
    for pose in poses:
        visit.click(f"#poses [data-pose={pose}]")
        visit.settled()
        expected[pose] = visit.pixels()

    held: list[Any] = []
    visit.route("**/v1/generate", lambda route: held.append(route))
    for pose in poses[:2]:
        visit.click(f"#poses [data-pose={pose}]")
        visit.wait_for_timeout(50)
    assert len(held) == 2
    held[1].continue_()
    held[0].continue_()  # too late
    visit.settled()
    assert same(visit.pixels(), expected["walking"])

    # While somebody drags, two requests are on their way and the newest waits.
    held.clear()
    x, y = visit.on_screen(WRIST)
    visit.mouse.move(x, y)
    visit.mouse.down()
    visit.mouse.move(x, y + 60, steps=6)
    visit.wait_for_timeout(50)
    assert len(held) == 2
    assert b"walking" not in held[0].request.post_data_buffer
    visit.unroute("**/v1/generate")  # which lets it go
    visit.settled()
    visit.mouse.up()
    visit.settled()
    live = visit.pixels()
    visit.click("#undo")
    visit.settled()
    assert same(visit.pixels(), expected["walking"])
    visit.click("#redo")
    visit.settled()
    assert same(visit.pixels(), live)


def test_on_a_phone(visiting: Visiting) -> None:
    visit = visiting(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    visit.settled()
    assert visit.evaluate("document.documentElement.scrollWidth") == 360
    before, place = visit.pixels(), visit.place(WRIST)
    (x, y), unit = visit.on_screen(WRIST), visit.unit()
    touch = visit.page.context.new_cdp_session(visit.page)
    for kind, down in (("touchStart", 0), ("touchMove", 10), ("touchMove", 20), ("touchEnd", None)):
        points = [] if down is None else [{"x": x, "y": y + down * unit}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    api.expect(visit.joint(WRIST)).to_have_attribute(
        "aria-label", f"right wrist, x {place[0]:.0f}, y {place[1] + 20:.0f}"
    )
    visit.settled()
    assert not same(visit.pixels(), before)
    # However far down somebody scrolls to reach a foot, the result stays in sight.
    visit.locator("#poses").evaluate("poses => poses.scrollIntoView({ block: 'end' })")
    assert visit.evaluate("scrollY") > 0
    for panel in ("#photo-panel", "#result-panel"):
        box = visit.locator(f"{panel} .stage").bounding_box()
        assert 0 <= box["y"] < 10
    editor = visit.locator("#editor").bounding_box()
    assert editor["y"] + editor["height"] < 740


def test_with_an_api_key(visiting: Visiting, models: tuple[str, str]) -> None:
    with serving(models, api_key="secret") as address:
        visit = visiting(address)
        visit.get_by_label("This service wants its API key").fill("wrong")
        visit.keyboard.press("Enter")
        assert "Show the API key" in visit.error()
        visit.get_by_label("This service wants its API key").fill("secret")
        visit.keyboard.press("Enter")
        visit.settled()
        assert "$PG2_API_KEY" in visit.locator("#curl").inner_text()
        visit.troubles[:] = [trouble for trouble in visit.troubles if "401" not in trouble]
        visit.page.context.close()


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(visit: Visit, scheme: str) -> None:
    """WCAG 2 AA: 4.5 for text, 3 for what shows where a control is."""
    visit.emulate_media(color_scheme=scheme)
    style = "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()"
    text = [
        ("text", "ground raised sunken"), ("soft", "ground sunken"), ("accent", "ground"),
        ("on-accent", "accent accent-strong"), ("accent-strong", "accent-soft raised"),
        ("error", "error-soft"), ("text", "accent-soft"),
    ]  # fmt: skip
    for wanted, pairs in (
        (4.5, text),
        (3.0, [("control-edge", "ground raised"), ("accent", "ground raised")]),
    ):
        for front, backs in pairs:
            for back in backs.split():
                one, other = sorted(luminance(visit.evaluate(style, f"--{name}")) for name in (front, back))
                assert (other + 0.05) / (one + 0.05) >= wanted, (scheme, front, back)


# The page computes in the browser

SLOW = 60_000  # milliseconds: there networks are compiled first


def alike(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> bool:
    """As pictures are that two builds of onnxruntime make of a photo that two programs decode."""
    apart = np.abs(a - b)
    return a.shape == b.shape and bool(apart.max() <= LARGEST and (apart > 1).mean() <= 0.01)


@pytest.fixture(scope="module")
def tab_address(exported: Path) -> Iterator[str]:
    """Of a service whose page computes in the browser: the model `exportable`, called model."""
    with serving((str(exported),), in_browser=True, threads=1) as address:
        yield address


def posts(visit: Visit) -> list[str]:
    return [urllib.parse.urlsplit(asked.url).path for asked in visit.asked if asked.method != "GET"]


def test_no_photo_leaves_the_tab(visiting: Visiting, tab_address: str, tmp_path: Path) -> None:
    """And the pictures are the service's."""

    def expected(**fields: object) -> npt.NDArray[np.int64]:
        sample = (SAMPLES / "00003/00.jpg").read_bytes()
        asked = {"photo": sample, "source_pose": None} | fields
        return picture(httpx2.post(f"{tab_address}v1/generate", **form(**asked)).content)

    visit = visiting(tab_address, patience=SLOW)
    visit.settled()
    assert visit.evaluate("crossOriginIsolated"), "so that threads share memory"
    visit.click("#samples [data-sample='00003']")
    visit.click("#poses [data-pose=walking]")
    visit.settled()
    assert alike(visit.pixels(), expected(pose="walking"))
    assert alike(visit.pixels("#source"), expected(pose="walking", format="source"))
    about = httpx2.post(f"{tab_address}v1/generate", **form(source_pose=None, format="json")).json()["about"]
    assert visit.locator("#about").inner_text() == f"{about[0].upper()}{about[1:]}."

    visit.check("#in-place")
    visit.settled()
    assert alike(visit.pixels(), expected(pose="walking", in_place="true"))
    visit.uncheck("#in-place")
    visit.settled()

    # A pose that is edited, of another photo, and of a file.
    before = visit.pixels()
    visit.drag(WRIST, -4, 12)
    visit.settled()
    assert not same(visit.pixels(), before)
    visit.set_input_files("#pose-file", OTHER)
    visit.settled()
    assert alike(visit.pixels(), expected(pose=OTHER.read_bytes()))
    named_pose("left").save(tmp_path / "pose.json")
    visit.set_input_files("#pose-file", tmp_path / "pose.json")
    visit.settled()
    assert alike(visit.pixels(), expected(pose="left"))
    (tmp_path / "empty.json").write_text('{"people": []}')
    visit.set_input_files("#pose-file", tmp_path / "empty.json")
    assert visit.error() == "Pose: the document holds no person."
    visit.get_by_role("button", name="Close").click()

    # What is copied; all poses; one's own photo of two people, as a file without loss.
    visit.get_by_role("button", name="What is copied?").click()
    assert alike(visit.pixels(), expected(pose="left", format="origin"))
    visit.get_by_role("button", name="What is copied?").click()
    visit.click("#make-sheet")
    api.expect(visit.locator("#save-sheet")).to_be_enabled(timeout=SLOW)
    assert alike(visit.pixels("#sheet [data-pose=back] img"), expected(pose="back"))
    two_people().save(tmp_path / "both.png")
    visit.set_input_files("#photo-file", tmp_path / "both.png")
    visit.settled()
    visit.get_by_role("button", name="Person 2").click()
    visit.settled()
    both = (tmp_path / "both.png").read_bytes()
    source = expected(photo=both, person="1", pose="left", format="source")
    assert same(visit.pixels("#source"), source)
    assert alike(visit.pixels(), expected(photo=both, person="1", pose="left"))
    assert alike(picture(visit.saved("#save-picture"))[..., :3], visit.pixels())
    (tmp_path / "grey.png").write_bytes(grey())
    visit.set_input_files("#photo-file", tmp_path / "grey.png")
    assert visit.error().startswith("Nobody was found on grey.png.")

    # What the tab cannot do; and none of all this was sent.
    api.expect(visit.locator("#save-strip")).to_be_disabled()
    api.expect(visit.locator("#make-animation")).to_be_disabled()
    assert visit.get_by_text("no photo leaves it").is_visible()
    assert posts(visit) == []
    files = [urllib.parse.urlsplit(asked.url).path for asked in visit.asked if "/v1/" in asked.url]
    assert files.count("/v1/estimator") == files.count("/v1/models/model") == 1

    # At the service: the photo that was the tab's alone is not what it gets.
    visit.uncheck("#in-tab input")
    visit.settled()
    assert visit.get_by_text("Photos go to this service alone").is_visible()
    assert set(posts(visit)) == {"/v1/photos", "/v1/generate"}
    assert "00000.jpg" in visit.locator("#curl").inner_text()
    api.expect(visit.locator("#save-strip")).to_be_enabled()
    sent = len(posts(visit))
    visit.check("#in-tab input")
    visit.settled()
    visit.click("#poses [data-pose=front]")
    visit.settled()
    assert posts(visit)[sent:] == [f"/v1/photos/{kept_token(visit)}"], "it lets go of the photo"


def kept_token(visit: Visit) -> str:
    """Of the photo that the page has asked the service for last."""
    (*_, last) = (asked for asked in visit.asked if asked.url.endswith("/v1/generate"))
    found = re.search(rb'name="kept"\r\n\r\n(\S+)', last.post_data_buffer)
    assert found
    return found[1].decode()


def two_people() -> Image.Image:
    both = Image.new("RGB", (512, 256))
    for number, person in enumerate(("00003", "00009")):
        with Image.open(SAMPLES / person / "00.jpg") as opened:
            both.paste(opened, (256 * number, 0))
    return both


def test_the_tab_finds_the_same_people(visiting: Visiting, tab_address: str) -> None:
    """One who fills the photo, several, a small one in a corner; nobody."""
    with Image.open(PHOTO) as opened:
        person = opened.convert("RGB")
    small = Image.new("RGB", (700, 500), "grey")
    small.paste(person.resize((120, 120)), (560, 360))
    buffers = [io.BytesIO() for _ in range(3)]
    for image, buffer in zip((person, two_people(), small), buffers, strict=True):
        image.save(buffer, "PNG")
    photos = [*(buffer.getvalue() for buffer in buffers), grey(), CONTENT]
    visit = visiting(tab_address, patience=SLOW)
    visit.settled()
    found = visit.evaluate(
        """async (photos) => {
            const { Tab } = await import("/tab/tab.js");
            const tab = new Tab([], [], () => {});
            const found = [];
            for (const bytes of photos) found.push(await tab.findPeople(new Blob([Uint8Array.from(bytes)])));
            return found;
        }""",
        list(map(list, photos)),
    )
    for number, (tab, photo) in enumerate(zip(found, photos, strict=True)):
        service = httpx2.post(f"{tab_address}v1/pose", files={"photo": ("photo", photo)}).json()
        assert tab["size"] == service["size"]
        assert len(tab["people"]) == len(service["people"]) == (1, 2, 1, 0, 1)[number]
        for one, other in zip(tab["people"], service["people"], strict=True):
            assert [point is None for point in one] == [point is None for point in other]
            apart = [np.subtract(a, b) for a, b in zip(one, other, strict=True) if a is not None]
            assert np.abs(apart).max() <= (0.1 if photo is not CONTENT else 1.0)


@pytest.mark.parametrize("file", ["*.wasm", "tab/worker.js"])
def test_a_browser_that_cannot_compute_sends_nothing_either(
    visiting: Visiting, tab_address: str, file: str
) -> None:
    visit = visiting(tab_address, patience=SLOW, viewport={"width": 360, "height": 740})
    assert visit.evaluate("document.documentElement.scrollWidth") == 360
    visit.route(f"**/{file}", lambda route: route.abort())
    visit.reload()
    assert visit.error().startswith("This browser cannot compute pictures in the tab (")
    api.expect(visit.locator("#save-picture")).to_be_disabled()
    assert posts(visit) == []
    visit.uncheck("#in-tab input")
    visit.settled()
    assert set(posts(visit)) == {"/v1/photos", "/v1/generate"}
    visit.troubles.clear()  # the browser's own words


IN_THE_TAB = """async (cases) => {
    const { resize, shrink, ...filters } = await import("/tab/resample.js");
    const { framedPicture, framedPose, rectangleAround } = await import("/tab/framing.js");
    const { doubts } = await import("/tab/keypoints.js");
    const { inPlace } = await import("/tab/placing.js");
    const pictureOf = ({ width, height, data }) => ({ width, height, data: Uint8Array.from(data) });
    const does = {
        resize: ({ picture, width, height, filter, box }) =>
            [...resize(pictureOf(picture), width, height, filters[filter], box).data],
        shrink: ({ picture, longest }) => [...shrink(pictureOf(picture), longest).data],
        frame: ({ picture, rectangle, frame }) =>
            [...framedPicture(pictureOf(picture), rectangle, frame).data],
        around: ({ points, size, frame }) => {
            const rectangle = rectangleAround(points, size, frame);
            return { rectangle, pose: framedPose(points, rectangle, frame) };
        },
        doubts: ({ source, target }) => doubts(source, target),
        placed: ({ points, person, frame, shown }) => {
            try {
                return inPlace(points, person, frame, shown);
            } catch (error) {
                return error.message;
            }
        },
    };
    return cases.map(({ what, ...given }) => does[what](given));
}"""


def points_in(generator: np.random.Generator, size: tuple[int, int], missing: float) -> Pose:
    points = generator.uniform((0, 0), (size[1] - 1, size[0] - 1), (COUNT, 2))
    points[generator.random(COUNT) < missing] = np.nan
    points[0] = size[1] / 2, size[0] / 2
    return Pose(points.astype(np.float32), size)


def as_json(pose: Pose) -> list[list[float] | None]:
    return [None if np.isnan(point).any() else point.tolist() for point in pose.points]


def test_pictures_are_scaled_to_the_same_pixels(visit: Visit) -> None:
    """As Pillow does it, one direction after the other: later versions of it change that order at times."""
    generator = np.random.default_rng(0)

    def noise(height: int, width: int) -> tuple[npt.NDArray[np.uint8], dict[str, object]]:
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        return pixels, {"width": width, "height": height, "data": pixels.ravel().tolist()}

    cases: list[dict[str, Any]] = []
    expected: list[npt.NDArray[np.uint8]] = []
    for filter_ in Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS:
        for height, width, h, w in ((50, 40, 20, 33), (20, 30, 64, 32), (64, 32, 64, 32), (33, 70, 32, 32)):
            pixels, sent = noise(height, width)
            for box in ((0, 0, width, height), (1.3, 2.2, width - 3.7, height - 0.5)):
                left, top, right, bottom = box
                case = {"picture": sent, "width": w, "height": h, "filter": filter_.name, "box": box}
                cases.append({"what": "resize"} | case)
                across = Image.fromarray(pixels).resize((w, height), filter_, box=(left, 0, right, height))
                expected.append(np.asarray(across.resize((w, h), filter_, box=(0, top, w, bottom))))
    for height, width, longest in ((100, 57, 40), (300, 200, 33), (31, 31, 64)):
        pixels, sent = noise(height, width)
        cases.append({"what": "shrink", "picture": sent, "longest": longest})
        expected.append(shrink(pixels, longest))
    for rectangle in (
        (-10.5, -3.2, 60.1, 138),
        (5.5, 6.6, 20.2, 36),
        (0, 0, 80, 100),
        (-300, -200, 400, 1200),
    ):
        pixels, sent = noise(100, 80)
        frame = (64, 32)
        cases.append({"what": "frame", "picture": sent, "rectangle": rectangle, "frame": frame})
        expected.append(Framing(*rectangle, (100, 80), frame).image(pixels))
    for case, made, wanted in zip(cases, visit.evaluate(IN_THE_TAB, cases), expected, strict=True):
        apart = np.abs(np.array(made) - wanted.ravel())
        assert apart.max() <= (0 if case["what"] == "resize" else 1), case["what"]


def test_poses_are_framed_and_judged_alike(visit: Visit) -> None:
    generator = np.random.default_rng(1)
    frames = ((64, 32), (256, 256), (128, 64))
    poses = [points_in(generator, (300, 200 + 20 * n), missing=n / 60) for n in range(40)]
    poses += [named_pose(name) for name in NAMES]
    cases: list[dict[str, Any]] = []
    for number, pose in enumerate(poses):
        size = pose.size if number % 3 else None
        case = {"points": as_json(pose), "size": size, "frame": frames[number % len(frames)]}
        cases.append({"what": "around"} | case)
        cases.append({"what": "doubts", "source": as_json(pose), "target": as_json(poses[-number])})
        shown = (-20, 10, 150 + 5 * number, 240)
        person = as_json(poses[number - 7])
        cases.append(
            {"what": "placed", "points": as_json(pose), "person": person, "frame": (256, 200), "shown": shown}
        )
    answers = visit.evaluate(IN_THE_TAB, cases)
    for number, pose in enumerate(poses):
        around, doubted, placed = answers[3 * number : 3 * number + 3]
        case = cases[3 * number]
        framing = Framing.around(pose, case["size"], case["frame"])
        rectangle = framing.left, framing.top, framing.right, framing.bottom
        assert around["rectangle"] == pytest.approx(rectangle, abs=1e-3)
        framed = np.array([point or (np.nan, np.nan) for point in around["pose"]])
        np.testing.assert_allclose(framed, framing.pose(pose).points, atol=1e-3)
        assert tuple(doubted) == doubts(pose, poses[-number])
        person = Pose(poses[number - 7].points, (256, 200))
        shown = cases[3 * number + 2]["shown"]
        if isinstance(placed, str):
            with pytest.raises(Pg2Error, match=re.escape(placed)):
                in_place(pose, person, shown)
            continue
        there = np.array([point or (np.nan, np.nan) for point in placed])
        np.testing.assert_allclose(there, in_place(pose, person, shown).points, atol=1e-2)
