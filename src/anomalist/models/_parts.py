"""Parts: what a detector is made of, kept among its arrays under names of its own."""

from __future__ import annotations

from typing import Any, TypeVar

from numpy.typing import NDArray

from anomalist.detector import Detector

__all__ = ["detector_arrays", "nest", "take", "take_detector"]

Part = TypeVar("Part", bound=Detector)


def nest(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return arrays of a part under names that begin with ``prefix``."""
    return {prefix + name: value for name, value in arrays.items()}


def take(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Take out of ``arrays`` what :func:`nest` put in, and return it."""
    return {
        name.removeprefix(prefix): arrays.pop(name) for name in [*arrays] if name.startswith(prefix)
    }


def detector_arrays(prefix: str, part: Detector) -> dict[str, NDArray[Any]]:
    """Return the arrays of a fitted detector inside another, under names that begin with ``prefix``."""
    return nest(prefix, part._arrays())


def take_detector(
    prefix: str, arrays: dict[str, NDArray[Any]], part: Part, shape: tuple[int, int, int] | None
) -> Part:
    """Take what :func:`detector_arrays` put in out of ``arrays``; return ``part``, fitted on images of ``shape``."""
    part._shape = shape
    part._restore(take(prefix, arrays))
    return part
