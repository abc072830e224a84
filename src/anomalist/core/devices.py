"""Device, number format and threads of torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from anomalist.core.errors import InputError
from anomalist.core.threads import check_thread_count

__all__ = ["processor_features", "resolve", "set_thread_count", "using_threads"]


def resolve(device: str, precision: str) -> tuple[torch.device, torch.dtype]:
    """Return the device and the number format, with ``"auto"`` resolved for this machine.

    Raises:
        InputError: a GPU is requested, but there is none.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InputError("device 'cuda' is not available here: use 'cpu' or 'auto'")
    resolved = torch.device("cuda" if available and device != "cpu" else "cpu")
    fast = precision == "bfloat16" or (precision == "auto" and resolved.type == "cuda")
    return resolved, torch.bfloat16 if fast else torch.float32


def processor_features() -> str:
    """Return the vector and bfloat16 instructions of this processor that torch uses."""
    features = [torch.backends.cpu.get_cpu_capability()]
    if torch.cpu._is_avx512_bf16_supported():
        features.append("bfloat16")
    if torch.cpu._is_amx_tile_supported():
        features.append("AMX")
    return " ".join(features)


def set_thread_count(count: int) -> None:
    """Set the number of torch threads for the calling thread, which belongs to a pool."""
    torch.set_num_threads(count)


@contextmanager
def using_threads(count: int | None) -> Iterator[int]:
    """Set the number of torch threads within the context.

    Args:
        count: number of threads; None: no change.

    Yields:
        the number of threads.

    Raises:
        InputError: ``count`` is more than the machine can use.
    """
    check_thread_count(count)
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield count or before
    finally:
        torch.set_num_threads(before)
