"""The base class of detectors on features of a frozen ImageNet network.

Features are locally aware (Roth et al., "Towards total recall in industrial anomaly detection",
CVPR 2022). The features of each stride are averaged over 3 x 3 patches, resized to the grid of the
finest stride, normalised to unit length, and concatenated. Without the normalisation, the length of
a feature vector mostly reflects the local contrast, which varies among normal images and at their
borders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PrivateAttr
from scipy.ndimage import gaussian_filter1d
from torch import nn
from torch.nn.functional import interpolate

from anomalist.core.console import track
from anomalist.core.errors import InputError
from anomalist.models._base import Detector
from anomalist.models._export.operations import Separable
from anomalist.models._nested import nest, take
from anomalist.models._networks.backbone import (
    NEEDS,
    Backbone,
    Normalisation,
    Weights,
    is_packaged,
    trained,
    untrained,
)
from anomalist.models._networks.trunk import MIN_SIDE, Trunk, TrunkOptions, fused
from anomalist.models._positionwise_gaussian import regularise
from anomalist.models._trained import check_shape, load_weights, predict_batched, weights

__all__ = [
    "Extractor",
    "PretrainedDetector",
    "Stride",
    "as_rows",
    "pixel_maps",
    "whitener",
]

Array = NDArray[np.float32]


def _number(value: Any) -> Any:
    """Convert a number given as text on the command line."""
    return int(value) if str(value).isdigit() else value


Stride = Annotated[Literal[4, 8, 16, 32], BeforeValidator(_number)]

_PREFIX = "features."  # prefix of the arrays' names
_PART = 64  # images whose features are held at once
_PART_PIXELS = 1 << 22  # pixels whose features are held at once for large images
_BATCH_PIXELS = 1 << 18  # pixels per batch; more exceed the processor's cache
_MAX_BATCH = 32
_REFERENCE_SIDE = 224  # side of the images that the option blur refers to


class PretrainedDetector(Detector):
    """Options of a backbone and its features; a subclass defines the score."""

    needs: ClassVar[Mapping[str, str]] = NEEDS

    backbone: Backbone = "efficientnet_lite0"
    weights: Weights = ""
    normalisation: Normalisation = "auto"
    layers: tuple[Stride, ...] = Field(
        (8, 16),
        min_length=1,
        description="strides of the features that are concatenated; for vision transformers 4, 8, "
        "16 and 32 are the features after a quarter, half, three quarters and all of the blocks",
    )
    side: int | None = Field(
        None,
        ge=32,
        le=2048,
        description="shorter side after resizing; by default images below 112 are enlarged to 112",
    )
    blur: float = Field(
        4.0,
        ge=0,
        description="sigma of the map's Gaussian, in pixels of an image of side 224",
    )

    _extractor: Extractor | None = PrivateAttr(None)

    def check_installed(self) -> None:
        """Check that the packages of the backbone are installed, if it needs any.

        Raises:
            InputError: a package is missing.
        """
        if is_packaged(self.backbone):
            super().check_installed()

    def trunk_options(self, l2_normalise: bool) -> TrunkOptions:
        """Return the options that the network depends on."""
        return TrunkOptions(self.backbone, self.normalisation, self.layers, self.side, l2_normalise)

    def _unexportable(self) -> str:
        return ""

    def _enlarge(self, grid: Sequence[int]) -> Separable:
        """Return the module that maps grids of patches to the size of the images."""
        assert self._shape is not None
        size = self._shape[1:]
        sigma = self.blur * min(size) / _REFERENCE_SIDE
        rows, columns = (_enlarging(few, many, sigma) for few, many in zip(grid, size, strict=True))
        return Separable(rows, columns)

    def _grid_of(self, network: nn.Module) -> tuple[int, ...]:
        """Return the height and width of the grid of patches."""
        assert self._extractor is not None
        assert self._shape is not None
        blank = np.zeros((1, *self._shape), np.float32)
        return self._extractor.apply(blank, self, network).shape[2:]


@dataclass(frozen=True)
class Extractor:
    """The network up to the coarsest stride in use."""

    network: Trunk

    @classmethod
    def of(cls, detector: PretrainedDetector, l2_normalise: bool) -> Self:
        """Return the extractor with the options of a detector.

        Args:
            detector: the detector whose options are used.
            l2_normalise: whether features are normalised to unit length.

        Raises:
            InputError: the extra is not installed, or the weights do not fit the network.
        """
        whole = trained(detector.backbone, detector.weights)
        return cls(fused(Trunk(whole, detector.trunk_options(l2_normalise))))

    def apply(
        self,
        images: Array,
        detector: PretrainedDetector,
        network: nn.Module | None = None,
    ) -> Array:
        """Return the features, float32 ``[N, D, h, w]``, or the output of another network.

        Args:
            images: float32 ``[N, 1 or 3, H, W]`` in [0, 1].
            detector: the detector whose device, precision and side are used.
            network: a network to apply instead of the extractor's.

        Raises:
            InputError: the images do not have 1 or 3 channels.
        """
        if images.shape[1] not in (1, 3):
            raise InputError(
                "pretrained features need images with 1 or 3 channels, got "
                f"{images.shape[1]}: select channels, or choose another detector"
            )
        pixels = max(images[0, 0].size, (detector.side or MIN_SIDE) ** 2)
        size = int(np.clip(_BATCH_PIXELS // pixels, 1, _MAX_BATCH))
        return predict_batched(detector, network or self.network, images, size)

    def in_parts(
        self,
        images: Array,
        detector: PretrainedDetector,
        network: nn.Module | None = None,
    ) -> Iterator[Array]:
        """Yield the results of :meth:`apply` for batches of 64 images, fewer if they are large."""
        step = int(np.clip(_PART_PIXELS // images[0, 0].size, 1, _PART))
        for first in track(range(0, len(images), step), f"features for {detector.name}"):
            yield self.apply(images[first : first + step], detector, network)

    def arrays(self, shape: Sequence[int] | None) -> dict[str, NDArray[Any]]:
        """Return the weights and the shape of the training images under prefixed names."""
        return nest(_PREFIX, weights(self.network) | {"shape": np.array(shape)})

    @classmethod
    def restore(
        cls,
        arrays: dict[str, NDArray[Any]],
        detector: PretrainedDetector,
        shape: tuple[int, ...] | None,
        l2_normalise: bool,
    ) -> Self:
        """Restore from the arrays of :meth:`arrays`, and remove them; no weight file is read.

        Raises:
            ValueError: the detector was fitted on images of another shape.
        """
        own = take(_PREFIX, arrays)
        check_shape(own, shape)
        trunk = Trunk(untrained(detector.backbone), detector.trunk_options(l2_normalise))
        return cls(load_weights(fused(trunk), own))


def pixel_maps(grids: Array, size: Sequence[int], blur: float) -> Array:
    """Return patch scores as maps of the images' size.

    Resizing and blurring are linear and separable. Two matrix products do both, twenty times as
    fast as filters.

    Args:
        grids: float32 ``[N, h, w]``.
        size: size of the images (H, W).
        blur: sigma of the Gaussian, in pixels of an image whose shorter side is 224, as in the
            papers.

    Returns:
        float32 ``[N, H, W]``.
    """
    sigma = blur * min(size) / _REFERENCE_SIDE
    tall = _enlarging(grids.shape[1], size[0], sigma)
    wide = _enlarging(grids.shape[2], size[1], sigma)
    return np.stack([tall @ grid @ wide.T for grid in grids])


def _enlarging(few: int, many: int, sigma: float) -> Array:
    """Return the matrix ``[many, few]`` that interpolates and blurs ``few`` values."""
    identity = torch.eye(few)[None, None]
    matrix = interpolate(identity, [many, few], mode="bilinear")[0, 0].numpy()
    if not sigma:
        return matrix
    blurred: Array = gaussian_filter1d(matrix, sigma, axis=0)
    return blurred


def as_rows(features: Array) -> Array:
    """Return features ``[n, D, h, w]`` as patches ``[n h w, D]``."""
    channels_last = np.ascontiguousarray(features.transpose(0, 2, 3, 1))
    return channels_last.reshape(-1, features.shape[1])


def whitener(patches: Array, regularisation: float) -> tuple[Array, Array]:
    """Return the mean ``[D]`` and the symmetric matrix ``[D, D]`` that whiten features.

    Args:
        patches: float32 ``[n, D]``.
        regularisation: added to each variance, in units of the mean variance, so that constant
            features stay finite.
    """
    mean = patches.mean(axis=0, dtype=np.float64)
    centred = patches - mean.astype(np.float32)
    covariance = (centred.T @ centred).astype(np.float64) / max(len(patches) - 1, 1)
    regularise(covariance, regularisation)
    values, vectors = np.linalg.eigh(covariance)
    matrix = (vectors / np.sqrt(values)) @ vectors.T
    return mean.astype(np.float32), matrix.astype(np.float32)
