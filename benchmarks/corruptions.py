"""Speed of every corruption on one and two threads, compared with a loop over images.

    python benchmarks/corruptions.py [--repeats 5] [--images 4096] [--processor-time] [--quick]

Each corruption has severity 0.5 and runs on MNIST's test images, in turns with its loop in
_corruption_loops/. Both also compute the masks. Results are medians over `--repeats`. Both must do
the same work: the share of changed pixels and the mean squared change must agree up to chance and
8 %. On a busy machine `--processor-time` measures processor time. It is fair to both, but with two
threads it does not include the cost of waiting.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import _corruption_loops
import numpy as np
from _bench import Result, load_mnist, median_times, print_result
from numpy.typing import NDArray
from tabulate import tabulate
from threadpoolctl import threadpool_limits

from anomalist.core import catalog
from anomalist.core.environment import processor
from anomalist.corruptions import Corruption, parse

IMAGES = 4096
LOOP_IMAGES = 512  # of a loop, whose time per image is constant

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Rates:
    """Images per second."""

    one: float
    two: float
    loop: float | None

    @property
    def ratio(self) -> float | None:
        """The rate on one thread, divided by that of the loop."""
        return None if self.loop is None else self.one / self.loop


def loop(
    function: _corruption_loops.Function, images: Float, strength: float
) -> tuple[Float, Bool]:
    """Corrupt the images one by one."""
    rng = np.random.default_rng(0)
    out = np.empty_like(images)
    masks = np.empty((len(images), *images.shape[2:]), bool)
    for number, image in enumerate(images[:, 0]):
        out[number, 0] = function(image, strength, rng)
        np.not_equal(out[number, 0], image, out=masks[number])
    return out, masks


def on_two(corruption: Corruption, images: Float) -> None:
    """Corrupt one half of the images on each of two threads."""
    index = np.arange(len(images))
    half = len(images) // 2

    def corrupt(part: slice) -> None:
        corruption(images[part], seed=0, index=index[part])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(corrupt, (slice(half), slice(half, None))))


def check(
    corruption: Corruption,
    function: _corruption_loops.Function,
    images: Float,
    strength: float,
) -> None:
    """Check that a loop does the same work as the corruption."""
    ours = corruption(images, seed=0)
    out, masks = loop(function, images, strength)
    shares = [part.mean(axis=(1, 2)) for part in (ours.masks, masks)]
    check_means("share of changed pixels", *shares)
    changes = [np.square(part - images).mean(axis=(1, 2, 3)) for part in (ours.images, out)]
    check_means("mean squared change", *changes)


def check_means(what: str, one: NDArray[np.floating], other: NDArray[np.floating]) -> None:
    """Check that the means of two samples differ by no more than chance and 8 %."""
    away = abs(one.mean() - other.mean())
    error = np.hypot(one.std(), other.std()) / len(one) ** 0.5
    assert away < 0.08 * one.mean() + 4 * error, what


def rates(
    name: str,
    images: Float,
    repeats: int,
    clock: Callable[[], float],
) -> Rates:
    """Time a corruption on one thread, on two threads and as a loop, in turns."""
    corruption = parse(name)
    strength = corruption.strength(images.shape[2:])
    few = images[:LOOP_IMAGES]
    calls: dict[str, Callable[[], object]] = {
        "one": lambda: corruption(images, seed=0),
        "two": lambda: on_two(corruption, images),
    }
    function = _corruption_loops.find(name)
    if function is not None:
        check(corruption, function, few, strength)
        calls["loop"] = partial(loop, function, few, strength)
    seconds = median_times(calls, repeats, clock=clock, warm_ups=1)
    two = len(images) / seconds["two"]
    if clock is time.process_time:
        two *= 2  # the clock counts the seconds of both threads
    slow = len(few) / seconds["loop"] if "loop" in seconds else None
    return Rates(len(images) / seconds["one"], two, slow)


def measure(
    quick: bool,
    *,
    images: int | None = None,
    repeats: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Result:
    """Time every corruption.

    Args:
        quick: corrupt 256 images once.
        images: number of images per run; by default 4,096.
        repeats: number of runs of each; by default five.
        clock: returns the time in seconds.
    """
    count = images or (256 if quick else IMAGES)
    repeats = repeats or (1 if quick else 5)
    chosen = load_mnist().test.to_float()[:count]
    measured = {}
    with threadpool_limits(1):
        for name in catalog.names("corruptions"):
            measured[name] = rates(name, chosen, repeats, clock)
    print(f"{processor()}; severity 0.5, medians of {repeats}; images/s")
    print_rates(measured)
    ratios = {}
    for name, each in measured.items():
        if each.ratio is not None:
            ratios[f"{name}: ours on one thread / loop"] = each.ratio
    one = statistics.median(each.one for each in measured.values())
    two = statistics.median(each.two for each in measured.values())
    ratios["median rates: two threads / one thread"] = two / one
    details = {f"{name}: one thread, images/s": each.one for name, each in measured.items()}
    return Result("corruptions", ratios, details, threads=2)


def print_rates(measured: dict[str, Rates]) -> None:
    """Print the rates of every corruption, then the medians and the minima."""
    rows = []
    for name, each in measured.items():
        row = (name, each.one, each.two, each.loop, each.ratio)
        rows.append(row)
    ones = [each.one for each in measured.values()]
    twos = [each.two for each in measured.values()]
    ratios = [each.ratio for each in measured.values() if each.ratio is not None]
    rows.append(("median", statistics.median(ones), statistics.median(twos), None, None))
    rows.append(("least", min(ones), min(twos), None, min(ratios)))
    headers = ("", "one thread", "two", "loop", "one / loop")
    print(tabulate(rows, headers, floatfmt=("", ",.0f", ",.0f", ",.0f", ".1f"), missingval="-"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, help="number of runs of each (default: 5)")
    parser.add_argument("--images", type=int, help="number of images per run (default: 4096)")
    parser.add_argument("--processor-time", action="store_true", help="measure processor time")
    parser.add_argument("--quick", action="store_true", help="a tiny run")
    options = parser.parse_args()
    clock = time.process_time if options.processor_time else time.perf_counter
    print_result(
        lambda: measure(options.quick, images=options.images, repeats=options.repeats, clock=clock)
    )


if __name__ == "__main__":
    main()
