"""Detectors as scikit-learn estimators, for pipelines, cross-validation and grid searches.

scikit-learn's convention is kept: ``score_samples`` is lower for anomalies, ``predict`` returns -1
for anomalies and 1 for normal images, and ``decision_function`` is negative for anomalies.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from anomalist.calibration import images_needed, threshold, usual_rate
from anomalist.core.errors import InputError
from anomalist.core.randomness import generator
from anomalist.images import full_range, unit_range
from anomalist.models import Detector, parse

__all__ = ["AnomalyEstimator"]


class AnomalyEstimator(OutlierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn has no types
    """A detector with a threshold from held-out normal images.

    Images are ``[N, H, W]`` or ``[N, C, H, W]``. A table ``[N, D]`` is accepted too: its rows are
    images of the given ``shape``, or of one row of pixels.

    Args:
        detector: name and options, such as ``"pca:blur=1"``; or a detector.
        false_alarms: the expected share of normal images that are called anomalous, in (0, 1);
            None: the lowest of 0.01, 0.02, 0.05, 0.1 and 0.2 that the held-out images support.
        held_out: share of the training images that set the threshold, in (0, 1). If it is too
            small for ``false_alarms``, as many are held out as this needs, at most half.
        shape: C, H, W of the images in a table; None: 1, 1, D.
        value_range: the values of black and white; values outside are clipped. None: the range of
            the type for uint8 and uint16; for other types 0 and 1 if all training values lie in
            [0, 1], else the range of the training values, extended by its width on both sides.
        seed: seed of the detector and of the choice of held-out images.

    Attributes:
        detector_: the fitted detector.
        offset_: the negative threshold: ``decision_function = score_samples - offset_``.
        value_range_: the values of black and white.
    """

    def __init__(
        self,
        detector: str | Detector = "pca",
        *,
        false_alarms: float | None = None,
        held_out: float = 0.2,
        shape: tuple[int, int, int] | None = None,
        value_range: tuple[float, float] | None = None,
        seed: int = 0,
    ) -> None:
        self.detector = detector
        self.false_alarms = false_alarms
        self.held_out = held_out
        self.shape = shape
        self.value_range = value_range
        self.seed = seed

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Fit the detector to normal images, and set the threshold by some that are held out.

        Args:
            X: the images.
            y: ignored; scikit-learn passes it.

        Raises:
            InputError: wrong shapes, or too few images for ``false_alarms``.
            ValueError: values that scikit-learn refuses, such as NaN.
        """
        values = self._validated(X, reset=True)
        self.value_range_ = self._range_of(values)
        images = self._images(values)
        order = generator(self.seed, "held out").permutation(len(images))
        count, rate = self._held_out_of(len(images))
        chosen = parse(self.detector).model_copy(update={"seed": self.seed})
        self.detector_ = chosen.fit(images[np.sort(order[count:])])
        normal = self.detector_.score(images[np.sort(order[:count])]).image
        self.offset_ = -threshold(normal, rate)
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the negative scores of images, ``[N]``: lower for anomalies."""
        check_is_fitted(self)
        scores = self.detector_.score(self._images(self._validated(X, reset=False))).image
        return -scores.astype(np.float64)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return ``score_samples`` minus ``offset_``, ``[N]``: negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return -1 for anomalies and 1 for normal images, ``[N]``."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def heatmaps(self, X: ArrayLike) -> NDArray[np.float32] | None:
        """Return the anomaly maps of images, ``[N, H, W]``, or None for detectors without."""
        check_is_fitted(self)
        return self.detector_.score(self._images(self._validated(X, reset=False))).pixel

    def __sklearn_tags__(self) -> Tags:
        """Return what scikit-learn should know: tables and images are accepted."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _validated(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Return the values as an array of numbers, and check their shape."""
        values: NDArray[Any] = validate_data(
            self, X, reset=reset, allow_nd=True, dtype="numeric", ensure_min_samples=1
        )
        if reset:
            self.image_shape_ = self._shape_of(values)
        elif values.ndim > 2 and self._shape_of(values) != self.image_shape_:
            raise InputError(
                f"fitted on images {list(self.image_shape_)} (C, H, W), got "
                f"{list(self._shape_of(values))}"
            )
        return values

    def _shape_of(self, values: NDArray[Any]) -> tuple[int, int, int]:
        if values.ndim == 4:
            return values.shape[1], values.shape[2], values.shape[3]
        if values.ndim == 3:
            return 1, values.shape[1], values.shape[2]
        if values.ndim != 2:
            raise InputError(f"images must be [N, H, W] or [N, C, H, W], got {list(values.shape)}")
        shape = (1, 1, values.shape[1]) if self.shape is None else tuple(self.shape)
        if len(shape) != 3 or np.prod(shape) != values.shape[1]:
            raise InputError(f"shape must be C, H, W with {values.shape[1]} values, got {shape}")
        return shape

    def _range_of(self, values: NDArray[Any]) -> tuple[float, float]:
        if self.value_range is not None:
            return self.value_range
        if values.dtype in (np.uint8, np.uint16):
            return full_range(values.dtype)
        low = float(values.min())
        high = float(values.max())
        if low >= 0 and high <= 1:
            return 0.0, 1.0
        width = (high - low) or 1.0
        return low - width, high + width

    def _images(self, values: NDArray[Any]) -> NDArray[np.float32]:
        images = values.reshape(len(values), *self.image_shape_)
        return unit_range(images, self.value_range_)

    def _held_out_of(self, count: int) -> tuple[int, float]:
        """Return how many of the training images are held out, and the false-alarm rate.

        Raises:
            InputError: there are too few images for the false-alarm rate.
        """
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out must lie between 0 and 1, got {self.held_out}")
        if count < 2:
            raise InputError(f"n_samples={count}: at least 2 images are needed, one to hold out")
        held_out = max(1, int(self.held_out * count))
        if self.false_alarms is None:
            return held_out, usual_rate(held_out)
        if not 0 < self.false_alarms < 1:
            raise InputError(f"false_alarms must lie between 0 and 1, got {self.false_alarms}")
        needed = images_needed(self.false_alarms)
        if 2 * needed > count:
            raise InputError(
                f"n_samples={count} images are too few: a false-alarm rate of "
                f"{self.false_alarms:g} holds out {needed}, at most half of them; give at least "
                f"{2 * needed}, or raise false_alarms"
            )
        return max(needed, held_out), self.false_alarms
