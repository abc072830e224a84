"""Measure the service under load, with `hey` and `wrk` (Debian packages of these names).

    python experiments/measure_service.py MODEL IMAGE --rate --seconds 600

MODEL is what `anomalist serve` takes, IMAGE a file that it scores. Nothing else may run on the
machine. It prints three figures (the first with `--rate`):

- at 200 requests a second, by 20 clients that each send 10: the quantiles of the time
- as fast as the service answers 32 clients: requests a second and quantiles
- the rate of the model's batches alone, before and after: the service is compared with it
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from anomalist.deployment import load

PORT = 8099
CLIENTS = 20
RATE = 200  # requests a second of all clients
FASTEST = 32  # clients that send without a pause
REPEATED = 8
SCRIPT = """\
wrk.method = "POST"
local file = io.open("{image}", "rb"); wrk.body = file:read("*a"); file:close()
done = function(summary, latency, requests)
  io.write(string.format("errors %d, p50 %.0f ms, p99 %.0f ms\\n", summary.errors.status
    + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


def batch_rate(model_path: Path, image_path: Path) -> float:
    """Return the images a second of full batches, without reading files."""
    model = load(model_path)
    file = model.description.reading.read(image_path)
    images = np.repeat(file.image[None], model.batch_size(), axis=0)
    rates = []
    with model.threads(None):
        model.predict(images)
        for _ in range(REPEATED):
            start = time.perf_counter()
            model.predict(images)
            rates.append(len(images) / (time.perf_counter() - start))
    return float(np.median(rates))


def started(model: Path) -> subprocess.Popen[str]:
    """Start the service, and wait until it listens."""
    command = [sys.executable, "-m", "anomalist", "serve", str(model), "--port", str(PORT)]
    service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert service.stdout is not None
    print(service.stdout.readline().rstrip())
    return service


def at_a_rate(image: Path, seconds: int) -> str:
    """Return what `hey` prints about quantiles, the rate and the statuses."""
    command = ["hey", "-z", f"{seconds}s", "-c", str(CLIENTS), "-q", str(RATE // CLIENTS)]
    command += ["-m", "POST", "-D", str(image), f"http://127.0.0.1:{PORT}/score"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wanted = re.findall(r"(?:Requests/sec.*|(?:50|95|99)% in .*|\[\d+\]\t\d+ responses)", text)
    return "; ".join(" ".join(line.split()) for line in wanted)


def as_fast_as_possible(image: Path, seconds: int) -> str:
    """Return what `wrk` prints about the rate and the quantiles."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.format(image=image))
        script.flush()
        command = ["wrk", "-t1", f"-c{FASTEST}", f"-d{seconds}s", "--timeout", "20s"]
        command += ["-s", script.name, f"http://127.0.0.1:{PORT}/score"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wanted = re.findall(r"(?:Requests/sec.*|errors .*)", text)
    return "; ".join(" ".join(line.split()) for line in wanted)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", action="store_true", help="also measure at 200 requests/s")
    arguments = parser.parse_args()
    before = batch_rate(arguments.model, arguments.image)
    service = started(arguments.model)
    try:
        if arguments.rate:
            print("200 requests/s:", at_a_rate(arguments.image, arguments.seconds))
        print("32 clients:", as_fast_as_possible(arguments.image, 20))
    finally:
        service.terminate()
        service.wait()
    after = batch_rate(arguments.model, arguments.image)
    print(f"batches alone: {before:.0f} and {after:.0f} images/s")


if __name__ == "__main__":
    main()
