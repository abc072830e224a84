"""Evaluate a model on a folder with known anomalies: every metric, and decisions at its threshold.

Nothing is chosen here: thresholds are those of the fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from anomalist.core.console import announce, say, track
from anomalist.core.errors import InputError, escaped, printable
from anomalist.core.files import make_folder, write_csv, write_json, write_table
from anomalist.datasets.folder import Folder
from anomalist.deployment.model import CalibratedModel, Predictions
from anomalist.deployment.score_results import say_results
from anomalist.deployment.storage import SEEN_DIGITS
from anomalist.deployment.thumbnail import scale_of, thumbnails_of, write_scoring
from anomalist.evaluation import evaluate_arrays
from anomalist.image_files.decode import decode_mask, open_regular, reason
from anomalist.image_files.entries import Entry, Layout
from anomalist.image_files.frame import DecodeSpec
from anomalist.image_files.jobs import hash_files
from anomalist.metrics import Estimate, proportion_interval
from anomalist.metrics.table import of_metric
from anomalist.models import Scores
from anomalist.thumbnails import FILE as THUMBNAILS
from anomalist.thumbnails import MapScale, ThumbnailFile

__all__ = ["EvaluationReport", "evaluate_folder"]

_ALL = "all anomalies"
_SHOWN = ("auroc", "average_precision", "pixel_auroc", "aupro")


@dataclass(frozen=True)
class EvaluationReport:
    """Metrics and decisions of a model on labelled images.

    Attributes:
        metrics: the estimates by kind of anomaly and metric; ``"all anomalies"`` comes first.
        decisions: number of images by kind (``"good"`` or a type of defect) and verdict.
        faults: why files could not be used, by name.
    """

    metrics: dict[str, dict[str, Estimate]]
    decisions: dict[str, dict[str, int]]
    faults: dict[str, str]


# An image of the folder as it was read, and its mask.
_Read = tuple[Entry, NDArray[np.generic], NDArray[np.bool_]]


@dataclass
class _Scored:
    """Scores of the images of a folder, in order."""

    names: list[str]
    kinds: list[str]
    scores: list[float]
    p_values: list[float]
    anomalous: list[bool]
    maps: list[NDArray[np.float32]]
    masks: list[NDArray[np.bool_]]


def evaluate_folder(
    model: CalibratedModel,
    folder: Folder,
    out: Path | None = None,
) -> EvaluationReport:
    """Evaluate a model on the images of a folder whose labels, and possibly masks, are known.

    Of a folder that defines a test split, such as the MVTec AD layout, only that split is used.

    Args:
        model: the model.
        folder: the folder, with the options that say which images are anomalous.
        out: folder for ``metrics.csv``, ``decisions.json``, ``scores.csv``, ``unreadable.csv``, and
            what ``anomalist report --html`` shows; None: no files.

    Raises:
        InputError: there are no normal or no anomalous images, or some were used in the fit.
    """
    if out is not None:
        make_folder(out)
    layout = folder.layout()
    entries = [entry for entry in layout.entries if entry.test or not layout.has_test_split]
    root = Path(folder.path).expanduser()
    _refuse_seen(root, entries, model.seen)
    pictures = None if out is None else _Pictures(model, out)
    scored, faults = _score(model, root, entries, layout, pictures)
    kinds = np.array(scored.kinds)
    normal = int((kinds == "good").sum())
    if normal in (0, len(kinds)):
        raise InputError(
            f"{str(root)!r} must contain normal and anomalous images to evaluate; got {normal:,} "
            f"normal and {len(kinds) - normal:,} anomalous"
        )
    report = EvaluationReport(_metrics(model, scored), _decisions(scored), faults)
    _say(model, report)
    if out is not None:
        _write(report, out)
        _write_scores(model, folder, scored, out)
        say_results(out)
    return report


class _Pictures:
    """Writes the thumbnails of the scored images, for ``anomalist report --html``."""

    def __init__(self, model: CalibratedModel, out: Path) -> None:
        self._model = model
        self._scale: MapScale | None = scale_of(model, model.description.false_alarms)
        (out / THUMBNAILS).unlink(missing_ok=True)  # of an earlier evaluation
        self._file = ThumbnailFile(out, [self._scale])

    def add(self, images: NDArray[Any], predictions: Predictions, read: Sequence[_Read]) -> None:
        """Write the pictures of a batch."""
        shapes = {mask.shape for _, _, mask in read}
        masks = np.stack([mask for _, _, mask in read]) if len(shapes) == 1 else None
        small = thumbnails_of(
            self._model,
            self._scale,
            images,
            predictions,
            [escaped(entry.name) for entry, _, _ in read],
            [entry.kind for entry, _, _ in read],
            masks,
        )
        self._file.add(small)


def _refuse_seen(root: Path, entries: Sequence[Entry], seen: frozenset[str]) -> None:
    """Refuse images that the model was fitted or calibrated on.

    Raises:
        InputError: there is one.
    """
    if not seen:
        return
    digests = hash_files(root, list(enumerate(entries)))
    known = [entries[row].name for row, digest in digests if digest[:SEEN_DIGITS] in seen]
    if known:
        raise InputError(
            f"{len(known):,} of {len(entries):,} images were used to fit or calibrate the model "
            f"(the first is {printable(known[0])!r}): evaluate the model on other images"
        )


def _score(
    model: CalibratedModel,
    root: Path,
    entries: Sequence[Entry],
    layout: Layout,
    pictures: _Pictures | None,
) -> tuple[_Scored, dict[str, str]]:
    """Return the scores of the images that can be read, and the faults of the others."""
    scored = _Scored([], [], [], [], [], [], [])
    faults: dict[str, str] = {}
    size = model.batch_size()
    for first in track(range(0, len(entries), size), "scoring"):
        read = []
        for entry in entries[first : first + size]:
            try:
                read.append((entry, *_read(model, root, entry)))
            except Exception as error:  # a hostile file may raise any exception in a decoder
                faults[entry.name] = reason(error)
        if not read:
            continue
        images = np.stack([image for _, image, _ in read])
        predictions = model.predict(images)
        if pictures is not None:
            pictures.add(images, predictions, read)
        scored.names += [printable(entry.name) for entry, _, _ in read]
        scored.kinds += [entry.kind for entry, _, _ in read]
        scored.scores += predictions.score.tolist()
        scored.p_values += predictions.p_value.tolist()
        scored.anomalous += predictions.is_anomaly.tolist()
        if predictions.maps is not None and layout.masked:
            scored.maps += list(predictions.maps)
            scored.masks += [mask for _, _, mask in read]
    for name, fault in list(faults.items())[:10]:
        announce(f"cannot be used: {printable(name)}: {fault}")
    return scored, faults


def _read(
    model: CalibratedModel, root: Path, entry: Entry
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Return an image and its mask, at the size that the model sees.

    Raises:
        Exception: of any kind if one of the files cannot be read.
    """
    if entry.fault:
        raise InputError(entry.fault)
    with warnings.catch_warnings(action="ignore"):
        file = model.description.reading.read(root / entry.name)
        return file.image, _mask(model, root, entry, file.size, file.image.shape[1:])


