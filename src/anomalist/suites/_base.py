"""The contract of every file in ``suites/``: tasks in groups, detectors and seeds.

A suite's file defines

- ``VERSION``, which is raised whenever a result could change: another task or size, or changed
  random draws of a corruption;
- ``SEEDS``, the number of seeds, and ``MODELS``, the default detectors;
- ``groups(data)``, which returns the tasks by group, as text for :func:`anomalist.tasks.parse`.
  ``data`` is the folder with the data sets that are given by path.

A group, such as the ten digits of MNIST, counts once in means and ranks: its value is the mean over
its tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anomalist.core import catalog
from anomalist.tasks import Task, parse

__all__ = ["FALSE_ALARM_RATE", "Suite", "load"]

# Of thresholds; this rate needs only 19 held-out images, which small data sets can provide.
FALSE_ALARM_RATE = 0.05


@dataclass(frozen=True)
class Suite:
    """A named, versioned benchmark.

    Attributes:
        name: name of the suite.
        version: rows of different versions are never compared.
        seeds: number of seeds.
        models: the default detectors, as ``name:option=value,…``.
        groups: tasks by group.
    """

    name: str
    version: int
    seeds: int
    models: tuple[str, ...]
    groups: dict[str, tuple[Task, ...]]


def load(name: str, data: Path = Path("data")) -> Suite:
    """Return the suite ``name``, without reading data sets.

    Args:
        name: name of its file, with ``-`` or ``_``.
        data: the folder with the data sets that are given by path.

    Raises:
        InputError: there is no such suite.
    """
    module = catalog.find_module("suites", name.replace("-", "_"))
    groups = {group: tuple(map(parse, texts)) for group, texts in module.groups(data).items()}
    return Suite(name.replace("_", "-"), module.VERSION, module.SEEDS, tuple(module.MODELS), groups)
