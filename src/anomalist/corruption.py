"""Corruption: the contract that every file in ``corruptions/`` keeps, and the checks that enforce it."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from anomalist import catalog
from anomalist.config import Config, snake_case
from anomalist.errors import InputError
from anomalist.images import check_images

__all__ = ["Corrupted", "Corruption", "parse"]

_CHUNK = 256  # images changed at once, at most: enough to be vectorised
_VALUES = (
    1 << 18
)  # values changed at once, unless one image has more: few enough for the processor's cache


class Corrupted(NamedTuple):
    """What a corruption returns."""

    images: NDArray[np.float32]  # [N, C, H, W] in [0, 1], never requantised
    masks: NDArray[np.bool_]  # [N, H, W], true exactly where any channel changed


class Corruption(Config):
    """A synthetic defect whose strength is one number, and whose mask is exact.

    Its strength is set either by ``severity`` in [0, 1], or by the physical parameter that the
    subclass names in ``physical`` (a noise sigma, a number of lines); with neither, severity is
    0.5. All draws are shared across strengths: a stronger corruption is the same corruption,
    further. The result for an image depends on (seed, index) alone.
    """

    physical: ClassVar[str]  # the field that holds the physical parameter

    severity: float | None = Field(
        None, ge=0, le=1, description="strength between nothing (0) and the most (1)"
    )

    def most(self, shape: tuple[int, int]) -> float | None:
        """Return the physical parameter at severity 1 on images of ``shape`` (H, W); None: it is the severity."""
        return None

    def to_physical(self, severity: float, shape: tuple[int, int]) -> float:
        """Return the physical parameter at ``severity``: its share of ``most``, rounded up where it counts things.

        Args:
            severity: in [0, 1].
            shape: of the images (H, W).
        """
        most = self.most(shape)
        if most is None:
            return severity
        value = round(severity * most, 9)  # 0.3 x 10 is 3, and not a little more
        return (
            math.ceil(value)
            if int in get_args(type(self).model_fields[self.physical].annotation)
            else value
        )

    def to_severity(self, value: float, shape: tuple[int, int]) -> float:
        """Return the severity at which the physical parameter is ``value``: the inverse of ``to_physical``."""
        most = self.most(shape)
        return value if most is None else value / most

    @abstractmethod
    def change(
        self, images: NDArray[np.float32], strength: float, seed: int, index: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the changed images; ``strength`` is the physical parameter and above 0.

        Args:
            images: float32 ``[n, C, H, W]`` in [0, 1], not to be written to.
            strength: the physical parameter.
            seed: the seed of all draws.
            index: int64 ``[n]``, the images' numbers in their data set.
        """

    @model_validator(mode="after")
    def _one_strength(self) -> Self:
        if self.severity is not None and getattr(self, self.physical) is not None:
            raise InputError(f"{self.name}: give either severity or {self.physical}, not both")
        return self

    @property
    def name(self) -> str:
        """The corruption's file name."""
        return snake_case(type(self).__name__)

    def strength(self, shape: tuple[int, int]) -> float:
        """Return the physical parameter that this corruption applies to images of ``shape`` (H, W)."""
        value = getattr(self, self.physical)
        if value is not None:
            return float(value)
        return self.to_physical(0.5 if self.severity is None else self.severity, shape)

    def severity_at(self, shape: tuple[int, int]) -> float:
        """Return the severity in [0, 1] that this corruption has on images of ``shape`` (H, W)."""
        value = getattr(self, self.physical)
        if value is None:
            return 0.5 if self.severity is None else self.severity
        severity = self.to_severity(float(value), shape)
        if severity > 1:
            most = self.to_physical(1.0, shape)
            raise InputError(
                f"{self.name}.{self.physical}: at most {most:g} on {shape[0]} x {shape[1]} images, "
                f"got {value:g}"
            )
        return severity

    def __call__(
        self, images: NDArray[np.float32], *, seed: int, index: NDArray[np.int64] | None = None
    ) -> Corrupted:
        """Corrupt a batch.

        Args:
            images: float32 ``[N, C, H, W]`` in [0, 1]; not modified.
            seed: the seed of all draws.
            index: int64 ``[N]``, each image's number in its data set; by default 0, 1, 2, …

        Returns:
            the corrupted images, and masks that are true exactly where a pixel changed. An image
            whose mask is empty was not changed (a black hole on a black background) and is no
            anomaly.

        Raises:
            InputError: wrong type, shape or values, or a strength beyond what images of this size
                allow.
        """
        check_images(images, f"corruption {self.name}")
        numbers = np.arange(len(images)) if index is None else np.asarray(index)
        if numbers.shape != (len(images),) or numbers.dtype.kind not in "iu":
            got = f"{numbers.dtype} {list(numbers.shape)}"
            raise InputError(f"index must be integers [{len(images)}], one an image, got {got}")
        shape = (images.shape[2], images.shape[3])
        self.severity_at(shape)
        strength = self.strength(shape)
        masks = np.zeros((len(images), *shape), np.bool_)
        if strength == 0:
            return Corrupted(images.copy(), masks)
        out = np.empty(images.shape, np.float32)
        step = min(_CHUNK, max(1, _VALUES // images[0].size))
        for first in range(0, len(images), step):
            part = slice(first, first + step)
            out[part] = self.change(
                np.ascontiguousarray(images[part]), strength, seed, numbers[part]
            )
            for channel in range(images.shape[1]):
                masks[part] |= out[part, channel] != images[part, channel]
        return Corrupted(out, masks)

    def __str__(self) -> str:
        """Return the text that :func:`parse` reads back, e.g. ``stripes:lines=3``."""
        values = {
            name: value for name, value in self if value != type(self).model_fields[name].default
        }
        return catalog.spell(self.name, values)


def parse(spec: str | Corruption | dict[str, Any]) -> Corruption:
    """Return the corruption that ``spec`` names.

    Args:
        spec: ``"name"`` or ``"name:option=value,option=value"``, a mapping with the key ``name``,
            or a corruption, which is returned as it is.

    Raises:
        InputError: an unknown name, option or value.
    """
    if isinstance(spec, Corruption):
        return spec
    corruption = catalog.build("corruptions", spec)
    assert isinstance(corruption, Corruption)
    return corruption
