"""ResNet-18, ResNet-50 and Wide ResNet-50-2 as feature extractors.

He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016; Zagoruyko &
Komodakis, "Wide residual networks", BMVC 2016. In the 50-layer networks the stride is in the 3 x 3
convolution, as in the weights of torchvision and timm, whose names the layers have.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["ARCHITECTURES", "ResNet", "ResNetShape"]

_STRIDES = (4, 8, 16, 32)  # of the four layers


class ResNetShape(NamedTuple):
    """The shape of a network.

    Attributes:
        blocks: number of blocks of each layer.
        expansion: output channels of a block divided by its inner ones; 1 for two convolutions,
            4 for a bottleneck of three.
        width: inner channels of a bottleneck, relative to those of ResNet-50.
    """

    blocks: tuple[int, int, int, int]
    expansion: int
    width: int = 1


ARCHITECTURES = {
    "resnet18": ResNetShape((2, 2, 2, 2), 1),
    "resnet50": ResNetShape((3, 4, 6, 3), 4),
    "wide_resnet50_2": ResNetShape((3, 4, 6, 3), 4, 2),
}


class ResNet(nn.Module):
    """Map normalised images ``[n, 3, H, W]`` to the outputs of some layers."""

    def __init__(self, shape: ResNetShape, strides: Collection[int] = _STRIDES) -> None:
        """Build the network up to the coarsest of some strides.

        Args:
            shape: number and kind of blocks.
            strides: 4, 8, 16 or 32; the outputs at these are returned.
        """
        super().__init__()
        self.architecture = shape
        self.strides = sorted(strides)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.names: list[str] = []
        channels = 64
        for number, stride in enumerate(_STRIDES):
            if stride > max(strides):
                break
            inner = 64 * 2**number
            blocks: list[nn.Module] = []
            for place in range(shape.blocks[number]):
                step = 2 if number > 0 and place == 0 else 1
                blocks.append(_Block(channels, inner, step, shape))
                channels = inner * shape.expansion
            self.names.append(f"layer{number + 1}")
            self.add_module(self.names[-1], nn.Sequential(*blocks))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the outputs, the finest first."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(images))))
        outputs: list[Tensor] = []
        for stride, name in zip(_STRIDES, self.names, strict=False):
            x = self.get_submodule(name)(x)
            if stride in self.strides:
                outputs.append(x)
        return outputs


class _Block(nn.Module):
    """Two 3 x 3 convolutions, or a bottleneck of three, and the input added."""

    def __init__(self, channels: int, inner: int, stride: int, shape: ResNetShape) -> None:
        super().__init__()
        out = inner * shape.expansion
        if shape.expansion == 1:
            sizes = [(channels, inner, 3, stride), (inner, out, 3, 1)]
        else:
            middle = inner * shape.width
            sizes = [(channels, middle, 1, 1), (middle, middle, 3, stride), (middle, out, 1, 1)]
        self.count = len(sizes)
        for number, (before, after, side, step) in enumerate(sizes, start=1):
            convolution = nn.Conv2d(before, after, side, step, side // 2, bias=False)
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", nn.BatchNorm2d(after))
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for number in range(1, self.count + 1):
            y = self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(y))
            if number < self.count:
                y = torch.relu(y)
        return torch.relu(y + self.downsample(x))
