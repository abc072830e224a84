"""The file name is the registration: what exists is what lies in a package's folder.

Names and one-line descriptions are read from the files without importing them, so that a listing costs
milliseconds and never loads a deep learning library.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from anomalist.errors import InputError, unknown

__all__ = ["build", "describe", "find_class", "find_module", "lazy_class", "names", "spell"]

KINDS = {
    "datasets": "data set", "corruptions": "corruption", "tasks": "task", "models": "model", "suites": "suite",
}  # fmt: skip


def names(package: str) -> list[str]:
    """Return the names in ``package``, one of ``KINDS``, sorted."""
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


def build(package: str, given: str | dict[str, Any]) -> Any:
    """Return what ``given`` names, made with the options that it gives.

    Args:
        package: ``"datasets"``, ``"corruptions"``, ``"tasks"`` or ``"models"``.
        given: ``"name"``, ``"name:option=value,option=value"``, or a mapping with the key ``name``, which may be such
            a text itself: the mapping's options win. The values of an option that takes several are parted by ``;``,
            and parentheses keep a value together: ``ensemble:members=(lof:k=5,blur=1);pca``, ``arrays:path=(a,b.npy)``,
            ``corrupted:corruption=(stripes:lines=1,value=black)``.

    Raises:
        InputError: an unknown name, option or value.
    """
    kind = KINDS[package]
    if not isinstance(given, str | dict):
        raise InputError(f"a {kind} is a name or a mapping with a name, or text name:option=value, got {given!r}")
    options: dict[str, Any] = {"name": given} if isinstance(given, str) else dict(given)
    name, written = options.pop("name", ""), {}
    if isinstance(name, str):
        name, _, rest = name.partition(":")
        written = _read_options(rest, f"{kind} {name}:{rest}")
        options = written | options
        name = name.strip()
    found = find_class(package, name)
    for key, value in options.items():
        field = found.model_fields.get(key)
        if not isinstance(value, str) or field is None:
            continue
        if _takes_several(field):
            options[key] = [_bare(part) for part in _split(value, ";")]
        elif written.get(key) == value:
            options[key] = _bare(value)
    return found(**options)


def spell(name: str, options: Mapping[str, Any]) -> str:
    """Return the text that :func:`build` reads back: ``name:option=value,option=value``.

    Args:
        name: of the thing.
        options: those that are not the defaults; a tuple's parts are parted by ``;``.
    """
    return name + (":" if options else "") + ",".join(f"{key}={_spell(value)}" for key, value in options.items())


def _spell(value: Any) -> str:
    if isinstance(value, tuple):
        return ";".join(map(_spell, value))
    text = str(value)
    return f"({text})" if "," in text or ";" in text or text.startswith("(") else text


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text


def _takes_several(field: FieldInfo) -> bool:
    """Return whether an option is a tuple, or a tuple or None."""
    choices = [choice for choice in get_args(field.annotation) if choice is not type(None)]
    return tuple in (get_origin(field.annotation), get_origin(choices[0]) if len(choices) == 1 else None)


def _read_options(text: str, where: str) -> dict[str, Any]:
    pairs = [pair.partition("=") for pair in _split(text, ",")]
    if bad := [key for key, sign, _ in pairs if not sign]:
        raise InputError(f"{where!r}: {bad[0]!r} lacks a value; write name:option=value")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _split(text: str, sign: str) -> list[str]:
    """Part ``text`` at ``sign``, but not within parentheses."""
    return [part.strip() for part in re.split(rf"{sign}(?![^(]*\))", text) if part.strip()]


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
