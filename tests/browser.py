"""A headless Chromium, from Debian's packages, for the tests of pages.

``make test`` installs it where it can. Without it these tests are skipped, unless the variable
ANOMALIST_BROWSER is ``required``, as in CI.
"""

import os
import shutil
from pathlib import Path

import axe_core_python
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

AXE = Path(axe_core_python.__file__).parent / "axe.min.js"


class Browser:
    """Chromium with what the tests need often."""

    def __init__(self):
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        driver = shutil.which("chromedriver")
        if not chromium or not driver:
            missing = "no chromium and chromedriver: apt-get install chromium chromium-driver"
            if os.environ.get("ANOMALIST_BROWSER") == "required":
                pytest.fail(missing)
            pytest.skip(missing)
        options = Options()
        options.binary_location = chromium
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.driver.set_script_timeout(60)

    def open(self, address, width=1300, height=1000, scheme="light"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.command("Emulation.setEmulatedMedia", {"features": [feature]})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.command("Emulation.setDeviceMetricsOverride", size)
        self.driver.get_log("browser")
        self.driver.get(address if "://" in str(address) else Path(address).as_uri())

    def command(self, name, values):
        self.driver.execute_cdp_cmd(name, values)

    def js(self, script, *values):
        return self.driver.execute_script(script, *values)

    def wait(self, expression, seconds=20):
        """Return the value of a JavaScript expression as soon as it is true."""
        script = """
            const [seconds, done] = arguments, end = performance.now() + 1000 * seconds;
            const look = () => {
              let value = null;
              try { value = %s; } catch (error) { value = null; }
              if (value || performance.now() > end) done(value); else setTimeout(look, 20);
            };
            look();"""
        value = self.driver.execute_async_script(script % expression, seconds)
        assert value, f"never true: {expression}"
        return value

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0]).textContent", selector)

    def set(self, selector, value):
        """Set a control and tell the page, as a user does."""
        self.js(
            """const one = document.querySelector(arguments[0]);
            one.value = arguments[1];
            one.dispatchEvent(new Event("input", { bubbles: true }));
            one.dispatchEvent(new Event("change", { bubbles: true }));""",
            selector,
            value,
        )
        self.frames()

    def frames(self):
        """Wait until what was asked for is drawn."""
        self.driver.execute_async_script(
            "const done = arguments[0];"
            "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30)));"
        )

    def errors(self):
        return [line for line in self.driver.get_log("browser") if line["level"] == "SEVERE"]

    def violations(self):
        """Return what breaks axe's rules of accessibility."""
        self.js(AXE.read_text(encoding="utf-8"))
        result = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then(done, (error) => done(String(error)));"
        )
        found = []
        for one in result["violations"]:
            found.append((one["id"], [node["html"][:200] for node in one["nodes"]][:3]))
        return found

    def close(self):
        self.driver.quit()
