"""From a folder of good images to a detector in use: fit, calibrate, score, evaluate, export."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalist.deployment.config import FitConfig
    from anomalist.deployment.fitting import fit
    from anomalist.deployment.model import CalibratedModel, Predictions
    from anomalist.deployment.storage import load

__all__ = ["CalibratedModel", "FitConfig", "Predictions", "fit", "load"]

_MODULES = {
    "CalibratedModel": "model",
    "FitConfig": "config",
    "Predictions": "model",
    "fit": "fitting",
    "load": "storage",
}


def __getattr__(name: str) -> Any:
    """Import a name on first access (PEP 562), so that scoring need not load torch."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
