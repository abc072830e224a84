"""The folder for downloaded and decoded data."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["FOLDER_VARIABLE", "data_folder"]

FOLDER_VARIABLE = "ANOMALIST_DATA"


def data_folder(name: str) -> Path:
    """Return the folder of the data set ``name``; it need not exist.

    Its parent is the folder in the environment variable ``ANOMALIST_DATA``, by default the
    platform's cache folder.
    """
    import pooch  # imported here to keep `anomalist list` fast

    chosen = os.environ.get(FOLDER_VARIABLE)
    return (Path(chosen).expanduser() if chosen else Path(pooch.os_cache("anomalist"))) / name
