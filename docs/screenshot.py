"""docs/page.png anew: the page with a sample chosen and an arm dragged. Rendered people alone are on it.

python docs/screenshot.py                           # needs playwright, and Debian's chromium
python docs/screenshot.py --phone --out phone.png   # as on a phone, the whole page
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

SAMPLE, POSE, WRIST = "00009", "arms-raised", 4
MINUTE = 60_000  # the machine may be busy


def settled(page: Page) -> None:
    page.wait_for_selector("#save-picture:enabled", timeout=5 * MINUTE)
    expect(page.locator(".stage[aria-busy=true]")).to_have_count(0, timeout=5 * MINUTE)
    page.wait_for_timeout(300)


def shoot(address: str, out: Path, phone: bool) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 812}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=size, is_mobile=phone, has_touch=phone)
        page.set_default_timeout(5 * MINUTE)
        page.goto(address)
        settled(page)
        page.click(f"#samples [data-sample='{SAMPLE}']")
        page.click(f"#poses [data-pose={POSE}]")
        settled(page)
        wrist = page.locator(f"#editor [data-joint='{WRIST}'] .line").bounding_box()
        assert wrist is not None
        page.mouse.move(wrist["x"] + wrist["width"] / 2, wrist["y"] + wrist["height"] / 2)
        page.mouse.down()
        page.mouse.move(wrist["x"] - 45, wrist["y"] + 12, steps=3)
        page.mouse.up()
        settled(page)
        page.locator("#samples img").last.wait_for()
        page.mouse.move(0, 0)
        # How long it took is of this machine alone.
        page.evaluate("scrollTo(0, 0); document.querySelector('#timing').textContent = ''")
        out.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=out, full_page=phone)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("page.png"))
    parser.add_argument("--phone", action="store_true", help="as on a phone, the whole page")
    options = parser.parse_args()
    serve = [sys.executable, "-m", "pg2", "serve", "--port", "0", "--timeout", "600"]
    with subprocess.Popen(serve, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            address = next(
                found[0] for line in server.stderr if (found := re.search(r"http://[\d.:]+", line))
            )
            shoot(address, options.out, options.phone)
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
