"""InputError: the one exception that means "the input is wrong", and its messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["InputError", "printable", "unknown"]

_ALL = 10  # up to so many names are all listed
_SHOWN = 5  # of more names, so many of the nearest are listed
# Similarity, from 0 to 1, at which a name is suggested.
_NEAR = 0.65
_NEARLY_SAME = 0.8


class InputError(ValueError):
    """Something the user gave cannot be used; the message is one line: what, where, how to fix it.

    The command line prints the message without a traceback and exits with status 2. Line breaks in
    what is quoted (an array, another library's message) become spaces.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(line.strip() for line in message.splitlines()))


def printable(text: str) -> str:
    r"""Return ``text`` with unprintable characters and undecodable bytes escaped: ``\x1b``."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def unknown(what: str, name: str, valid: Iterable[str]) -> InputError:
    """Return the error for a name that is not in ``valid``: it suggests the nearest names.

    An option of a part, such as ``--model.unit``, is suggested for an option without a part only
    where the last words are nearly the same: ``--out`` is not a mistyped ``--model.unit``.

    Args:
        what: the kind of thing that was named, e.g. ``"corruption"``.
        name: what the user wrote.
        valid: the names that exist.
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
    """Return how alike two names are, from 0 to 1."""
    if "." in other and "." not in name:
        ratio = difflib.SequenceMatcher(
            None, name.lstrip("-").lower(), other.rpartition(".")[2].lower()
        ).ratio()
        return ratio if ratio >= _NEARLY_SAME else ratio / 2
    return difflib.SequenceMatcher(None, name.lower(), other.lower()).ratio()
