"""What a run of the main job writes, and how it finds out whose files lie in the folder already."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.baseline_config import Baseline, Kind
from anomalist.calibration import p_values
from anomalist.console import say
from anomalist.detector import Detector, Scores
from anomalist.errors import InputError
from anomalist.evaluation import Evaluation, Judge
from anomalist.files import make_folder, replacing, write_arrays, write_json
from anomalist.images import ImageSet
from anomalist.split import Split

__all__ = ["CASES", "Results"]

CASES = 3  # panels of the best, the median and the worst found anomalies, each so many
_CONFIG = "config.json"
_WRITTEN = (
    "metrics.json",
    "scores.npz",
    "scores.csv",
    "training.json",
    "environment.json",
    "dataset_stats.json",
)


class Results:
    """The folder of a run: rows for ``metrics.json``, arrays for ``scores.npz`` and for the panels.

    Attributes:
        folder: where everything is written.
        rows: the rows of ``metrics.json`` so far.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self._scores: dict[str, NDArray[Any]] = {}
        self._cases: dict[str, NDArray[Any]] = {}
        self._files: NDArray[np.str_] | None = None  # of the test split
        self._lines: list[dict[str, Any]] = []  # of scores.csv
        self._judge: Judge | None = None
        self._save_maps = False

    def earlier(self) -> Baseline | None:
        """Return the config of the run whose results lie in the folder, or None.

        Raises:
            InputError: files lie there under the names of a run's that no run has written.
        """
        path = self.folder / _CONFIG
        if not path.exists():
            if strange := [
                name
                for name in _WRITTEN
                if (self.folder / name).exists() and name != "dataset_stats.json"
            ]:
                raise InputError(
                    f"{str(self.folder)!r} holds a {strange[0]} that no run of anomalist wrote: "
                    "name another folder"
                )
            return None
        try:
            return Baseline(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, OSError):
            raise InputError(
                f"{str(self.folder)!r} holds a {_CONFIG} that no run of anomalist wrote: name "
                "another folder"
            ) from None

    def begin(self, config: Baseline, stats: dict[str, Any], earlier: Baseline | None) -> None:
        """Write down what is run; results of another run are removed, and that is said."""
        if earlier is not None:
            if earlier != config:
                other = f"{earlier.model.label} on {earlier.dataset}, seed {earlier.seed}"
                say(f"{self.folder} holds the results of another run ({other}); they are replaced")
            for name in _WRITTEN:
                (self.folder / name).unlink(missing_ok=True)
        write_json(self.folder / _CONFIG, config.model_dump(mode="json"))
        write_json(self.folder / "dataset_stats.json", stats)

    def scored_normal(self, judge: Judge, test: ImageSet, save_maps: bool) -> None:
        """Keep the scores of the normal images, held out and tested, and what pictures of maps are scaled by."""
        self._judge, self._save_maps, self._files = judge, save_maps, test.files
        calibration, clean = judge.calibration, judge.normal_scores
        self._scores = {
            "calibration": calibration.image,
            "clean": clean.image,
            "clean/source": judge.normal.source,
        }
        if calibration.pixel is not None and judge.pixel_threshold is not None:
            # One scale for all panels, on which a normal image looks normal: half of its pixels are
            # black.
            bottom, top = np.quantile(calibration.pixel, (0.5, 0.9999))
            self._cases = {
                "threshold": np.array(judge.pixel_threshold),
                "top": np.array(top),
                "bottom": np.array(bottom),
                "quantity": np.array(judge.detector.map_quantity),
            }
        if save_maps and clean.pixel is not None:
            self._scores["clean/maps"] = clean.pixel
        self._add_lines("normal", judge.normal, clean)

    def scored(self, kind: Kind, anomalies: Split, found: Scores, detector: Detector) -> None:
        """Keep the scores of one kind of anomaly, and some of them to look at."""
        self._scores |= {kind.setting: found.image, f"{kind.setting}/source": anomalies.source}
        if self._save_maps and found.pixel is not None:
            self._scores[f"{kind.setting}/maps"] = found.pixel
        self._cases |= self._panels(kind, detector, anomalies, found)
        if kind.setting != "all defects":  # they are listed by their types
            self._add_lines(kind.setting, anomalies, found)

    def judged(self, kind: Kind, anomalies: Split, metrics: Evaluation) -> None:
        """Write down the metrics of one kind of anomaly."""
        common = {
            "task": kind.task,
            "corruption": kind.group,
            "setting": kind.setting,
            "severity": kind.severity,
        }
        self.rows += [
            {**common, "metric": name, **estimate._asdict(), "left_out": anomalies.left_out}
            for name, estimate in metrics.items()
        ]
        write_json(self.folder / "metrics.json", {"schema": 1, "rows": self.rows})

    def save_arrays(self) -> None:
        """Write all scores; where images come from files, also ``scores.csv`` with a line a file."""
        write_arrays(self.folder / "scores.npz", self._scores)
        write_arrays(make_folder(self.folder / "anomalies") / "cases.npz", self._cases)
        if self._lines:
            path = self.folder / "scores.csv"
            with (
                replacing(path) as temporary,
                temporary.open("w", newline="", encoding="utf-8") as file,
            ):
                out = csv.DictWriter(file, list(self._lines[0]), lineterminator="\n")
                out.writeheader()
                out.writerows(self._lines)

    def listing(self) -> str:
        """Return the names of what is in the folder."""
        return ", ".join(
            sorted(path.name for path in self.folder.iterdir() if not path.name.startswith("."))
        )

    def _add_lines(self, setting: str, images: Split, found: Scores) -> None:
        assert self._judge is not None
        if self._files is None:
            return
        chances = p_values(self._judge.calibration.image, found.image)
        for source, score, p in zip(images.source, found.image, chances, strict=True):
            line = {
                "file": self._files[source],
                "setting": setting,
                "score": f"{score:.9g}",
                "p_value": f"{p:.6g}",
            }
            self._lines.append(
                {**line, "anomalous": "yes" if score > self._judge.threshold else "no"}
            )

    def _panels(
        self, kind: Kind, detector: Detector, anomalies: Split, found: Scores
    ) -> dict[str, NDArray[Any]]:
        """Return the anomalies with the highest, the median and the lowest scores, to look at."""
        if found.pixel is None:
            return {}
        order = np.argsort(-found.image, kind="stable")
        middle = max(0, len(order) // 2 - CASES // 2)
        chosen = np.concatenate([order[:CASES], order[middle : middle + CASES], order[-CASES:]])
        images, source = anomalies.images[chosen], anomalies.source[chosen]
        restored = detector.reconstruct(images)
        kept = {
            "images": images,
            "maps": found.pixel[chosen],
            "scores": found.image[chosen],
            "source": source,
        }
        if anomalies.masks is not None:
            kept["masks"] = anomalies.masks[chosen]
        if restored is not None:
            kept["restored"] = restored
        if self._files is not None:
            kept["files"] = self._files[source]
        return {f"{kind.setting}/{name}": value for name, value in kept.items()}
