"""Suite: the contract that every file in ``suites/`` keeps: tasks in groups, detectors and seeds, under a version.

A suite's file has

- ``VERSION``, raised whenever a result could change: another task, size, or a corruption that came
  to draw otherwise;
- ``SEEDS``, how many; ``MODELS``, the detectors that are run unless others are named;
- ``groups(data)``, the tasks by group, as text that :func:`anomalist.task.parse` reads. ``data`` is
  the folder with the data sets that are given by path.

A group is what counts once in means and ranks, such as the ten digits of MNIST: its value is the
mean of its tasks'.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anomalist import catalog
from anomalist.task import TaskConfig, parse

__all__ = ["FALSE_ALARM_RATE", "Suite", "load"]

# Of thresholds: 19 held-out images are enough for it, and small data sets have no more to give.
FALSE_ALARM_RATE = 0.05


@dataclass(frozen=True)
class Suite:
    """A named, versioned benchmark.

    Attributes:
        name: of the suite.
        version: rows of different versions are never put side by side.
        seeds: how many.
        models: the detectors, as ``name:option=value,…``.
        groups: tasks by group.
    """

    name: str
    version: int
    seeds: int
    models: tuple[str, ...]
    groups: dict[str, tuple[TaskConfig, ...]]


def load(name: str, data: Path = Path("data")) -> Suite:
    """Return the suite ``name``; no data set is read.

    Args:
        name: the name of its file, with ``-`` or ``_``.
        data: the folder with the data sets that are given by path.

    Raises:
        InputError: there is no such suite.
    """
    found = catalog.find_module("suites", name.replace("-", "_"))
    groups = {group: tuple(map(parse, texts)) for group, texts in found.groups(data).items()}
    return Suite(name.replace("_", "-"), found.VERSION, found.SEEDS, tuple(found.MODELS), groups)
