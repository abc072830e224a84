"""Corruptions, one file each: the file's name is the corruption's name, its class the name in CamelCase."""

from __future__ import annotations

from typing import Any

from anomalist import catalog

__all__ = ["names"]


def names() -> list[str]:
    """Return the names of all corruptions."""
    return catalog.names("corruptions")


def __getattr__(name: str) -> Any:
    """Import a corruption's class the first time that it is asked for (PEP 562)."""
    return catalog.lazy_class("corruptions", name)
