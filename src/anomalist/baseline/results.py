"""Results: the files that a run of the main job writes, and checks of files from earlier runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.baseline.config import AnomalyKind, Baseline
from anomalist.baseline.pictured import RunThumbnails
from anomalist.baseline.testing import Tested
from anomalist.calibration import p_values
from anomalist.core.console import say
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder, write_arrays, write_csv, write_json
from anomalist.evaluation import Evaluation, Evaluator
from anomalist.models import Scores, remove_saved
from anomalist.split import Split
from anomalist.thumbnails import FILE as THUMBNAILS

__all__ = ["CASES", "REPORT", "SECOND_MODEL", "Results"]

SECOND_MODEL = "model_fused"  # folder of the detector that computes the second score

REPORT = "report.html"
CASES = 3  # number of panels with the highest, the median and the lowest scores, each
_CONFIG = "config.json"
_FIRST_SCORE = "default"  # name of the first score in metrics.csv
_WRITTEN = (
    "metrics.json",
    "metrics.csv",
    "scores.npz",
    "curves.npz",
    "scores.csv",
    "training.json",
    "environment.json",
    "dataset_stats.json",
    THUMBNAILS,
    REPORT,
)
_SHARED = "dataset_stats.json"  # other commands write it too


class Results:
    """The folder of a run: rows for ``metrics.json``, arrays for ``scores.npz`` and the panels.

    Attributes:
        folder: where everything is written.
        rows: the rows of ``metrics.json`` so far.
        second_name: name of the detector's second score; None if it has none.
        second_rows: the rows of the second score.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self.second_name: str | None = None
        self.second_rows: list[dict[str, Any]] = []
        self._scores: dict[str, NDArray[Any]] = {}
        self._cases: dict[str, NDArray[Any]] = {}
        self._curves: dict[str, NDArray[Any]] = {}
        self._files: NDArray[np.str_] | None = None  # of the test split
        self._lines: list[dict[str, Any]] = []  # of scores.csv
        self._evaluator: Evaluator | None = None
        self._second: Evaluator | None = None
        self._save_maps = False
        self._thumbnails: RunThumbnails | None = None

    def earlier(self) -> Baseline | None:
        """Return the config of the earlier run whose results are in the folder, or None.

        Raises:
            InputError: the folder contains files with the names of results, but not from a run.
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
        """Write the config of the run; remove earlier results, and print whose they were."""
        if earlier is not None:
            if earlier != config:
                other = f"{earlier.model.label} on {earlier.dataset}, seed {earlier.seed}"
                say(f"{self.folder} contains results of another run ({other}); they are replaced")
            for name in _WRITTEN:
                (self.folder / name).unlink(missing_ok=True)
            remove_saved(self.folder / SECOND_MODEL)
        write_json(self.folder / _CONFIG, config.model_dump(mode="json"))
        write_json(self.folder / _SHARED, stats)

    def keep_normal_scores(
        self,
        evaluator: Evaluator,
        files: NDArray[np.str_] | None,
        save_maps: bool,
    ) -> None:
        """Keep the scores of held-out and tested normal images, and the colour scale of the panels.

        Args:
            evaluator: holds these scores.
            files: the file names of the test split, if its images are files.
            save_maps: whether ``scores.npz`` also contains every pixel map.
        """
        self._evaluator = evaluator
        self._files = files
        self._save_maps = save_maps
        self._keep_normal("", evaluator)
        self._scores["clean/source"] = evaluator.normal.image_index
        self._add_lines("normal", evaluator.normal, evaluator.normal_scores)

    def begin_thumbnails(self, false_alarm_rate: float) -> None:
        """Begin the file of thumbnails, after the scores of the normal images are kept.

        Args:
            false_alarm_rate: that of the run.
        """
        assert self._evaluator is not None
        evaluators = [self._evaluator]
        if self._second is not None:
            evaluators.append(self._second)
        self._thumbnails = RunThumbnails(self.folder, evaluators, self._files, false_alarm_rate)

    def keep_second_score(self, name: str, evaluator: Evaluator) -> None:
        """Keep the second scores of held-out and tested normal images, and their colour scale.

        Args:
            name: the name of the second score.
            evaluator: holds the second scores.
        """
        self.second_name = name
        self._second = evaluator
        self._keep_normal(f"/{name}", evaluator)
        self._cases["second/name"] = np.array(name)

    def _keep_normal(self, ending: str, evaluator: Evaluator) -> None:
        self._scores[f"calibration{ending}"] = evaluator.calibration_scores.image
        if evaluator.calibration_scores.pixel is not None:
            highest = evaluator.calibration_scores.pixel.max(axis=(1, 2))
            self._scores[f"calibration_highest{ending}"] = highest
        self._scores[f"threshold{ending}"] = np.array(evaluator.threshold)
        self._keep_scores(f"clean{ending}", evaluator.normal_scores)
        prefix = "second/" if ending else ""
        self._cases |= {f"{prefix}{key}": value for key, value in _scale_of(evaluator).items()}

    def keep(self, tested: Tested) -> None:
        """Keep one kind of anomaly: its metrics, its scores, and some images for the panels."""
        kind = tested.kind
        scores, *others = tested.scores
        self._keep_scores(kind.setting, scores)
        self._scores[f"{kind.setting}/source"] = tested.anomalies.image_index
        for second in others:
            self._keep_scores(f"{kind.setting}/{self.second_name}", second)
        assert self._evaluator is not None
        curve = self._evaluator.roc(tested.anomalies, scores)
        self._curves |= {f"{kind.setting}/{name}": value for name, value in curve.items()}
        shown = self._panels(tested)
        self._cases |= {f"{kind.setting}/{name}": value for name, value in shown.items()}
        if kind != AnomalyKind.all_defects():  # these images are listed by type
            self._add_lines(kind.setting, tested.anomalies, scores)
        if self._thumbnails is not None:
            self._thumbnails.add(tested)
        self._write_metrics(tested)

    def _keep_scores(self, name: str, scores: Scores) -> None:
        self._scores[name] = scores.image
        if self._save_maps and scores.pixel is not None:
            self._scores[f"{name}/maps"] = scores.pixel

    def _write_metrics(self, tested: Tested) -> None:
        metrics, *others = tested.metrics
        self.rows += _rows(tested, metrics)
        written: dict[str, Any] = {"schema": 1, "rows": self.rows}
        for second in others:
            self.second_rows += _rows(tested, second)
            written["second"] = {"score": self.second_name, "rows": self.second_rows}
        write_json(self.folder / "metrics.json", written)

    def save_arrays(self) -> None:
        """Write all scores, and the rows as CSV.

        ``metrics.csv`` has the rows of ``metrics.json``. If the images are files, ``scores.csv``
        has one line per file.
        """
        write_arrays(self.folder / "scores.npz", self._scores)
        write_arrays(self.folder / "curves.npz", self._curves)
        write_arrays(make_folder(self.folder / "anomalies") / "cases.npz", self._cases)
        if self.rows:
            write_csv(self.folder / "metrics.csv", self._csv_rows())
        if self._lines:
            write_csv(self.folder / "scores.csv", self._lines)

    def _csv_rows(self) -> list[dict[str, Any]]:
        """Return the rows of both scores; the column ``score`` names them."""
        rows = [{"score": _FIRST_SCORE, **row} for row in self.rows]
        rows += [{"score": self.second_name, **row} for row in self.second_rows]
        for row in rows:
            row["excluded"] = row.pop("left_out")
        return rows

    def listing(self) -> str:
        """Return the names of the files and folders in the results folder."""
        names = sorted(path.name for path in self.folder.iterdir())
        return ", ".join(name for name in names if not name.startswith("."))

    def _foreign(self, name: str) -> str:
        return (
            f"{str(self.folder)!r} contains a {name} that anomalist did not write: choose another "
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

    def _panels(self, tested: Tested) -> dict[str, NDArray[Any]]:
        """Return the anomalies with the highest, the median and the lowest scores."""
        scores, *others = tested.scores
        if scores.pixel is None:
            return {}
        order = np.argsort(-scores.image, kind="stable")
        middle = max(0, len(order) // 2 - CASES // 2)
        chosen = np.concatenate([order[:CASES], order[middle : middle + CASES], order[-CASES:]])
        image_index = tested.anomalies.image_index[chosen]
        shown: dict[str, NDArray[Any]] = {
            "images": tested.anomalies.images[chosen],
            "maps": scores.pixel[chosen],
            "scores": scores.image[chosen],
            "source": image_index,
        }
        if tested.anomalies.masks is not None:
            shown["masks"] = tested.anomalies.masks[chosen]
        self._add_restored(shown, "restored", self._evaluator)
        for second in others:
            assert second.pixel is not None
            shown["second_maps"] = second.pixel[chosen]
            self._add_restored(shown, "second_restored", self._second)
        if self._files is not None:
            shown["files"] = self._files[image_index]
        return shown

    def _add_restored(
        self,
        shown: dict[str, NDArray[Any]],
        name: str,
        evaluator: Evaluator | None,
    ) -> None:
        assert evaluator is not None
        restored = evaluator.detector.reconstruct(shown["images"])
        if restored is not None:
            shown[name] = restored


def _rows(tested: Tested, metrics: Evaluation) -> list[dict[str, Any]]:
    """Return the rows of one kind of anomaly."""
    kind = tested.kind
    rows = []
    for key, estimate in metrics.items():
        row = {
            "task": kind.task,
            "corruption": kind.group,
            "setting": kind.setting,
            "severity": kind.severity,
            "metric": key,
            **estimate._asdict(),
            "left_out": tested.anomalies.excluded,
        }
        rows.append(row)
    return rows


def _scale_of(evaluator: Evaluator) -> dict[str, NDArray[Any]]:
    """Return the colour scale of a detector's maps in all panels; nothing without maps.

    On this scale half of the pixels of normal images are black.
    """
    maps = evaluator.calibration_scores.pixel
    if maps is None or evaluator.pixel_threshold is None:
        return {}
    bottom, top = np.quantile(maps, (0.5, 0.9999))
    return {
        "threshold": np.array(evaluator.pixel_threshold),
        "top": np.array(top),
        "bottom": np.array(bottom),
        "quantity": np.array(evaluator.detector.map_quantity),
    }
