"""synthetic and FCDD as torch modules."""

from __future__ import annotations

from torch import Tensor, nn

from anomalist.heatmaps import Aggregation
from anomalist.models._export.operations import Separable, aggregate

__all__ = ["ExportedFcdd", "ExportedSegmentation"]


class ExportedSegmentation(nn.Module):
    """-log(1 - p) of the predicted probability p of a defect."""

    def __init__(self, network: nn.Module, how: Aggregation | None) -> None:
        """Use a fitted network; the score is its own if ``how`` is None."""
        super().__init__()
        self.network = network
        self.how = how

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores ``[n]`` and maps ``[n, H, W]``."""
        surprise = nn.functional.softplus(self.network(images).float())
        maps = surprise[:, 1:].reshape(-1, *images.shape[2:])
        return surprise[:, 0] if self.how is None else aggregate(maps, self.how), maps


class ExportedFcdd(nn.Module):
    """The mean pseudo-Huber value of a grid, and the grid as a map."""

    def __init__(self, network: nn.Module, spread: Separable) -> None:
        super().__init__()
        self.network = network
        self.spread = spread

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores ``[n]`` and maps ``[n, H, W]``."""
        squares = self.network(images)[:, 0].square()
        # The same as sqrt(F^2 + 1) - 1, without losing the digits of small values.
        planes = squares / ((squares + 1).sqrt() + 1)
        return planes.mean((1, 2)), self.spread(planes)
