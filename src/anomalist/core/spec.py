r"""Specs: text with a name and options, ``name:option=value,option=value``.

Four characters are special: ``,`` separates options, ``;`` separates the values of one option, and
parentheses keep a value together and may be nested. A backslash escapes them: ``\,`` is a comma
inside a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anomalist.core import plugins
from anomalist.core.errors import InputError

__all__ = ["format_spec", "is_wrapped", "parse_name", "parse_spec", "split", "unwrap"]

_SPECIAL = "(),;"


def parse_spec(text: str, noun: str) -> tuple[str, dict[str, str]]:
    """Return the name and the options, as text, of ``name:option=value,option=value``.

    Args:
        text: the spec.
        noun: noun for messages, such as ``"model"``.

    Raises:
        InputError: an option without a value, or an unbalanced parenthesis.
    """
    name, rest = _name_and_options(text)
    options: dict[str, str] = {}
    for pair in split(rest, ","):
        option, sign, value = pair.partition("=")
        if not sign:
            where = f"{noun} {name}:{rest}"
            raise InputError(f"{where!r}: {option!r} lacks a value; write name:option=value")
        if option.strip() in options:
            raise InputError(f"{noun} {name}: {option.strip()} is given twice")
        options[option.strip()] = value.strip()
    return name.strip(), options


def parse_name(text: str) -> str:
    """Return the name in a spec, without checking the options."""
    return _name_and_options(text)[0].strip()


def _name_and_options(text: str) -> tuple[str, str]:
    """Split a spec at its colon; the name may be an import path, ``package.module:Class``."""
    name, _, rest = text.partition(":")
    second, _, options = rest.partition(":")
    if "=" not in second and plugins.is_import_path(f"{name.strip()}:{second.strip()}"):
        return f"{name.strip()}:{second.strip()}", options
    return name, rest


def format_spec(name: str, options: Mapping[str, Any]) -> str:
    """Return the text that :func:`parse_spec` reads back.

    Args:
        name: the name.
        options: the options; the values of a tuple are separated by ``;``.
    """
    if not options:
        return name
    pairs = [f"{option}={_format_value(value)}" for option, value in options.items()]
    return f"{name}:{','.join(pairs)}"


def split(text: str, separator: str) -> list[str]:
    """Split ``text``, but not within parentheses or at escaped separators.

    Empty parts are dropped; the others are stripped of surrounding spaces.

    Raises:
        InputError: an unbalanced parenthesis.
    """
    if fault := _unbalanced(text):
        raise InputError(f"{text!r}: {fault}; write a literal parenthesis as \\( or \\)")
    parts: list[str] = []
    start = 0
    depth = 0
    for place, character, escaped in _characters(text):
        if escaped:
            continue
        depth += _depth_change(character)
        if character == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def unwrap(text: str) -> str:
    """Return a value without the parentheses around it, or without its escapes."""
    if is_wrapped(text):
        return text[1:-1]
    return "".join(character for _, character, _ in _characters(text))


def is_wrapped(text: str) -> bool:
    """Return whether the parenthesis that opens ``text`` is closed by its last character."""
    if not text.startswith("("):
        return False
    depth = 0
    for place, character, escaped in _characters(text):
        depth += 0 if escaped else _depth_change(character)
        if depth == 0:
            return place == len(text) - 1
    return False


def _format_value(value: Any) -> str:
    """Return a value as text, escaped or in parentheses if it would be ambiguous."""
    if isinstance(value, tuple):
        text = ";".join(_format_value(part) for part in value)
        # A single value in parentheses would be parsed as several.
        return f"({text})" if len(value) == 1 and text.startswith("(") else text
    text = str(value)
    if _unbalanced(text) or text.endswith("\\"):
        return _escape(text)
    has_escape = any(f"\\{character}" in text for character in _SPECIAL)
    has_separator = "," in text or ";" in text
    has_blanks = text != text.strip()
    if has_escape or has_separator or has_blanks or text.startswith("("):
        return f"({text})"
    return text


def _escape(text: str) -> str:
    escaped = "".join(f"\\{one}" if one in _SPECIAL else one for one in text)
    return f"{escaped}\\" if text.endswith("\\") else escaped


def _characters(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield each character with its position and whether a backslash escapes it.

    A backslash escapes a special character, and another backslash at the end of the text or before
    a special character. Elsewhere it is an ordinary character.
    """
    place = 0
    while place < len(text):
        escaped = text[place] == "\\" and _is_escape(text[place + 1 : place + 3])
        place += escaped
        yield place, text[place], escaped
        place += 1


def _is_escape(following: str) -> bool:
    """Return whether a backslash before these one or two characters escapes the first."""
    if not following:
        return False
    if following[0] in _SPECIAL:
        return True
    return following[0] == "\\" and (len(following) == 1 or following[1] in _SPECIAL)


def _depth_change(character: str) -> int:
    return {"(": 1, ")": -1}.get(character, 0)


def _unbalanced(text: str) -> str:
    """Return the fault in the parentheses of ``text``, or an empty text."""
    depth = 0
    for _, character, escaped in _characters(text):
        depth += 0 if escaped else _depth_change(character)
        if depth < 0:
            return "a parenthesis is not opened"
    return "a parenthesis is not closed" if depth else ""
