"""The table of metrics: key, label, level, direction and the reports that show them.

Evaluation, result rows, reports and plots use it. A new metric is a new file and a line here;
:func:`anomalist.evaluation.evaluate` calls its ``interval``. The first nine metrics share sorts and
resamples, so ``detection_intervals`` and ``localization_intervals`` compute them together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from anomalist.metrics._bootstrap import Estimate

__all__ = ["METRICS", "Metric", "labels_of", "of_metric", "shown_in"]

Level = Literal["image", "pixel", "threshold"]
# ``study`` applies to every study; ``leaderboard`` only to studies that compare detectors.
Place = Literal["run", "benchmark", "study", "leaderboard", "severity"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        key: its name in result rows.
        label: its name in tables and plots.
        level: one score per ``image``; one per ``pixel``; or decisions at a ``threshold``.
        higher_is_better: whether higher values are better.
        shown: the reports that have a column or a plot of it.
        slug: its name in file names; by default the key.
        interval: ``interval(scores, truth, clusters, seed)`` returns the estimate for image scores
            ``[N]`` or maps ``[N, H, W]`` with truth of the same shape and clusters ``[N]``. None if
            the metric is computed together with others.
    """

    key: str
    label: str
    level: Level
    higher_is_better: bool = True
    shown: frozenset[Place] = frozenset()
    slug: str = ""
    interval: Callable[..., Estimate] | None = None

    @property
    def file_name(self) -> str:
        """Its name in file names."""
        return self.slug or self.key


def _shown(*places: Place) -> frozenset[Place]:
    return frozenset(places)


_EVERYWHERE = _shown("run", "benchmark", "study", "severity")

METRICS = (
    Metric("auroc", "AUROC", "image", shown=_EVERYWHERE, slug="auc"),
    Metric("average_precision", "AP", "image", shown=_shown("run", "benchmark")),
    Metric("fpr95", "FPR95", "image", higher_is_better=False, shown=_shown("run")),
    Metric("best_f1", "F1-max", "image"),
    Metric(
        "pixel_auroc",
        "pixel AUROC",
        "pixel",
        shown=_shown("run", "leaderboard"),
        slug="pixel_auc",
    ),
    Metric("pixel_ap", "pixel AP", "pixel"),
    Metric("aupro", "AUPRO", "pixel", shown=_EVERYWHERE),
    Metric("iou", "IoU", "threshold", shown=_shown("run")),
    Metric("dice", "Dice", "threshold"),
    Metric("detection_rate", "detection rate", "threshold"),
    Metric("false_alarm_rate", "false-alarm rate", "threshold", higher_is_better=False),
)


def of_metric(key: str) -> Metric:
    """Return the metric with this key.

    Raises:
        KeyError: there is no such metric.
    """
    return {metric.key: metric for metric in METRICS}[key]


def shown_in(place: Place) -> list[Metric]:
    """Return the metrics that a report shows, in the order of the table."""
    return [metric for metric in METRICS if place in metric.shown]


def labels_of(place: Place) -> dict[str, str]:
    """Return the labels of the metrics that a report shows, by key."""
    return {metric.key: metric.label for metric in shown_in(place)}
