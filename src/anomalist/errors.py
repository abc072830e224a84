"""The one exception that means "the input is wrong", and the words it is said in."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["InputError", "printable", "unknown"]


class InputError(ValueError):
    """Something the user gave cannot be used; the message is one line: what, where, how to mend it.

    The command line prints the message without a traceback and exits with status 2. Line breaks in what is
    quoted (an array, another library's message) become spaces.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(line.strip() for line in message.splitlines()))


def printable(text: str) -> str:
    r"""Return ``text`` with all that cannot be printed (controls, bytes that are no text) escaped, as in ``\x1b``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def unknown(what: str, name: str, valid: Iterable[str]) -> InputError:
    """Return the error for a name that is not among ``valid``: it lists them and suggests the nearest.

    Args:
        what: the kind of thing that was named, e.g. ``"corruption"``.
        name: what the user wrote.
        valid: the names that exist.
    """
    names = sorted(valid)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return InputError(f"unknown {what} {name!r}: {hint}valid: {', '.join(names) or 'none'}")
