"""Corruptions, one per file: ``stripes.py`` defines ``stripes`` with the class ``Stripes``."""

from __future__ import annotations

from typing import Any

from anomalist.core import catalog
from anomalist.corruptions._base import Corruption, CorruptionResult, CorruptionSpec, parse

__all__ = ["Corruption", "CorruptionResult", "CorruptionSpec", "names", "parse"]


def names() -> list[str]:
    """Return the names of all corruptions, sorted."""
    return catalog.names("corruptions")


def __getattr__(name: str) -> Any:
    """Import a corruption's class on first access (PEP 562)."""
    return catalog.lazy_class("corruptions", name)
