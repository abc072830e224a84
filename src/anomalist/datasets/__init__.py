"""Data sets, one per file: ``mnist.py`` defines ``mnist`` with the class ``Mnist``."""

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
    """Load a data set, and download it on first use.

    Args:
        spec: ``"mnist"``, ``"textures:texture=brick,side=64"``, or any other argument of ``parse``.

    Raises:
        InputError: an unknown name, option or value; or the data set is missing and cannot be
            downloaded.
    """
    return parse(spec).load()


def status(spec: str | Mapping[str, Any] | DatasetConfig) -> Status:
    """Return whether the data set is ready, can be downloaded or must be provided.

    Raises:
        InputError: an unknown name, option or value.
    """
    return parse(spec).status()


def __getattr__(name: str) -> Any:
    """Import a data set's class on first access (PEP 562)."""
    return catalog.lazy_class("datasets", name)
