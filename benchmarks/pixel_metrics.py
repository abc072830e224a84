"""Time and measure the pixel metrics beside scikit-learn and a plain sort of the same scores.

    python benchmarks/pixel_metrics.py [FOLDER]

FOLDER holds make_maps.py, which makes the seeded sets (default: ../shared/bench beside the
repository). Every time is the median of several, taken in turns within one run; quote the ratios,
since the times depend on the machine and on what else runs there. Memory is what tracemalloc sees
beyond the input.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy starts its threads

import numpy as np
import scipy
import sklearn
from sklearn.metrics import roc_auc_score

from anomalist.metrics import aupro, localization_intervals, pixel_auroc, pixel_average_precision

EXPECTED = {  # AUPRO by brute force in float64, and pixel AUROC
    "large": (0.5380928216614, 0.8101399687667),
    "small": (0.5365504596794, 0.8139490320284),
    "ties": (0.5341938720790, 0.8086915551065),
}


def median_times(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return each call's median time in seconds, with the calls taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def peak_bytes(call: Callable[[], object]) -> int:
    """Return the most memory that the call holds at a time."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def compare(
    name: str, maps: np.ndarray, masks: np.ndarray, repeats: int, clusters: np.ndarray | None = None
) -> None:
    """Print one set's table: time, ratio to scikit-learn and to a sort, and memory."""
    flat, truth = maps.ravel(), masks.ravel()
    calls = {
        "sklearn roc_auc_score": lambda: roc_auc_score(truth, flat),
        "numpy.sort": lambda: np.sort(flat),
        "aupro": lambda: aupro(maps, masks),
        "pixel_auroc": lambda: pixel_auroc(maps, masks),
        "pixel_average_precision": lambda: pixel_average_precision(maps, masks),
        "localization_intervals": lambda: localization_intervals(maps, masks, clusters=clusters),
    }
    times = median_times(calls, repeats)
    print(f"\n{name}: {'x'.join(map(str, maps.shape))}, {100 * masks.mean():.2f} % anomalous")
    print(f"{'':25}{'s':>9}{'sklearn / it':>14}{'it / sort':>11}{'memory / maps':>15}")
    for call, taken in times.items():
        ratios = times["sklearn roc_auc_score"] / taken, taken / times["numpy.sort"]
        memory = peak_bytes(calls[call]) / maps.nbytes
        print(f"{call:25}{taken:9.4f}{ratios[0]:14.1f}{ratios[1]:11.2f}{memory:15.2f}")
    if name in EXPECTED:
        errors = np.abs(np.subtract((aupro(maps, masks), pixel_auroc(maps, masks)), EXPECTED[name]))
        print(f"off the reference by {errors.max():.1e}")


def many_small(share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return 20,000 maps of 28 x 28; half of them have a hole (share 0) or noise of that share."""
    rng = np.random.default_rng(4)
    maps = rng.random((20_000, 28, 28), dtype=np.float32) + rng.random(
        (20_000, 28, 28), dtype=np.float32
    )
    masks = np.zeros(maps.shape, dtype=bool)
    masks[10_000:] = rng.random((10_000, 28, 28), dtype=np.float32) < share
    masks[10_000:, 5:8, 5:8] |= share == 0
    maps += masks * np.float32(0.5)
    return maps, masks


def main() -> None:
    """Run every set."""
    default = Path(__file__).resolve().parents[1].parent / "shared" / "bench"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="holds make_maps.py")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    if not (options.folder / "make_maps.py").exists():
        parser.error(f"no make_maps.py in {options.folder}: name the folder that holds it")
    sys.path.insert(0, str(options.folder))
    from make_maps import standard

    versions = (
        f"NumPy {np.__version__}, SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    )
    print(
        f"Python {platform.python_version()}, {versions}, {platform.machine()}, {os.cpu_count()} "
        "cores"
    )
    for name in EXPECTED:
        compare(name, *standard(name), options.repeats)
    pairs = np.tile(np.arange(10_000), 2)
    for name, share in (("holes", 0.0), ("noise", 0.5)):
        compare(name, *many_small(share), options.repeats, pairs)


if __name__ == "__main__":
    main()
