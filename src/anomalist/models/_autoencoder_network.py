"""The autoencoder's networks: an encoder to a narrow code and a decoder back to an image of the very same size."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["ConvNetwork", "DenseNetwork", "Network"]


class Network(nn.Module):
    """An encoder and a decoder; the output lies in [0, 1]."""

    encoder: nn.Module
    decoder: nn.Module

    def forward(self, images: Tensor) -> Tensor:
        """Return reconstructions like ``images``."""
        return torch.sigmoid(self.decoder(self.encoder(images))).view_as(images)


class DenseNetwork(Network):
    """C H W - 128 - 64 - bottleneck - 64 - 128 - C H W."""

    def __init__(self, shape: tuple[int, int, int], bottleneck: int) -> None:
        super().__init__()
        sizes = [math.prod(shape), 128, 64, bottleneck]
        self.encoder = nn.Sequential(nn.Flatten(), *_linear_stack(sizes))
        self.decoder = nn.Sequential(*_linear_stack(sizes[::-1]))


class ConvNetwork(Network):
    """Strided 3 x 3 convolutions that halve the image until its shorter side is about 7, then one linear layer."""

    def __init__(self, shape: tuple[int, int, int], bottleneck: int, width: int) -> None:
        super().__init__()
        c, h, w = shape
        depth = max(1, round(math.log2(max(min(h, w) / 7, 1))))
        channels = [c] + [width * 2**level for level in range(depth)]
        sizes = [(-(-h // 2**level), -(-w // 2**level)) for level in range(depth + 1)]
        flat = channels[-1] * math.prod(sizes[-1])
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for level in range(depth):
            down += [nn.Conv2d(channels[level], channels[level + 1], 3, 2, 1), nn.ReLU()]
            (big_h, big_w), (small_h, small_w) = sizes[level], sizes[level + 1]
            extra = (big_h - 2 * small_h + 1, big_w - 2 * small_w + 1)  # an odd side comes back odd
            up[:0] = [
                nn.ReLU(),
                nn.ConvTranspose2d(channels[level + 1], channels[level], 3, 2, 1, extra),
            ]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, bottleneck))
        inner = (channels[-1], *sizes[-1])
        self.decoder = nn.Sequential(nn.Linear(bottleneck, flat), nn.Unflatten(1, inner), *up)


def _linear_stack(sizes: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers[:-1]
