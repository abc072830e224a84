"""A folder of image files: the MVTec AD layout, or any folder with a list of the anomalies.

P. Bergmann, M. Fauser, D. Sattlegger, C. Steger: MVTec AD, a comprehensive real-world dataset for
unsupervised anomaly detection, CVPR 2019: ``train/good``, ``test/KIND``,
``ground_truth/KIND/NAME_mask.png``.

Intensities are never scaled by the values of a single image, because that would hide anomalies of
intensity. Images are decoded once, on all cores, into a cache that later runs memory-map.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from anomalist.core.console import announce
from anomalist.core.data_home import data_folder
from anomalist.core.errors import InputError, printable
from anomalist.core.files import write_text
from anomalist.datasets._base import DatasetConfig, Status
from anomalist.images import Dataset, ImageSet, check_resolution

if TYPE_CHECKING:
    from anomalist.image_files.cache import Decoding
    from anomalist.image_files.entries import Entry, Layout

__all__ = ["Folder", "Intensity", "Size", "normal_entries"]

_Side = Annotated[int, Field(ge=1, le=8192)]

_SHOWN = 20  # unreadable files listed on the console; a file lists all
_FADED_SHOWN = 5
_MISSING = "any folder of images; give it as folder:path=FOLDER"


def _size(value: Any) -> Any:
    """Read ``256``, ``"192x256"``, ``["192x256"]`` or ``(192, 256)`` as (H, W)."""
    parts = value if isinstance(value, list | tuple) else [value]
    numbers = [number for part in parts for number in str(part).split("x")]
    return numbers * 2 if len(numbers) == 1 else numbers


def _intensity(value: Any) -> Any:
    """Read ``"dtype"``, ``"LOW;HIGH"`` or a pair as (low, high), low < high."""
    if isinstance(value, list | tuple) and len(value) == 1:  # one word of a command line
        value = value[0]
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


def normal_entries(layout: Layout) -> list[Entry]:
    """Return the normal images of a layout as training images.

    The normal images of a test split that the folder itself defines are not among them.
    """
    normal = [
        replace(entry, test=False)
        for entry in layout.entries
        if entry.kind == "good" and not (entry.test and layout.has_test_split)
    ]
    return sorted(normal, key=lambda entry: entry.name)


Size = Annotated[tuple[_Side, _Side], BeforeValidator(_size)]
Intensity = Annotated[Literal["dtype"] | tuple[float, float], BeforeValidator(_intensity)]


class Folder(DatasetConfig):
    """Images in a folder, resized to one size."""

    licence: ClassVar[str] = "your own"
    size: ClassVar[str] = "any number of images"
    shape: ClassVar[str] = "1 or 3 channels, of the size set by resize"
    home: ClassVar[str] = "your own files"
    own: ClassVar[bool] = True
    old_names: ClassVar[Mapping[str, str]] = {"resize_mode": "fit", "max_broken_share": "broken"}
    old_values: ClassVar[Mapping[str, Mapping[str, str]]] = {"resize_mode": {"stretch": "squash"}}

    path: str = Field("", description="folder of images")
    resize: Size = Field(
        (256, 256),
        description="size of all images after resizing: 256, or 192x256 (height x width)",
    )
    resize_mode: Literal["stretch", "pad", "mirror", "crop"] = Field(
        "stretch",
        description="how other aspect ratios are handled: stretch the image, pad it with black, "
        "mirror it at its borders (together with its mask), or crop it",
    )
    channels: Literal["auto", "grey", "colour"] = Field(
        "auto", description="grey, colour, or auto: colour if at least one file is in colour"
    )
    intensity: Intensity = Field(
        "dtype",
        description="values of black and white: 'dtype' for 0..255, 0..65535 or, in floats, "
        "0..1; or LOW;HIGH in the units of the files",
    )
    anomalous: str = Field(
        "",
        description="file in the folder that lists the anomalous images; not for the MVTec AD "
        "layout",
    )
    good: tuple[str, ...] = Field(
        (), description="folders of normal images without a known layout; '.' for all other folders"
    )
    bad: tuple[str, ...] = Field(
        (), description="folders of anomalous images without a known layout"
    )
    max_broken_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="largest fraction of unreadable files; with more, loading stops",
    )
    test_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="fraction of the good images for testing, without the MVTec AD layout",
    )
    seed: int = Field(0, ge=0, description="seed of the choice of these test images")

    @property
    def image_folder(self) -> Path | None:
        """The folder of images."""
        return Path(self.path).expanduser() if self.path else None

    def load(self) -> Dataset:
        """Return the images: uint8, uint16 or float32, with masks if there are any.

        The first class is "good", the others are the types of defect. The first call decodes all
        files into the data folder. Files that cannot be read are listed on standard error and
        excluded.

        Raises:
            InputError: the folder does not exist or has no images, too many files are unreadable,
                or there is no space for the decoded images.
        """
        layout = self.layout()
        return self._load(layout, layout.entries)

    def layout(self) -> Layout:
        """Return the images of the folder and their classes, by name.

        Raises:
            InputError: the folder does not exist, has no images, or has ambiguous names.
        """
        from anomalist.image_files import layouts

        hints = layouts.LayoutHints(self.anomalous, self.good, self.bad, self.test_share, self.seed)
        return layouts.find(self._root(), hints)

    def load_normal(self, layout: Layout) -> Dataset:
        """Return the normal images as the training split, and an empty test split.

        These are all normal images, except for a test split that the folder itself defines.

        Args:
            layout: the result of :meth:`layout`.

        Raises:
            InputError: there is no normal image, or like :meth:`load`.
        """
        return self._load(layout, normal_entries(layout))

    def _root(self) -> Path:
        root = self.image_folder
        if root is None:
            raise InputError(
                "folder.path is missing: give a folder of images as folder:path=FOLDER"
            )
        return root

    def _load(self, layout: Layout, chosen: Sequence[Entry]) -> Dataset:
        """Decode the chosen entries of a layout."""
        from anomalist.image_files import cache, jobs

        root = self._root()
        entries = [entry for entry in chosen if entry.fault is None]
        request = jobs.DecodeRequest(
            self.resize, self.resize_mode, self.channels, self._window(entries)
        )
        masked = layout.masked and any(entry.test for entry in entries)
        decoding = cache.decoded(root, entries, request, masked, data_folder(self.name))
        faults = {entry.name: entry.fault for entry in chosen if entry.fault}
        faults |= {entries[row].name: fault for row, fault in decoding.faults.items()}
        if decoding.turned:
            announce(
                f"folder: {decoding.turned:,} images are rotated according to their EXIF data; "
                "their masks must have the same orientation"
            )
        faded = [entries[row].name for row in decoding.faded]
        self._report(layout, len(chosen), faults, faded, decoding.folder)
        return self._dataset(root, [entries[row] for row in decoding.kept], decoding, len(faults))

    def status(self) -> Status:
        """Return "ready" if the folder exists, else "manual"."""
        root = self.image_folder
        if root is None:
            return Status("manual", _MISSING)
        return Status("ready" if root.is_dir() else "manual", str(root))

    def _window(self, entries: Sequence[Entry]) -> tuple[float, float] | None:
        """Return the values of black and white; None if the dtype of the files defines them.

        Raises:
            InputError: the package for DICOM or FITS is not installed, or ``intensity`` is not set
                for such files.
        """
        from anomalist.image_files import dicom_fits

        physical = [entry.name for entry in entries if dicom_fits.reader(entry.name)]
        dicom_fits.check_installed(physical)
        if self.intensity != "dtype":
            check_resolution(np.dtype(np.float32), *self.intensity)
            return self.intensity
        if physical:
            raise InputError(
                "folder.intensity: DICOM and FITS values have no default range; give LOW;HIGH"
            )
        return None

    def _report(
        self,
        layout: Layout,
        count: int,
        faults: Mapping[str, str],
        faded: Sequence[str],
        folder: Path,
    ) -> None:
        """List the files that cannot be used, and stop if there are too many.

        Raises:
            InputError: a larger fraction of the images than ``max_broken_share`` cannot be used.
        """
        if layout.reading:
            announce(f"folder: {printable(layout.reading)}")
        if layout.others:
            most = layout.others.most_common(5)
            others = ", ".join(f"{count:,} {printable(ending)}" for ending, count in most)
            announce(f"folder: ignored files: {others}")
        if faded:
            shown = ", ".join(map(printable, faded[:_FADED_SHOWN]))
            more = ", …" if len(faded) > _FADED_SHOWN else ""
            announce(
                f"folder: the masks of {len(faded):,} anomalous images are empty at this size: "
                f"{shown}{more}"
            )
        lines = [f"{printable(name)}: {printable(fault)}" for name, fault in sorted(faults.items())]
        listing = folder / "broken.txt"
        with contextlib.suppress(OSError):  # a read-only cache contains it already
            write_text(listing, "".join(f"{line}\n" for line in lines))
        for line in lines[:_SHOWN]:
            announce(f"folder: broken: {line}")
        if len(lines) > _SHOWN:
            announce(f"folder: broken: and {len(lines) - _SHOWN:,} more, all listed in {listing}")
        if len(lines) > self.max_broken_share * count:
            raise InputError(
                f"folder: {len(lines):,} of {count:,} images cannot be used, more than "
                f"max_broken_share={self.max_broken_share:g}; the first is {lines[0]}; all are "
                f"listed in {listing}"
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
            raise InputError(f"folder: no training image in {str(root)!r}")
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
