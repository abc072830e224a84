"""Networks that predict each pixel's distribution from outside the block around it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["BlindSpot", "Pyramid"]

_REACH = {1: 3, 2: 4}  # visible cells on each side, by cell side; else _FAR
_FAR = 6


class BlindSpot(nn.Module):
    """Predict the ``cell`` x ``cell`` pixels of each cell from the cells around it.

    The first layer is a convolution over cells whose weights are zero on the cell itself and, for
    cells of more than one pixel, on its eight neighbours. Later layers are 1 x 1 convolutions.
    Hence the prediction does not depend on the hidden block, and one forward pass predicts all
    pixels (blind-spot networks: Krull, Buchholz & Jug, "Noise2Void", CVPR 2019; Laine et al.,
    NeurIPS 2019). The hidden block is 1 x 1, or 3 ``cell`` x 3 ``cell``.
    """

    hole: Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        cell: int,
        width: int,
        bins: int,
    ) -> None:
        super().__init__()
        c, h, w = shape
        reach = _REACH.get(cell, _FAR)
        hidden = int(cell > 1)
        self.cell = cell
        self.bins = bins
        # The surroundings of large cells are pooled to half of the cell's side.
        self.pooled = max(1, cell // 2)
        self.padding = (0, -w % cell, 0, -h % cell)
        side = 2 * reach + 1
        seen = c * (cell // self.pooled) ** 2
        self.around = nn.Conv2d(seen, width, side, padding=reach, bias=False)
        # A bias for each position.
        self.place = nn.Parameter(torch.zeros(1, width, -(-h // cell), -(-w // cell)))
        self.mix = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(2))
        self.head = nn.Conv2d(width, c * bins * cell**2, 1)
        hole = torch.ones(1, 1, side, side)
        hole[..., reach - hidden : reach + hidden + 1, reach - hidden : reach + hidden + 1] = 0
        self.register_buffer("hole", hole, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``[n, C, bins, H, W]`` for images ``[n, C, H, W]``."""
        n, c, h, w = images.shape
        cells = nn.functional.avg_pool2d(nn.functional.pad(images, self.padding), self.pooled)
        cells = nn.functional.pixel_unshuffle(cells, self.cell // self.pooled)
        around = nn.functional.conv2d(
            cells, self.around.weight * self.hole, padding=self.around.padding
        )
        features = torch.relu(around + self.place)
        for mix in self.mix:
            features = features + torch.relu(mix(features))
        logits = nn.functional.pixel_shuffle(self.head(features), self.cell)
        return logits[..., :h, :w].reshape(n, c, self.bins, h, w)


class Pyramid(nn.Module):
    """One blind-spot network per scale; the channels are proportional to the cell's side."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        cells: Sequence[int],
        width: int,
        bins: int,
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(BlindSpot(shape, cell, width * cell, bins) for cell in cells)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``[n, scales, C, bins, H, W]`` for images ``[n, C, H, W]``."""
        return torch.stack([scale(images) for scale in self.scales], dim=1)

    def loss(self, images: Tensor, bins: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of ``bins`` over all scales."""
        losses = [
            nn.functional.cross_entropy(scale(images).transpose(1, 2), bins)
            for scale in self.scales
        ]
        return torch.stack(losses).mean()
