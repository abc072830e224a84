"""Take the screenshots of the pages about the report and the service.

    python docs/tools/screenshots.py results

The folder is one of ``anomalist run``. Chromium and chromedriver must be installed.
"""

from __future__ import annotations

import base64
import io
import sys
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent.parent
FIGURES = ROOT / "docs" / "figures"
sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "service")]

from served import Served  # noqa: E402

from browser import Browser  # noqa: E402

WIDTH = 1200
COLOURS = 128
DROP = """
const bytes = Uint8Array.from(atob(arguments[0]), (one) => one.charCodeAt(0));
send([new File([bytes], "digit.png", { type: "image/png" })]);
"""


def main(results: Path) -> None:
    """Write the figures."""
    browser = Browser()
    browser.open(results.resolve() / "report.html", WIDTH, 1750)
    browser.wait("document.querySelector('.card canvas')")
    browser.set("#score", 1)
    browser.set(
        "#kind", browser.js("return data.kinds.findIndex(kind => /side=8/.test(kind.name))")
    )
    _save(browser, "report_run")
    served = Served(results)
    try:
        browser.open(served.url, WIDTH, 760)
        browser.wait("play.shown")
        image = served.client.get(
            "/playground/image?kind=4&number=1&corruption=scratches&severity=0.4"
        ).json()["input"]
        browser.js(DROP, image)
        browser.wait("document.querySelectorAll('#results canvas').length > 2")
        _save(browser, "service_page")
        browser.open(served.url, WIDTH, 820)
        browser.wait("play.shown")
        browser.set("#play-class", "4")
        browser.set("#play-corruption", "stripes")
        for severity in (0, 0.04, 0.1, 0.2, 0.3):
            browser.set("#severity", severity)
            browser.wait("!play.busy")
        browser.js("document.getElementById('playground').scrollIntoView()")
        _save(browser, "service_playground")
    finally:
        served.stop()
        browser.close()


def _save(browser: Browser, name: str) -> None:
    """Write what the window shows, with few colours."""
    time.sleep(0.5)
    picture = Image.open(io.BytesIO(base64.b64decode(browser.driver.get_screenshot_as_base64())))
    path = FIGURES / f"{name}.png"
    picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
