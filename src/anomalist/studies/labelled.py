"""Labelled: what are a few known anomalies worth, and how much do unnoticed ones undo? The protocol of Deep SAD.

One class of MNIST is normal. A share of the training images are known anomalies, all of one other
class; another share are unnoticed ones, of any other class. Tested on all test images (Ruff et al.,
"Deep semi-supervised anomaly detection", ICLR 2020, section 4.2). With seed s the known anomalies
of digit d are of class d + 1 + s modulo 10: nine seeds are the paper's 90 pairs, and a tenth begins
them anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from anomalist.studies.grid import with_values
from anomalist.studies.layout import Layout
from anomalist.studies.protocol import QUICK_DIGITS, QUICK_SIZES, Size, models_of, seeds_of
from anomalist.studies.study import Study
from anomalist.trial import Trial

__all__ = ["study"]

MODELS: tuple[str, ...] = (
    "deep_sad",
    "deviation_network:made=0",
    "outlier_exposure",
    "outlier_exposure:made=0",
    "deep_svdd",
)
FEW = ((0.01, 0.0), (0.05, 0.1))  # share of known anomalies, share of unnoticed ones
ALL = (
    *((share, 0.0) for share in (0.0, 0.01, 0.05, 0.1, 0.2)),
    *((0.05, pollution) for pollution in (0.01, 0.05, 0.1, 0.2)),
)
PAIRED: dict[Size, int] = {"quick": 1, "default": 3, "full": 9}
CLASSES = 10


def study(size: Size = "default", seeds: int | None = None, models: Sequence[str] = ()) -> Study:
    """Return the study: every detector on every digit with each pair of shares.

    Args:
        size: ``"quick"``: two digits, few images and epochs; ``"full"``: all shares of the paper,
            all 90 pairs.
        seeds: how many; None: the size's own number.
        models: detectors as ``name:option=value,…``; by default those that learn from known
            anomalies, and one that leaves them out.
    """
    sizes = QUICK_SIZES if size == "quick" else {}
    digits = QUICK_DIGITS if size == "quick" else range(CLASSES)
    base = Trial(task={"kind": "one_class", "calibration": 500, **sizes}, localize=False)
    trials = [
        with_values(
            base,
            {
                "model": model,
                "task.normal_classes": (digit,),
                "task.labelled_class": (digit + 1 + seed % (CLASSES - 1)) % CLASSES
                if labelled
                else None,
                "task.labelled": labelled,
                "task.contamination": pollution,
                "seed": seed,
            },
        )
        for labelled, pollution in (ALL if size == "full" else FEW)
        for model in models_of(size, models or MODELS)
        for digit in digits
        for seed in range(seeds_of(size, seeds, PAIRED))
    ]
    layout = Layout(
        name="labelled",
        x="model",
        lines=("task.normal_classes",),
        columns="task.normal_classes",
        sections=("task.labelled", "task.contamination"),
    )
    return Study(layout, [trial for trial in trials if _possible(trial)])


def _possible(trial: Trial) -> bool:
    """Whether there is anything to learn from: ``made=0`` leaves known anomalies alone."""
    return trial.task.labelled > 0 or getattr(trial.model, "made", None) != 0
