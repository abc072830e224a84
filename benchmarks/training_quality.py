"""Quality and time of the fast training settings, compared with the reference settings.

    python benchmarks/training_quality.py [--seeds 10] [--quick]

For each seed the reference autoencoder is fitted on 54,000 training images of MNIST, with the
reference settings and with those for processors with bfloat16 (anomalist/baseline/settings.py).
Loss and AUROC are measured on 3,000 other training images, clean and with four faint corruptions.
The test split is not read.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence

import numpy as np
from _bench import Result, load_mnist, print_result
from numpy.typing import NDArray
from tabulate import tabulate

from anomalist.baseline.settings import SMALL, Settings, with_settings
from anomalist.core.randomness import generator
from anomalist.corruptions import parse
from anomalist.metrics import auroc
from anomalist.models import Autoencoder

HELD_OUT = 3_000
FITTED = 54_000
QUICK_FITTED = 2_000
CORRUPTIONS = (
    "gaussian_noise:sigma=0.05",
    "pixel_dropout:probability=0.05",
    "stripes:lines=1,value=black",
    "patch_occlusion:side=8,margin=4",
)

Array = NDArray[np.float32]


def fit_and_evaluate(
    settings: Settings,
    seed: int,
    train: Array,
    held_out: Array,
    corrupted: Mapping[str, Array],
) -> dict[str, float]:
    """Return the seconds of the fit, the loss, and the AUROC of each corruption."""
    plain = Autoencoder(seed=seed)
    detector = with_settings(plain, settings, plain.usual_epochs(train))
    start = time.perf_counter()
    detector.fit(train)
    measured = {"fit, s": time.perf_counter() - start}
    normal = detector.score(held_out).image
    measured["loss x 1000"] = 1000 * float(normal.mean())
    labels = np.repeat([0, 1], len(held_out))
    for name, images in corrupted.items():
        scores = np.concatenate([normal, detector.score(images).image])
        measured[name] = 100 * auroc(scores, labels)
    return measured


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation over seeds."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def mean_and_deviation(values: Sequence[float]) -> str:
    """Return the mean and standard deviation over seeds, for a table."""
    return f"{np.mean(values):.2f} ± {deviation(values):.2f}"


def measure(quick: bool, *, seeds: int | None = None) -> Result:
    """Fit and measure all settings, seed by seed.

    Args:
        quick: use few images and one seed.
        seeds: number of seeds; by default ten.
    """
    seeds = seeds or (1 if quick else 10)
    images = load_mnist().train.to_float()
    order = generator(0, "training quality").permutation(len(images))
    held_out = images[order[:HELD_OUT]]
    fitted = QUICK_FITTED if quick else FITTED
    train = images[order[HELD_OUT : HELD_OUT + fitted]]
    corrupted = {name: parse(name)(held_out, seed=0).images for name in CORRUPTIONS}
    rows: dict[Settings, list[dict[str, float]]] = {one: [] for one in SMALL}
    for seed in range(seeds):
        for one, done in rows.items():
            done.append(fit_and_evaluate(one, seed, train, held_out, corrupted))
    head = ["settings", *rows[SMALL[0]][0]]
    lines = []
    details = {}
    for one, done in rows.items():
        columns = {name: [row[name] for row in done] for name in done[0]}
        lines.append([one.label, *map(mean_and_deviation, columns.values())])
        for name, values in columns.items():
            details[f"{one.label}: {name}"] = float(np.mean(values))
            details[f"{one.label}: {name}, standard deviation"] = deviation(values)
    print(f"{seeds} seeds, held-out training images; mean ± standard deviation")
    print(tabulate(lines, head, disable_numparse=True))
    seconds = {one: float(np.median([row["fit, s"] for row in done])) for one, done in rows.items()}
    ratios = {
        f"time of a fit: reference / {one.label}": seconds[SMALL[0]] / seconds[one]
        for one in SMALL[1:]
    }
    return Result("training_quality", ratios=ratios, details=details, threads=2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, help="number of seeds (default: 10)")
    parser.add_argument("--quick", action="store_true", help="a tiny run")
    options = parser.parse_args()
    print_result(lambda: measure(options.quick, seeds=options.seeds))


if __name__ == "__main__":
    main()
