"""U-Net: a small fully convolutional network that answers each pixel, and the image, with one number each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anomalist.models._gradient import initialise

__all__ = ["UNet"]

_RARE = -3.0  # the logit that an untrained network gives every pixel: what it looks for is rare


class UNet(nn.Module):
    """Images ``[n, C, H, W]`` of any size to logits of all pixels and of the image (Ronneberger et al., MICCAI 2015).

    It works on cells of 2 x 2 pixels (half the sides, four times the channels: nothing is lost and a convolution
    costs a quarter), goes down ``depth`` times by a factor of 2 while the channels double, and up again; on the way
    up, what was seen at the same size on the way down is added. The image's answer is a small dense network's, from
    mean and maximum of every channel at the lowest and at the last level.
    """

    def __init__(self, channels: int, width: int, depth: int = 1) -> None:
        super().__init__()
        sizes = [width * 2**level for level in range(depth + 1)]
        self.first = nn.Conv2d(4 * channels, width, 3, padding=1)
        self.down = nn.ModuleList([_Block(size) for size in sizes])
        self.widen = nn.ModuleList([nn.Conv2d(size, 2 * size, 1) for size in sizes[:-1]])
        self.narrow = nn.ModuleList([nn.Conv2d(2 * size, size, 1) for size in sizes[:-1]])
        self.up = nn.ModuleList([_Block(size) for size in sizes[:-1]])
        self.last = nn.Conv2d(width, 4, 1)
        self.whole = nn.Sequential(nn.Linear(2 * (sizes[0] + sizes[-1]), 2 * width), nn.ReLU(), nn.Linear(2 * width, 1))
        self.apply(initialise)
        for block in (*self.down, *self.up):
            nn.init.zeros_(block.two.weight)  # a block starts as the identity (Goyal et al., 2017)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, _RARE)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, float ``[n, 1 + H W]``: the image's, then its pixels' row by row."""
        h, w = images.shape[2:]
        step = 2 ** len(self.down)
        padded = nn.functional.pad(images, (0, -w % step, 0, -h % step))
        cells = nn.functional.pixel_unshuffle(padded, 2).contiguous(memory_format=torch.channels_last)  # faster
        x = self.down[0](torch.relu(self.first(cells)))
        seen = []
        for widen, block in zip(self.widen, self.down[1:], strict=True):
            seen.append(x)
            x = block(widen(nn.functional.max_pool2d(x, 2)))
        lowest = _pooled(x)
        for level in reversed(range(len(seen))):
            x = nn.functional.interpolate(self.narrow[level](x), scale_factor=2, mode="nearest")
            x = self.up[level](x + seen[level])
        pixels = nn.functional.pixel_shuffle(self.last(x), 2)[:, 0, :h, :w]
        image = self.whole(torch.cat([lowest, _pooled(x)], 1))
        return torch.cat([image, pixels.flatten(1)], 1)


class _Block(nn.Module):
    """Two 3 x 3 convolutions, whose result is added to what they were given (He et al., CVPR 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(width, width, 3, padding=1)
        self.two = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return float ``[n, width, H, W]``, like ``x``."""
        changed: Tensor = self.two(torch.relu(self.one(x)))
        return torch.relu(x + changed)


def _pooled(x: Tensor) -> Tensor:
    """Return mean and maximum of each channel, float ``[n, 2 channels]``."""
    return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
