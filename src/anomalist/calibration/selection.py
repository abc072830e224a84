"""Select the anomalies of a batch with a limited share of false discoveries."""

from __future__ import annotations

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import NDArray

from anomalist.core.errors import InputError

__all__ = ["discoveries"]


def discoveries(p_values: NDArray[np.float64], rate: float) -> NDArray[np.bool_]:
    """Return which images of a batch are selected as anomalies.

    The expected share of normal images among the selected ones is at most ``rate``
    (Benjamini & Hochberg, JRSS B 1995). Conformal p-values of one calibration set depend on each
    other, but in a way that keeps this guarantee (Bates, Candes, Lei, Romano & Sesia, "Testing for
    outliers with conformal p-values", Annals of Statistics 2023, theorem 2).

    Args:
        p_values: ``[N]`` in (0, 1].
        rate: the false-discovery rate, in (0, 1).

    Returns:
        bool ``[N]``.

    Raises:
        InputError: the rate is not in (0, 1).
    """
    if not 0 < rate < 1:
        raise InputError(f"the false-discovery rate must lie between 0 and 1, got {rate:g}")
    if len(p_values) == 0:
        return np.zeros(0, np.bool_)
    adjusted = scipy.stats.false_discovery_control(p_values, method="bh")
    # Adjusted p-values are products of rounded numbers: 0.1 must count as 0.1.
    selected: NDArray[np.bool_] = adjusted <= rate * (1 + 1e-12)
    return selected
