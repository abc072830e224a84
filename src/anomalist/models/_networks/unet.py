"""U-Net: small fully convolutional networks for images of any size (Ronneberger et al., 2015).

The encoder halves the sides twice; the decoder gets the encoder's features at the same resolution
by skip connections. There are two heads: :class:`SegmentationNetwork` returns a logit per pixel and
one per image; :class:`Denoiser` is conditioned on the noise level of its images and predicts the
velocity of the noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from anomalist.models._networks.layers import forward_float64, initialise, pad_to_multiple

__all__ = ["Denoiser", "SegmentationNetwork"]

_DEPTH = 2  # number of downsamplings by 2
_HIDDEN = 64  # with 8, the last bits of a product depend on the position in the batch
_FREQUENCIES = 8  # frequencies that encode an angle
_RARE = -3.0  # initial logit of every pixel, because anomalies are rare


class _UNet(nn.Module):
    """The levels of a U-Net, without a head.

    Args:
        channels: channels of the images.
        widths: channels at each level, full resolution first.
        conditioned: whether every block is scaled and shifted by a condition (the noise level).
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        *,
        conditioned: bool = False,
    ) -> None:
        super().__init__()
        if conditioned:
            self.describe = nn.Sequential(nn.Linear(2 * _FREQUENCIES, _HIDDEN), nn.ReLU())
        before = [channels, *widths[:-1]]
        self.down = nn.ModuleList(
            _Block(few, many, conditioned) for few, many in zip(before, widths, strict=True)
        )
        self.up = nn.ModuleList(
            _Block(below + size, size, conditioned) for size, below in pairwise(widths)
        )

    def encode(self, images: Tensor, condition: Tensor | None = None) -> list[Tensor]:
        """Return the features at each level of padded images, full resolution first."""
        x = pad_to_multiple(images, _DEPTH)
        seen: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if level else x, condition)
            seen.append(x)
        return seen

    def decode(self, seen: list[Tensor], condition: Tensor | None = None) -> Tensor:
        """Return the decoder's features at full resolution."""
        x = seen[-1]
        for level in reversed(range(_DEPTH)):
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = self.up[level](torch.cat([x, seen[level]], 1), condition)
        return x


class SegmentationNetwork(_UNet):
    """Map images ``[n, C, H, W]`` to logits of all pixels and of the image.

    The lowest level has twice the channels of the others. The full-resolution levels are as wide as
    the second level, because the borders of synthetic defects are visible in single pixels. The
    logit of the image comes from a small dense network. Its inputs are the mean and maximum of each
    channel at the lowest and the last level, and of the pixel logits.
    """

    def __init__(self, channels: int, width: int) -> None:
        widths = [width, width, 2 * width]
        super().__init__(channels, widths)
        self.last = nn.Conv2d(width, 1, 1)
        pooled = 2 * (widths[-1] + width + 1)
        self.whole = nn.Sequential(nn.Linear(pooled, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))
        self.apply(initialise)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, _RARE)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, float ``[n, 1 + H W]``: of the image, then of its pixels row by row."""
        height, width = images.shape[2:]
        seen = self.encode(images)
        lowest = _pooled(seen[-1])
        x = self.decode(seen)
        pixels = self.last(x)
        pooled = torch.cat([lowest, _pooled(x), _pooled(pixels)], 1)
        image = self.whole(pooled) if self.training else forward_float64(self.whole, pooled)
        return torch.cat([image, pixels[:, 0, :height, :width].flatten(1)], 1)


class Denoiser(_UNet):
    """Map noisy images to the velocity of their diffusion, in units of [-1, 1].

    A noisy image is y = cos(a) x + sin(a) e, with x in [-1, 1] and e standard normal; the angle a
    in [0, pi/2] sets the noise level. The output is the velocity v = cos(a) e - sin(a) x (Salimans
    & Ho, ICLR 2022), so that x = cos(a) y - sin(a) v. After the batch norm of each level, every
    channel is scaled and shifted by the output of a small dense network of the angle (Perez et al.,
    "FiLM", AAAI 2018).
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(channels, [width, 2 * width, 4 * width], conditioned=True)
        self.last = nn.Conv2d(width, channels, 1)
        self.apply(initialise)
        # At first the angle has no influence, and the velocity is 0.
        nn.init.zeros_(self.last.weight)
        for block in (*self.down, *self.up):
            nn.init.zeros_(block.tell.weight)

    def forward(self, noisy: Tensor, angle: Tensor) -> Tensor:
        """Return velocities like ``noisy``, ``[n, C, H, W]``.

        Args:
            noisy: ``[n, C, H, W]``.
            angle: ``[n]``, or ``[1]`` for all images in evaluation mode.
        """
        height, width = noisy.shape[2:]
        frequencies = torch.arange(1, _FREQUENCIES + 1, device=angle.device)
        waves = angle[:, None] * frequencies
        condition = self.describe(torch.cat([waves.sin(), waves.cos()], 1))
        x = self.decode(self.encode(noisy, condition), condition)
        velocity: Tensor = self.last(x)[:, :, :height, :width]
        return velocity


class _Block(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation (Ioffe & Szegedy, ICML 2015).

    If conditioned, the condition scales and shifts the channels after the first convolution.
    """

    def __init__(self, few: int, many: int, conditioned: bool) -> None:
        super().__init__()
        self.one = nn.Conv2d(few, many, 3, padding=1)
        self.two = nn.Conv2d(many, many, 3, padding=1)
        self.norm_one = nn.BatchNorm2d(many)
        self.norm_two = nn.BatchNorm2d(many)
        if conditioned:
            self.tell = nn.Linear(_HIDDEN, 2 * many)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return float ``[n, many, H, W]`` for ``[n, few, H, W]``."""
        if condition is None:
            x = torch.relu(self.norm_one(self.one(x)))
            return torch.relu(self.norm_two(self.two(x)))
        scale, shift = self.tell(condition).chunk(2, 1)
        if not self.training:  # the condition is the same for all images then
            x = torch.relu(_folded(x, self.one, self.norm_one, 1 + scale[0], shift[0]))
            return torch.relu(_folded(x, self.two, self.norm_two))
        normalised = self.norm_one(self.one(x))
        x = torch.relu(normalised * (1 + scale)[:, :, None, None] + shift[:, :, None, None])
        return torch.relu(self.norm_two(self.two(x)))


def _folded(
    x: Tensor,
    layer: nn.Conv2d,
    norm: nn.BatchNorm2d,
    scale: Tensor | float = 1.0,
    shift: Tensor | float = 0.0,
) -> Tensor:
    """Return scale norm(layer(x)) + shift for a trained ``norm``, as one convolution.

    This takes two thirds of the time.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert layer.bias is not None
    factor = scale * norm.weight * (norm.running_var + norm.eps).rsqrt()
    bias = (layer.bias - norm.running_mean) * factor + scale * norm.bias + shift
    return nn.functional.conv2d(x, layer.weight * factor[:, None, None, None], bias, padding=1)


def _pooled(x: Tensor) -> Tensor:
    """Return mean and maximum of each channel, float ``[n, 2 channels]``."""
    # The order of summation of x.mean depends on the position in the batch.
    mean = nn.functional.avg_pool2d(x, x.shape[2:]).flatten(1)
    return torch.cat([mean, x.amax((2, 3))], 1)
