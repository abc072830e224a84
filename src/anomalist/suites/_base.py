"""Suite: the contract of every file in ``suites/``: tasks in groups, detectors and seeds.

A suite's file has

- ``VERSION``, raised whenever a result could change: another task, size, or a corruption that draws
  otherwise;
- ``SEEDS``, how many; ``MODELS``, the detectors that are run unless others are named;
- ``groups(data)``, the tasks by group, as text that :func:`anomalist.tasks.parse` reads. ``data``
  is the folder with the data sets that are given by path.

A group counts once in means and ranks, such as the ten digits of MNIST: its value is the mean of
its tasks'.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anomalist.core import catalog
from anomalist.tasks import Task, parse

__all__ = ["FALSE_ALARM_RATE", "Suite", "load"]

# Of thresholds: 19 held-out images are enough for it, and small data sets have no more to give.
FALSE_ALARM_RATE = 0.05


@dataclass(frozen=True)
class Suite:
    """A named, versioned benchmark.

    Attributes:
        name: of the suite.
        version: rows of different versions are never compared.
        seeds: how many.
        models: the detectors, as ``name:option=value,…``.
        groups: tasks by group.
    """

    name: str
    version: int
    seeds: int
    models: tuple[str, ...]
    groups: dict[str, tuple[Task, ...]]


def load(name: str, data: Path = Path("data")) -> Suite:
    """Return the suite ``name``; no data set is read.

    Args:
        name: the name of its file, with ``-`` or ``_``.
        data: the folder with the data sets that are given by path.

    Raises:
        InputError: there is no such suite.
    """
    module = catalog.find_module("suites", name.replace("-", "_"))
    groups = {group: tuple(map(parse, texts)) for group, texts in module.groups(data).items()}
    return Suite(name.replace("_", "-"), module.VERSION, module.SEEDS, tuple(module.MODELS), groups)
