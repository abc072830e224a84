"""Vision transformers with the weights of DINOv2 and DINOv3 as feature extractors.

Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021; Oquab et al., "DINOv2: learning
robust visual features without supervision", TMLR 2024; Simeoni et al., "DINOv3", 2025. DINOv2 adds
a learnt position to each patch. DINOv3 has four register tokens (Darcet et al., ICLR 2024) and
rotates queries and keys by the position of the patch, with coordinates in [-1, 1] and periods
100^(2 i / d) for d = half of the head's size (Su et al., "RoFormer", 2021).

Layers have the names of DINOv2's own files, which timm uses as well.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

__all__ = ["ARCHITECTURES", "ViT", "ViTShape", "own_names"]

_DEPTH = 12
_MLP = 4  # hidden size of a block's dense network, relative to its width
_BASE = 100.0  # of the periods
_QUARTERS = {4: 3, 8: 6, 16: 9, 32: 12}  # number of blocks before the output of a layer


class ViTShape(NamedTuple):
    """The shape of a network."""

    width: int
    heads: int
    patch: int  # side of a patch in pixels
    positions: int  # learnt positions per side; 0: rotary ones
    registers: int


ARCHITECTURES = {
    "vit_small_dinov2": ViTShape(384, 6, 14, 37, 0),
    "vit_base_dinov2": ViTShape(768, 12, 14, 37, 0),
    "vit_small_dinov3": ViTShape(384, 6, 16, 0, 4),
    "vit_base_dinov3": ViTShape(768, 12, 16, 0, 4),
}


class ViT(nn.Module):
    """Map normalised images ``[n, 3, H, W]`` to patch features after some of the 12 blocks.

    All outputs have the resolution of the patch grid. The layers 4, 8, 16 and 32, named after the
    strides of a ResNet, are the outputs after 3, 6, 9 and 12 blocks; the last is normalised.
    """

    def __init__(self, shape: ViTShape, layers: Collection[int] = (4, 8, 16, 32)) -> None:
        """Build the network up to the last of some layers.

        Args:
            shape: width, heads and positions.
            layers: 4, 8, 16 or 32; the features there are returned.
        """
        super().__init__()
        self.shape = shape
        self.wanted = {_QUARTERS[layer] for layer in layers}
        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv2d(3, shape.width, shape.patch, shape.patch)}
        )
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        if shape.registers:
            self.storage_tokens = nn.Parameter(torch.zeros(1, shape.registers, shape.width))
        if shape.positions:
            self.pos_embed = nn.Parameter(torch.zeros(1, shape.positions**2 + 1, shape.width))
        self.blocks = nn.ModuleList(_Block(shape) for _ in range(max(self.wanted)))
        if _DEPTH in self.wanted:
            self.norm = nn.LayerNorm(shape.width, eps=_epsilon(shape))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return features ``[n, D, h, w]``, those of the first layer first."""
        grid = self.patch_embed["proj"](images)
        height, width = grid.shape[2:]
        patches = grid.flatten(2).transpose(1, 2)
        tokens = [self.cls_token.expand(len(images), -1, -1)]
        if self.shape.positions:
            first, positions = self._positions(height, width)
            tokens = [tokens[0] + first]
            patches = patches + positions
        if self.shape.registers:
            tokens.append(self.storage_tokens.expand(len(images), -1, -1))
        x = torch.cat([*tokens, patches], 1)
        special = x.shape[1] - patches.shape[1]
        rotation = None if self.shape.positions else self._rotation(height, width, x)
        outputs: list[Tensor] = []
        for number, block in enumerate(self.blocks, start=1):
            x = block(x, rotation, special)
            if number in self.wanted:
                seen = self.norm(x) if number == _DEPTH else x
                features = seen[:, special:].transpose(1, 2)
                outputs.append(features.reshape(len(images), -1, height, width))
        return outputs

    def _positions(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return the positions of the class token and of the patches, resized to the grid."""
        side = self.shape.positions
        first = self.pos_embed[:, :1]
        rest = self.pos_embed[:, 1:]
        if (height, width) != (side, side):
            square = rest.reshape(1, side, side, -1).permute(0, 3, 1, 2)
            resized = interpolate(square, (height, width), mode="bicubic", antialias=True)
            rest = resized.flatten(2).transpose(1, 2)
        return first, rest

    def _rotation(self, height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosine and sine of the angles of each patch, ``[h w, head size]``."""
        head = self.shape.width // self.shape.heads
        exponents = 2 * torch.arange(head // 4, dtype=torch.float32) / (head // 2)
        periods = _BASE**exponents
        axes = [2 * (torch.arange(n) + 0.5) / n - 1 for n in (height, width)]
        y, x = torch.meshgrid(*axes, indexing="ij")
        places = torch.stack([y, x], -1).reshape(-1, 2, 1)
        angles = (2 * math.pi * places / periods).flatten(1).repeat(1, 2)
        return angles.cos().to(like), angles.sin().to(like)


class _Block(nn.Module):
    """Attention and a dense network, each scaled and added to its input."""

    def __init__(self, shape: ViTShape) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.norm1 = nn.LayerNorm(width, eps=_epsilon(shape))
        self.attn = nn.ModuleDict(
            {"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)}
        )
        self.ls1 = _Scale(width)
        self.norm2 = nn.LayerNorm(width, eps=_epsilon(shape))
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, _MLP * width), "fc2": nn.Linear(_MLP * width, width)}
        )
        self.ls2 = _Scale(width)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor] | None, special: int) -> Tensor:
        x = x + self.ls1(self._attend(self.norm1(x), rotation, special))
        hidden = nn.functional.gelu(self.mlp["fc1"](self.norm2(x)))
        output: Tensor = x + self.ls2(self.mlp["fc2"](hidden))
        return output

    def _attend(self, x: Tensor, rotation: tuple[Tensor, Tensor] | None, special: int) -> Tensor:
        n, tokens, width = x.shape
        qkv = self.attn["qkv"](x).reshape(n, tokens, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if rotation is not None:
            query = _rotated(query, *rotation, special)
            key = _rotated(key, *rotation, special)
        mixed = scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.attn["proj"](mixed.transpose(1, 2).reshape(n, tokens, width))
        return projected


class _Scale(nn.Module):
    """A learnt factor per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


def own_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights under the names of this file.

    timm calls registers ``reg_token`` and scales ``gamma_1``, and leaves out the bias of queries,
    keys and values where it is zero. DINOv3's own files mask the bias of the keys.
    """
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        new = name.replace("gamma_1", "ls1.gamma").replace("gamma_2", "ls2.gamma")
        new = new.replace("reg_token", "storage_tokens")
        if new.startswith(("mask_token", "rope_embed", "head")) or new.endswith("bias_mask"):
            continue
        renamed[new] = value
        mask = state.get(f"{name}_mask")
        if mask is not None:
            renamed[new] = torch.nan_to_num(value * mask)
    for name, value in list(renamed.items()):
        if name.endswith("qkv.weight"):
            bias = name.replace("weight", "bias")
            renamed.setdefault(bias, torch.zeros(len(value)))
    return renamed


def _rotated(x: Tensor, cosine: Tensor, sine: Tensor, special: int) -> Tensor:
    """Rotate queries or keys ``[n, heads, tokens, size]``, but not those of special tokens."""
    first = x[:, :, :special]
    rest = x[:, :, special:]
    left, right = rest.chunk(2, -1)
    turned = torch.cat([-right, left], -1)
    return torch.cat([first, rest * cosine + turned * sine], 2)


def _epsilon(shape: ViTShape) -> float:
    return 1e-6 if shape.positions else 1e-5
