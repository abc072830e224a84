"""Data sets by name: one file each, whose name is the data set's.

The module of a data set has ``load() -> Dataset`` and ``status() -> str``.
"""

from __future__ import annotations

from anomalist import catalog
from anomalist.datasets._stats import stats
from anomalist.images import Dataset

__all__ = ["load", "names", "stats", "status"]


def names() -> list[str]:
    """Return the names of the data sets, sorted."""
    return catalog.names("datasets")


def load(name: str) -> Dataset:
    """Return the data set ``name``, fetched on first use.

    Raises:
        InputError: there is none of that name, or it cannot be fetched.
    """
    dataset: Dataset = catalog.find_module("datasets", name).load()
    return dataset


def status(name: str) -> str:
    """Return whether the data set ``name`` is ready or has to be fetched, and its folder; fetches nothing.

    Raises:
        InputError: there is none of that name.
    """
    return str(catalog.find_module("datasets", name).status())
