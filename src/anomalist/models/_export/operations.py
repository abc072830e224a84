"""Filters and aggregates as torch operations that ONNX has."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn

from anomalist.heatmaps import Aggregation, count_of

__all__ = ["Separable", "aggregate", "box_sums", "gaussian_matrix", "tensor"]


class Separable(nn.Module):
    """A linear filter along both sides of maps ``[..., h, w]``, as two matrices."""

    rows: Tensor
    columns: Tensor

    def __init__(self, rows: NDArray[np.float32], columns: NDArray[np.float32]) -> None:
        """Use a matrix ``[H, h]`` for rows and one ``[W, w]`` for columns."""
        super().__init__()
        self.register_buffer("rows", tensor(rows))
        self.register_buffer("columns", tensor(columns.T))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the filtered maps ``[..., H, W]``."""
        return self.rows @ maps @ self.columns


def gaussian_matrix(
    side: int,
    sigma: float,
    mode: str = "nearest",
    truncate: float = 4.0,
) -> NDArray[np.float32]:
    """Return the matrix ``[side, side]`` of SciPy's Gaussian filter along one side."""
    identity = np.eye(side)
    if not sigma:
        return identity.astype(np.float32)
    matrix = gaussian_filter1d(identity, sigma, axis=0, mode=mode, truncate=truncate)
    return np.asarray(matrix, np.float32)


def aggregate(maps: Tensor, how: Aggregation) -> Tensor:
    """Return one score for each map ``[n, H, W]``, like :func:`anomalist.heatmaps.aggregate`."""
    flat = maps.flatten(1)
    if how == "mean":
        return flat.mean(1)
    if how == "max":
        return flat.amax(1)
    return flat.topk(count_of(flat.shape[1], how), 1).values.mean(1)


def box_sums(maps: Tensor, rows: int, columns: int) -> Tensor:
    """Return the sums over windows centred at each pixel of ``[n, c, H, W]``; zeros outside."""
    padding = (rows // 2, columns // 2)
    means = nn.functional.avg_pool2d(maps, (rows, columns), 1, padding)
    return means * (rows * columns)


def tensor(values: NDArray[np.generic]) -> Tensor:
    """Return an array as a tensor of its own, float32 if it holds real numbers."""
    array = np.array(values)
    return torch.from_numpy(array.astype(np.float32) if array.dtype.kind == "f" else array)
