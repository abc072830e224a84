"""The main job, ``anomalist run``: fit one detector, then find anomalies."""

from anomalist.baseline.config import Baseline, quick
from anomalist.baseline.job import run

__all__ = ["Baseline", "quick", "run"]
