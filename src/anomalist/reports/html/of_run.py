"""The content of a report from the folder of ``anomalist run``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.core.hashing import file_hash
from anomalist.metrics.table import METRICS
from anomalist.reports.html.content import Content, Document, Kind, ScoreRows, Table
from anomalist.reports.html.documents import figure_of
from anomalist.reports.pages import DAMAGE
from anomalist.thumbnails import MapScale, Thumbnails

__all__ = ["collect", "is_there"]

_NORMAL = "normal"
_UNION = "all defects"
_METRICS = "metrics.json"
_SCORES = "scores.npz"
_FIGURES = {
    "roc": "ROC curves of each kind of anomaly",
    "score_histograms": "Histograms of the scores of normal and anomalous images",
    "auroc_vs_severity": "AUROC and AUPRO against severity",
    "loss": "Mean training loss of each epoch",
}

Row = dict[str, Any]


def is_there(folder: Path) -> bool:
    """Return whether a folder contains a run."""
    return (folder / _METRICS).is_file() and (folder / _SCORES).is_file()


def collect(folder: Path, further: Sequence[Document] = ()) -> Content:
    """Return the content of a run.

    Args:
        folder: the folder of the run.
        further: sections of studies and benchmarks.

    Raises:
        InputError: a file is missing or damaged.
    """
    try:
        return _collect(folder, further)
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(
            f"the results in {str(folder)!r} are damaged ({error}); run `anomalist run` again"
        ) from None


def _collect(folder: Path, further: Sequence[Document]) -> Content:
    metrics = _read_json(folder / _METRICS)
    rows = {"": metrics["rows"]}
    if "second" in metrics:
        rows[metrics["second"]["score"]] = metrics["second"]["rows"]
    settings = list(dict.fromkeys(row["setting"] for row in metrics["rows"]))
    if not settings:
        raise ValueError("no kind of anomaly is finished")
    thumbnails = Thumbnails.read(folder)
    with np.load(folder / _SCORES, allow_pickle=False) as arrays:
        saved = dict(arrays)
    scores = []
    for place, name in enumerate(rows):
        scale = thumbnails.scales[place] if place < len(thumbnails.scales) else None
        label = name or ("error" if len(rows) > 1 else "score")
        scores.append(_score(saved, settings, name, label, scale))
    facts = {
        "options": _read_json(folder / "config.json"),
        "environment": _optional_json(folder / "environment.json"),
        "data set": _optional_json(folder / "dataset_stats.json"),
        "SHA-256 of the results": {name: file_hash(folder / name) for name in (_METRICS, _SCORES)},
    }
    kinds = [Kind(_NORMAL, False), *(_kind(setting) for setting in settings)]
    return Content(
        title=_title(facts),
        summary=_summary(saved, settings, thumbnails),
        kinds=kinds,
        scores=scores,
        images=thumbnails.images,
        documents=[_document(folder, rows), *further],
        facts=facts,
    )


def _kind(setting: str) -> Kind:
    return Kind(setting, is_anomaly=True, is_union=setting == _UNION)


def _score(
    saved: Mapping[str, NDArray[Any]],
    settings: Sequence[str],
    name: str,
    label: str,
    scale: MapScale | None,
) -> ScoreRows:
    """Return the rows of one score; the second one has its name at the end of each array's."""
    ending = f"/{name}" if name else ""
    groups = [f"clean{ending}", *(f"{setting}{ending}" for setting in settings)]
    return ScoreRows(
        label=label,
        by_kind=[saved[group].astype(np.float64) for group in groups],
        calibration=saved[f"calibration{ending}"].astype(np.float64),
        threshold=float(saved[f"threshold{ending}"]),
        scale=scale,
    )


def _title(facts: Mapping[str, Any]) -> str:
    options = facts["options"]
    model = options["model"]
    name = model["name"] if isinstance(model, dict) else str(model)
    return f"{name} on {options['dataset']}, seed {options['seed']}"


def _summary(
    saved: Mapping[str, NDArray[Any]], settings: Sequence[str], thumbnails: Thumbnails
) -> list[str]:
    normal = len(saved["clean"])
    settings = [setting for setting in settings if setting != _UNION]
    anomalous = sum(len(saved[setting]) for setting in settings)
    lines = [
        f"{normal:,} normal and {anomalous:,} anomalous test images of {len(settings)} kinds; "
        f"thresholds are set with {len(saved['calibration']):,} held-out normal images."
    ]
    if thumbnails.images:
        lines.append(
            f"Counts and curves include every test image. The gallery shows "
            f"{len(thumbnails.images):,} of them, evenly spaced by score within each kind."
        )
    return lines


def _document(folder: Path, rows: Mapping[str, Sequence[Row]]) -> Document:
    """Return the tables of all metrics, and the figures of the run."""
    tables = [_table(name, of_score) for name, of_score in rows.items()]
    figures = [figure_of(folder / "plots" / f"{name}.png", text) for name, text in _FIGURES.items()]
    return Document("Metrics", tables=tables, figures=[one for one in figures if one is not None])


def _table(name: str, rows: Sequence[Row]) -> Table:
    """Return every metric of a score, with its 95 % interval."""
    present = {row["metric"] for row in rows}
    shown = [metric for metric in METRICS if metric.key in present]
    by_setting: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_setting.setdefault(row["setting"], {})[row["metric"]] = row
    lines = []
    for setting, own in by_setting.items():
        excluded = f"{next(iter(own.values()))['left_out']:,}"
        cells = [_estimate(own.get(metric.key)) for metric in shown]
        lines.append([setting, *cells, excluded])
    head = ["anomaly", *(metric.label for metric in shown), "excluded"]
    of_score = f"Score “{name}”: every" if name else "Every"
    return Table(f"{of_score} metric with its 95 % interval", head, lines)


def _estimate(row: Row | None) -> str:
    if row is None:
        return ""
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _optional_json(path: Path) -> Any:
    return _read_json(path) if path.is_file() else {}
