"""Detectors, data sets and corruptions of other packages, by entry point or by import path.

A package registers a class without touching this one, in its ``pyproject.toml``::

    [project.entry-points."anomalist.models"]
    my_detector = "my_package.my_module:MyDetector"

The groups are ``anomalist.models``, ``anomalist.datasets`` and ``anomalist.corruptions``. Without
registration, ``package.module:Class`` names a class wherever a name is expected.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from anomalist.core.errors import InputError

__all__ = ["GROUPS", "describe", "is_import_path", "load", "name_of", "names", "origin"]

GROUPS = ("models", "datasets", "corruptions")


@cache
def _entry_points(package: str) -> dict[str, metadata.EntryPoint]:
    """Return the entry points of a group by name; the first if two have the same name."""
    if package not in GROUPS:
        return {}
    found: dict[str, metadata.EntryPoint] = {}
    for point in metadata.entry_points(group=f"anomalist.{package}"):
        found.setdefault(point.name, point)
    return found


def names(package: str) -> list[str]:
    """Return the names that other packages register in a group, such as ``"models"``."""
    return list(_entry_points(package))


def is_import_path(name: str) -> bool:
    """Return whether a name is ``package.module:Class``, or ``module:Class`` with a capital."""
    module, colon, qualified = name.partition(":")
    parts = [*module.split("."), *qualified.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        return False
    return "." in module or qualified[:1].isupper()


def load(package: str, name: str) -> Any:
    """Import the class that an entry point or an import path names.

    Raises:
        InputError: it cannot be imported; the message says which package it belongs to.
    """
    point = _entry_points(package).get(name)
    path = name if point is None else point.value
    module, _, qualified = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in qualified.split("."):
            found = getattr(found, part)
    # Another package may raise any exception while it is imported.
    except Exception as error:
        whose = "" if point is None else f" of the package {_package(point)}"
        raise InputError(
            f"{name!r}{whose} cannot be loaded from {path!r}: {type(error).__name__}: {error}"
        ) from None
    return found


def name_of(chosen: type, package: str) -> str:
    """Return the name of another package's class: its entry point, else its import path."""
    path = f"{chosen.__module__}:{chosen.__qualname__}"
    for name, point in _entry_points(package).items():
        if point.value == path:
            return name
    return path


def origin(package: str, name: str) -> str:
    """Return the package that registers a name, and its version."""
    return _package(_entry_points(package)[name])


def describe(package: str, name: str) -> str:
    """Return the first line of the docstring of a class's file, without importing the file."""
    module = _entry_points(package)[name].value.partition(":")[0]
    try:
        found = importlib.util.find_spec(module)
        assert found is not None
        assert found.origin is not None
        tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    except Exception:  # another package may be broken in any way; a listing still works
        return "(its file cannot be read)"
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def _package(point: metadata.EntryPoint) -> str:
    return "unknown" if point.dist is None else f"{point.dist.name} {point.dist.version}"