def _mask(
    model: CalibratedModel,
    root: Path,
    entry: Entry,
    size: tuple[int, int],
    shape: tuple[int, ...],
) -> NDArray[np.bool_]:
    """Return the mask of an image at the size that the model sees."""
    if entry.mask is None:
        return np.zeros(shape, np.bool_)
    reading = model.description.reading
    spec = DecodeSpec((shape[0], shape[1]), reading.resize_mode, None, False, "uint8")
    with open_regular(root / entry.mask) as file:
        mask, _ = decode_mask(file, size, spec)
    return mask


def _metrics(model: CalibratedModel, scored: _Scored) -> dict[str, dict[str, Estimate]]:
    """Return the metrics of all anomalies together and of each kind."""
    kinds = np.array(scored.kinds)
    types = sorted(set(kinds) - {"good"})
    rows = {_ALL: kinds != "good"}
    if len(types) > 1:
        rows |= {kind: kinds == kind for kind in types}
    shapes = {one.shape for one in scored.maps}
    one_size = len(shapes) == 1
    if len(shapes) > 1:
        announce("the images differ in size: pixel metrics are not computed")
    region = model.calibration.region
    rate = model.description.false_alarms
    limit = None if region is None or rate is None else region.threshold(rate)
    metrics: dict[str, dict[str, Estimate]] = {}
    for kind, is_kind in rows.items():
        chosen = np.flatnonzero(is_kind | (kinds == "good"))
        pixel = masks = None
        if one_size:
            pixel = np.stack([scored.maps[row] for row in chosen])
            masks = np.stack([scored.masks[row] for row in chosen])
        scores = Scores(np.array(scored.scores, np.float32)[chosen], pixel)
        own: dict[str, Estimate] = dict(
            evaluate_arrays(scores, is_kind[chosen], masks, np.arange(len(chosen)), limit)
        )
        if model.description.false_alarms is not None:
            called = np.array(scored.anomalous)
            own["detection_rate"] = proportion_interval(called[is_kind])
            own["false_alarm_rate"] = proportion_interval(called[kinds == "good"])
        metrics[kind] = own
    return metrics


