"""The fused score: compare an image with the normal images that have the nearest codes.

The error of an autoencoder measures only how far an image lies from the images that the decoder can
produce. The codes z_1, ..., z_n of training images allow two more comparisons. Let z be the code of
an image x, N(z) the 10 kept codes nearest to z, and g the decoder::

    error       E = log of the aggregated error of x
    relative    R = E - a - b * (mean of E over N(z))     is the error high for similar images?
    difference  d(x) = x - mean of g(z_i) over N(z)       how does x differ from similar images?
                D = log of the mean of the highest tenth of (blurred d)^2,
                H = D - a' - b' * (mean of D over N(z))

The coefficients a, b, a' and b' are fitted by least squares on the kept images; a kept image is not
its own neighbour. H compares an image with its neighbours, as the local outlier factor does
(Breunig et al., SIGMOD 2000). Let p_E, p_R and p_H be empirical p-values: the fractions of the kept
images whose value is at least as high. The score is::

    log(p_E^(-1/2) + p_R^(-1/2) + p_H^(-1/2))

It ranks images by a power mean of the p-values, in which the smallest p-value has the largest
weight. The exponent is -1/2; Wilson ("The harmonic mean p-value for combining dependent tests",
PNAS 2019) uses -1. Beyond the 99th percentile of the kept images, p-values decrease exponentially,
so that the highest scores are not tied. The map is d^2, averaged over the channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray

from anomalist import heatmaps
from anomalist.core.randomness import generator
from anomalist.models._latent_density import log
from anomalist.models._reconstruction_error import blurred

__all__ = ["PREFIX", "NormalNeighbours", "kept_images", "surprise"]

# Chosen on held-out training images; experiments/choose_fused_score.py compares other values.
MAX_KEPT = 10_000  # largest number of kept images
NEIGHBOURS = 10
BLUR = 1 / 18  # sigma, as a fraction of the image's shorter side
TAIL_SHARE = 0.01  # fraction of the kept images that the tail is fitted to
_FEWEST_IN_TAIL = 10

_MAX_NUMBERS = 1 << 25  # values of all kept images together: 134 MB
_ROWS = 512  # images compared at once
_EXACT = 1 << 22  # codes become integers whose squared distances are below 4 times this
PREFIX = "neighbours."  # of the names of saved arrays
_NO_SPREAD = 1e-12
_SMALLEST_SCALE = 1e-6  # of a tail, in logarithms; smaller values are rounding errors

Array = NDArray[np.float32]
Wide = NDArray[np.float64]


class _Line(NamedTuple):
    """A least-squares line from the mean of an image's neighbours to its own value."""

    intercept: float
    slope: float

    @classmethod
    def fit(cls, means: Wide, values: Wide) -> Self:
        centred = means - means.mean()
        spread = float(centred @ centred)
        slope = float(centred @ values) / spread if spread > _NO_SPREAD else 0.0
        return cls(float(values.mean()) - slope * float(means.mean()), slope)

    def residual(self, means: Wide, values: Wide) -> Wide:
        return values - self.intercept - self.slope * means


def surprise(values: Wide, normal: Wide) -> Wide:
    """Return -log of the empirical p-values of ``values`` among normal values, ``[N]``.

    Args:
        values: ``[N]``.
        normal: ``[n]``, ascending.
    """
    n = len(normal)
    beyond = min(n, max(_FEWEST_IN_TAIL, round(TAIL_SHARE * n)))
    limit = normal[-beyond]
    # The tail is an exponential distribution; its scale is the mean excess over the limit.
    scale = max(float((normal[-beyond:] - limit).mean()), _SMALLEST_SCALE)
    share = 1 - (np.arange(n) + 0.5) / n
    within = np.interp(values, normal, -np.log(share))
    tail = np.interp(limit, normal, -np.log(share)) + (values - limit) / scale
    return np.where(values > limit, tail, within)


