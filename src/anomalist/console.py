"""The console: lines for the user that never end the work, whatever has become of the terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

__all__ = ["due", "ignore_output", "is_live", "prepare", "say", "track"]

FIRST, NEXT = (
    3.0,
    20.0,
)  # seconds until work without a terminal says how far it is, and then between its lines

Item = TypeVar("Item")


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


def due(elapsed: float, said: float | None) -> bool:
    """Return whether work that runs for ``elapsed`` seconds, and last told of itself at ``said``, should do so now."""
    return elapsed >= FIRST if said is None else elapsed - said >= NEXT


def track(items: Sequence[Item], title: str) -> Iterator[Item]:
    """Yield the items and show on standard error how far the work on them is: a bar, or a line now and then.

    What takes less than three seconds says nothing where there is no terminal.
    """
    if is_live():
        yield from tqdm(items, desc=title, leave=False, dynamic_ncols=True)
        return
    start, said = time.monotonic(), None
    for done, item in enumerate(items):
        elapsed = time.monotonic() - start
        if done and due(elapsed, said):
            said = elapsed
            left = elapsed / done * (len(items) - done)
            print(
                f"{title}: {done / len(items):.0%} done, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )
        yield item
