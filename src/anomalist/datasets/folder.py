"""A folder of image files: the MVTec AD layout, or any folder with a list of the anomalies.

P. Bergmann, M. Fauser, D. Sattlegger, C. Steger: MVTec AD, a comprehensive real-world dataset for
unsupervised anomaly detection, CVPR 2019: ``train/good``, ``test/KIND``,
``ground_truth/KIND/NAME_mask.png``.

Intensities are never stretched to the values of one image: that would hide anomalies of intensity.
Images are decoded once, by all cores, into a cache that later runs map into memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from anomalist.core.console import announce
from anomalist.core.errors import InputError, printable
from anomalist.core.files import write_text
from anomalist.datasets._base import DatasetConfig, Status
from anomalist.datasets._download.cache import data_folder
from anomalist.images import Dataset, ImageSet, check_resolution

if TYPE_CHECKING:
    from anomalist.datasets._image_files.cache import Decoding
    from anomalist.datasets._image_files.entries import Entry, Layout

__all__ = ["Folder"]

_Side = Annotated[int, Field(ge=1, le=8192)]
_SHOWN = 20  # broken files that are named on the screen; all are named in a file
_FADED_SHOWN = 5
_MISSING = "any folder of images: folder:path=FOLDER"


def _size(value: Any) -> Any:
    """Read ``256``, ``"192x256"``, ``["192x256"]`` or ``(192, 256)`` as (H, W)."""
    parts = value if isinstance(value, list | tuple) else [value]
    numbers = [number for part in parts for number in str(part).split("x")]
    return numbers * 2 if len(numbers) == 1 else numbers


def _intensity(value: Any) -> Any:
    """Read ``"dtype"``, ``"LOW;HIGH"`` or a pair as (low, high), low < high."""
    if value == "dtype":
        return value
    parts = value.split(";") if isinstance(value, str) else value
    try:
        low, high = map(float, parts)
    except (TypeError, ValueError):
        low = 1.0
        high = 0.0
    if not -np.inf < low < high < np.inf:
        raise InputError(f"'dtype', or LOW;HIGH with LOW < HIGH, got {value!r}")
    return low, high


class Folder(DatasetConfig):
    """Images in a folder, brought to one size."""

    licence: ClassVar[str] = "your own"
    size: ClassVar[str] = "any number of images"
    shape: ClassVar[str] = "1 or 3 channels, of the size set by resize"
    home: ClassVar[str] = "your own files"
    own: ClassVar[bool] = True
    old_names: ClassVar[Mapping[str, str]] = {"resize_mode": "fit", "max_broken_share": "broken"}
    old_values: ClassVar[Mapping[str, Mapping[str, str]]] = {"resize_mode": {"stretch": "squash"}}

    path: str = Field("", description="the folder of images")
    resize: Annotated[tuple[_Side, _Side], BeforeValidator(_size)] = Field(
        (256, 256),
        description="the size that all images are brought to: 256, or 192x256 (height x width)",
    )
    resize_mode: Literal["stretch", "pad", "mirror", "crop"] = Field(
        "stretch",
        description="how another aspect ratio is handled: the image is stretched, padded with "
        "black, continued by its mirror images (and so is its mask), or cropped",
    )
    channels: Literal["auto", "grey", "colour"] = Field(
        "auto", description="grey, colour, or auto: colour if one of the files has it"
    )
    intensity: Annotated[Literal["dtype"] | tuple[float, float], BeforeValidator(_intensity)] = (
        Field(
            "dtype",
            description="black and white: 'dtype' for 0..255, 0..65535, in floats 0..1; or "
            "LOW;HIGH in the file's values",
        )
    )
    anomalous: str = Field(
        "",
        description="a list of the anomalous images, a file in the folder; not for the MVTec "
        "layout",
    )
    good: tuple[str, ...] = Field(
        (), description="folders of normal images, if no layout names them; '.' for all others"
    )
    bad: tuple[str, ...] = Field(
        (), description="folders of anomalous images, if no layout names them"
    )
    max_broken_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="the share of broken files above which loading stops",
    )
    test_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="the share of good images to test on, without MVTec layout",
    )
    seed: int = Field(0, ge=0, description="seed of the choice of these test images")

    @property
    def image_folder(self) -> Path | None:
        """The folder of images."""
        return Path(self.path).expanduser() if self.path else None

    def load(self) -> Dataset:
        """Return the images: uint8, uint16 or float32, with masks if there are any.

        The first class is "good", the others are the kinds of anomaly. The first call decodes all
        files into the data folder (see ``status``). Files that cannot be read are named on standard
        error and excluded.

        Raises:
            InputError: no such folder, nothing in it, too many broken files, or no room for the
                decoded images.
        """
        from anomalist.datasets._image_files import cache, jobs, layouts

        root = self.image_folder
        if root is None:
            raise InputError("the data set folder needs to know where: folder:path=FOLDER")
        hints = layouts.LayoutHints(self.anomalous, self.good, self.bad, self.test_share, self.seed)
        layout = layouts.find(root, hints)
        entries = [entry for entry in layout.entries if entry.fault is None]
        request = jobs.DecodeRequest(
            self.resize, self.resize_mode, self.channels, self._window(entries)
        )
        decoding = cache.decoded(root, entries, request, layout.masked, data_folder(self.name))
        faults = {entry.name: entry.fault for entry in layout.entries if entry.fault}
        faults |= {entries[row].name: fault for row, fault in decoding.faults.items()}
        if decoding.turned:
            announce(
                f"folder: {decoding.turned:,} images are turned as their EXIF data say; a mask "
                "must show them so too"
            )
        self._report(layout, faults, [entries[row].name for row in decoding.faded], decoding.folder)
        return self._dataset(root, [entries[row] for row in decoding.kept], decoding, len(faults))

    def status(self) -> Status:
        """Return whether the folder is there."""
        root = self.image_folder
        if root is None:
            return Status("manual", _MISSING)
        return Status("ready" if root.is_dir() else "manual", str(root))

    def _window(self, entries: Sequence[Entry]) -> tuple[float, float] | None:
        """Return the values of black and white; None if the dtype of a file defines them.

        Raises:
            InputError: a package for DICOM or FITS is not installed, or such files are read without
                a range.
        """
        from anomalist.datasets._image_files import dicom_fits

        physical = [entry.name for entry in entries if dicom_fits.reader(entry.name)]
        dicom_fits.check_installed(physical)
        if self.intensity != "dtype":
            check_resolution(np.dtype(np.float32), *self.intensity)
            return self.intensity
        if physical:
            raise InputError(
                "folder.intensity: DICOM and FITS values have no range of their own; give LOW;HIGH"
            )
        return None

    def _report(
        self,
        layout: Layout,
        faults: Mapping[str, str],
        faded: Sequence[str],
        folder: Path,
    ) -> None:
        """Name what is broken, and stop if it is too much.

        Raises:
            InputError: a larger share of the images than ``max_broken_share`` cannot be used.
        """
        if layout.reading:
            announce(f"folder: {printable(layout.reading)}")
        if layout.others:
            most = layout.others.most_common(5)
            others = ", ".join(f"{count:,} {printable(ending)}" for ending, count in most)
            announce(f"folder: files left alone: {others}")
        if faded:
            shown = ", ".join(map(printable, faded[:_FADED_SHOWN]))
            more = ", …" if len(faded) > _FADED_SHOWN else ""
            announce(
                f"folder: in {len(faded):,} anomalous images no marked pixel is left at this size: "
                f"{shown}{more}"
            )
        lines = [f"{printable(name)}: {printable(fault)}" for name, fault in sorted(faults.items())]
        listing = folder / "broken.txt"
        with contextlib.suppress(OSError):  # a cache that can only be read has it already
            write_text(listing, "".join(f"{line}\n" for line in lines))
        for line in lines[:_SHOWN]:
            announce(f"folder: broken: {line}")
        if len(lines) > _SHOWN:
            announce(f"folder: broken: and {len(lines) - _SHOWN:,} more, all in {listing}")
        count = len(layout.entries)
        if len(lines) > self.max_broken_share * count:
            raise InputError(
                f"folder: {len(lines):,} of {count:,} images cannot be used, more than "
                f"max_broken_share={self.max_broken_share:g}; the first is {lines[0]}; all are in "
                f"{listing}"
            )

    def _dataset(
        self,
        root: Path,
        entries: Sequence[Entry],
        decoding: Decoding,
        broken: int,
    ) -> Dataset:
        kinds = [printable(entry.kind) for entry in entries]
        class_names = ("good", *sorted(set(kinds) - {"good"}))
        class_index = np.array([class_names.index(kind) for kind in kinds], np.int64)
        files = np.array([printable(entry.name) for entry in entries], np.str_)
        count = sum(not entry.test for entry in entries)
        if count == 0:
            raise InputError(f"folder: no image to train on in {str(root)!r}")
        no_masks = None
        if decoding.masks is not None:
            no_masks = np.broadcast_to(np.False_, (count, *self.resize))

        def image_set(rows: slice, masks: Any) -> ImageSet:
            return ImageSet(
                decoding.images[rows],
                class_index[rows],
                class_names,
                masks,
                None if self.intensity == "dtype" else self.intensity,
                files=files[rows],
            )

        return Dataset(
            self.spec,
            image_set(slice(count), no_masks),
            image_set(slice(count, None), decoding.masks),
            f"{root}, {broken:,} broken files excluded, decoded in {decoding.folder}",
        )
