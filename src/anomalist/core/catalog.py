"""Registration by file name: every file in a package's folder is listed.

Names and one-line descriptions are read from the files without importing them. A listing therefore
takes milliseconds and never loads a deep-learning library. Other packages add names by entry
points, see ``plugins``; a file of this package takes precedence.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

from anomalist.core import plugins
from anomalist.core.errors import unknown

__all__ = [
    "LISTED",
    "class_name",
    "describe",
    "find_class",
    "find_module",
    "lazy_class",
    "names",
    "noun",
    "origin",
    "own_names",
]

_NOUNS = {
    "cli": "command",
    "corruptions": "corruption",
    "datasets": "data set",
    "models": "model",
    "studies": "study",
    "suites": "suite",
    "tasks": "task",
}
LISTED = ("datasets", "corruptions", "tasks", "models", "suites", "studies")  # by `anomalist list`


def names(package: str) -> list[str]:
    """Return the names registered in ``package``, also by other packages, sorted.

    Args:
        package: a folder of the package, such as ``"models"``.
    """
    return sorted({*own_names(package), *plugins.names(package)})


def own_names(package: str) -> list[str]:
    """Return the names of the files in a folder of this package, sorted."""
    files = _folder(package).glob("*.py")
    return sorted(path.stem for path in files if not path.stem.startswith("_"))


def noun(package: str) -> str:
    """Return the singular noun for ``package``: ``"data set"`` for ``"datasets"``."""
    return _NOUNS[package]


def describe(package: str, name: str) -> str:
    """Return the first line of the docstring of ``name``'s file, without importing it."""
    if name not in own_names(package):
        return plugins.describe(package, name)
    source = (_folder(package) / f"{name}.py").read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source)) or ""
    return docstring.partition("\n")[0]


def find_module(package: str, name: str) -> Any:
    """Import and return the module ``name`` of ``package``.

    Raises:
        InputError: there is no such file; the message suggests similar names.
    """
    if name not in own_names(package):
        raise unknown(noun(package), name, names(package))
    return importlib.import_module(f"anomalist.{package}.{name}")


def find_class(package: str, name: str) -> Any:
    """Return the class registered as ``name``: the file's name in CamelCase.

    The name may also be an entry point of another package, or ``package.module:Class``.

    Raises:
        InputError: there is no such file or class, or it cannot be loaded.
    """
    own = name in own_names(package)
    is_text = isinstance(name, str)
    if is_text and not own and (name in plugins.names(package) or plugins.is_import_path(name)):
        return plugins.load(package, name)
    return getattr(find_module(package, name), class_name(name))


def origin(package: str, name: str) -> str:
    """Return where a name comes from: ``"anomalist"``, or another package and its version."""
    return "anomalist" if name in own_names(package) else plugins.origin(package, name)


def lazy_class(package: str, name: str) -> Any:
    """Return the class ``name`` of ``package``: the body of its ``__getattr__`` (PEP 562).

    Raises:
        AttributeError: no file of the package is named after such a class.
    """
    for file_name in names(package):
        if class_name(file_name) == name:
            return find_class(package, file_name)
    raise AttributeError(f"module 'anomalist.{package}' has no attribute {name!r}")


def class_name(name: str) -> str:
    """Return the name of the class in a file: ``patch_memory.py`` defines ``PatchMemory``."""
    return "".join(part.capitalize() for part in name.split("_"))


def _folder(package: str) -> Path:
    return Path(__file__).parent.parent / package
