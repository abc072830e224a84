"""The results of scoring files: tables, false-discovery control, the drift test and a summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from anomalist.calibration import LOWEST_RATE, DriftTest, discoveries
from anomalist.core.config import Config
from anomalist.core.config_file import write_config
from anomalist.core.console import announce, say
from anomalist.core.files import write_csv, write_table
from anomalist.deployment.files import FoundFile
from anomalist.deployment.model import CalibratedModel
from anomalist.deployment.result_row import ROW_COLUMNS
from anomalist.thumbnails import FILE as THUMBNAILS
from anomalist.thumbnails import SCORING

__all__ = [
    "EXACT",
    "FAULT",
    "FIRST",
    "PICTURES",
    "WRITTEN",
    "ScoreConfig",
    "Summary",
    "say_results",
    "say_summary",
    "summarise",
    "write_rows",
]

FAULT = "fault"  # key of the reason why a file cannot be read
EXACT = "exact"  # key of the p-value with all digits, for false discoveries
FIRST = "first"  # key of the score of the first detector, for the test of drift
WRITTEN = ("scores.csv", "scores.parquet", "unreadable.csv", "config.yaml", SCORING)
PICTURES = ("heatmaps", "masks", "maps", THUMBNAILS)  # folders, and a file, of pictures
_COLUMNS = ("path", *ROW_COLUMNS)  # that every table has
_SHOWN = 10  # unreadable files, and anomalies, on the console

Row = dict[str, Any]


class ScoreConfig(Config):
    """What a scoring writes, and its rates."""

    heatmaps: bool = Field(
        False,
        description="whether to write an overlay and a mask of each image, and thumbnails for "
        "`anomalist report --html`",
    )
    maps: Literal["none", "float16", "float32"] = Field(
        "none", description="write each map as a TIFF file with numbers of this type"
    )
    false_alarms: float | None = Field(
        None,
        ge=LOWEST_RATE,
        lt=1,
        description="expected share of normal images that are called anomalous; by default that of "
        "the fit",
    )
    marked_share: float | None = Field(
        None,
        ge=LOWEST_RATE,
        lt=1,
        description="expected share of the pixels of a normal image that its mask marks (split "
        "calibration only); by default masks limit the share of normal images with any marked "
        "pixel to false_alarms instead",
    )
    false_discoveries: float | None = Field(
        None,
        ge=LOWEST_RATE,
        lt=1,
        description="also select anomalies among all images of this call, so that at most this "
        "share of the selected ones is expected to be normal (proven for split calibration)",
    )
    drift_rate: float = Field(
        0.01,
        ge=LOWEST_RATE,
        lt=1,
        description="probability of a warning that the images as a whole have changed, if they "
        "have not",
    )


class Summary(Config):
    """The result of a scoring.

    Attributes:
        images: number of scored images.
        anomalous: number of them that are called anomalous.
        unreadable: number of files that could not be read.
        drift_at: number of the image at which drift was noticed, or None.
    """

    images: int
    anomalous: int
    unreadable: int
    drift_at: int | None


def write_rows(
    out: Path,
    config: ScoreConfig,
    files: Sequence[FoundFile],
    finished: Mapping[str, Row],
) -> tuple[list[Row], list[dict[str, str]]]:
    """Write the rows that are finished; return them and the files that cannot be read.

    Args:
        out: the folder.
        config: the options of the scoring.
        files: all files, in order.
        finished: the finished rows, by key of the file.
    """
    rows: list[Row] = []
    faults = []
    for file in files:
        row = finished.get(file.key)
        if row is None:
            continue
        if FAULT in row:
            faults.append({"path": file.name, "reason": row[FAULT]})
        else:
            rows.append({"path": file.name, **row})
    shown = [{name: row[name] for name in row if name not in (EXACT, FIRST)} for row in rows]
    if config.false_discoveries is not None and rows:
        chances = np.array([row[EXACT] for row in rows])
        chosen = discoveries(chances, config.false_discoveries)
        for row, is_chosen in zip(shown, chosen, strict=True):
            row["selected"] = "yes" if is_chosen else "no"
    write_table(out / "scores.csv", shown, _COLUMNS)
    unreadable = out / "unreadable.csv"
    if faults:
        write_csv(unreadable, faults)
    else:
        unreadable.unlink(missing_ok=True)
    write_config(out / "config.yaml", config.model_dump(mode="json", exclude_none=True))
    return rows, faults


def summarise(
    model: CalibratedModel,
    config: ScoreConfig,
    rows: Sequence[Row],
    faults: Sequence[Mapping[str, str]],
) -> Summary:
    """Return the summary, with the test of drift over all rows in their order."""
    drift = DriftTest(model.calibration.image.folds[0], config.drift_rate)
    if model.calibration.image.count:
        drift.update(np.array([row[FIRST] for row in rows], np.float32))
    return Summary(
        images=len(rows),
        anomalous=sum(row["verdict"] == "anomalous" for row in rows),
        unreadable=len(faults),
        drift_at=drift.noticed_at,
    )


def say_results(out: Path) -> None:
    """Print what a folder of results contains, and how to look at it."""
    names = sorted(path.name for path in out.iterdir() if path.name[0] != ".")
    say(f"results in {out}: {', '.join(names)}")
    say(f"look at them: anomalist report {out} --html report.html")


def say_summary(
    summary: Summary,
    rate: float | None,
    rows: Sequence[Row],
    faults: Sequence[Mapping[str, str]],
) -> None:
    """Print the summary, the highest anomalies, and warnings.

    Args:
        summary: the result of :func:`summarise`.
        rate: the false-alarm rate; None without calibration.
        rows: the rows of all images.
        faults: the files that cannot be read.
    """
    if rate is None:
        say("the model has no calibration: scores rank images, there are no verdicts")
    else:
        say(
            f"{summary.anomalous:,} of {len(rows):,} images are anomalous; "
            f"{rate * len(rows):.3g} expected if all were normal (rate {100 * rate:.3g} %)"
        )
    anomalous = [row for row in rows if row["verdict"] == "anomalous"]
    for row in sorted(anomalous, key=lambda row: -row["score"])[:_SHOWN]:
        say(f"  {row['path']}: score {row['score']:.6g}, p {row['p_value']:.3g}")
    if len(anomalous) > _SHOWN:
        say(f"  and {len(anomalous) - _SHOWN:,} more, in scores.csv")
    for fault in faults[:_SHOWN]:
        announce(f"cannot be read: {fault['path']}: {fault['reason']}")
    if len(faults) > _SHOWN:
        announce(f"cannot be read: and {len(faults) - _SHOWN:,} more, in unreadable.csv")
    if summary.drift_at is not None:
        announce(
            f"warning: drift, noticed at image {summary.drift_at:,} of {len(rows):,}: the images "
            "as a whole differ from the calibration images. Many may be anomalous. If the camera, "
            "the light or the product has changed, fit a new model"
        )
