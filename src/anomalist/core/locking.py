"""Locks between processes, which the system releases when a process is killed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anomalist.core.errors import InputError

__all__ = ["locked"]


@contextmanager
def locked(path: Path, message: str, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock file ``path`` within the context.

    Args:
        path: the lock file; its folder must exist.
        message: line for standard error if another process holds the lock.
        wait: whether to wait for the other process; if false, the message becomes an error.

    Raises:
        InputError: another process holds the lock, and ``wait`` is false.
    """
    from filelock import FileLock, Timeout  # imported here to keep listings fast

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0.2 if wait else 0)
    except Timeout:
        if not wait:
            raise InputError(message) from None
        print(message, file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
