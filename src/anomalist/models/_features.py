"""Features: what a frozen network that was trained on ImageNet (see ``_backbone``) sees in each patch of an image.

Features are locally aware (Roth et al., "Towards total recall in industrial anomaly detection",
CVPR 2022): those of each stride are averaged over 3 x 3 patches, then brought to the grid of the
finest stride, to unit length, and joined. A patch's length says mostly how much contrast it has,
which varies among normal images and at their borders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BeforeValidator
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate
from torch.nn.utils.fusion import fuse_conv_bn_eval

from anomalist.console import track
from anomalist.errors import InputError
from anomalist.models._backbone import NORMALISATIONS, Backbone, Normalisation, trained, untrained
from anomalist.models._gradient import Run, answers, check_shape, load_weights, weights
from anomalist.models._parts import nest, take
from anomalist.models._places import regularise

__all__ = [
    "Extractor",
    "Looks",
    "Stride",
    "Trunk",
    "fused",
    "pixel_maps",
    "rows",
    "whitener",
]

Stride = Annotated[
    Literal[4, 8, 16, 32],
    BeforeValidator(lambda value: int(value) if str(value).isdigit() else value),
]  # a command line has text
Array = NDArray[np.float32]

_SHORTEST = 1e-6  # length that features are divided by, at least
_LEAST_SIDE = 112  # smaller images are enlarged: their patches would be larger than what they show
_PREFIX = "features."  # of the arrays
_PART, _PART_PIXELS = (
    64,
    1 << 22,
)  # images whose features are held at once, and pixels where they are large
_PIXELS = 1 << 18  # in a batch: more would no longer stay near the processor


class Looks(Run, Protocol):
    """A detector that has the options of an extractor."""

    @property
    def name(self) -> str:
        """The detector's name."""

    @property
    def backbone(self) -> Backbone:
        """The network."""

    @property
    def weights(self) -> str:
        """A file of weights, or empty."""

    @property
    def normalisation(self) -> Normalisation:
        """What the weights were trained on."""

    @property
    def layers(self) -> tuple[Stride, ...]:
        """Strides whose features are joined."""

    @property
    def side(self) -> int | None:
        """The shorter side that images are brought to."""


