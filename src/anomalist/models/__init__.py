"""Detectors, one file each: the file's name is the detector's name, its class the name in CamelCase."""

from __future__ import annotations

from typing import Any

from anomalist import catalog
from anomalist.detector import Detector, Scores, load, parse

__all__ = ["Detector", "Scores", "load", "names", "parse"]


def names() -> list[str]:
    """Return the names of all detectors."""
    return catalog.names("models")


def __getattr__(name: str) -> Any:
    """Import a detector's class the first time that it is asked for (PEP 562)."""
    return catalog.lazy_class("models", name)
