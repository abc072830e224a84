"""The console: lines for the user that never end the work, whatever has become of the terminal."""

from __future__ import annotations

import os
import sys

__all__ = ["is_live", "prepare", "say"]


def is_live() -> bool:
    """Return whether standard error is a terminal on which a progress bar can be drawn; there may be none at all."""
    return sys.stderr is not None and sys.stderr.isatty()


def prepare() -> None:
    """Make output of signs that the terminal cannot show (an ASCII one, say) possible: they become question marks."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def say(text: str) -> None:
    """Print a line on standard output; if nobody reads it any more, as behind ``| head``, go on without."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        ignore_output()


def ignore_output() -> None:
    """Send what else is printed nowhere; also what is still in the buffer, which would fail again at the exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
