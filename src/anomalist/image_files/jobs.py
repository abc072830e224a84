"""Jobs of the decoding processes: read headers, hash files, decode and write images."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.image_files.decode import decode, decode_mask, open_regular, probe, reason
from anomalist.image_files.entries import Entry
from anomalist.image_files.frame import DecodeSpec, ResizeMode

__all__ = [
    "DecodeRequest",
    "DecodeResult",
    "HeaderInfo",
    "Job",
    "Rows",
    "Target",
    "decode_files",
    "hash_files",
    "look_at",
]

Job = tuple[int, Entry]  # the row of a file, and the file
_BLOCK = 1 << 26  # bytes moved at once


class HeaderInfo(NamedTuple):
    """The contents of a file's header, or why it cannot be read."""

    colour: bool = False
    depth: int = 8
    turned: bool = False  # whether EXIF data require a rotation
    fault: str = ""
    digest: str = ""


class DecodeResult(NamedTuple):
    """The result of decoding a file."""

    digest: str
    fault: str = ""
    faded: bool = False  # its mask is empty after resizing


class DecodeRequest(NamedTuple):
    """Decoding options that are known before the files are read."""

    size: tuple[int, int]
    resize_mode: ResizeMode
    channels: Literal["auto", "grey", "colour"]
    window: tuple[float, float] | None

    def settle(self, headers: Iterable[HeaderInfo]) -> DecodeSpec:
        """Return the lossless spec: colour if one file is in colour, and the largest depth."""
        kinds = {(header.colour, header.depth) for header in headers}
        colour = (
            any(each for each, _ in kinds) if self.channels == "auto" else self.channels == "colour"
        )
        return DecodeSpec(
            self.size,
            self.resize_mode,
            self.window,
            colour,
            {8: "uint8", 16: "uint16", 32: "float32"}[max(depth for _, depth in kinds)],
        )


class Rows(NamedTuple):
    """An ``.npy`` file whose rows are written one by one, by many processes."""

    path: Path
    dtype: str
    total: int
    shape: tuple[int, ...]  # of a row

    @property
    def row(self) -> int:
        """The bytes of a row."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def create(self) -> int:
        """Write the header and leave the rows as zeros; return where they start."""
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            header = {
                "descr": np.dtype(self.dtype).str,
                "fortran_order": False,
                "shape": (self.total, *self.shape),
            }
            np.lib.format.write_array_header_1_0(file, header)
            start = file.tell()
            file.truncate(start + self.total * self.row)
        return start

    def close_gaps(self, kept: Sequence[int]) -> None:
        """Move the rows ``kept`` (ascending) to the front, and remove the rest."""
        start = self.create()
        with self.path.open("r+b") as file:
            for to, first, count in _runs(kept):
                step = max(1, _BLOCK // self.row)
                for done in range(0, count if to != first else 0, step):
                    file.seek(start + (first + done) * self.row)
                    block = file.read(min(step, count - done) * self.row)
                    file.seek(start + (to + done) * self.row)
                    file.write(block)
        assert self._replace(total=len(kept)).create() == start  # NumPy pads the header


class Target(NamedTuple):
    """Where decoded images are written."""

    spec: DecodeSpec
    images: Rows
    masks: Rows | None
    trained: int  # number of training images, which have no masks


def look_at(root: Path, jobs: Sequence[Job]) -> list[tuple[int, HeaderInfo]]:
    """Read the headers of the files."""
    headers = []
    for row, entry in jobs:
        try:
            with warnings.catch_warnings(action="ignore"), open_regular(root / entry.name) as file:
                headers.append((row, HeaderInfo(*probe(file, entry.name))))
        except Exception as error:  # a hostile file may raise any exception in a decoder
            headers.append((row, HeaderInfo(fault=reason(error), digest=_digest(root, entry))))
    return headers


def hash_files(root: Path, jobs: Sequence[Job]) -> list[tuple[int, str]]:
    """Return a hash of each image and its mask; empty if a file cannot be read."""
    return [(row, _digest(root, entry)) for row, entry in jobs]


def decode_files(
    root: Path,
    jobs: Sequence[Job],
    target: Target,
) -> list[tuple[int, DecodeResult]]:
    """Decode the files and write each to its row.

    Raises:
        OSError: the cache cannot be written.
    """
    start = {
        rows.path: rows.path.stat().st_size - rows.total * rows.row
        for rows in (target.images, target.masks)
        if rows
    }
    done = []
    for row, entry in jobs:
        digest = _digest(root, entry)
        try:
            with warnings.catch_warnings(action="ignore"):
                image, mask, faded = _decode(root, entry, target.spec)
        except Exception as error:
            done.append((row, DecodeResult(digest, reason(error))))
            continue
        _write(target.images, row, start[target.images.path], image)
        if mask is not None and target.masks is not None:
            _write(target.masks, row - target.trained, start[target.masks.path], mask)
        done.append((row, DecodeResult(digest, faded=faded)))
    return done


def _decode(
    root: Path,
    entry: Entry,
    spec: DecodeSpec,
) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None, bool]:
    with open_regular(root / entry.name) as file:
        image, size = decode(file, entry.name, spec)
    if entry.mask is None:
        return image, None, False
    try:
        with open_regular(root / entry.mask) as file:
            mask, marked = decode_mask(file, size, spec)
    except Exception as error:
        raise InputError(f"its mask {entry.mask}: {reason(error)}") from None
    return image, mask, not marked


def _digest(root: Path, entry: Entry) -> str:
    digests = []
    for name in (entry.name, entry.mask):
        try:
            if name is not None:
                with open_regular(root / name) as file:
                    digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        except (OSError, InputError):
            digests.append("")
    return "/".join(digests)


def _write(
    rows: Rows,
    row: int,
    start: int,
    values: NDArray[np.generic],
) -> None:
    with rows.path.open("r+b", buffering=0) as file:
        file.seek(start + row * rows.row)
        file.write(np.ascontiguousarray(values).data)


def _runs(kept: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (new place, old place, length) of each run of consecutive rows."""
    edges = [n for n in range(len(kept)) if n == 0 or kept[n] != kept[n - 1] + 1]
    for begin, end in pairwise([*edges, len(kept)]):
        yield begin, kept[begin], end - begin
