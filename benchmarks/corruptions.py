"""Images corrupted in a second, on one thread and on two, against a loop over images, in one run.

    python benchmarks/corruptions.py [--repeats 5] [--images 4096] [--processor-time]

Every corruption at severity 0.5 on MNIST's test images, masks included, in turns with its loop of
corruption_loops.py, which has the masks to make too; medians of `--repeats`. That both do the same
work is seen from the share of changed pixels and the mean squared change, which must agree within
what chance leaves. On a busy machine `--processor-time` counts the seconds that the processor
worked rather than the clock's: fair to both, but for two threads it can't show what waiting costs.
"""

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import corruption_loops
import numpy as np
from threadpoolctl import threadpool_limits

from anomalist import datasets
from anomalist.core import catalog
from anomalist.core.environment import environment
from anomalist.corruptions import parse

LOOP_IMAGES = 512  # of a loop: it takes as long for each


def loop(name, images, strength):
    """Corrupt the images one by one."""
    function, rng = getattr(corruption_loops, name), np.random.default_rng(0)
    out, masks = np.empty_like(images), np.empty((len(images), *images.shape[2:]), bool)
    for number, image in enumerate(images[:, 0]):
        out[number, 0] = function(image, strength, rng)
        np.not_equal(out[number, 0], image, out=masks[number])
    return out, masks


def on_two(corruption, images):
    """Corrupt one half of the images on each of two threads."""
    index, half = np.arange(len(images)), len(images) // 2
    with ThreadPoolExecutor(2) as pool:
        return list(
            pool.map(
                lambda part: corruption(images[part], seed=0, index=index[part]),
                (slice(half), slice(half, None)),
            )
        )


def rates(runs, repeats, clock):
    """Return the median images a second of each of ``runs``, (images, function), run in turns."""
    seconds = [[] for _ in runs]
    for repeat in range(repeats + 1):
        for taken, (_, run) in zip(seconds, runs, strict=True):
            began = clock()
            run()
            if repeat:  # the first one warms up
                taken.append(clock() - began)
    return [
        count / statistics.median(taken) for taken, (count, _) in zip(seconds, runs, strict=True)
    ]


def check(name, images, ours, strength):
    """Refuse a loop that does other work than the corruption."""
    out, masks = loop(name, images, strength)
    for what, one, other in (
        ("share of changed pixels", ours.masks.mean(axis=(1, 2)), masks.mean(axis=(1, 2))),
        (
            "mean squared change",
            *(np.square(o - images).mean(axis=(1, 2, 3)) for o in (ours.images, out)),
        ),
    ):
        away = abs(one.mean() - other.mean())
        assert (
            away < 0.08 * one.mean() + 4 * np.hypot(one.std(), other.std()) / len(images) ** 0.5
        ), f"{name}: {what}"


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument(
        "--images", type=int, default=4096, help="images of each run (default: 4096)"
    )
    parser.add_argument(
        "--processor-time", action="store_true", help="count the processor's seconds"
    )
    found = parser.parse_args()
    clock = time.process_time if found.processor_time else time.perf_counter
    images = datasets.load("mnist").test.to_float()[: found.images]
    few = images[:LOOP_IMAGES]
    print(
        f"{environment(1, 'cpu', 'float32', {})['processor']}; severity 0.5, medians of "
        f"{found.repeats}; images/s"
    )
    print(f"{'':18}{'one thread':>12}{'two':>12}{'loop':>12}{'one / loop':>12}")
    table = []
    with threadpool_limits(1):
        for name in catalog.names("corruptions"):
            corruption = parse(name)
            strength = corruption.strength(images.shape[2:])
            has_loop = hasattr(corruption_loops, name)
            runs = [
                (len(images), lambda c=corruption: c(images, seed=0)),
                (len(images), lambda c=corruption: on_two(c, images)),
            ]
            if has_loop:
                check(name, few, corruption(few, seed=0), strength)
                runs.append((len(few), lambda n=name, s=strength: loop(n, few, s)))
            one, two, *slow = rates(runs, found.repeats, clock)
            two *= 2 if found.processor_time else 1  # the processor's seconds of both
            table.append((one, two, *(one / rate for rate in slow)))
            row = f"{name:18}{one:12,.0f}{two:12,.0f}"
            print(
                row
                + (
                    f"{slow[0]:12,.0f}{one / slow[0]:12.1f}"
                    if slow
                    else "  no loop to compare with"
                ),
                flush=True,
            )
    ones, twos = zip(*(row[:2] for row in table), strict=True)
    print(f"{'median':18}{statistics.median(ones):12,.0f}{statistics.median(twos):12,.0f}")
    least = min(ratio for row in table for ratio in row[2:])
    print(f"{'least':18}{min(ones):12,.0f}{min(twos):12,.0f}{'':12}{least:12.1f}")


if __name__ == "__main__":
    main()