def _decisions(scored: _Scored) -> dict[str, dict[str, int]]:
    """Return the confusion table: images by kind and verdict."""
    counts: dict[str, dict[str, int]] = {}
    for kind in ("good", *sorted(set(scored.kinds) - {"good"})):
        called = [
            is_anomaly
            for own, is_anomaly in zip(scored.kinds, scored.anomalous, strict=True)
            if own == kind
        ]
        counts[kind] = {"normal": called.count(False), "anomalous": called.count(True)}
    return counts


def _say(model: CalibratedModel, report: EvaluationReport) -> None:
    names = [name for name in _SHOWN if any(name in own for own in report.metrics.values())]
    head = ["anomaly", *(of_metric(name).label for name in names)]
    lines = []
    for kind, own in report.metrics.items():
        lines.append([kind, *(str(own[name]) if name in own else "" for name in names)])
    say(tabulate(lines, head, disable_numparse=True))
    if model.description.false_alarms is None:
        say("the model has no calibration: there are no decisions")
        return
    say("")
    say(f"decisions at a false-alarm rate of {100 * model.description.false_alarms:.3g} %:")
    table = [
        [kind, counts["normal"], counts["anomalous"], _share(counts)]
        for kind, counts in report.decisions.items()
    ]
    say(tabulate(table, ["images", "called normal", "called anomalous", "share called anomalous"]))


def _share(counts: dict[str, int]) -> str:
    called = np.repeat([False, True], [counts["normal"], counts["anomalous"]])
    interval = proportion_interval(called)
    return f"{interval.value:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


def _write(report: EvaluationReport, out: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"anomaly": kind, "metric": name, **estimate._asdict()}
        for kind, own in report.metrics.items()
        for name, estimate in own.items()
    ]
    write_table(out / "metrics.csv", rows)
    write_json(out / "decisions.json", report.decisions)
    if report.faults:
        faults = [{"path": printable(name), "reason": why} for name, why in report.faults.items()]
        write_csv(out / "unreadable.csv", faults)


def _write_scores(
    model: CalibratedModel,
    folder: Folder,
    scored: _Scored,
    out: Path,
) -> None:
    """Write a row per image, and which model gave its score."""
    is_known = model.calibration.image.count > 0
    has_verdict = model.description.false_alarms is not None
    rows: list[dict[str, Any]] = []
    for place, name in enumerate(scored.names):
        verdict = "anomalous" if scored.anomalous[place] else "normal"
        row = {
            "path": name,
            "kind": scored.kinds[place],
            "score": f"{scored.scores[place]:.9g}",
            "p_value": f"{scored.p_values[place]:.6g}" if is_known else "",
            "verdict": verdict if has_verdict else "",
        }
        rows.append(row)
    write_csv(out / "scores.csv", rows)
    options = folder.model_dump(mode="json", exclude_defaults=True)
    write_scoring(out, model, model.description.false_alarms, options)
