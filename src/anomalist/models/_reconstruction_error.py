"""Errors of a reconstruction, as a training loss and as the error map for scoring.

``mse`` is the squared and ``l1`` the absolute error. ``ssim`` is 1 - SSIM, the structural
similarity (Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE TIP 2004, eq. 13; for anomaly detection: Bergmann et al., "Improving
unsupervised defect segmentation by applying structural similarity to autoencoders", VISAPP 2019).
Means m, variances s^2 and the covariance s_xy are under a Gaussian window of sigma 1.5, 11 pixels
wide; the border pixel is repeated beyond the border. With C1 = 0.01^2 and C2 = 0.03^2::

    SSIM(x, y) = (2 m_x m_y + C1) (2 s_xy + C2) / ((m_x^2 + m_y^2 + C1) (s_x^2 + s_y^2 + C2))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from torch import Tensor, nn

__all__ = ["Loss", "blurred", "error_maps", "trimmed_loss"]

Loss = Literal["mse", "l1", "ssim"]

_SIGMA = 1.5  # pixels
_TRUNCATE = 3.5  # in sigmas: 5 pixels to each side
_C1 = 0.01**2
_C2 = 0.03**2
_CHUNK = 256  # images at once, so that temporary arrays stay small


def trimmed_loss(
    restored: Tensor,
    images: Tensor,
    loss: Loss,
    discard: float,
) -> Tensor:
    """Return the mean loss of a batch without the fraction ``discard`` of the highest losses.

    Args:
        restored: ``[n, C, H, W]`` in [0, 1].
        images: float32 ``[n, C, H, W]`` in [0, 1].
        loss: name of the loss.
        discard: fraction in [0, 1); at least one image is kept.
    """
    losses: dict[Loss, Callable[..., Tensor]] = {
        "mse": nn.functional.mse_loss,
        "l1": nn.functional.l1_loss,
        "ssim": _ssim_loss,
    }
    kept = max(1, round(len(images) * (1 - discard)))
    if kept == len(images):
        return losses[loss](restored, images)
    errors = losses[loss](restored, images, reduction="none").flatten(1).mean(1)
    return errors.topk(kept, largest=False).values.mean()


def error_maps(
    images: NDArray[np.float32],
    restored: NDArray[np.float32],
    loss: Loss,
    blurs: Sequence[float] = (0.0,),
) -> NDArray[np.float32]:
    """Return the error of each pixel, averaged over channels and over scales.

    Args:
        images: float32 ``[N, C, H, W]`` in [0, 1]; not modified.
        restored: float32 like ``images``; not modified.
        loss: ``"mse"``: squared error; ``"l1"``: absolute error; ``"ssim"``: 1 - SSIM, in [0, 2].
        blurs: sigmas in pixels, 0 for none. Image and reconstruction are compared under each of
            these Gaussian blurs, which reduce the error of slightly displaced edges relative to the
            error of regions.

    Returns:
        float32 ``[N, H, W]``.
    """
    n, _, h, w = images.shape
    maps = np.empty((n, h, w), np.float32)
    for first in range(0, n, _CHUNK):
        rows = slice(first, first + _CHUNK)
        error = sum(
            _error(blurred(images[rows], sigma), blurred(restored[rows], sigma), loss)
            for sigma in blurs
        )
        assert isinstance(error, np.ndarray)
        maps[rows] = error[:, 0] if error.shape[1] == 1 else error.mean(axis=1)
    if len(blurs) > 1:
        maps /= np.float32(len(blurs))
    return maps


def _error(
    images: NDArray[np.float32],
    restored: NDArray[np.float32],
    loss: Loss,
) -> NDArray[np.float32]:
    if loss == "ssim":
        x = images
        y = restored
        error: NDArray[np.float32] = dissimilarity(
            *(_window(part) for part in (x, y, x * x, y * y, x * y))
        )
        return error
    error = restored - images
    if loss == "l1":
        np.abs(error, out=error)
    else:
        error *= error
    return error


def blurred(images: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return images ``[N, C, H, W]`` blurred by ``sigma`` pixels, unchanged for 0."""
    if sigma == 0:
        return images
    smooth: NDArray[np.float32] = gaussian_filter(images, (0, 0, sigma, sigma), mode="nearest")
    return smooth


def _window(images: NDArray[np.float32]) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = gaussian_filter(
        images, (0, 0, _SIGMA, _SIGMA), mode="nearest", truncate=_TRUNCATE
    )
    return mean


def _ssim_loss(
    restored: Tensor,
    images: Tensor,
    reduction: str = "mean",
) -> Tensor:
    """Return 1 - SSIM of each pixel, ``[n, C, H, W]``, or its mean."""
    # Variances need a higher precision than bfloat16.
    with torch.autocast(images.device.type, enabled=False):
        x = images
        y = restored.float()
        down, across = (torch.from_numpy(window_matrix(side)).to(x.device) for side in x.shape[2:])
        error: Tensor = dissimilarity(
            *(down @ part @ across.T for part in (x, y, x * x, y * y, x * y))
        )
    return error if reduction == "none" else error.mean()


def dissimilarity(
    x: Any,
    y: Any,
    xx: Any,
    yy: Any,
    xy: Any,
) -> Any:
    """Return 1 - SSIM from the window means of both images, their squares and their product."""
    both = x * y
    squares = x * x + y * y
    return 1 - (2 * both + _C1) * (2 * (xy - both) + _C2) / (
        (squares + _C1) * (xx + yy - squares + _C2)
    )


@lru_cache(maxsize=16)
def window_matrix(side: int) -> NDArray[np.float32]:
    """Return the matrix ``[side, side]`` of ``_window`` along one side of an image."""
    matrix = gaussian_filter1d(
        np.eye(side),
        _SIGMA,
        axis=0,
        mode="nearest",
        truncate=_TRUNCATE,
    )
    return np.ascontiguousarray(matrix, np.float32)
