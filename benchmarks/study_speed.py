"""Overhead of a study beyond fitting and scoring, and the throughput of two workers.

    python benchmarks/study_speed.py [--repeats 3] [--quick]

The benchmark runs the quick bottleneck study in an empty folder with one worker and with two, in
turns, and prints the medians. Each worker has one thread. The overhead is the time of a worker less
the seconds of fitting and scoring, which the side files of its trials contain.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from _bench import Result, load_mnist, print_result

from anomalist.core.environment import processor
from anomalist.running.runner import run_trials
from anomalist.studies import bottleneck
from anomalist.trial import Trial

QUICK_TRIALS = 2


class Run(NamedTuple):
    """Seconds of one run of the study."""

    wall: float
    busy: float  # fitting and scoring of all trials


def run_study(trials: Sequence[Trial], workers: int) -> Run:
    """Run the trials in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        failures = run_trials(trials, Path(folder), workers=workers)
        wall = time.perf_counter() - began
        assert failures == {}
        files = list(Path(folder, "trials").glob("*.run.json"))
        seconds = [json.loads(file.read_text())["seconds"] for file in files]
    busy = sum(each.get("fit", 0) + each.get("score", 0) for each in seconds)
    return Run(wall, busy)


def measure(quick: bool, *, repeats: int | None = None) -> Result:
    """Time the study with one worker and with two.

    Args:
        quick: run two trials once.
        repeats: number of runs with each; by default three.
    """
    repeats = repeats or (1 if quick else 3)
    trials = bottleneck.study("quick").trials
    if quick:
        trials = trials[:QUICK_TRIALS]
    load_mnist()  # downloaded before the clock starts
    run_study(trials, 1)  # warm-up: imports and compilation
    run_study(trials, 2)
    ones = []
    twos = []
    for _ in range(repeats):
        ones.append(run_study(trials, 1))
        twos.append(run_study(trials, 2))
    one = statistics.median(run.wall for run in ones)
    two = statistics.median(run.wall for run in twos)
    overhead = statistics.median(1 - run.busy / run.wall for run in ones)
    per_trial = one * overhead / len(trials)
    print(f"{processor()}; {len(trials)} quick trials, medians of {repeats}")
    print(f"one worker {one:.1f} s, two workers {two:.1f} s: {one / two:.2f} times the throughput")
    print(f"overhead: {overhead:.1%} of a quick trial ({per_trial * 1e3:.1f} ms)")
    return Result(
        "study_speed",
        ratios={"throughput: two workers / one worker": one / two},
        details={
            "one worker, s": one,
            "two workers, s": two,
            "overhead, share of a worker's time": overhead,
            "overhead, s a trial": per_trial,
        },
        threads=2,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, help="number of runs of each (default: 3)")
    parser.add_argument("--quick", action="store_true", help="a tiny run")
    options = parser.parse_args()
    print_result(lambda: measure(options.quick, repeats=options.repeats))


if __name__ == "__main__":
    main()
