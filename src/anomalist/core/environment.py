"""Versions and times of a result, stored beside the result and not in it."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["Stopwatch", "environment", "processor"]

_PACKAGES = ("anomalist", "numpy", "scipy", "torch", "pydantic", "safetensors", "matplotlib")


class Stopwatch:
    """Wall-clock seconds of named stages: ``with watch("fit"): …``."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time spent within to ``stage``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def environment(
    threads: int,
    device: str,
    precision: str,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Return versions, machine, commit and times, as JSON values.

    Args:
        threads: processor threads used.
        device: device of networks.
        precision: number format of networks.
        seconds: wall-clock time of each stage.
    """
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "system": platform.platform(),
        "processor": processor(),
        "device": device,
        "precision": precision.removeprefix("torch."),
        "threads": threads,
        "commit": _commit(),
        "seconds": {stage: round(value, 6) for stage, value in seconds.items()},
    }


@lru_cache(maxsize=1)
def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@lru_cache(maxsize=1)  # later commits do not affect the running code
def _commit() -> str | None:
    """Return the commit of the source tree, ``+changes`` if not clean; None outside a checkout."""
    folder = Path(__file__).parent
    try:
        text = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+changes", "--exclude=*"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return text.strip()
