"""InputError: the exception for invalid input, and its messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["InputError", "escaped", "printable", "unescaped", "unknown"]

_ALL = 10  # with at most this many names, all are listed
_SHOWN = 5  # with more names, this many similar ones are listed
# Smallest similarity, from 0 to 1, at which a name is suggested.
_NEAR = 0.65
_NEARLY_SAME = 0.8


class InputError(ValueError):
    """Invalid input; the message is one line that says what is wrong, where, and how to fix it.

    The command line prints the message without a traceback and exits with status 2. Line breaks in
    quoted values (an array, another library's message) become spaces.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(line.strip() for line in message.splitlines()))


def printable(text: str) -> str:
    r"""Return ``text`` with unprintable characters and undecodable bytes escaped: ``\x1b``."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def escaped(text: str) -> str:
    """Return ``text`` like :func:`printable`, but different for different texts."""
    return printable(text.replace("\\", "\\\\"))


def unescaped(text: str) -> str:
    """Return what :func:`printable` returns for the text of which this is :func:`escaped`."""
    return text.replace("\\\\", "\\")


def unknown(what: str, name: str, valid: Iterable[str]) -> InputError:
    """Return the error for a name that is not in ``valid``, with similar names as suggestions.

    An option with a prefix, such as ``--model.unit``, is suggested for an option without one only
    if the last words are nearly equal: ``--out`` is not a mistyped ``--model.unit``.

    Args:
        what: noun for the name, e.g. ``"corruption"``.
        name: the user's name.
        valid: the valid names.
    """
    names = sorted(valid, key=lambda one: (-_likeness(str(name), one), one))
    near = [one for one in names[:1] if _likeness(str(name), one) >= _NEAR]
    hint = f"did you mean {near[0]!r}? " if near else ""
    if len(names) <= _ALL:
        return InputError(
            f"unknown {what} {name!r}: {hint}valid: {', '.join(sorted(names)) or 'none'}"
        )
    return InputError(
        f"unknown {what} {name!r}: {hint}nearest of {len(names)}: {', '.join(names[:_SHOWN])}"
    )


def _likeness(name: str, other: str) -> float:
    """Return the similarity of two names, from 0 to 1."""
    if "." in other and "." not in name:
        ratio = difflib.SequenceMatcher(
            None, name.lstrip("-").lower(), other.rpartition(".")[2].lower()
        ).ratio()
        return ratio if ratio >= _NEARLY_SAME else ratio / 2
    return difflib.SequenceMatcher(None, name.lower(), other.lower()).ratio()
