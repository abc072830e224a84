"""Decoding speed of the data set `folder`, compared with Pillow; its memory and second start.

    python benchmarks/folder.py [--images 20000] [--repeats 3] [--size 256] [--quick]

The benchmark writes JPEGs of 512 x 512 from a seed to a temporary folder. They have quality 90,
colour, and smooth content with noise, about 100 kB each. There are 500 different images; a comment
makes each file unique. Both methods decode and resize all files, in turns:

- Pillow, in a pool of two processes that discards the pixels;
- the data set, whose two processes also hash every file and write the pixels to a cache.

Each turn starts new processes. The files are in the page cache. The benchmark prints medians, the
peak memory of all processes, and the time of a second start in a new process. If the machine has
other work, use the processor time of both rather than the elapsed time.
"""

from __future__ import annotations

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
from typing import NamedTuple

import numpy as np
import PIL
import psutil
from _bench import Result, print_result
from joblib.externals.loky import get_reusable_executor
from PIL import Image

from anomalist.core.environment import processor
from anomalist.core.randomness import generator
from anomalist.datasets import parse

SIDE = 512
PICTURES = 500
PROCESSES = 2
START = """
import json, sys, time
began = time.perf_counter()
from anomalist.datasets import parse
dataset = parse({"name": "folder", "path": sys.argv[1], "resize": sys.argv[2]}).load()
print(json.dumps([time.perf_counter() - began, len(dataset.train) + len(dataset.test)]))
"""


def picture(number: int) -> bytes:
    """Return image ``number`` as JPEG."""
    draws = generator(0, f"benchmark/folder/{number}")
    coarse = draws.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    smooth = Image.fromarray(coarse).resize((SIDE, SIDE))
    noise = draws.integers(-8, 9, (SIDE, SIDE, 3))
    noisy = np.asarray(smooth).astype(np.int16) + noise
    stream = io.BytesIO()
    image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def make(folder: Path, count: int) -> int:
    """Write ``count`` files; return their total size in bytes."""
    pictures = [picture(number) for number in range(min(count, PICTURES))]
    for number in range(count):
        data = pictures[number % PICTURES]
        comment = f"{number:08}".encode()
        segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
        (folder / f"{number:06}.jpg").write_bytes(data[:2] + segment + data[2:])
    return sum(path.stat().st_size for path in folder.iterdir())


def with_pillow(size: int, path: Path) -> int:
    """Decode and resize one image with Pillow."""
    with Image.open(path) as image:
        small = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        return int(np.asarray(small).shape[0])


class Turn(NamedTuple):
    """Seconds of one turn."""

    clock: float
    busy: float  # processor time


class Clock:
    """Measures elapsed time and processor time, in seconds."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.before = processor_time()

    def seconds(self) -> float:
        """Return the elapsed seconds."""
        return time.perf_counter() - self.began

    def busy(self) -> float:
        """Return the processor time in seconds; the children must have ended."""
        return processor_time() - self.before


def processor_time() -> float:
    """Return the processor time of this process and its ended children, in seconds."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(who) for who in both]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def time_pillow(paths: list[Path], size: int) -> Turn:
    """Time Pillow in two processes."""
    clock = Clock()
    decode = partial(with_pillow, size)
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        assert sum(pool.imap_unordered(decode, paths, 32)) == size * len(paths)
        seconds = clock.seconds()
        pool.close()
        pool.join()
    return Turn(seconds, clock.busy())


def time_folder(root: Path, size: int, cache: Path) -> Turn:
    """Time the data set with an empty cache."""
    shutil.rmtree(cache, ignore_errors=True)
    os.environ["ANOMALIST_DATA"] = str(cache)
    clock = Clock()
    parse({"name": "folder", "path": str(root), "resize": size}).load()
    seconds = clock.seconds()
    get_reusable_executor().shutdown(wait=True)  # joblib would reuse its processes in the next turn
    return Turn(seconds, clock.busy())