@dataclass(frozen=True)
class NormalNeighbours:
    """Codes, reconstructions and scores of the kept normal images.

    Attributes:
        codes: float32 ``[n, K]``.
        restored: float32 ``[n, C, H, W]``, the decoded codes.
        errors: ``[n]``, logarithms of the errors E.
        differences: ``[n]``, logarithms of the differences D.
        relative: the least-squares line of ``errors``.
        local: the least-squares line of ``differences``.
        normal: ``[3, n]``, E, R and H of the kept images, each ascending.
    """

    codes: Array
    restored: Array
    errors: Wide
    differences: Wide
    relative: _Line
    local: _Line
    normal: Wide

    @classmethod
    def fit(
        cls,
        images: Array,
        codes: Array,
        restored: Array,
        errors: Array,
    ) -> Self:
        """Fit on the kept normal images.

        Args:
            images: float32 ``[n, C, H, W]``.
            codes: float32 ``[n, K]``.
            restored: float32 ``[n, C, H, W]``, decoded from the codes.
            errors: float32 ``[n]``.
        """
        own = log(errors)
        index = _nearest(codes, codes, exclude_self=True)
        differences = _difference(images, _mean_of(restored, index))
        error_means = own[index].mean(axis=1)
        difference_means = differences[index].mean(axis=1)
        relative = _Line.fit(error_means, own)
        local = _Line.fit(difference_means, differences)
        components = (
            own,
            relative.residual(error_means, own),
            local.residual(difference_means, differences),
        )
        normal = np.sort(np.stack(components))
        return cls(codes, restored, own, differences, relative, local, normal)

    def score(
        self,
        images: Array,
        codes: Array,
        errors: Array,
    ) -> tuple[Array, Array]:
        """Return the fused scores, float32 ``[N]``, and the maps, float32 ``[N, H, W]``.

        Args:
            images: float32 ``[N, C, H, W]``.
            codes: float32 ``[N, K]``.
            errors: float32 ``[N]``.
        """
        components, expected = self.components(images, codes, errors)
        surprises = [surprise(*pair) / 2 for pair in zip(components, self.normal, strict=True)]
        score = np.logaddexp.reduce(surprises).astype(np.float32)
        maps = ((images - expected) ** 2).mean(axis=1)
        return score, maps

    def components(
        self,
        images: Array,
        codes: Array,
        errors: Array,
    ) -> tuple[Wide, Array]:
        """Return E, R and H, ``[3, N]``, and the mean of the neighbours' reconstructions.

        Args:
            images: float32 ``[N, C, H, W]``.
            codes: float32 ``[N, K]``.
            errors: float32 ``[N]``.
        """
        index = _nearest(codes, self.codes)
        expected = _mean_of(self.restored, index)
        own = log(errors)
        relative = self.relative.residual(self.errors[index].mean(axis=1), own)
        differences = _difference(images, expected)
        local = self.local.residual(self.differences[index].mean(axis=1), differences)
        return np.stack([own, relative, local]), expected

    def expected(self, codes: Array) -> Array:
        """Return the mean of the neighbours' reconstructions, float32 ``[N, C, H, W]``."""
        return _mean_of(self.restored, _nearest(codes, self.codes))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state except ``restored`` as arrays whose names begin with ``neighbours.``."""
        arrays: dict[str, NDArray[Any]] = {
            "codes": self.codes,
            "errors": self.errors,
            "differences": self.differences,
            "lines": np.array([self.relative, self.local]),
            "normal": self.normal,
        }
        return {f"{PREFIX}{name}": value for name, value in arrays.items()}

    @classmethod
    def take(
        cls,
        arrays: dict[str, NDArray[Any]],
        decode: Callable[[Array], Array],
    ) -> Self:
        """Restore from the arrays of :meth:`arrays`, and remove them; ``decode`` decodes codes.

        Raises:
            ValueError: the arrays do not fit each other.
        """
        codes = arrays.pop(f"{PREFIX}codes")
        errors = arrays.pop(f"{PREFIX}errors")
        differences = arrays.pop(f"{PREFIX}differences")
        relative, local = arrays.pop(f"{PREFIX}lines").tolist()
        normal = arrays.pop(f"{PREFIX}normal")
        n = len(codes)
        rises = bool(np.all(normal[:, 1:] >= normal[:, :-1]))  # False for NaN too
        if not (rises and all(np.isfinite(part).all() for part in (codes, errors, differences))):
            raise ValueError("values of normal images are not ascending or not finite")
        if errors.shape != (n,) or differences.shape != (n,) or normal.shape != (3, n):
            raise ValueError("each code needs one error, one difference and three normal values")
        lines = (_Line(*relative), _Line(*local))
        return cls(codes, decode(codes), errors, differences, *lines, normal)


def kept_images(images: Array, seed: int) -> Array:
    """Return the training images whose codes are kept: at most 10,000, fewer if they are large.

    Args:
        images: float32 ``[N, C, H, W]``.
        seed: seed of the draw.
    """
    count = min(len(images), MAX_KEPT, max(1, _MAX_NUMBERS // images[0].size))
    chosen = generator(seed, "normal neighbours").permutation(len(images))[:count]
    return images[np.sort(chosen)]


def _nearest(
    codes: Array,
    kept: Array,
    *,
    exclude_self: bool = False,
) -> NDArray[np.int64]:
    """Return the indices of the nearest kept codes of each code, ``[N, k]``.

    Codes are rounded to integers that are small enough for exact distances in float32. The result
    therefore does not depend on the batch or the number of threads.

    Args:
        codes: float32 ``[N, K]``.
        kept: float32 ``[n, K]``.
        exclude_self: whether ``codes`` are the kept codes, and no code is its own neighbour.
    """
    table = _whole_numbers(kept, kept)
    squares = table.square().sum(dim=1)
    count = min(NEIGHBOURS, max(1, len(kept) - 1))
    found = []
    for first in range(0, len(codes), _ROWS):
        rows = _whole_numbers(codes[first : first + _ROWS], kept)
        # Without the squared norm of the row, which is the same for all columns.
        distances = torch.addmm(squares, rows, table.T, alpha=-2)
        if exclude_self and len(kept) > 1:
            own = torch.arange(len(rows))
            distances[own, first + own] = torch.inf
        found.append(distances.topk(count, largest=False).indices)
    return torch.cat(found).numpy()


def _whole_numbers(codes: Array, kept: Array) -> torch.Tensor:
    """Return codes rounded to integers, clipped to twice the range of the kept codes."""
    centre = kept.mean(axis=0, dtype=np.float64)
    reach = float(np.abs(kept - centre).max()) or 1.0
    most = max(1, math.isqrt(_EXACT // kept.shape[1]))
    scaled = np.rint((codes - centre) * (most / (2 * reach)))
    return torch.from_numpy(np.clip(scaled, -most, most).astype(np.float32))


def _mean_of(restored: Array, index: NDArray[np.int64]) -> Array:
    """Return the mean of the restored images of each row of ``index``, ``[N, C, H, W]``."""
    table = torch.from_numpy(restored).flatten(1)
    mean = torch.nn.functional.embedding_bag(torch.from_numpy(index), table, mode="mean")
    return mean.numpy().reshape(-1, *restored.shape[1:])


def _difference(images: Array, expected: Array) -> Wide:
    """Return the logarithms of the differences between images and expected images, ``[N]``."""
    sigma = BLUR * min(images.shape[2:])
    maps = (blurred(images - expected, sigma) ** 2).mean(axis=1)
    return log(heatmaps.aggregate(maps, "top_10_percent"))
