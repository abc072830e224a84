"""A service in a process of its own, as a user starts it."""

import os
import signal
import subprocess
import sys
import threading
import time

import httpx

TOKEN = "a-token-that-is-long-enough"


class Served:
    """`anomalist serve MODEL ...` with a free port."""

    def __init__(self, model, *options, token=None, script=None):
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        environment.pop("ANOMALIST_TOKEN", None)
        if token is not None:
            environment["ANOMALIST_TOKEN"] = token
        program = ["-m", "anomalist"] if script is None else ["-c", script]
        command = [sys.executable, *program, "serve", str(model), "--port", "0", *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self._address()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.client = httpx.Client(base_url=self.url, timeout=60, headers=headers)

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def _address(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            for line in self.lines:
                if " is served at http" in line:
                    return (
                        line.split(" is served at ")[1]
                        .split(" ")[0]
                        .replace("0.0.0.0", "127.0.0.1")
                    )
            time.sleep(0.05)
        self.process.kill()
        raise AssertionError("\n".join(self.lines))

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def score(self, *images, **options):
        """Send images, each a name and its bytes, as a form."""
        files = [("files", (name, data, "image/png")) for name, data in images]
        return self.client.post("/score", files=files, **options)

    def count(self, name):
        """Return a value of /metrics."""
        for line in self.client.get("/metrics").text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def stop(self, number=signal.SIGTERM, seconds=40):
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join(5)
        self.process.stdout.close()
        self.client.close()
        return code
