"""Data sets, one file each: ``mnist.py`` is the data set ``mnist``, its class ``Mnist``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anomalist.core import catalog
from anomalist.datasets._base import DatasetConfig, Status, old_text, parse
from anomalist.datasets._listing import details, table
from anomalist.datasets._stats import stats
from anomalist.images import Dataset

__all__ = [
    "DatasetConfig",
    "Status",
    "details",
    "load",
    "names",
    "old_text",
    "parse",
    "stats",
    "status",
    "table",
]


def names() -> list[str]:
    """Return the names of the data sets, sorted."""
    return catalog.names("datasets")


def load(spec: str | Mapping[str, Any] | DatasetConfig) -> Dataset:
    """Return the data set that ``spec`` names, fetched on first use.

    Args:
        spec: ``"mnist"``, ``"textures:texture=brick,side=64"``, or whatever else ``parse`` takes.

    Raises:
        InputError: an unknown name, option or value; or the data set is not here and cannot be
            fetched.
    """
    return parse(spec).load()


def status(spec: str | Mapping[str, Any] | DatasetConfig) -> Status:
    """Return whether the data set is ready, can be fetched or must be provided; fetches nothing.

    Raises:
        InputError: an unknown name, option or value.
    """
    return parse(spec).status()


def __getattr__(name: str) -> Any:
    """Import a data set's class when it is first asked for (PEP 562)."""
    return catalog.lazy_class("datasets", name)
