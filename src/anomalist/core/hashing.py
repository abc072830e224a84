"""Hashes of plain values: the same value gives the same hash on every machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

__all__ = ["file_hash", "json_hash"]


def json_hash(value: Any, *, compact: bool = False, digits: int = 64) -> str:
    """Return the sha256 of a value's JSON, with sorted keys.

    Args:
        value: numbers, text, lists and mappings.
        compact: whether the JSON has no spaces, which changes the hash.
        digits: number of hexadecimal digits to keep, at most 64.
    """
    separators = (",", ":") if compact else None
    text = json.dumps(value, sort_keys=True, separators=separators)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
