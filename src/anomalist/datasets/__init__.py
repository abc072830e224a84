"""Data sets, one file each: the file's name is the data set's name, its class the name in CamelCase."""

from __future__ import annotations

from typing import Any

from anomalist import catalog
from anomalist.dataset import DatasetConfig, Status, parse
from anomalist.datasets._listing import details, table
from anomalist.datasets._stats import stats
from anomalist.images import Dataset

__all__ = ["details", "load", "names", "stats", "status", "table"]


def names() -> list[str]:
    """Return the names of the data sets, sorted."""
    return catalog.names("datasets")


def load(spec: str | dict[str, Any] | DatasetConfig) -> Dataset:
    """Return the data set that ``spec`` names, fetched on first use.

    Args:
        spec: ``"mnist"``, ``"textures:texture=brick,side=64"``, or whatever else
            :func:`~anomalist.dataset.parse` takes.

    Raises:
        InputError: an unknown name, option or value; or the data set is not here and cannot be
            fetched.
    """
    return parse(spec).load()


def status(spec: str | dict[str, Any] | DatasetConfig) -> Status:
    """Return whether the data set is ready, can be fetched or has to be put somewhere by hand; fetches nothing.

    Raises:
        InputError: an unknown name, option or value.
    """
    return parse(spec).status()


def __getattr__(name: str) -> Any:
    """Import a data set's class the first time that it is asked for (PEP 562)."""
    return catalog.lazy_class("datasets", name)
