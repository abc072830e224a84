"""Denoiser: a small U-Net that is told how noisy its images are and answers with what they were without noise."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from anomalist.models._gradient import initialise
from anomalist.models._unet import padded

__all__ = ["Denoiser"]

_DEPTH = 2  # how often the sides are halved
_WAVES = 8  # frequencies that an angle is described by
_HIDDEN = 64


class Denoiser(nn.Module):
    """A fully convolutional network for images of any size (Ronneberger et al., MICCAI 2015), in units of [-1, 1].

    A noisy image is y = cos(a) x + sin(a) e, x in [-1, 1] and e standard normal; the angle a in [0,
    pi/2] says how noisy it is. The network answers with the velocity v = cos(a) e - sin(a) x
    (Salimans & Ho, ICLR 2022), from which x = cos(a) y - sin(a) v. Each level's convolutions are
    normalised over the batch in training; then every channel is scaled and shifted by what a small
    dense network makes of the angle (Perez et al., "FiLM", AAAI 2018).
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        sizes = [width * 2**level for level in range(_DEPTH + 1)]
        self.describe = nn.Sequential(nn.Linear(2 * _WAVES, _HIDDEN), nn.ReLU())
        self.down = nn.ModuleList(
            [_Block(few, many) for few, many in zip([channels, *sizes], sizes, strict=False)]
        )
        self.up = nn.ModuleList([_Block(below + size, size) for size, below in pairwise(sizes)])
        self.last = nn.Conv2d(width, channels, 1)
        self.apply(initialise)
        for part in (self.last, *(block.tell for block in (*self.down, *self.up))):
            nn.init.zeros_(part.weight)  # at first the angle says nothing, and the velocity is 0

    def forward(self, noisy: Tensor, angle: Tensor) -> Tensor:
        """Return velocities like ``noisy``, ``[n, C, H, W]``, for angles ``[n]``, or for one ``[1]`` once trained."""
        h, w = noisy.shape[2:]
        x = padded(noisy, _DEPTH)
        waves = angle[:, None] * torch.arange(1, _WAVES + 1, device=angle.device)
        told = self.describe(torch.cat([waves.sin(), waves.cos()], 1))
        seen: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if level else x, told)
            seen.append(x)
        for level in reversed(range(_DEPTH)):
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = self.up[level](torch.cat([x, seen[level]], 1), told)
        velocity: Tensor = self.last(x)[:, :, :h, :w]
        return velocity


class _Block(nn.Module):
    """Two 3 x 3 convolutions; the first one's channels are scaled and shifted by what is told."""

    def __init__(self, few: int, many: int) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(few, many, 3, padding=1), nn.Conv2d(many, many, 3, padding=1)
        self.norm_one, self.norm_two = nn.BatchNorm2d(many), nn.BatchNorm2d(many)
        self.tell = nn.Linear(_HIDDEN, 2 * many)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Return float ``[n, many, H, W]`` for ``[n, few, H, W]``; ``told`` has one row where nothing is trained."""
        scale, shift = self.tell(told).chunk(2, 1)
        if not self.training:
            x = torch.relu(_folded(x, self.one, self.norm_one, 1 + scale[0], shift[0]))
            return torch.relu(_folded(x, self.two, self.norm_two))
        x = torch.relu(
            self.norm_one(self.one(x)) * (1 + scale)[:, :, None, None] + shift[:, :, None, None]
        )
        return torch.relu(self.norm_two(self.two(x)))


def _folded(
    x: Tensor,
    layer: nn.Conv2d,
    norm: nn.BatchNorm2d,
    scale: Tensor | float = 1.0,
    shift: Tensor | float = 0.0,
) -> Tensor:
    """Return scale norm(layer(x)) + shift for a trained ``norm``, as one convolution: in two thirds of the time."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert layer.bias is not None
    each = scale * norm.weight * (norm.running_var + norm.eps).rsqrt()
    bias = (layer.bias - norm.running_mean) * each + scale * norm.bias + shift
    return nn.functional.conv2d(x, layer.weight * each[:, None, None, None], bias, padding=1)
