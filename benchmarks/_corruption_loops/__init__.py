"""Each corruption as the loop over images that a careful NumPy user would write.

benchmarks/corruptions.py compares the corruptions with these loops. A function has the name of its
corruption and does the same to one grey image ``[H, W]``. It takes the physical strength and a
random generator, and its draws have the corruption's distribution. What is the same for all images
is computed once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from . import fields, filters, shapes, values, warps

Image = NDArray[np.float32]
Function = Callable[[Image, float, np.random.Generator], Image]

_MODULES = (fields, filters, shapes, values, warps)


def find(name: str) -> Function | None:
    """Return the loop that applies a corruption; None if there is no such loop."""
    for module in _MODULES:
        function: Function | None = getattr(module, name, None)
        if function is not None:
            return function
    return None
