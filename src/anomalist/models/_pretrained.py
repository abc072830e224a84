"""The base class of detectors on features of a frozen ImageNet network.

Features are locally aware (Roth et al., "Towards total recall in industrial anomaly detection",
CVPR 2022). The features of each stride are averaged over 3 x 3 patches, resized to the grid of the
finest stride, normalised to unit length, and concatenated. Without the normalisation, the length of
a feature vector mostly reflects the local contrast, which varies among normal images and at their
borders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PrivateAttr
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate
from torch.nn.utils.fusion import fuse_conv_bn_eval

from anomalist.core.console import track
from anomalist.core.errors import InputError
from anomalist.models._base import Detector
from anomalist.models._nested import nest, take
from anomalist.models._networks.backbone import (
    NEEDS,
    NORMALISATIONS,
    Backbone,
    Normalisation,
    Weights,
    trained,
    untrained,
)
from anomalist.models._positionwise_gaussian import regularise
from anomalist.models._trained import check_shape, load_weights, predict_batched, weights

__all__ = [
    "Extractor",
    "PretrainedDetector",
    "Stride",
    "Trunk",
    "as_rows",
    "fused",
    "pixel_maps",
    "whitener",
]

Array = NDArray[np.float32]


def _number(value: Any) -> Any:
    """Convert a number given as text on the command line."""
    return int(value) if str(value).isdigit() else value


Stride = Annotated[Literal[4, 8, 16, 32], BeforeValidator(_number)]

_MIN_LENGTH = 1e-6  # smallest length that features are divided by
_MIN_SIDE = 112  # smaller images are enlarged, because patches would be larger than their details
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
    normalisation: Normalisation = "inception"
    layers: tuple[Stride, ...] = Field(
        (8, 16), min_length=1, description="strides of the features that are concatenated"
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
        return cls(fused(Trunk(whole, detector, l2_normalise)))

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
        pixels = max(images[0, 0].size, (detector.side or _MIN_SIDE) ** 2)
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
        trunk = Trunk(untrained(detector.backbone), detector, l2_normalise)
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


class Trunk(nn.Module):
    """Map images ``[n, 1 or 3, H, W]`` in [0, 1] to locally aware features ``[n, D, h, w]``."""

    def __init__(
        self,
        whole: nn.Module,
        detector: PretrainedDetector,
        l2_normalise: bool,
    ) -> None:
        super().__init__()
        parts = dict(whole.named_children())
        blocks = list(parts["_blocks"].children())
        ends = _ends(blocks)
        self.kept = {ends[layer] for layer in detector.layers}
        self.side = detector.side
        self.l2_normalise = l2_normalise
        self.mean, self.deviation = NORMALISATIONS[detector.normalisation]
        self.stem = nn.Sequential(parts["_conv_stem"], parts["_bn0"], nn.ReLU6())
        self.blocks = nn.ModuleList(blocks[: max(self.kept) + 1])
        self.requires_grad_(False)

    def levels(self, images: Tensor) -> list[Tensor]:
        """Return the network's output at each stride, the finest first."""
        x = images.expand(-1, 3, -1, -1)
        mean = x.new_tensor(self.mean)[:, None, None]
        deviation = x.new_tensor(self.deviation)[:, None, None]
        x = (x - mean) / deviation
        shorter = min(x.shape[2:])
        side = self.side or max(shorter, _MIN_SIDE)
        if side != shorter:
            size = [round(length * side / shorter) for length in x.shape[2:]]
            x = interpolate(x, size, mode="bilinear" if side > shorter else "area")
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        levels: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.kept:
                levels.append(x)
        return levels

    def forward(self, images: Tensor) -> Tensor:
        """Return the features."""
        levels = [
            avg_pool2d(level, 3, 1, 1, count_include_pad=False) for level in self.levels(images)
        ]
        grid = list(levels[0].shape[2:])
        levels[1:] = [interpolate(level, grid, mode="bilinear") for level in levels[1:]]
        if self.l2_normalise:
            levels = [_unit_length(level) for level in levels]
        return torch.cat(levels, 1)


def fused(trunk: Trunk) -> Trunk:
    """Return a frozen copy with batch norm and padding fused into the convolutions.

    The results are equal except for the last two digits, and about twice as fast.
    """
    trunk = deepcopy(trunk).eval()
    for module in trunk.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
        children = [*module.named_children()]
        for (name, layer), (following, next_layer) in pairwise(children):
            if isinstance(layer, nn.Conv2d) and isinstance(next_layer, nn.BatchNorm2d):
                setattr(module, name, _fused_convolution(layer, next_layer))
                setattr(module, following, nn.Identity())
    trunk = trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return trunk.requires_grad_(False)


def _fused_convolution(layer: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Return a convolution fused with its batch norm, and with its padding if it is even."""
    convolution: nn.Conv2d = fuse_conv_bn_eval(layer, norm)
    zeros = getattr(convolution, "static_padding", None)
    if isinstance(zeros, nn.ZeroPad2d) and len(set(zeros.padding)) == 1:
        convolution.padding = zeros.padding[:2]
        convolution.static_padding = nn.Identity()
    return convolution


def _unit_length(values: Tensor) -> Tensor:
    """Return vectors ``[n, D, h, w]`` divided by their length, which is taken as at least 1e-6.

    A convolution sums over D, because its order of summation does not depend on the position in the
    batch.
    """
    squares = conv2d(values * values, values.new_ones(1, values.shape[1], 1, 1))
    return values / squares.clamp_min(_MIN_LENGTH**2).sqrt()


def _ends(blocks: Sequence[nn.Module]) -> dict[int, int]:
    """Return the index of the last block of each stride."""
    stride = 2
    ends: dict[int, int] = {}
    for number, block in enumerate(blocks):
        strides = [layer.stride[0] for layer in block.children() if isinstance(layer, nn.Conv2d)]
        stride *= max(strides)
        ends[stride] = number
    return ends
