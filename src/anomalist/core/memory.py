"""Memory: refuse work that does not fit into the free memory before it starts."""

from __future__ import annotations

from pathlib import Path

from anomalist.core.errors import InputError

__all__ = ["available_bytes", "check_fits"]

_SHARE = 0.9  # share of the free memory that work may take


def available_bytes() -> int | None:
    """Return how many bytes of memory are free for new work; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    available = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return None if available is None else 1024 * int(available.split()[1])


def check_fits(needed: int, what: str, mend: str) -> None:
    """Refuse work that needs more memory than is free.

    Args:
        needed: bytes.
        what: what needs them, for the message.
        mend: what the user can do about it.

    Raises:
        InputError: there is not enough free memory.
    """
    free = available_bytes()
    if free is not None and needed > _SHARE * free:
        raise InputError(
            f"{what} takes {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free: {mend}"
        )
