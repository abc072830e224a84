"""Image anomaly detection and localisation: train on normal images, score, show where.

from anomalist import datasets, evaluate, models, tasks

task = tasks.corrupted(datasets.load("mnist"), "stripes", severity=0.5, seed=0)
detector = models.Autoencoder(bottleneck=16, seed=0).fit(task.train.images)
scores = detector.score(task.test.images)
print(evaluate(scores, task.test))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from anomalist._version import __version__

if TYPE_CHECKING:
    from anomalist.evaluation import evaluate

__all__ = ["__version__", "evaluate"]


def __getattr__(name: str) -> Any:
    """Import ``evaluate`` when it is asked for, so that ``import anomalist`` costs nothing (PEP 562)."""
    if name == "evaluate":
        return importlib.import_module("anomalist.evaluation").evaluate
    raise AttributeError(f"module 'anomalist' has no attribute {name!r}")
