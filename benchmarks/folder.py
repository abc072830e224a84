"""How fast the data set folder decodes, against Pillow in two processes; memory; second start.

    python benchmarks/folder.py [--images 20000] [--repeats 3] [--size 256]

Makes JPEGs of 512 x 512 (quality 90, colour, smooth content with noise, about 100 kB each; 500
pictures, each file with a comment of its own) from a seed in a temporary folder, then decodes and
resizes all of them in turns: Pillow in a pool of two processes that throws the pixels away, and the
data set, whose two processes also hash every file and write the pixels to a cache. Each turn starts
its processes anew and finds the files in memory. Prints medians, the most memory that all processes
held, and the time of a second start in a new process. Where the machine has other work, read the
processor time that both take rather than the seconds on the clock.
"""

import argparse
import io
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import PIL
import psutil
from joblib.externals.loky import get_reusable_executor
from PIL import Image

from anomalist.core.environment import environment
from anomalist.core.randomness import generator
from anomalist.datasets import parse

SIDE, PICTURES, PROCESSES = 512, 500, 2
START = """
import json, sys, time
began = time.perf_counter()
from anomalist.datasets import parse
found = parse({"name": "folder", "path": sys.argv[1], "resize": sys.argv[2]}).load()
print(json.dumps([time.perf_counter() - began, len(found.train) + len(found.test)]))
"""


def picture(number: int) -> bytes:
    """Return picture ``number`` as JPEG."""
    draws = generator(0, f"benchmark/folder/{number}")
    smooth = Image.fromarray(draws.integers(0, 256, (32, 32, 3)).astype(np.uint8)).resize(
        (SIDE, SIDE)
    )
    noisy = np.asarray(smooth).astype(np.int16) + draws.integers(-8, 9, (SIDE, SIDE, 3))
    stream = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def make(folder: Path, count: int) -> int:
    """Write ``count`` files; return their bytes."""
    pictures = [picture(number) for number in range(min(count, PICTURES))]
    for number in range(count):
        data, comment = pictures[number % PICTURES], f"{number:08}".encode()
        segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
        (folder / f"{number:06}.jpg").write_bytes(data[:2] + segment + data[2:])
    return sum(path.stat().st_size for path in folder.iterdir())


def with_pillow(size: int, path: Path) -> int:
    """Decode and resize one image as anyone would."""
    with Image.open(path) as image:
        small = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        return int(np.asarray(small).shape[0])


def processor_time() -> float:
    """Return the seconds of processor time of this process and of its children that have ended."""
    return sum(
        sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def time_pillow(paths: list[Path], size: int) -> tuple[float, float]:
    """Return the seconds, on the clock and of processors, that Pillow takes in two processes."""
    began, before = time.perf_counter(), processor_time()
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        assert sum(pool.imap_unordered(partial(with_pillow, size), paths, 32)) == size * len(paths)
        seconds = time.perf_counter() - began
        pool.close()
        pool.join()
    return seconds, processor_time() - before


def time_folder(root: Path, size: int, cache: Path) -> tuple[float, float]:
    """Return the wall-clock and processor seconds of the data set with an empty cache."""
    shutil.rmtree(cache, ignore_errors=True)
    os.environ["ANOMALIST_DATA"] = str(cache)
    began, before = time.perf_counter(), processor_time()
    parse({"name": "folder", "path": str(root), "resize": size}).load()
    seconds = time.perf_counter() - began
    get_reusable_executor().shutdown(wait=True)  # joblib would keep its processes for the next turn
    return seconds, processor_time() - before


def second_start(root: Path, size: int) -> float:
    """Return the seconds from the first import to the cached images, in a process of its own."""
    command = [sys.executable, "-c", START, str(root), str(size)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True).stdout)[0])


@contextmanager
def memory() -> Iterator[list[float]]:
    """Yield a list whose last value is the peak memory of this process and its children."""
    held, done, this = [0.0], threading.Event(), psutil.Process()

    def look() -> None:
        while not done.wait(0.5):  # seldom: it takes processor time too
            try:
                held.append(
                    max(
                        held[-1],
                        sum(each.memory_info().rss for each in [this, *this.children(True)]),
                    )
                )
            except psutil.NoSuchProcess:
                continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield held
    finally:
        done.set()
        watcher.join()


def main() -> None:
    """Make, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--size", type=int, default=256)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "images")
        root.mkdir()
        total = make(root, asked.images)
        paths = sorted(root.iterdir())
        pillow, folder = [], []
        for _ in range(asked.repeats):
            pillow.append(time_pillow(paths, asked.size))
            with memory() as held:
                folder.append(time_folder(root, asked.size, Path(place, "cache")))
        again = statistics.median(second_start(root, asked.size) for _ in range(asked.repeats))
    rates = [
        asked.images / statistics.median(seconds for seconds, _ in turns)
        for turns in (pillow, folder)
    ]
    clock, busy = (
        statistics.median(a[n] / b[n] for a, b in zip(pillow, folder, strict=True)) for n in (0, 1)
    )
    machine = environment(1, "cpu", "float32", {})["processor"]
    print(f"{machine}; Pillow {PIL.__version__}; medians of {asked.repeats}")
    print(
        f"{asked.images:,} JPEGs of {SIDE} x {SIDE} ({total / 1e9:.2f} GB) to {asked.size} x "
        f"{asked.size}"
    )
    print(f"Pillow, two processes: {rates[0]:,.0f} images/s")
    print(f"folder, hashed and cached: {rates[1]:,.0f} images/s")
    print(f"share of Pillow's rate: {clock:.0%} on the clock, {busy:.0%} by processor time")
    print(f"memory of all its processes: {held[-1] / 1e6:,.0f} MB; second start {again:.2f} s")


if __name__ == "__main__":
    main()
