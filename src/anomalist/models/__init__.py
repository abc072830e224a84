"""Detectors, one per file: ``lof.py`` defines the detector ``lof`` with the class ``Lof``."""

from __future__ import annotations

from typing import Any

from anomalist.core import catalog
from anomalist.models._base import (
    RUN_FIELDS,
    SEEN,
    Detector,
    Model,
    Scores,
    SecondScore,
    for_run,
    parse,
)
from anomalist.models._saved import load, remove_saved

__all__ = [
    "RUN_FIELDS",
    "SEEN",
    "Detector",
    "Model",
    "Scores",
    "SecondScore",
    "for_run",
    "load",
    "names",
    "parse",
    "remove_saved",
]


def names() -> list[str]:
    """Return the names of all detectors, sorted."""
    return catalog.names("models")


def __getattr__(name: str) -> Any:
    """Import a detector's class on first access (PEP 562)."""
    return catalog.lazy_class("models", name)
