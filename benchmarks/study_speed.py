"""What a study costs beside fits and scores: two workers against one, and the overhead.

    python benchmarks/study_speed.py [--repeats 3]

Runs the quick bottleneck study into an empty folder with one worker and with two, in turns, one
thread a worker, and prints the medians. The overhead is what is left of a worker's time when the
seconds that its trials spent on fitting and scoring, as their side files say, are taken away.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from anomalist import datasets
from anomalist.core.environment import environment
from anomalist.running.runner import run_trials
from anomalist.studies import bottleneck


def measure(workers: int) -> tuple[float, float, int]:
    """Return the study's seconds, those of fits and scores, and its number of trials."""
    trials = bottleneck.study("quick").trials
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        assert run_trials(trials, Path(folder), workers=workers) == {}
        wall = time.perf_counter() - began
        sides = [json.loads(path.read_text()) for path in Path(folder, "trials").glob("*.run.json")]
    seconds = [side["seconds"] for side in sides]
    return wall, sum(each.get("fit", 0) + each.get("score", 0) for each in seconds), len(trials)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    datasets.load("mnist")  # fetched before the clock starts
    measure(1)  # what is imported and compiled once
    measure(2)
    both = [(measure(1), measure(2)) for _ in range(repeats)]
    one, two = (statistics.median(pair[place][0] for pair in both) for place in (0, 1))
    share = statistics.median(1 - busy / wall for (wall, busy, _), _ in both)
    count = both[0][0][2]
    machine = environment(1, "cpu", "float32", {})["processor"]
    print(f"{machine}; {count} quick trials, medians of {repeats}")
    print(f"one worker {one:.1f} s, two workers {two:.1f} s: {one / two:.2f} times the throughput")
    print(f"overhead: {share:.1%} of a quick trial ({one * share / count * 1e3:.1f} ms)")


if __name__ == "__main__":
    main()
