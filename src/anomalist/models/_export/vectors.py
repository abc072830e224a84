"""kNN as a torch module."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from anomalist.models._export.operations import Separable, tensor

__all__ = ["ExportedKnn"]


class ExportedKnn(nn.Module):
    """Distances to the nearest training images.

    Vectors are centred on their mean, so that float32 is exact enough for their products.
    """

    centre: Tensor
    table: Tensor
    squares: Tensor

    def __init__(
        self,
        table: NDArray[np.float32],
        k: int,
        distance: Literal["mean", "kth"],
        blur: Separable | None,
    ) -> None:
        super().__init__()
        centre = table.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.register_buffer("centre", tensor(centre))
        self.register_buffer("table", tensor(table - centre))
        self.register_buffer("squares", self.table.square().sum(1))
        self.k = k
        self.distance = distance
        self.blur = blur

    def forward(self, images: Tensor) -> tuple[Tensor, None]:
        """Return scores ``[n]``; there is no map."""
        x = images if self.blur is None else self.blur(images).clamp(0, 1)
        rows = x.flatten(1) - self.centre
        squared = self.squares - 2 * rows @ self.table.T
        nearest = squared.topk(self.k, 1, largest=False).indices
        # Differences, because products lose the digits of small distances.
        distances = (self.table[nearest] - rows[:, None]).square().sum(2).sqrt()
        return distances.mean(1) if self.distance == "mean" else distances.amax(1), None
