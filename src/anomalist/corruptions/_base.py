"""The base class of all corruptions, and the checks of its contract."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, ClassVar, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from anomalist.core.errors import InputError
from anomalist.core.named import NamedConfig
from anomalist.images import check_images

__all__ = ["Corruption", "CorruptionResult", "CorruptionSpec", "parse"]

_MAX_IMAGES = 256  # images per step: enough to vectorise
_MAX_VALUES = 1 << 18  # values per step: few enough for the processor's cache
_USUAL_SEVERITY = 0.5


class CorruptionResult(NamedTuple):
    """What a corruption returns."""

    images: NDArray[np.float32]  # [N, C, H, W] in [0, 1], never requantised
    masks: NDArray[np.bool_]  # [N, H, W], true exactly where any channel changed


class Corruption(NamedConfig):
    """A synthetic defect with one strength and an exact mask.

    The strength is set by ``severity`` in [0, 1] or by the physical parameter that the subclass
    names in ``physical``, such as a noise sigma or a number of lines. Without either, the severity
    is 0.5. All random draws are shared across strengths, so that a stronger corruption extends a
    weaker one. The random draws of an image depend only on (seed, index).
    """

    registry: ClassVar[str] = "corruptions"
    physical: ClassVar[str]  # the field that holds the physical parameter

    severity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="strength from 0 (no change) to 1 (strongest)",
    )

    @abstractmethod
    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Return the changed images.

        Args:
            images: float32 ``[n, C, H, W]`` in [0, 1]; must not be modified.
            strength: the physical parameter, above 0.
            seed: seed of all draws.
            index: int64 ``[n]``, the number of each image in its data set.
        """

    def most(self, shape: tuple[int, int]) -> float | None:
        """Return the physical parameter at severity 1; None if it is the severity itself.

        Args:
            shape: size of the images (H, W).
        """
        return None

    def to_physical(self, severity: float, shape: tuple[int, int]) -> float:
        """Return the physical parameter at ``severity``, rounded up if it is an integer.

        Args:
            severity: in [0, 1].
            shape: size of the images (H, W).
        """
        most = self.most(shape)
        if most is None:
            return severity
        value = round(severity * most, 9)  # so that 0.3 x 10 is exactly 3
        return math.ceil(value) if self._counts() else value

    def to_severity(self, value: float, shape: tuple[int, int]) -> float:
        """Return the severity of a physical parameter: the inverse of :meth:`to_physical`."""
        most = self.most(shape)
        return value if most is None else value / most

    def strength(self, shape: tuple[int, int]) -> float:
        """Return the physical parameter applied to images of ``shape`` (H, W)."""
        value = self.given_strength
        return self.to_physical(self._severity(), shape) if value is None else value

    def severity_at(self, shape: tuple[int, int]) -> float:
        """Return the severity in [0, 1] on images of ``shape`` (H, W).

        Raises:
            InputError: the physical parameter exceeds its maximum for images of this size.
        """
        value = self.given_strength
        if value is None:
            return self._severity()
        severity = self.to_severity(value, shape)
        if severity > 1:
            most = self.to_physical(1.0, shape)
            raise InputError(
                f"{self.name}.{self.physical}: at most {most:g} on {shape[0]} x {shape[1]} images, "
                f"got {value:g}"
            )
        return severity

    @property
    def given_strength(self) -> float | None:
        """The physical parameter if it is set; None if the severity sets the strength."""
        value = getattr(self, self.physical)
        return None if value is None else float(value)

    @property
    def family(self) -> str:
        """The spec without its strength, which is the same at all strengths."""
        unset = dict.fromkeys(("severity", self.physical))
        return self.model_copy(update=unset).spec

    def __call__(
        self,
        images: NDArray[np.float32],
        *,
        seed: int,
        index: NDArray[np.int64] | None = None,
    ) -> CorruptionResult:
        """Corrupt a batch.

        Args:
            images: float32 ``[N, C, H, W]`` in [0, 1]; not modified.
            seed: seed of all draws.
            index: int64 ``[N]``, the number of each image in its data set; by default 0, 1, 2, …

        Returns:
            the corrupted images, and masks that are true exactly where a pixel changed. An image
            with an empty mask did not change (a black square on a black background) and is not an
            anomaly.

        Raises:
            InputError: wrong type, shape or values, or a strength above the maximum for images of
                this size.
        """
        check_images(images, f"corruption {self.name}")
        numbers = np.arange(len(images)) if index is None else np.asarray(index)
        if numbers.shape != (len(images),) or numbers.dtype.kind not in "iu":
            got = f"{numbers.dtype} {list(numbers.shape)}"
            raise InputError(f"index must be integers [{len(images)}], one per image, got {got}")
        shape = (images.shape[2], images.shape[3])
        self.severity_at(shape)
        strength = self.strength(shape)
        masks = np.zeros((len(images), *shape), np.bool_)
        if strength == 0:
            return CorruptionResult(images.copy(), masks)
        corrupted = np.empty(images.shape, np.float32)
        step = min(_MAX_IMAGES, max(1, _MAX_VALUES // images[0].size))
        for first in range(0, len(images), step):
            rows = slice(first, first + step)
            batch = np.ascontiguousarray(images[rows])
            corrupted[rows] = self.change(batch, strength, seed, numbers[rows])
            for channel in range(images.shape[1]):
                masks[rows] |= corrupted[rows, channel] != images[rows, channel]
        return CorruptionResult(corrupted, masks)

    @model_validator(mode="after")
    def _one_strength(self) -> Self:
        if self.severity is not None and self.given_strength is not None:
            raise InputError(f"{self.name}: give either severity or {self.physical}, not both")
        return self

    def _severity(self) -> float:
        return _USUAL_SEVERITY if self.severity is None else self.severity

    def _counts(self) -> bool:
        """Return whether the physical parameter is an integer."""
        return int in get_args(type(self).model_fields[self.physical].annotation)


parse = Corruption.parse

# A corruption as a field of another config; it is serialised as its spec.
CorruptionSpec = Annotated[Corruption, PlainValidator(parse), PlainSerializer(str, return_type=str)]
