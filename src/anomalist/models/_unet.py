"""U-Net: a small fully convolutional network that answers each pixel, and the image, with one number each."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from anomalist.models._gradient import in_double, initialise

__all__ = ["UNet", "padded"]

_RARE = -3.0  # the logit that an untrained network gives every pixel: what it looks for is rare
_DEPTH = 2  # how often the sides are halved
_HIDDEN = 64  # with 8, the last bits of a matrix product depend on the place in the batch


class UNet(nn.Module):
    """Images ``[n, C, H, W]`` of any size to logits of all pixels and of the image (Ronneberger et al., MICCAI 2015).

    Twice the sides are halved; the lowest level has twice the channels. The way back gets what was
    seen at the same size on the way down. The first and the last level work on whole pixels and are
    as wide as the second: what was cut out shows in how single pixels meet. The image's answer is a
    small dense network's, from mean and maximum of every channel at the lowest and at the last
    level, and of the pixels' own answers.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        sizes = [width, *(width * 2**level for level in range(_DEPTH))]
        self.down = nn.ModuleList(
            [_Block(few, many) for few, many in zip([channels, *sizes], sizes, strict=False)]
        )
        self.up = nn.ModuleList([_Block(below + size, size) for size, below in pairwise(sizes)])
        self.last = nn.Conv2d(width, 1, 1)
        pooled = 2 * (sizes[-1] + width + 1)
        self.whole = nn.Sequential(nn.Linear(pooled, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))
        self.apply(initialise)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, _RARE)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, float ``[n, 1 + H W]``: the image's, then its pixels' row by row."""
        h, w = images.shape[2:]
        x = padded(images, _DEPTH)
        seen: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if level else x)
            seen.append(x)
        lowest = _pooled(x)
        for level in reversed(range(_DEPTH)):
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = self.up[level](torch.cat([x, seen[level]], 1))
        pixels = self.last(x)
        pooled = torch.cat([lowest, _pooled(x), _pooled(pixels)], 1)
        image = self.whole(pooled) if self.training else in_double(self.whole, pooled)
        return torch.cat([image, pixels[:, 0, :h, :w].flatten(1)], 1)


def padded(images: Tensor, depth: int) -> Tensor:
    """Return images whose sides can be halved ``depth`` times, at least 2 x 2 pixels being left; channels last."""
    step = 2**depth
    below, right = (max(-side % step, 2 * step - side) for side in images.shape[2:])
    return nn.functional.pad(images, (0, right, 0, below)).contiguous(
        memory_format=torch.channels_last
    )  # faster


class _Block(nn.Module):
    """Two 3 x 3 convolutions, each normalised over the batch in training (Ioffe & Szegedy, ICML 2015)."""

    def __init__(self, few: int, many: int) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(few, many, 3, padding=1), nn.Conv2d(many, many, 3, padding=1)
        self.norm_one, self.norm_two = nn.BatchNorm2d(many), nn.BatchNorm2d(many)

    def forward(self, x: Tensor) -> Tensor:
        """Return float ``[n, many, H, W]`` for ``[n, few, H, W]``."""
        x = torch.relu(self.norm_one(self.one(x)))
        return torch.relu(self.norm_two(self.two(x)))


def _pooled(x: Tensor) -> Tensor:
    """Return mean and maximum of each channel, float ``[n, 2 channels]``."""
    mean = nn.functional.avg_pool2d(x, x.shape[2:]).flatten(
        1
    )  # x.mean sums in another order here and there in a batch
    return torch.cat([mean, x.amax((2, 3))], 1)
