"""Encoders to a narrow code, and decoders from the code to an image of the same size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

__all__ = ["AutoencoderNetwork", "conv_decoder", "conv_encoder", "dense_decoder", "dense_encoder"]

_HIDDEN = (128, 64)  # units of the dense network
_SHORTEST = 7  # approximate shorter side of the innermost grid, in cells


class AutoencoderNetwork(nn.Module):
    """An encoder and a decoder; the output lies in [0, 1]."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, images: Tensor) -> Tensor:
        """Return reconstructions like ``images``."""
        return torch.sigmoid(self.decoder(self.encoder(images))).view_as(images)


def dense_encoder(shape: tuple[int, int, int], code: int) -> nn.Sequential:
    """Return fully connected layers C H W - 128 - 64 - ``code``."""
    return nn.Sequential(nn.Flatten(), *_linear_stack([math.prod(shape), *_HIDDEN, code]))


def dense_decoder(shape: tuple[int, int, int], code: int) -> nn.Sequential:
    """Return fully connected layers ``code`` - 64 - 128 - C H W."""
    return nn.Sequential(*_linear_stack([code, *_HIDDEN[::-1], math.prod(shape)]))


def conv_encoder(
    shape: tuple[int, int, int],
    code: int,
    width: int,
) -> nn.Sequential:
    """Return strided 3 x 3 convolutions and a linear layer, ``[n, C, H, W]`` to ``[n, code]``.

    Each convolution halves the image, until its shorter side is about 7.

    Args:
        shape: C, H, W.
        code: size of the code.
        width: channels after the first convolution; doubled at each downsampling.
    """
    plan = _Plan.of(shape, width)
    layers: list[nn.Module] = []
    for before, after in pairwise(plan.channels):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(plan.inner_size, code))


def conv_decoder(
    shape: tuple[int, int, int],
    code: int,
    width: int,
) -> nn.Sequential:
    """Return a linear layer and transposed convolutions, ``[n, code]`` to ``[n, C, H, W]``.

    It mirrors :func:`conv_encoder`; the output is unbounded.
    """
    plan = _Plan.of(shape, width)
    inner = (plan.channels[-1], *plan.sides[-1])
    # Unflatten after the ReLU, whose backward pass is slow on tensors of two memory layouts.
    layers: list[nn.Module] = [
        nn.Linear(code, plan.inner_size),
        nn.ReLU(inplace=True),
        nn.Unflatten(1, inner),
    ]
    for level in reversed(range(len(plan.channels) - 1)):
        (tall, wide), (short, narrow) = plan.sides[level], plan.sides[level + 1]
        extra = (tall - 2 * short + 1, wide - 2 * narrow + 1)  # restores odd sides
        before = plan.channels[level + 1]
        after = plan.channels[level]
        layers.append(nn.ConvTranspose2d(before, after, 3, 2, 1, extra))
        if level > 0:
            layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


@dataclass(frozen=True)
class _Plan:
    """Channels and sides at each level, from the image inwards."""

    channels: list[int]
    sides: list[tuple[int, int]]

    @classmethod
    def of(cls, shape: tuple[int, int, int], width: int) -> Self:
        """Return the plan for images of shape C, H, W."""
        channels, height, width_in_pixels = shape
        shorter = min(height, width_in_pixels)
        depth = max(1, round(math.log2(max(shorter / _SHORTEST, 1))))
        levels = range(depth + 1)
        return cls(
            [channels, *(width * 2**level for level in range(depth))],
            [(-(-height // 2**level), -(-width_in_pixels // 2**level)) for level in levels],
        )

    @property
    def inner_size(self) -> int:
        """The number of values at the innermost level."""
        return self.channels[-1] * math.prod(self.sides[-1])


def _linear_stack(sizes: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers[:-1]
