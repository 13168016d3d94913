"""Dragging a joint: pictures a second of one client, the photo kept by the service, and sent each time.

Then through the page itself, in a browser: how often its picture changes while a mouse drags a wrist (needs
playwright and Debian's `chromium`; left out where they are missing). Further options, such as
`--backend openvino --precision bf16`, go to `pg2 serve`.
"""

import argparse
import http.client
import itertools
import json
import math
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from pg2.io.packaged import DEFAULT_MODEL, SAMPLES
from pg2.pose.named import named_pose
from pg2.serving.schemas import Keypoints
from serving import PEOPLE, Server

WRIST = 4
PHOTO = (SAMPLES / PEOPLE[0]).read_bytes()


def poses() -> Iterator[str]:
    """A wrist that goes round in a circle, a pose a request."""
    front = named_pose("front")
    for step in itertools.count():
        points = front.points.copy()
        points[WRIST] += 10 * math.cos(0.3 * step), 10 * math.sin(0.3 * step)
        yield Keypoints.of(type(front)(points, front.size)).model_dump_json()


def form(fields: dict[str, str | bytes]) -> bytes:
    """A body with these fields, of which bytes are files."""
    parts = []
    for name, value in fields.items():
        file = '; filename="a.jpg"' if isinstance(value, bytes) else ""
        content = value if isinstance(value, bytes) else value.encode()
        head = f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + b"--x--\r\n"


def ask(connection: http.client.HTTPConnection, path: str, fields: dict[str, str | bytes]) -> bytes:
    connection.request("POST", path, form(fields), {"Content-Type": "multipart/form-data; boundary=x"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise SystemExit(content.decode())
    return content


def rate(server: Server, who: dict[str, str | bytes], at_a_time: int, seconds: float) -> float:
    """Pictures a second where so many requests are on their way at a time."""
    wanted, made, lock = poses(), [], threading.Lock()
    end = time.perf_counter() + seconds

    def drag() -> None:
        connection = http.client.HTTPConnection(server.place, timeout=60)
        while time.perf_counter() < end:
            with lock:
                pose = next(wanted)
            ask(connection, "/v1/generate", {**who, "pose": pose})
            made.append(time.perf_counter())
        connection.close()

    with ThreadPoolExecutor(at_a_time) as pool:
        for done in [pool.submit(drag) for _ in range(at_a_time)]:
            done.result()
    return (len(made) - 1) / (max(made) - min(made))


def on_the_page(server: Server, seconds: float) -> float | None:
    """How many pictures a second the page shows; None: there is no browser here."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if chromium is None:
        return None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://{server.place}/")
        page.wait_for_selector("#save-picture:enabled", timeout=60_000)
        page.click("#poses [data-pose=front]")
        page.wait_for_timeout(1000)
        box = page.locator(f"#editor [data-joint='{WRIST}'] .line").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.evaluate(
            """() => {
                window.shown = 0;
                document.querySelector("#picture").addEventListener("load", () => (window.shown += 1));
            }"""
        )
        page.mouse.move(x, y)
        page.mouse.down()
        began = time.perf_counter()
        for step in itertools.count():
            page.mouse.move(x + 20 * math.cos(0.3 * step), y + 20 * math.sin(0.3 * step))
            page.wait_for_timeout(15)
            if time.perf_counter() - began > seconds:
                break
        shown, spent = page.evaluate("window.shown"), time.perf_counter() - began
        browser.close()
    return float(shown) / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--threads", type=int, default=None)
    options, further = parser.parse_known_args()
    common: list[object] = ["--model", options.model, *further]
    if options.threads:
        common += ["--threads", options.threads]
    with Server(*common) as server:
        connection = http.client.HTTPConnection(server.place, timeout=60)
        found = json.loads(ask(connection, "/v1/photos", {"photo": PHOTO}))
        known = json.dumps({"size": found["size"], "keypoints": found["people"][0]})
        connection.close()
        sent: dict[str, str | bytes] = {"photo": PHOTO, "source_pose": known}
        kept: dict[str, str | bytes] = {"kept": found["kept"]}
        ways = {
            "photo sent each time, 1 request at a time": (sent, 1),
            "photo kept, 1 request at a time": (kept, 1),
            "photo kept, 2 requests at a time": (kept, 2),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        # In turns, so that a machine that slows down meanwhile slows all.
        for _ in range(options.rounds):
            for name, (who, at_a_time) in ways.items():
                rates[name].append(rate(server, who, at_a_time, options.seconds))
        base = statistics.median(next(iter(rates.values())))
        for name, measured in rates.items():
            median = statistics.median(measured)
            print(f"{options.model}, {name}: {median:.1f} pictures/s ({median / base:.2f} times the first)")
        shown = on_the_page(server, options.seconds)
        print("the page: no browser here" if shown is None else f"the page: {shown:.1f} pictures/s")


if __name__ == "__main__":
    main()
