"""The file name is the registration: what exists is what lies in a package's folder.

Names and one-line descriptions are read from the files without importing them, so that a listing
costs milliseconds and never loads a deep learning library.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from anomalist.errors import InputError, unknown

__all__ = [
    "bare",
    "build",
    "class_name",
    "describe",
    "find_class",
    "find_module",
    "lazy_class",
    "names",
    "spell",
    "split",
]

KINDS = {
    "datasets": "data set",
    "corruptions": "corruption",
    "tasks": "task",
    "models": "model",
    "suites": "suite",
}


_SIGNS = "(),;"  # what parts options and values


def names(package: str) -> list[str]:
    """Return the names in ``package``, one of ``KINDS``, sorted."""
    return sorted(
        path.stem for path in _folder(package).glob("*.py") if not path.stem.startswith("_")
    )


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
    return getattr(find_module(package, name), class_name(name))


def build(package: str, given: str | dict[str, Any]) -> Any:
    """Return what ``given`` names, made with the options that it gives.

    Args:
        package: ``"datasets"``, ``"corruptions"``, ``"tasks"`` or ``"models"``.
        given: ``"name"``, ``"name:option=value,option=value"``, or a mapping with the key ``name``,
            which may be such a text itself: the mapping's options win. The values of an option that
            takes several are parted by ``;``, and parentheses keep a value together:
            ``ensemble:members=(lof:k=5,blur=1);pca``, ``arrays:path=(a,b.npy)``,
            ``corrupted:corruption=(stripes:lines=1,value=black)``. They may be nested; one that
            stands for itself and has no partner is written with a backslash, as a comma or
            semicolon may be.

    Raises:
        InputError: an unknown name, option or value.
    """
    kind = KINDS[package]
    if not isinstance(given, str | dict):
        raise InputError(
            f"a {kind} is a name or a mapping with a name, or text name:option=value, got {given!r}"
        )
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
            options[key] = _several(value, field)
        elif written.get(key) == value:
            options[key] = bare(value)
    return found(**options)


def spell(name: str, options: Mapping[str, Any]) -> str:
    """Return the text that :func:`build` reads back: ``name:option=value,option=value``.

    Args:
        name: of the thing.
        options: those that are not the defaults; a tuple's parts are parted by ``;``.
    """
    return (
        name
        + (":" if options else "")
        + ",".join(f"{key}={_spell(value)}" for key, value in options.items())
    )


def _spell(value: Any) -> str:
    """Return a value as text: within parentheses where its signs would part it, escaped where these do not close."""
    if isinstance(value, tuple):
        text = ";".join(map(_spell, value))
        return (
            f"({text})" if len(value) == 1 and text.startswith("(") else text
        )  # or it would be read as several
    text = str(value)
    if _depth_faults(text) or text.endswith("\\"):
        escaped = "".join(f"\\{sign}" if sign in _SIGNS else sign for sign in text)
        return escaped + "\\" * text.endswith("\\")
    if (
        any(f"\\{sign}" in text for sign in _SIGNS)
        or "," in text
        or ";" in text
        or text.startswith("(")
    ):
        return f"({text})"
    return text if text == text.strip() else f"({text})"


def bare(text: str) -> str:
    """Return a value as it was before it was put into parentheses, or before its signs were escaped."""
    if _wrapped(text):
        return text[1:-1]
    return "".join(sign for _, sign, _ in _signs(text))


def split(text: str, sign: str) -> list[str]:
    r"""Part ``text`` at ``sign``, but not within parentheses, however deep, nor where it is escaped (``\,``).

    Raises:
        InputError: a parenthesis that is not closed, or closed twice.
    """
    if fault := _depth_faults(text):
        raise InputError(
            f"{text!r}: {fault}; write a parenthesis that stands for itself as \\( or \\)"
        )
    parts, start, depth = [], 0, 0
    for place, one, escaped in _signs(text):
        depth += 0 if escaped else (one == "(") - (one == ")")
        if one == sign and not escaped and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _signs(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield each character with its place and whether a backslash takes its meaning from it.

    A backslash does so before a sign; before another one that ends the text or stands before a sign
    it is one itself.
    """
    place, meant = 0, ("", *_SIGNS)
    while place < len(text):
        following, after = text[place + 1 : place + 2], text[place + 2 : place + 3]
        escaped = text[place] == "\\" and bool(following)
        escaped = escaped and (following in _SIGNS or (following == "\\" and after in meant))
        place += escaped
        yield place, text[place], escaped
        place += 1


def _wrapped(text: str) -> bool:
    """Return whether the first sign is a parenthesis that the last one closes."""
    return text.startswith("(") and _closing(text) == len(text) - 1


def _closing(text: str) -> int:
    """Return the place of the parenthesis that closes the first one; -1 if none does."""
    depth = 0
    for place, sign, escaped in _signs(text):
        depth += 0 if escaped else (sign == "(") - (sign == ")")
        if depth == 0:
            return place
    return -1


def _depth_faults(text: str) -> str:
    """Return what is wrong with the parentheses of ``text``, or nothing."""
    depth = 0
    for _, sign, escaped in _signs(text):
        depth += 0 if escaped else (sign == "(") - (sign == ")")
        if depth < 0:
            return "a parenthesis is closed that was not opened"
    return "a parenthesis is not closed" if depth else ""


def _several(value: str, field: FieldInfo) -> list[str]:
    """Return the values of an option that takes several: ``a;b``, or ``(a;b)`` unless each is a thing with options."""
    parts = split(value, ";")
    if len(parts) == 1 and not _of_configs(field) and _wrapped(parts[0]):
        parts = split(parts[0][1:-1], ";")
    return [bare(part) for part in parts]


def _of_configs(field: FieldInfo) -> bool:
    """Return whether an option's values are things with options of their own, such as detectors."""
    inner = get_args(field.annotation)[0]
    inner = get_args(inner)[0] if get_origin(inner) is Annotated else inner
    return isinstance(inner, type) and issubclass(inner, BaseModel)


def _takes_several(field: FieldInfo) -> bool:
    """Return whether an option is a tuple, or a tuple or None."""
    choices = [choice for choice in get_args(field.annotation) if choice is not type(None)]
    return tuple in (
        get_origin(field.annotation),
        get_origin(choices[0]) if len(choices) == 1 else None,
    )


def _read_options(text: str, where: str) -> dict[str, Any]:
    pairs = [pair.partition("=") for pair in split(text, ",")]
    if bad := [key for key, sign, _ in pairs if not sign]:
        raise InputError(f"{where!r}: {bad[0]!r} lacks a value; write name:option=value")
    return {key.strip(): value.strip() for key, _, value in pairs}


def lazy_class(package: str, name: str) -> Any:
    """Return the class ``name`` of ``package``: the body of the package's ``__getattr__`` (PEP 562).

    Raises:
        AttributeError: no file of the package is named after such a class.
    """
    for file_name in names(package):
        if class_name(file_name) == name:
            return find_class(package, file_name)
    raise AttributeError(f"module 'anomalist.{package}' has no attribute {name!r}")


def class_name(name: str) -> str:
    """Return the name of the class that a file of this name exists for: ``patch_memory`` holds ``PatchMemory``."""
    return "".join(part.capitalize() for part in name.split("_"))


def _folder(package: str) -> Path:
    return Path(__file__).parent / package
