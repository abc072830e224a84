"""Memory: check that work fits before it starts, and reuse freed memory."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anomalist.core.errors import InputError

__all__ = ["available_bytes", "check_fits", "peak_bytes", "reusing_memory"]

_SHARE = 0.9  # fraction of the free memory that work may use

# Options of glibc's mallopt(3). At the end, the thresholds are set to the highest values that glibc
# would have chosen itself, because it no longer adapts them once they have been set.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_MMAP_MAX = -4
_USUAL_TRIM = 64 << 20
_USUAL_MMAP = 32 << 20
_USUAL_MMAPS = 65_536
_CHOSEN_BY_USER = ("MALLOC_", "GLIBC_TUNABLES")  # prefixes of environment variables
_KEPT = 1 << 30  # bytes of freed memory that are not returned to the system

_lock = threading.Lock()
_users = 0


def available_bytes() -> int | None:
    """Return the number of free bytes of memory; None if the system does not report it."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    available = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return None if available is None else 1024 * int(available.split()[1])


def peak_bytes() -> int:
    """Return the highest memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def check_fits(needed: int, what: str, mend: str) -> None:
    """Check that work does not need more memory than is free.

    Args:
        needed: number of bytes.
        what: description of the work, for the message.
        mend: advice for the user.

    Raises:
        InputError: there is not enough free memory.
    """
    free = available_bytes()
    if free is not None and needed > _SHARE * free:
        raise InputError(
            f"{what} needs {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free: {mend}"
        )


@contextmanager
def reusing_memory() -> Iterator[None]:
    """Reuse the memory of freed arrays for new ones within the context.

    By default glibc returns large arrays to the system when they are freed, and the system clears
    every page of a new array. A training step of the reference autoencoder then causes 1,000 to
    2,000 page faults; a step on images of 256 x 256 spends half its time in them. Within the
    context up to 1 GiB of freed memory is kept; all of it is returned at the end. The context has
    no effect with another C library, or if environment variables set options of glibc's malloc.
    """
    library = _glibc()
    if library is None:
        yield
        return
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            library.mallopt(_MMAP_MAX, 0)
            library.mallopt(_TRIM_THRESHOLD, _KEPT)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                library.mallopt(_MMAP_MAX, _USUAL_MMAPS)
                library.mallopt(_MMAP_THRESHOLD, _USUAL_MMAP)
                library.mallopt(_TRIM_THRESHOLD, _USUAL_TRIM)
                library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """Return the C library of the process if it is glibc with its default options."""
    if any(name.startswith(_CHOSEN_BY_USER) for name in os.environ):
        return None
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  # raises AttributeError if it is another library
    except (OSError, AttributeError, TypeError):  # TypeError: None on Windows
        return None
    return library