def second_start(root: Path, size: int) -> float:
    """Return the seconds from the first import to the cached images, in a separate process."""
    command = [sys.executable, "-c", START, str(root), str(size)]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    return float(json.loads(output)[0])


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Yield a list whose single number becomes the peak memory of all processes, in bytes."""
    peak = [0]
    done = threading.Event()
    this = psutil.Process()

    def watch() -> None:
        while not done.wait(0.5):  # rarely, because it takes processor time too
            try:
                processes = [this, *this.children(recursive=True)]
                held = sum(each.memory_info().rss for each in processes)
            except psutil.NoSuchProcess:
                continue
            peak[0] = max(peak[0], held)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


class Measured(NamedTuple):
    """All turns of both methods, and the other measurements."""

    pillow: list[Turn]
    folder: list[Turn]
    peak: int  # bytes, in the last turn
    second_start: float  # seconds
    total: int  # bytes of the files


def take_turns(images: int, size: int, repeats: int) -> Measured:
    """Write the files and time both methods in turns."""
    pillow = []
    folder = []
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "images")
        root.mkdir()
        total = make(root, images)
        paths = sorted(root.iterdir())
        for _ in range(repeats):
            pillow.append(time_pillow(paths, size))
            with peak_memory() as peak:
                folder.append(time_folder(root, size, Path(place, "cache")))
        again = statistics.median(second_start(root, size) for _ in range(repeats))
    return Measured(pillow, folder, peak[0], again, total)


def measure(
    quick: bool,
    *,
    images: int | None = None,
    repeats: int | None = None,
    size: int = 256,
) -> Result:
    """Time the data set against Pillow.

    Args:
        quick: decode 60 files once.
        images: number of files; by default 20,000.
        repeats: number of turns of each; by default three.
        size: side of the resized images.
    """
    images = images or (60 if quick else 20_000)
    repeats = repeats or (1 if quick else 3)
    measured = take_turns(images, size, repeats)
    turns = list(zip(measured.pillow, measured.folder, strict=True))
    clock = statistics.median(pillow.clock / folder.clock for pillow, folder in turns)
    busy = statistics.median(pillow.busy / folder.busy for pillow, folder in turns)
    pillow_rate = images / statistics.median(turn.clock for turn in measured.pillow)
    folder_rate = images / statistics.median(turn.clock for turn in measured.folder)
    gigabytes = measured.total / 1e9
    megabytes = measured.peak / 1e6
    print(f"{processor()}; Pillow {PIL.__version__}; medians of {repeats}")
    print(f"{images:,} JPEGs of {SIDE} x {SIDE} ({gigabytes:.2f} GB) to {size} x {size}")
    print(f"Pillow, two processes: {pillow_rate:,.0f} images/s")
    print(f"folder, hashed and cached: {folder_rate:,.0f} images/s")
    print(f"share of Pillow's rate: {clock:.0%} on the clock, {busy:.0%} by processor time")
    print(
        f"memory of all its processes: {megabytes:,.0f} MB; second start "
        f"{measured.second_start:.2f} s"
    )
    return Result(
        "folder",
        ratios={
            "rate on the clock: folder / Pillow": clock,
            "rate by processor time: folder / Pillow": busy,
        },
        details={
            "Pillow, images/s": pillow_rate,
            "folder, images/s": folder_rate,
            "memory of all processes, MB": megabytes,
            "second start, s": measured.second_start,
        },
        threads=PROCESSES,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, help="number of files (default: 20,000)")
    parser.add_argument("--repeats", type=int, help="number of turns of each (default: 3)")
    parser.add_argument(
        "--size", type=int, default=256, help="side of the resized images (default: 256)"
    )
    parser.add_argument("--quick", action="store_true", help="a tiny run")
    asked = parser.parse_args()
    print_result(
        lambda: measure(asked.quick, images=asked.images, repeats=asked.repeats, size=asked.size)
    )


if __name__ == "__main__":
    main()
