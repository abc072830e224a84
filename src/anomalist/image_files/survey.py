"""A look at the headers of some files: sizes, colour and depth, before anything is decoded."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from anomalist.core.errors import InputError
from anomalist.image_files.decode import image_size, open_regular, probe, reason
from anomalist.image_files.entries import Entry

__all__ = ["Survey", "survey"]

_MOST = 200  # files that are looked at


class Survey(NamedTuple):
    """The images of a folder, as far as their headers say."""

    sizes: list[tuple[int, int]]  # (width, height) of each file that was looked at
    colour: bool  # whether one of them is in colour
    depth: int  # the largest number of bits: 8, 16, or 32 for floats

    @property
    def median(self) -> tuple[int, int]:
        """The median width and height."""
        widths = sorted(width for width, _ in self.sizes)
        heights = sorted(height for _, height in self.sizes)
        middle = len(self.sizes) // 2
        return widths[middle], heights[middle]

    @property
    def one_size(self) -> bool:
        """Whether all images have the same size."""
        return len(set(self.sizes)) == 1


def survey(root: Path, entries: Sequence[Entry]) -> Survey:
    """Look at up to 200 files, evenly spaced in the list.

    Args:
        root: the folder that the names are relative to.
        entries: the images.

    Raises:
        InputError: none of these files can be read.
    """
    step = max(1, -(-len(entries) // _MOST))
    sizes = []
    colours = []
    depths = []
    fault = ""
    for entry in entries[::step]:
        try:
            with warnings.catch_warnings(action="ignore"), open_regular(root / entry.name) as file:
                colour, depth, _ = probe(file, entry.name)
                file.seek(0)
                size = image_size(file, entry.name)
        except Exception as error:  # a hostile file may raise any exception in a decoder
            fault = fault or f"{entry.name}: {entry.fault or reason(error)}"
            continue
        sizes.append(size)
        colours.append(colour)
        depths.append(depth)
    if not sizes:
        raise InputError(f"no image in {str(root)!r} can be read; the first is {fault}")
    return Survey(sizes, any(colours), max(depths))
