"""The content of an interactive report, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomalist.thumbnails import MapScale, Thumbnail

__all__ = ["Content", "Document", "Figure", "Kind", "ScoreRows", "Table"]


class Kind(NamedTuple):
    """One kind of image.

    Attributes:
        name: ``"normal"``, ``"good"``, the kind of anomaly, or any other group of images.
        is_anomaly: None if it is unknown.
        is_union: whether its images belong to other kinds too.
    """

    name: str
    is_anomaly: bool | None
    is_union: bool = False


@dataclass(frozen=True)
class ScoreRows:
    """One score of all images, as saved.

    Attributes:
        label: name of the score.
        by_kind: the scores of all images of each kind, in the order of the kinds.
        calibration: the scores of held-out normal images; empty without calibration.
        threshold: images that score higher are anomalous; None without calibration.
        scale: of the maps; None without maps.
        is_p_value: whether the values are -log10 of p-values.
    """

    label: str
    by_kind: Sequence[NDArray[np.float64]]
    calibration: NDArray[np.float64]
    threshold: float | None
    scale: MapScale | None = None
    is_p_value: bool = False


class Table(NamedTuple):
    """A table with a caption; cells are text."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Figure(NamedTuple):
    """A figure: the text that replaces it, and its ``data:`` address."""

    text: str
    address: str


class Document(NamedTuple):
    """A section of tables and figures.

    Attributes:
        title: its heading.
        html: HTML made from Markdown by our own reports; empty without.
        tables: further tables.
        figures: figures below the tables.
    """

    title: str
    html: str = ""
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class Content:
    """Everything that a report shows.

    Attributes:
        title: the heading.
        summary: sentences below it.
        kinds: the kinds of images; empty if the folder has no scores.
        scores: the scores of the detector; empty if the folder has no scores.
        images: pictures of some or all images.
        documents: sections of tables and figures.
        facts: what was run: names, and values or further facts.
    """

    title: str
    summary: Sequence[str] = ()
    kinds: Sequence[Kind] = ()
    scores: Sequence[ScoreRows] = ()
    images: Sequence[Thumbnail] = ()
    documents: Sequence[Document] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