@dataclass(frozen=True)
class Extractor:
    """The network up to the highest of the strides that are used."""

    network: Trunk

    @classmethod
    def of(cls, detector: Looks, unit: bool = False) -> Self:
        """Return the extractor that a detector's options name; ``unit``: its features have unit length.

        Raises:
            InputError: the extra is not installed, or the weights are not those of the network.
        """
        whole = trained(detector.backbone, detector.weights)
        return cls(fused(Trunk(whole, detector, unit)))

    def apply(self, images: Array, detector: Looks, network: nn.Module | None = None) -> Array:
        """Return the features, float32 ``[N, D, h, w]``, of images in [0, 1], or what another network returns."""
        if images.shape[1] not in (1, 3):
            raise InputError(
                "pretrained features are of images with 1 or 3 channels, these have "
                f"{images.shape[1]}: choose some of "
                "them, or a detector that takes any number"
            )
        size = int(
            np.clip(_PIXELS // max(images[0, 0].size, (detector.side or _LEAST_SIDE) ** 2), 1, 32)
        )
        return answers(detector, network or self.network, images, size)

    def in_parts(
        self, images: Array, detector: Looks, network: nn.Module | None = None
    ) -> Iterator[Array]:
        """Yield what :meth:`apply` returns of some images at a time, 64 or, where they are large, fewer."""
        step = int(np.clip(_PART_PIXELS // images[0, 0].size, 1, _PART))
        for first in track(range(0, len(images), step), f"features for {detector.name}"):
            yield self.apply(images[first : first + step], detector, network)

    def arrays(self, shape: Sequence[int] | None) -> dict[str, NDArray[Any]]:
        """Return the weights, and the shape of the images fitted on, under names that begin with ``features.``."""
        return nest(_PREFIX, weights(self.network) | {"shape": np.array(shape)})

    @classmethod
    def restore(
        cls,
        arrays: dict[str, NDArray[Any]],
        detector: Looks,
        shape: tuple[int, ...] | None,
        unit: bool = False,
    ) -> Self:
        """Take what :meth:`arrays` returned out of ``arrays``; no file of weights is read.

        Raises:
            ValueError: it was for images of another shape, which the weights would fit as well.
        """
        arrays = take(_PREFIX, arrays)
        check_shape(arrays, shape)
        trunk = Trunk(untrained(detector.backbone), detector, unit)
        return cls(load_weights(fused(trunk), arrays))


def pixel_maps(grids: Array, size: Sequence[int], blur: float) -> Array:
    """Return a number a patch, float32 ``[N, h, w]``, as maps of the images' size (H, W), float32 ``[N, H, W]``.

    ``blur`` is a Gaussian's sigma in pixels of an image whose shorter side is 224, as the papers
    have it. To enlarge and to blur are linear, each side for itself: a matrix on either side of a
    grid does both, twenty times as fast.
    """
    sigma = blur * min(size) / 224
    tall, wide = (
        _enlarging(few, many, sigma) for few, many in zip(grids.shape[1:], size, strict=True)
    )
    return np.stack([tall @ grid @ wide.T for grid in grids])


def _enlarging(few: int, many: int, sigma: float) -> Array:
    """Return the matrix, float32 ``[many, few]``, that interpolates ``few`` numbers and blurs what it makes of them."""
    matrix = interpolate(torch.eye(few)[None, None], [many, few], mode="bilinear")[0, 0].numpy()
    blurred: Array = gaussian_filter1d(matrix, sigma, axis=0) if sigma else matrix
    return blurred


def rows(found: Array) -> Array:
    """Return features ``[n, D, h, w]`` as patches ``[n h w, D]``."""
    return np.ascontiguousarray(found.transpose(0, 2, 3, 1)).reshape(-1, found.shape[1])


def whitener(patches: Array, regularisation: float) -> tuple[Array, Array]:
    """Return the mean ``[D]`` and the symmetric matrix ``[D, D]`` that make features uncorrelated, of like variance.

    Args:
        patches: float32 ``[n, D]``.
        regularisation: what is added to each variance, in mean variances; constant features stay
            finite.
    """
    mean = patches.mean(axis=0, dtype=np.float64)
    centred = patches - mean.astype(np.float32)
    covariance = (centred.T @ centred).astype(np.float64) / max(len(patches) - 1, 1)
    regularise(covariance, regularisation)
    values, vectors = np.linalg.eigh(covariance)
    return mean.astype(np.float32), ((vectors / np.sqrt(values)) @ vectors.T).astype(np.float32)


class Trunk(nn.Module):
    """Images ``[n, 1 or 3, H, W]`` in [0, 1] to locally aware features ``[n, D, h, w]``."""

    def __init__(self, whole: nn.Module, detector: Looks, unit: bool = False) -> None:
        super().__init__()
        parts = dict(whole.named_children())
        blocks = list(parts["_blocks"].children())
        ends = _ends(blocks)
        self.kept = {ends[layer] for layer in detector.layers}
        self.side, self.unit = detector.side, unit
        self.mean, self.deviation = NORMALISATIONS[detector.normalisation]
        self.stem = nn.Sequential(parts["_conv_stem"], parts["_bn0"], nn.ReLU6())
        self.blocks = nn.ModuleList(blocks[: max(self.kept) + 1])
        self.requires_grad_(False)

    def levels(self, images: Tensor) -> list[Tensor]:
        """Return the network's own output at each stride, the finest first."""
        x = images.expand(-1, 3, -1, -1)
        x = (x - x.new_tensor(self.mean)[:, None, None]) / x.new_tensor(self.deviation)[
            :, None, None
        ]
        shorter = min(x.shape[2:])
        side = self.side or max(shorter, _LEAST_SIDE)
        if side != shorter:
            size = [round(length * side / shorter) for length in x.shape[2:]]
            x = interpolate(x, size, mode="bilinear" if side > shorter else "area")
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        found: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.kept:
                found.append(x)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Return the features."""
        found = [avg_pool2d(x, 3, 1, 1, count_include_pad=False) for x in self.levels(images)]
        grid = list(found[0].shape[2:])
        found[1:] = [interpolate(part, grid, mode="bilinear") for part in found[1:]]
        return torch.cat([_unit_length(part) if self.unit else part for part in found], 1)


def fused(trunk: Trunk) -> Trunk:
    """Return a copy, to be used and not trained, whose convolutions hold their normalisation and padding.

    It computes the same, to the last digits but one, and is about twice as fast.
    """
    trunk = deepcopy(trunk).eval()
    for module in trunk.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
        for (name, layer), (following, next_layer) in pairwise([*module.named_children()]):
            if isinstance(layer, nn.Conv2d) and isinstance(next_layer, nn.BatchNorm2d):
                conv = fuse_conv_bn_eval(layer, next_layer)
                zeros = getattr(conv, "static_padding", None)
                if isinstance(zeros, nn.ZeroPad2d) and len(set(zeros.padding)) == 1:
                    conv.padding, conv.static_padding = zeros.padding[:2], nn.Identity()
                setattr(module, name, conv)
                setattr(module, following, nn.Identity())
    return trunk.to(memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload,no-any-return]


def _unit_length(values: Tensor) -> Tensor:
    """Return vectors ``[n, D, h, w]`` divided by their length; those shorter than 1e-6 by that.

    A convolution sums over D, since it adds up in one order wherever an image lies in a batch.
    """
    squares = conv2d(values * values, values.new_ones(1, values.shape[1], 1, 1))
    return values / squares.clamp_min(_SHORTEST**2).sqrt()


def _ends(blocks: Sequence[nn.Module]) -> dict[int, int]:
    """Return the number of the last block of each stride."""
    stride, ends = 2, {}
    for number, block in enumerate(blocks):
        stride *= max(layer.stride[0] for layer in block.children() if isinstance(layer, nn.Conv2d))
        ends[stride] = number
    return ends
