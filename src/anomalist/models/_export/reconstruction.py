"""The autoencoder, the VAE and PCA as torch modules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anomalist.heatmaps import Aggregation
from anomalist.models._export.operations import Separable, aggregate, gaussian_matrix, tensor
from anomalist.models._reconstruction_error import Loss, dissimilarity, window_matrix

__all__ = ["ErrorMaps", "ExportedAutoencoder", "ExportedPca", "ExportedVae"]


class ErrorMaps(nn.Module):
    """The error of each pixel, like ``error_maps`` in ``_reconstruction_error``."""

    def __init__(self, size: Sequence[int], loss: Loss, blurs: Sequence[float] = (0.0,)) -> None:
        super().__init__()
        self.loss = loss
        self.blurs = nn.ModuleList(
            Separable(*(gaussian_matrix(side, sigma) for side in size)) for sigma in blurs
        )
        self.unblurred = [sigma == 0 for sigma in blurs]
        self.window = Separable(*(window_matrix(side) for side in size))

    def forward(self, images: Tensor, restored: Tensor) -> Tensor:
        """Return maps ``[n, H, W]`` of images and reconstructions ``[n, C, H, W]``."""
        errors = []
        for blur, unblurred in zip(self.blurs, self.unblurred, strict=True):
            x = images if unblurred else blur(images)
            y = restored if unblurred else blur(restored)
            errors.append(self._error(x, y))
        return torch.stack(errors).mean((0, 2))

    def _error(self, x: Tensor, y: Tensor) -> Tensor:
        if self.loss == "ssim":
            error: Tensor = dissimilarity(
                *(self.window(part) for part in (x, y, x * x, y * y, x * y))
            )
            return error
        return (y - x).abs() if self.loss == "l1" else (y - x).square()


class ExportedAutoencoder(nn.Module):
    """Reconstruct images, and aggregate the error."""

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        errors: ErrorMaps,
        how: Aggregation,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.errors = errors
        self.how = how

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores ``[n]`` and maps ``[n, H, W]``."""
        logits = self.decoder(self.encoder(images))
        maps = self.errors(images, torch.sigmoid(logits).reshape(images.shape))
        return aggregate(maps, self.how), maps


class ExportedVae(nn.Module):
    """The negative evidence lower bound of images."""

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        errors: ErrorMaps,
        nats: float,
        beta: float,
        most: float,
    ) -> None:
        """Use a fitted network.

        Args:
            encoder: gives mean and logarithm of the spread.
            decoder: gives logits.
            errors: the maps of squared errors.
            nats: factor that turns a mean squared error into nats.
            beta: weight of the KL term.
            most: bound of the logarithm of the spread.
        """
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.errors = errors
        self.nats = nats
        self.beta = beta
        self.most = most

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores ``[n]`` and maps ``[n, H, W]``."""
        mean, log_spread = self.encoder(images).chunk(2, dim=1)
        s = log_spread.clamp(-self.most, self.most)
        restored = torch.sigmoid(self.decoder(mean)).reshape(images.shape)
        maps = self.errors(images, restored)
        divergence = ((mean.square() + (2 * s).exp() - 1) / 2 - s).sum(1)
        return maps.mean((1, 2)) * self.nats + self.beta * divergence, maps


class ExportedPca(nn.Module):
    """The error of a reconstruction from principal components."""

    mean: Tensor
    axes: Tensor

    def __init__(
        self,
        mean: NDArray[np.float32],
        axes: NDArray[np.float32],
        blur: Separable | None,
        how: Aggregation,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", tensor(mean))
        self.register_buffer("axes", tensor(axes))
        self.blur = blur
        self.how = how

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores ``[n]`` and maps ``[n, H, W]``."""
        x = images if self.blur is None else self.blur(images).clamp(0, 1)
        centred = x.flatten(1) - self.mean
        error = centred - (centred @ self.axes) @ self.axes.T
        maps = error.square().reshape(images.shape).mean(1)
        return aggregate(maps, self.how), maps
