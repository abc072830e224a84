"""Console output; a failure to print, such as a closed terminal, never stops the work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

__all__ = [
    "announce",
    "deprecated",
    "due",
    "ignore_output",
    "is_live",
    "prepare",
    "progress",
    "say",
    "track",
]

# Without a terminal: seconds until the first progress line, and between later ones.
FIRST = 3.0
NEXT = 20.0

Item = TypeVar("Item")


def is_live() -> bool:
    """Return whether standard error is a terminal, which can show a progress bar."""
    return sys.stderr is not None and sys.stderr.isatty()


def prepare() -> None:
    """Print question marks for characters that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def say(text: str) -> None:
    """Print a line on standard output; continue if the pipe is closed, as by ``| head``."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        ignore_output()


def announce(line: str) -> None:
    """Print a line for the user on standard error."""
    print(f"anomalist: {line}", file=sys.stderr, flush=True)


@cache
def deprecated(message: str) -> None:
    """Warn on standard error, once per process, about a deprecated spelling."""
    announce(message)


def ignore_output() -> None:
    """Discard all further output and the buffer, which would fail again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def due(elapsed: float, last_line: float | None) -> bool:
    """Return whether a progress line is due after ``elapsed`` seconds."""
    return elapsed >= FIRST if last_line is None else elapsed - last_line >= NEXT


def track(items: Sequence[Item], title: str) -> Iterator[Item]:
    """Yield the items and show progress on standard error: a bar, or a line from time to time.

    Without a terminal, work of less than three seconds prints nothing.
    """
    with progress(len(items), title) as advance:
        for item in items:
            yield item
            advance(1)


@contextmanager
def progress(total: int, title: str, unit: str = "it") -> Iterator[Callable[[int], object]]:
    """Show progress on standard error, like :func:`track`, of work that is not a sequence.

    Args:
        total: amount of work.
        title: what is done.
        unit: the unit of the amount.

    Yields:
        a function to call with each finished amount.
    """
    if is_live():
        from tqdm import tqdm  # imported here to keep scoring without torch fast to start

        with tqdm(
            total=total,
            desc=title,
            unit=unit,
            leave=False,
            dynamic_ncols=True,
        ) as bar:
            yield bar.update
        return
    start = time.monotonic()
    done = 0
    last_line: float | None = None

    def advance(amount: int) -> None:
        nonlocal done, last_line
        done += amount
        elapsed = time.monotonic() - start
        if 0 < done < total and due(elapsed, last_line):
            last_line = elapsed
            left = elapsed / done * (total - done)
            print(
                f"{title}: {done / total:.0%} done, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    yield advance
