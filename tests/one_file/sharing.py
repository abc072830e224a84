"""How the share of large differences that make a score changes detection."""

from anomalist.analysis.layout import Layout
from anomalist.studies import Size, Study
from anomalist.trial import Trial

__all__ = ["ACCEPTS", "study"]

ACCEPTS: tuple[str, ...] = ()


def study(size: Size = "default", seeds: int | None = None) -> Study:
    """Return the study."""
    task = {"kind": "inverted", "dataset": "dots", "calibration": 100, "test": 40}
    trials = [
        Trial(task=task, model={"name": "median", "share": share}, seed=seed)
        for share in (0.05, 0.5)
        for seed in range(seeds or 2)
    ]
    return Study(Layout(name="sharing", x="model.share", lines=()), trials)
