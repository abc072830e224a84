"""The file name is the registration: what exists is what lies in a package's folder.

Names and one-line descriptions are read from the files without importing them, so that a listing costs
milliseconds and never loads a deep learning library.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

from anomalist.errors import unknown

__all__ = ["describe", "find_class", "find_module", "lazy_class", "names"]

KINDS = {"datasets": "data set", "corruptions": "corruption", "models": "model"}


def names(package: str) -> list[str]:
    """Return the names in ``package`` (``"datasets"``, ``"corruptions"`` or ``"models"``), sorted."""
    return sorted(path.stem for path in _folder(package).glob("*.py") if not path.stem.startswith("_"))


def describe(package: str, name: str) -> str:
    """Return the first line of the docstring of ``name``'s file, read without importing it."""
    source = (_folder(package) / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def find_module(package: str, name: str) -> Any:
    """Import and return the module ``name`` of ``package``.

    Raises:
        InputError: there is no such file; the message lists those there are.
    """
    if name not in names(package):
        raise unknown(KINDS[package], name, names(package))
    return importlib.import_module(f"anomalist.{package}.{name}")


def find_class(package: str, name: str) -> Any:
    """Return the class that the file ``name`` of ``package`` exists for: its name in CamelCase.

    Raises:
        InputError: there is no such file.
    """
    return getattr(find_module(package, name), _camel_case(name))


def lazy_class(package: str, name: str) -> Any:
    """Return the class ``name`` of ``package``: the body of the package's ``__getattr__`` (PEP 562).

    Raises:
        AttributeError: no file of the package is named after such a class.
    """
    for file_name in names(package):
        if _camel_case(file_name) == name:
            return find_class(package, file_name)
    raise AttributeError(f"module 'anomalist.{package}' has no attribute {name!r}")


def _camel_case(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _folder(package: str) -> Path:
    return Path(__file__).parent / package
