"""Detectors and networks inside a detector: their arrays are saved under prefixed names."""

from __future__ import annotations

from typing import Any, TypeVar

from numpy.typing import NDArray

from anomalist.models._base import Detector

__all__ = ["detector_arrays", "nest", "take", "take_detector"]

Part = TypeVar("Part", bound=Detector)


def nest(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a part under names that begin with ``prefix``."""
    return {prefix + name: value for name, value in arrays.items()}


def take(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Remove the arrays with this prefix from ``arrays`` and return them by their own names."""
    names = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): arrays.pop(name) for name in names}


def detector_arrays(prefix: str, part: Detector) -> dict[str, NDArray[Any]]:
    """Return the arrays of a fitted detector inside another, under prefixed names."""
    return nest(prefix, part._arrays())


def take_detector(
    prefix: str,
    arrays: dict[str, NDArray[Any]],
    part: Part,
    shape: tuple[int, int, int] | None,
) -> Part:
    """Remove the arrays of a nested detector from ``arrays`` and restore the detector.

    Returns:
        ``part``, fitted on images of ``shape``.
    """
    part._shape = shape
    part._restore(take(prefix, arrays))
    return part
