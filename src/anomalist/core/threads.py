"""The number of processor threads that a user may ask for."""

from __future__ import annotations

import os

from anomalist.core.errors import InputError

__all__ = ["check_thread_count"]

_MAX_PER_CORE = 4


def check_thread_count(count: int | None) -> None:
    """Check a number of threads; None stands for one per core.

    Raises:
        InputError: it is less than 1, or more than the machine can use.
    """
    most = _MAX_PER_CORE * (os.cpu_count() or 1)
    if count is None:
        return
    if count < 1:
        raise InputError(f"threads must be at least 1, got {count}")
    if count > most:
        raise InputError(
            f"threads: {count:,} is more than this machine can use; give at most {most}"
        )
