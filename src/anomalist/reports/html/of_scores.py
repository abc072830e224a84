"""The content of a report from the folder of ``anomalist score`` or ``anomalist evaluate``."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from anomalist.core.errors import InputError, unescaped
from anomalist.reports.html.content import Content, Document, Kind, ScoreRows, Table
from anomalist.reports.pages import DAMAGE
from anomalist.thumbnails import SCORING, Scoring, Thumbnail, Thumbnails, ThumbnailScore

__all__ = ["collect", "is_there"]

_SCORES = "scores.csv"
_KIND = "kind"  # the column that says what an image is, if it is known
_NORMAL = "good"
_MOST = 5_000  # images of the gallery

Row = dict[str, str]


def is_there(folder: Path) -> bool:
    """Return whether a folder contains scores of files."""
    return (folder / SCORING).is_file() and (folder / _SCORES).is_file()


def collect(folder: Path) -> Content:
    """Return the content of scores.

    Raises:
        InputError: a file is damaged, or no file has a score.
    """
    try:
        scoring = Scoring(**json.loads((folder / SCORING).read_text(encoding="utf-8")))
        return _collect(folder, scoring, _read_rows(folder / _SCORES))
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(
            f"the scores in {str(folder)!r} are damaged ({error}); make them again"
        ) from None


def _collect(folder: Path, scoring: Scoring, rows: Sequence[Row]) -> Content:
    if not rows:
        raise InputError(f"no file in {str(folder / _SCORES)!r} has a score")
    thumbnails = Thumbnails.read(folder)
    is_p_value = scoring.threshold is None and scoring.calibration_images > 0
    values = [_value(row, is_p_value) for row in rows]
    is_known = _KIND in rows[0]
    of_row = [row[_KIND] if is_known else _folder_of(row["path"]) for row in rows]
    names = sorted(set(of_row), key=lambda name: (name != _NORMAL, name))
    groups = np.array(of_row)
    score = ScoreRows(
        label="-log10 p" if is_p_value else "score",
        by_kind=[np.array(values)[groups == name] for name in names],
        calibration=_calibration(scoring, is_p_value),
        threshold=_threshold(scoring, is_p_value),
        scale=thumbnails.scales[0] if thumbnails.scales else None,
        is_p_value=is_p_value,
    )
    # Names in the table of different files may look alike; their scores differ.
    pictures = {
        (unescaped(one.name), np.float32(one.scores[0].value)): one for one in thumbnails.images
    }
    images = []
    for row, kind, value in zip(rows, of_row, values, strict=True):
        picture = pictures.get((row["path"], np.float32(row["score"])))
        images.append(_image(row, kind, value, picture))
    shown = _most_telling(images)
    return Content(
        title=f"{len(rows):,} images, scored by {scoring.model['detector']}",
        summary=_summary(scoring, len(rows), len(shown), bool(pictures)),
        kinds=[Kind(name, name != _NORMAL if is_known else None) for name in names],
        scores=[score],
        images=shown,
        documents=_documents(folder),
        facts={"options": scoring.options, "model": scoring.model},
    )


def _read_rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _value(row: Row, is_p_value: bool) -> float:
    """Return the value that the slider compares with: higher is more anomalous."""
    # A score has 9 digits in the table, which give the same float32 as before.
    with np.errstate(over="ignore"):  # reported below
        score = float(np.float32(row["score"]))
    value = -math.log10(float(row["p_value"])) if is_p_value else score
    if not math.isfinite(value):
        raise ValueError(f"{row['path']}: its score is not finite")
    return value


def _threshold(scoring: Scoring, is_p_value: bool) -> float | None:
    """Return the value above which an image is anomalous; None without calibration.

    A p-value is a multiple of 1 / (n + 1), and anomalous if it is at most the rate.
    """
    if not is_p_value or scoring.false_alarms is None:
        return scoring.threshold
    total = scoring.calibration_images + 1
    most = math.floor(round(scoring.false_alarms * total, 9))
    return -math.log10((most + 0.5) / total)


def _calibration(scoring: Scoring, is_p_value: bool) -> np.ndarray:
    """Return the calibration scores; for p-values, the values expected of normal images."""
    if not is_p_value:
        return np.array(scoring.calibration, np.float64)
    total = scoring.calibration_images + 1
    return np.sort(-np.log10(np.arange(2, total + 1) / total))


def _image(row: Row, kind: str, value: float, picture: Thumbnail | None) -> Thumbnail:
    """Return an image of the gallery; without a picture if none was saved."""
    p_value = float(row["p_value"]) if row["p_value"] else None
    if picture is None:
        bare = ThumbnailScore(value=value, p_value=p_value)
        return Thumbnail(name=row["path"], kind=kind, scores=(bare,))
    score = picture.scores[0].model_copy(update={"value": value, "p_value": p_value})
    return picture.model_copy(update={"name": row["path"], "kind": kind, "scores": (score,)})


def _most_telling(images: Sequence[Thumbnail]) -> list[Thumbnail]:
    """Return at most 5,000 images: half of them with the highest scores, the others spread."""
    if len(images) <= _MOST:
        return list(images)
    order = sorted(images, key=lambda one: -one.scores[0].value)
    rest = order[_MOST // 2 :]
    places = np.linspace(0, len(rest) - 1, _MOST - _MOST // 2).round().astype(int)
    return order[: _MOST // 2] + [rest[place] for place in places]


def _summary(scoring: Scoring, images: int, shown: int, has_pictures: bool) -> list[str]:
    lines = []
    if scoring.false_alarms is None:
        lines.append("The model has no calibration, so there is no saved threshold.")
    else:
        lines.append(
            f"Verdicts use {scoring.calibration_images:,} normal images and a false-alarm rate of "
            f"{100 * scoring.false_alarms:.3g} %."
        )
    if shown < images:
        lines.append(
            f"The gallery shows {shown:,} of {images:,} images: those with the highest scores, and "
            "others spread over all scores. Counts include every image."
        )
    if not has_pictures:
        lines.append("There are no pictures: score the files with --heatmaps to see them.")
    return lines


def _documents(folder: Path) -> list[Document]:
    """Return the table of metrics, if the images were evaluated, and that of unreadable files."""
    tables = []
    metrics = folder / "metrics.csv"
    if metrics.is_file():
        rows = _read_rows(metrics)
        lines = [
            [
                row["anomaly"],
                row["metric"],
                *(_short(row[name]) for name in ("value", "low", "high")),
            ]
            for row in rows
        ]
        tables.append(
            Table(
                "Every metric with its 95 % interval",
                ("anomaly", "metric", "value", "low", "high"),
                lines,
            )
        )
    unreadable = folder / "unreadable.csv"
    if unreadable.is_file():
        lines = [[row["path"], row["reason"]] for row in _read_rows(unreadable)]
        tables.append(Table("Files that could not be read", ("file", "reason"), lines))
    return [Document("Tables", tables=tables)] if tables else []


def _folder_of(path: str) -> str:
    """Return the name of the folder of a file, the only group that is known without labels."""
    return PurePosixPath(path.replace("\\", "/")).parent.name or "."


def _short(value: str) -> str:
    return f"{float(value):.4g}" if value else ""
