"""An ensemble without blind spots, from detectors that `anomalist study blind_spot` fitted.

    python experiments/blind_spot_ensemble.py                  compare all rules on training images
    python experiments/blind_spot_ensemble.py --test excess    test the chosen rule, once

1. For each seed the fitted detector `synthetic` and a second detector are loaded. None is fitted.
2. Half of the 6,000 held-out training images standardises both scores:
   z = (score - mean) / standard deviation.
3. The rules are the first detector alone, and those of the detector `ensemble`. The other half of
   the images, clean against corrupted, shows which rule is best.
4. With --test all 6,000 images standardise the scores, and the study's test images are evaluated.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from anomalist import datasets
from anomalist.core.errors import InputError
from anomalist.core.randomness import derive
from anomalist.corruptions import parse
from anomalist.metrics.comparison import mean_interval
from anomalist.metrics.detection import auroc
from anomalist.models import Detector, Scores, load
from anomalist.models.ensemble import Ensemble
from anomalist.studies.blind_spot import study
from anomalist.suites.mnist import CORRUPTIONS
from anomalist.trial import Trial

RULES = ("alone", "max", "mean", "excess")


def fitted(model: str, seeds: int, results: Path) -> list[tuple[Trial, Detector]]:
    """Return a detector's trials on the first corruption, one per seed, and its fits."""
    first: dict[int, Trial] = {}
    for trial in study(seeds=seeds, models=[model]).trials:
        first.setdefault(trial.seed, trial)
    found = [(trial, results / "models" / trial.fit_key) for trial in first.values()]
    missing = [folder for _, folder in found if not folder.is_dir()]
    if missing:
        raise InputError(
            f"{missing[0]} is missing: run `anomalist study blind_spot --models {model}` first"
        )
    return [(trial, load(folder)) for trial, folder in found]


def judge(
    trial: Trial, pair: tuple[Detector, Detector], rules: Sequence[str], test: bool
) -> dict[str, list[float]]:
    """Return the AUROC of each rule, by corruption."""
    dataset = datasets.load(trial.task.dataset)
    _, held_out = trial.task.training(dataset, trial.seed)
    half = 0 if test else len(held_out) // 2
    scale_on, rest = held_out.images[half:], held_out.images[:half]
    ensembles = [None if rule == "alone" else Ensemble.of(pair, scale_on, rule) for rule in rules]

    def score(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        found = [Scores(detector.score(images).image, None) for detector in pair]
        return [
            found[0].image if ensemble is None else ensemble.join(found).image
            for ensemble in ensembles
        ]

    clean = trial.task.normal_test_images(dataset, trial.seed)
    normal = score(clean.images if test else rest)
    results = {}
    for corruption in CORRUPTIONS:
        if test:
            task = trial.task.model_copy(update={"corruption": parse(corruption)})
            images = task.anomalies(clean, dataset, trial.seed).images
        else:
            changed, masks = parse(corruption)(rest, seed=derive(trial.seed, "ensemble"))
            images = changed[masks.any(axis=(1, 2))]
        labels = np.repeat([0, 1], [len(normal[0]), len(images)])
        results[corruption] = [
            auroc(np.concatenate(both), labels) for both in zip(normal, score(images), strict=True)
        ]
    return results


def main() -> None:
    """Print a table of AUROC by corruption and rule."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--second", default="pca", metavar="MODEL", help="second detector (default: pca)"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument(
        "--test",
        choices=RULES,
        metavar="RULE",
        help="evaluate this rule on the test split",
    )
    found = parser.parse_args()
    pairs = zip(
        *(fitted(model, found.seeds, found.results) for model in ("synthetic", found.second)),
        strict=True,
    )
    shown = RULES if found.test is None else (found.test,)
    results = [
        judge(trial, (one, other), shown, found.test is not None)
        for (trial, one), (_, other) in pairs
    ]
    lines = []
    for corruption in CORRUPTIONS:
        line: list[object] = [corruption]
        for place in range(len(shown)):
            values = [100 * result[corruption][place] for result in results]
            over_seeds = mean_interval(values)
            spread = "" if len(values) == 1 else f" ±{(over_seeds.high - over_seeds.low) / 2:.2f}"
            line.append(f"{over_seeds.mean:.2f}{spread}")
        lines.append(line)
    print(tabulate(lines, ["corruption", *shown], "github"))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
