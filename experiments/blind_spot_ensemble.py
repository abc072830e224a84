"""One ensemble against every blind spot, from the detectors that `anomalist study blind_spot` has fitted.

    python experiments/blind_spot_ensemble.py                  choose on training images: every rule on every corruption
    python experiments/blind_spot_ensemble.py --test excess    the test split, once, by the rule that was chosen

1. The study's fitted `synthetic` and a second detector are loaded, seed by seed; nothing is fitted again.
2. Half of the 6,000 held-out training images puts both scores on one scale, z = (score - mean) / standard deviation.
3. Rules: `alone`: z of the first; `max`: the greater z; `excess`: z of the first, and what z of the second is above its
   highest among those normal images: it speaks only when surer than ever on a normal image, and else says nothing.
   The other half, clean against corrupted, tells which rule is best.
4. With --test all 6,000 give the scale, and the study's own test images are judged.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from anomalist import datasets
from anomalist.corruption import parse
from anomalist.detector import Detector, load
from anomalist.errors import InputError
from anomalist.metrics.comparison import mean_interval
from anomalist.metrics.detection import auroc
from anomalist.models._standard import Standard
from anomalist.randomness import derive
from anomalist.studies.blind_spot import study
from anomalist.suites.mnist import CORRUPTIONS
from anomalist.trial import Trial

Scores = NDArray[np.float64]
RULES: dict[str, Callable[[Scores, Scores, float], Scores]] = {  # of z of the first, of the second, its highest
    "alone": lambda first, second, highest: first,
    "max": lambda first, second, highest: np.maximum(first, second),
    "excess": lambda first, second, highest: first + np.maximum(second - highest, 0),
}


def fitted(model: str, seeds: int, results: Path) -> list[tuple[Trial, Detector]]:
    """Return the study's trials of a detector on the first corruption, one a seed, with what it fitted."""
    first: dict[int, Trial] = {}
    for trial in study(seeds=seeds, models=[model]).trials:
        first.setdefault(trial.seed, trial)
    found = [(trial, results / "models" / trial.fit_key) for trial in first.values()]
    missing = [folder for _, folder in found if not folder.is_dir()]
    if missing:
        raise InputError(f"{missing[0]} is missing: run `anomalist study blind_spot --models {model}` first")
    return [(trial, load(folder)) for trial, folder in found]


def judge(trial: Trial, pair: tuple[Detector, Detector], test: bool) -> dict[str, dict[str, float]]:
    """Return by corruption the AUROC by each rule."""
    dataset = datasets.load(trial.task.dataset)
    _, held_out = trial.task.training(dataset, trial.seed)
    half = len(held_out) // 2
    scale_on = held_out.images if test else held_out.images[:half]
    of_normal = [detector.score(scale_on).image for detector in pair]
    standards = [Standard.of(scores) for scores in of_normal]
    highest = float(standards[1](of_normal[1]).max())

    def score(images: NDArray[np.float32]) -> list[Scores]:
        return [standard(detector.score(images).image) for standard, detector in zip(standards, pair, strict=True)]

    normal = trial.task.normal(dataset, trial.seed).images if test else held_out.images[half:]
    clean = score(normal)
    found = {}
    for corruption in CORRUPTIONS:
        if test:
            task = trial.task.model_copy(update={"corruption": parse(corruption)})
            images = task.anomalies(trial.task.normal(dataset, trial.seed), dataset, trial.seed).images
        else:
            changed, masks = parse(corruption)(normal, seed=derive(trial.seed, "ensemble"))
            images = changed[masks.any(axis=(1, 2))]
        strange = score(images)
        labels = np.repeat([0, 1], [len(normal), len(images)])
        both = [np.concatenate([a, b]) for a, b in zip(clean, strange, strict=True)]
        found[corruption] = {name: auroc(rule(*both, highest), labels) for name, rule in RULES.items()}
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--second", default="inpainting", metavar="MODEL", help="beside synthetic (inpainting)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--test", choices=RULES, metavar="RULE", help="the rule that was chosen; opens the test split")
    found = parser.parse_args()
    pairs = zip(*(fitted(model, found.seeds, found.results) for model in ("synthetic", found.second)), strict=True)
    results = [judge(trial, (one, other), found.test is not None) for (trial, one), (_, other) in pairs]
    shown = [*RULES] if found.test is None else [found.test]
    lines = []
    for corruption in CORRUPTIONS:
        line: list[object] = [corruption]
        for rule in shown:
            values = [100 * result[corruption][rule] for result in results]
            over_seeds = mean_interval(values)
            spread = "" if len(values) == 1 else f" ±{(over_seeds.high - over_seeds.low) / 2:.2f}"
            line.append(f"{over_seeds.mean:.2f}{spread}")
        lines.append(line)
    print(tabulate(lines, ["corruption", *shown], "github"))


if __name__ == "__main__":
    main()
