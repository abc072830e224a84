"""The file of thumbnails: a line that says how to read the maps, then a line per image."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import Field

from anomalist.core.config import Config
from anomalist.core.errors import InputError
from anomalist.thumbnails.scale import MapScale

__all__ = ["FILE", "Thumbnail", "ThumbnailFile", "ThumbnailScore", "Thumbnails"]

FILE = "thumbnails.jsonl"
_FORMAT = 1
_LONGEST_LINE = 1 << 20  # bytes


class ThumbnailScore(Config):
    """What one score says about an image.

    Attributes:
        value: the score.
        p_value: probability that a normal image scores at least as high; None without
            calibration.
        map: the map, see :func:`anomalist.thumbnails.encode_map`; None without maps.
        restored: the reconstruction; None if the detector has none.
        mask: the predicted mask, if it does not follow from the map.
    """

    value: float
    p_value: float | None = None
    map: str | None = None
    restored: str | None = None
    mask: str | None = None


class Thumbnail(Config):
    """Small pictures of one image.

    Attributes:
        name: the file, see :func:`anomalist.core.errors.escaped`, or the number of the image.
        kind: ``"normal"``, ``"good"`` or the kind of anomaly; None if it is unknown.
        input: the image.
        truth: the true mask; None if it is unknown or empty.
        scores: one entry per score of the detector.
    """

    name: str
    kind: str | None = None
    input: str | None = None
    truth: str | None = None
    scores: tuple[ThumbnailScore, ...] = Field(min_length=1)


class ThumbnailFile:
    """A file of thumbnails that is being written; only whole lines are added."""

    def __init__(self, folder: Path, scales: Sequence[MapScale | None]) -> None:
        """Continue the file in a folder, or begin it.

        Args:
            folder: the folder of the results.
            scales: of the maps of each score; None for a score without maps.
        """
        self.path = folder / FILE
        if not self._cut_to_whole_lines():
            head = {
                "format": _FORMAT,
                "scales": [None if one is None else one.model_dump(mode="json") for one in scales],
            }
            self.path.write_bytes(_line(head))

    def _cut_to_whole_lines(self) -> bool:
        """Remove a last line that was cut off; return whether a line is left."""
        try:
            with self.path.open("r+b") as file:
                start = max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE)
                file.seek(start)
                end = start + file.read().rfind(b"\n") + 1
                file.truncate(end)
        except FileNotFoundError:
            return False
        return end > 0

    def add(self, thumbnails: Sequence[Thumbnail]) -> None:
        """Append thumbnails. An image that is added again replaces the earlier one."""
        lines = [_line(one.model_dump(mode="json", exclude_none=True)) for one in thumbnails]
        with self.path.open("ab") as file:
            file.write(b"".join(lines))


class Thumbnails(Config):
    """The content of a file of thumbnails."""

    scales: tuple[MapScale | None, ...] = ()
    images: tuple[Thumbnail, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the thumbnails in a folder; none if there is no file of them.

        A last line that was cut off is ignored.

        Raises:
            InputError: the file is damaged.
        """
        path = folder / FILE
        if not path.is_file():
            return cls()
        whole = path.read_bytes().rpartition(b"\n")[0]
        if not whole:
            return cls()
        try:
            first, *lines = whole.split(b"\n")
            head = json.loads(first)
            if head["format"] != _FORMAT:
                raise ValueError(f"format {head['format']!r}, this version reads {_FORMAT}")
            scales = tuple(None if one is None else MapScale(**one) for one in head["scales"])
            images = {}
            for line in lines:
                one = Thumbnail(**json.loads(line))
                images[one.kind, one.name] = one
        except (ValueError, LookupError, TypeError, InputError) as error:
            raise InputError(
                f"{str(path)!r} is damaged ({error}): remove it, and make the results again"
            ) from None
        return cls(scales=scales, images=tuple(images.values()))


def _line(value: object) -> bytes:
    return json.dumps(value).encode("ascii") + b"\n"
