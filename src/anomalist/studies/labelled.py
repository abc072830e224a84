"""How much a few known anomalies improve detection, by the protocol of Deep SAD.

One class of MNIST is normal. A fraction of the training images are known anomalies of one other
class; another fraction are unlabelled anomalies of all other classes. All test images are scored
(Ruff et al., "Deep semi-supervised anomaly detection", ICLR 2020, section 4.2). With seed s the
known anomalies for digit d are of class d + 1 + s modulo 10. Nine seeds give the paper's 90 pairs;
a tenth seed repeats the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anomalist.analysis.layout import Layout
from anomalist.studies._base import (
    QUICK_DIGITS,
    QUICK_SIZES,
    Size,
    Study,
    models_for,
    seeds_for,
)
from anomalist.studies._grid import with_values
from anomalist.trial import Trial

__all__ = ["ACCEPTS", "MODELS", "study"]

ACCEPTS = ("models",)
MODELS: tuple[str, ...] = (
    "deep_sad",
    "deviation_network:synthetic_share=0",
    "outlier_exposure",
    "outlier_exposure:synthetic_share=0",
    "deep_svdd",
)
# Fractions of known and of unlabelled anomalies.
FEW_SHARES = ((0.01, 0.0), (0.05, 0.1))
ALL_SHARES = (
    *((share, 0.0) for share in (0.0, 0.01, 0.05, 0.1, 0.2)),
    *((0.05, pollution) for pollution in (0.01, 0.05, 0.1, 0.2)),
)
PAIRED_SEEDS: Mapping[Size, int] = {"quick": 1, "default": 3, "full": 9}
CLASSES = 10


def study(
    size: Size = "default",
    seeds: int | None = None,
    models: Sequence[str] = (),
) -> Study:
    """Return the study: every detector on every digit with each pair of fractions.

    Detectors that require known anomalies are not run without them.

    Args:
        size: ``"quick"``: two digits, few images and epochs; ``"full"``: all fractions of the
            paper, all 90 pairs.
        seeds: number of seeds; None: the default of the size.
        models: detectors as ``name:option=value,…``; by default those that learn from known
            anomalies, and one that does not.
    """
    layout = Layout(
        name="labelled",
        x="model",
        lines=("task.normal_classes",),
        columns="task.normal_classes",
        sections=("task.labelled", "task.contamination"),
    )
    sizes = QUICK_SIZES if size == "quick" else {}
    base = Trial(task={"kind": "one_class", "calibration": 500, **sizes}, localize=False)
    digits = QUICK_DIGITS if size == "quick" else range(CLASSES)
    count = seeds_for(size, seeds, PAIRED_SEEDS)
    trials: list[Trial] = []
    for labelled, pollution in ALL_SHARES if size == "full" else FEW_SHARES:
        for model in models_for(size, models or MODELS):
            for digit in digits:
                for seed in range(count):
                    trial = _trial(base, model, digit, labelled, pollution, seed)
                    if labelled > 0 or not trial.model.needs_known_anomalies:
                        trials.append(trial)
    return Study(layout, trials)


def _trial(
    base: Trial,
    model: str,
    digit: int,
    labelled: float,
    pollution: float,
    seed: int,
) -> Trial:
    anomalous = (digit + 1 + seed % (CLASSES - 1)) % CLASSES
    values = {
        "model": model,
        "task.normal_classes": (digit,),
        "task.labelled_class": anomalous if labelled else None,
        "task.labelled": labelled,
        "task.contamination": pollution,
        "seed": seed,
    }
    return with_values(base, values)
