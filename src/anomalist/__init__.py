"""Image anomaly detection and localisation: train on normal images, score, show where.

Example::

    from anomalist import datasets, evaluate, models, tasks

    splits = tasks.make_corrupted(datasets.load("mnist"), "stripes", severity=0.5, seed=0)
    detector = models.Autoencoder(bottleneck=16, seed=0).fit(splits.train.images)
    scores = detector.score(splits.test.images)
    print(evaluate(scores, splits.test))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from anomalist._version import __version__

if TYPE_CHECKING:
    from anomalist.corruptions import Corruption
    from anomalist.datasets import DatasetConfig
    from anomalist.evaluation import Evaluator, evaluate
    from anomalist.images import Dataset, ImageSet
    from anomalist.models import Detector, Scores
    from anomalist.split import Split
    from anomalist.tasks import Task, TaskSplits
    from anomalist.trial import Trial

__all__ = [
    "Corruption",
    "Dataset",
    "DatasetConfig",
    "Detector",
    "Evaluator",
    "ImageSet",
    "Scores",
    "Split",
    "Task",
    "TaskSplits",
    "Trial",
    "__version__",
    "evaluate",
]

_MODULES = {
    "Corruption": "corruptions",
    "Dataset": "images",
    "DatasetConfig": "datasets",
    "Detector": "models",
    "Evaluator": "evaluation",
    "ImageSet": "images",
    "Scores": "models",
    "Split": "split",
    "Task": "tasks",
    "TaskSplits": "tasks",
    "Trial": "trial",
    "evaluate": "evaluation",
}


# Subpackages that are available as attributes without an explicit import.
_ROOMS = ("corruptions", "datasets", "metrics", "models", "studies", "suites", "tasks")


def __dir__() -> list[str]:
    """Return the public names, which are imported on first access."""
    return sorted([*__all__, *_ROOMS])


def __getattr__(name: str) -> Any:
    """Import a public name on first access, so that the package loads fast (PEP 562)."""
    if name in _ROOMS:
        return importlib.import_module(f"anomalist.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'anomalist' has no attribute {name!r}")
    return getattr(importlib.import_module(f"anomalist.{_MODULES[name]}"), name)
