"""The network of pretrained detectors: normalisation, resizing, layers, locally aware features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate
from torch.nn.utils.fusion import fuse_conv_bn_eval

from anomalist.models._networks.backbone import (
    Backbone,
    Normalisation,
    is_packaged,
    normalisation_of,
    up_to,
)
from anomalist.models._networks.vit import ViT

__all__ = ["MIN_SIDE", "Trunk", "TrunkOptions", "fused"]

MIN_SIDE = 112  # smaller images are enlarged, because patches would be larger than their details
_MIN_LENGTH = 1e-6  # smallest length that features are divided by


class TrunkOptions(NamedTuple):
    """The options of a detector that its network depends on."""

    backbone: Backbone
    normalisation: Normalisation
    layers: tuple[int, ...]
    side: int | None
    l2_normalise: bool


class Trunk(nn.Module):
    """Map images ``[n, 1 or 3, H, W]`` in [0, 1] to locally aware features ``[n, D, h, w]``."""

    def __init__(
        self,
        whole: nn.Module,
        options: TrunkOptions,
    ) -> None:
        super().__init__()
        self.side = options.side
        self.l2_normalise = options.l2_normalise
        self.mean, self.deviation = normalisation_of(options.backbone, options.normalisation)
        self.patch = whole.shape.patch if isinstance(whole, ViT) else 1
        self.network: nn.Module | None = None
        if is_packaged(options.backbone):
            self._take_efficientnet(dict(whole.named_children()), options.layers)
        else:
            self.network = up_to(whole, options.layers)
        self.requires_grad_(False)

    def _take_efficientnet(self, parts: Mapping[str, nn.Module], layers: Sequence[int]) -> None:
        blocks = list(parts["_blocks"].children())
        ends = _ends(blocks)
        self.kept = {ends[layer] for layer in layers}
        self.stem = nn.Sequential(parts["_conv_stem"], parts["_bn0"], nn.ReLU6())
        self.blocks = nn.ModuleList(blocks[: max(self.kept) + 1])

    def levels(self, images: Tensor) -> list[Tensor]:
        """Return the network's output at each stride, the finest first."""
        x = images.expand(-1, 3, -1, -1)
        mean = x.new_tensor(self.mean)[:, None, None]
        deviation = x.new_tensor(self.deviation)[:, None, None]
        x = (x - mean) / deviation
        shorter = min(x.shape[2:])
        side = self.side or max(shorter, MIN_SIDE)
        size = [self._to_patches(length * side / shorter) for length in x.shape[2:]]
        if size != list(x.shape[2:]):
            x = interpolate(x, size, mode="bilinear" if side > shorter else "area")
        if self.network is not None:
            outputs: list[Tensor] = self.network(x)
            return outputs
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        levels: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.kept:
                levels.append(x)
        return levels

    def _to_patches(self, length: float) -> int:
        """Return the multiple of the patch's side that is closest to a length."""
        return max(1, round(length / self.patch)) * self.patch

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

    The results agree except for the last two digits. The copy is about twice as fast.
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
