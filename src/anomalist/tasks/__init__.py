"""Tasks: what an anomaly is, one per file: ``one_class.py`` is ``one_class``, ``OneClass``.

``make_corrupted``, ``make_one_class``, ``make_foreign`` and ``make_defects`` return the images of a
task for use in Python; :func:`parse` reads a task from text, such as
``"one_class:dataset=digits,normal_classes=3"``.
"""

from __future__ import annotations

from typing import Any

from anomalist.core import catalog
from anomalist.corruptions import Corruption
from anomalist.corruptions import parse as parse_corruption
from anomalist.images import Dataset
from anomalist.split import Split
from anomalist.tasks._base import AnyTask, Task, parse
from anomalist.tasks._splits import TaskSplits

__all__ = [
    "AnyTask",
    "Split",
    "Task",
    "TaskSplits",
    "make_corrupted",
    "make_defects",
    "make_foreign",
    "make_one_class",
    "parse",
]


def make_corrupted(
    dataset: Dataset,
    corruption: str | Corruption,
    *,
    severity: float | None = None,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 6_000,
    test: int | None = None,
) -> TaskSplits:
    """Return the images for finding corrupted test images among clean ones.

    Args:
        dataset: what ``datasets.load(name)`` returned.
        corruption: a name, ``"name:option=value,…"``, or a corruption.
        severity: its strength in [0, 1], if ``corruption`` does not set it.
        seed: of the split and the corruption.
        train: normal images to train on; None: all that ``calibration`` leaves.
        calibration: normal images held out for thresholds.
        test: test images, each used clean and corrupted; None: all.

    Raises:
        InputError: an unknown corruption or option, or more images asked for than there are.
    """
    parsed = parse_corruption(corruption)
    if severity is not None:
        options = parsed.model_dump(exclude_unset=True)
        parsed = parse_corruption({"name": parsed.name, **options, "severity": severity})
    sizes = {"train": train, "calibration": calibration, "test": test}
    return _build({"kind": "corrupted", "corruption": parsed, **sizes}, dataset, seed)


def make_one_class(
    dataset: Dataset,
    normal_classes: int | tuple[int, ...],
    *,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 500,
    test: int | None = None,
) -> TaskSplits:
    """Return the images for finding test images of the other classes.

    Args:
        dataset: what ``datasets.load(name)`` returned.
        normal_classes: the normal class, or classes, as indices into ``class_names``.
        seed: of the split.
        train: normal images to train on; None: all that ``calibration`` leaves.
        calibration: normal images held out for thresholds.
        test: normal test images; None: all. Anomalies are all test images of the other classes.

    Raises:
        InputError: a class that the data set does not have, or more images asked for than there
            are.
    """
    classes = (normal_classes,) if isinstance(normal_classes, int) else normal_classes
    sizes = {"train": train, "calibration": calibration, "test": test}
    return _build({"kind": "one_class", "normal_classes": classes, **sizes}, dataset, seed)


def make_foreign(
    dataset: Dataset,
    other: str,
    *,
    matched: bool = False,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 6_000,
    test: int | None = None,
) -> TaskSplits:
    """Return the images for finding images of another data set.

    Args:
        dataset: what ``datasets.load(name)`` returned.
        other: the data set that anomalies come from, as ``"name:option=value,…"``.
        matched: whether anomalies get the mean and standard deviation of normal images.
        seed: of the split and of the draw of anomalies.
        train: normal images to train on; None: all that ``calibration`` leaves.
        calibration: normal images held out for thresholds.
        test: normal test images, and at most as many anomalies; None: all.

    Raises:
        InputError: a data set that does not exist or cannot be fetched, or more images asked for
            than there are.
    """
    sizes = {"train": train, "calibration": calibration, "test": test}
    values = {"kind": "foreign", "foreign": other, "matched": matched, **sizes}
    return _build(values, dataset, seed)


def make_defects(
    dataset: Dataset,
    types: str | tuple[str, ...] = (),
    *,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 100,
    test: int | None = None,
) -> TaskSplits:
    """Return the images for finding real defects among good images.

    Args:
        dataset: what ``datasets.load(name)`` returned; its first class is "good".
        types: the type of defect that is tested, or several; by default all.
        seed: of the split.
        train: good images to train on; None: all that ``calibration`` leaves.
        calibration: good images held out for thresholds.
        test: good test images; None: all. Anomalies are all test images with such a defect.

    Raises:
        InputError: a type that the data set does not have, or more images asked for than there are.
    """
    chosen = (types,) if isinstance(types, str) else types
    sizes = {"train": train, "calibration": calibration, "test": test}
    return _build({"kind": "defects", "types": chosen, **sizes}, dataset, seed)


def _build(values: dict[str, Any], dataset: Dataset, seed: int) -> TaskSplits:
    """Return the images of a task on a data set that is loaded."""
    return parse({**values, "dataset": dataset.name}).build(dataset, seed)


def __getattr__(name: str) -> Any:
    """Import a task's class when it is first asked for (PEP 562)."""
    return catalog.lazy_class("tasks", name)
