"""Results: the files that a run of the main job writes, and checks of those already there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.baseline.config import AnomalyKind, Baseline
from anomalist.calibration import p_values
from anomalist.core.console import say
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder, write_arrays, write_csv, write_json
from anomalist.evaluation import Evaluation, Evaluator
from anomalist.models import Scores
from anomalist.split import Split

__all__ = ["CASES", "Results"]

CASES = 3  # number of panels with the highest, the median and the lowest scores, each
_CONFIG = "config.json"
_WRITTEN = (
    "metrics.json",
    "scores.npz",
    "curves.npz",
    "scores.csv",
    "training.json",
    "environment.json",
    "dataset_stats.json",
)
_SHARED = "dataset_stats.json"  # other commands write it too


class Results:
    """The folder of a run: rows for ``metrics.json``, arrays for ``scores.npz`` and the panels.

    Attributes:
        folder: where everything is written.
        rows: the rows of ``metrics.json`` so far.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self._scores: dict[str, NDArray[Any]] = {}
        self._cases: dict[str, NDArray[Any]] = {}
        self._curves: dict[str, NDArray[Any]] = {}
        self._files: NDArray[np.str_] | None = None  # of the test split
        self._lines: list[dict[str, Any]] = []  # of scores.csv
        self._evaluator: Evaluator | None = None
        self._save_maps = False

    def earlier(self) -> Baseline | None:
        """Return the config of the run whose results lie in the folder, or None.

        Raises:
            InputError: files lie there under a run's names that no run has written.
        """
        path = self.folder / _CONFIG
        if not path.exists():
            names = [name for name in _WRITTEN if name != _SHARED]
            strange = [name for name in names if (self.folder / name).exists()]
            if strange:
                raise InputError(self._foreign(strange[0]))
            return None
        try:
            return Baseline(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, OSError):
            raise InputError(self._foreign(_CONFIG)) from None

    def begin(
        self,
        config: Baseline,
        stats: dict[str, Any],
        earlier: Baseline | None,
    ) -> None:
        """Write the config of the run; results of another run are removed, with a message."""
        if earlier is not None:
            if earlier != config:
                other = f"{earlier.model.label} on {earlier.dataset}, seed {earlier.seed}"
                say(f"{self.folder} holds the results of another run ({other}); they are replaced")
            for name in _WRITTEN:
                (self.folder / name).unlink(missing_ok=True)
        write_json(self.folder / _CONFIG, config.model_dump(mode="json"))
        write_json(self.folder / _SHARED, stats)

    def keep_normal_scores(
        self,
        evaluator: Evaluator,
        files: NDArray[np.str_] | None,
        save_maps: bool,
    ) -> None:
        """Keep the scores of normal images, held out and tested, and the scale of the panels.

        Args:
            evaluator: with these scores.
            files: the names of the test split's files, where it has any.
            save_maps: whether ``scores.npz`` also holds every pixel map.
        """
        self._evaluator = evaluator
        self._files = files
        self._save_maps = save_maps
        calibration = evaluator.calibration_scores
        normal = evaluator.normal_scores
        self._scores = {
            "calibration": calibration.image,
            "clean": normal.image,
            "clean/source": evaluator.normal.image_index,
        }
        if calibration.pixel is not None and evaluator.pixel_threshold is not None:
            # One scale for all panels, on which half of a normal image's pixels are black.
            bottom, top = np.quantile(calibration.pixel, (0.5, 0.9999))
            self._cases = {
                "threshold": np.array(evaluator.pixel_threshold),
                "top": np.array(top),
                "bottom": np.array(bottom),
                "quantity": np.array(evaluator.detector.map_quantity),
            }
        if save_maps and normal.pixel is not None:
            self._scores["clean/maps"] = normal.pixel
        self._add_lines("normal", evaluator.normal, normal)

    def keep_scores(
        self,
        kind: AnomalyKind,
        anomalies: Split,
        scores: Scores,
    ) -> None:
        """Keep the scores of one kind of anomaly, and some images to look at."""
        self._scores[kind.setting] = scores.image
        self._scores[f"{kind.setting}/source"] = anomalies.image_index
        if self._save_maps and scores.pixel is not None:
            self._scores[f"{kind.setting}/maps"] = scores.pixel
        assert self._evaluator is not None
        curve = self._evaluator.roc(anomalies, scores)
        self._curves |= {f"{kind.setting}/{name}": value for name, value in curve.items()}
        if scores.pixel is not None:
            shown = self._panels(anomalies, scores.image, scores.pixel)
            self._cases |= {f"{kind.setting}/{name}": value for name, value in shown.items()}
        if kind != AnomalyKind.all_defects():  # their lines are listed by type
            self._add_lines(kind.setting, anomalies, scores)

    def keep_metrics(
        self,
        kind: AnomalyKind,
        anomalies: Split,
        metrics: Evaluation,
    ) -> None:
        """Write the metrics of one kind of anomaly."""
        for key, estimate in metrics.items():
            row = {
                "task": kind.task,
                "corruption": kind.group,
                "setting": kind.setting,
                "severity": kind.severity,
                "metric": key,
                **estimate._asdict(),
                "left_out": anomalies.excluded,
            }
            self.rows.append(row)
        write_json(self.folder / "metrics.json", {"schema": 1, "rows": self.rows})

    def save_arrays(self) -> None:
        """Write all scores, and ``scores.csv`` with a line a file where images are files."""
        write_arrays(self.folder / "scores.npz", self._scores)
        write_arrays(self.folder / "curves.npz", self._curves)
        write_arrays(make_folder(self.folder / "anomalies") / "cases.npz", self._cases)
        if self._lines:
            write_csv(self.folder / "scores.csv", self._lines)

    def listing(self) -> str:
        """Return the names of what is in the folder."""
        names = sorted(path.name for path in self.folder.iterdir())
        return ", ".join(name for name in names if not name.startswith("."))

    def _foreign(self, name: str) -> str:
        return (
            f"{str(self.folder)!r} holds a {name} that no run of anomalist wrote: name another "
            "folder"
        )

    def _add_lines(self, setting: str, images: Split, scores: Scores) -> None:
        assert self._evaluator is not None
        if self._files is None:
            return
        chances = p_values(self._evaluator.calibration_scores.image, scores.image)
        for index, score, p in zip(images.image_index, scores.image, chances, strict=True):
            line = {
                "file": self._files[index],
                "setting": setting,
                "score": f"{score:.9g}",
                "p_value": f"{p:.6g}",
                "anomalous": "yes" if score > self._evaluator.threshold else "no",
            }
            self._lines.append(line)

    def _panels(
        self,
        anomalies: Split,
        scores: NDArray[np.float32],
        maps: NDArray[np.float32],
    ) -> dict[str, NDArray[Any]]:
        """Return the anomalies with the highest, the median and the lowest scores, to look at."""
        assert self._evaluator is not None
        order = np.argsort(-scores, kind="stable")
        middle = max(0, len(order) // 2 - CASES // 2)
        chosen = np.concatenate([order[:CASES], order[middle : middle + CASES], order[-CASES:]])
        image_index = anomalies.image_index[chosen]
        shown: dict[str, NDArray[Any]] = {
            "images": anomalies.images[chosen],
            "maps": maps[chosen],
            "scores": scores[chosen],
            "source": image_index,
        }
        if anomalies.masks is not None:
            shown["masks"] = anomalies.masks[chosen]
        reconstructed = self._evaluator.detector.reconstruct(shown["images"])
        if reconstructed is not None:
            shown["restored"] = reconstructed
        if self._files is not None:
            shown["files"] = self._files[image_index]
        return shown
