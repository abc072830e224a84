"""Your own images: a folder in the MVTec AD layout, or any folder with a list of the anomalous ones.

P. Bergmann, M. Fauser, D. Sattlegger, C. Steger: MVTec AD, a comprehensive real-world dataset for
unsupervised anomaly detection, CVPR 2019: ``train/good``, ``test/KIND``,
``ground_truth/KIND/NAME_mask.png``.

Intensities are never stretched to what one image happens to hold: that would hide the anomalies
that are a matter of intensity. They are decoded once, by all cores, into a cache that later runs
map into memory.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from anomalist.dataset import DatasetConfig, Status
from anomalist.datasets._cache import data_folder, say
from anomalist.errors import InputError, printable
from anomalist.files import write_text
from anomalist.images import Dataset, ImageSet, check_steps

if TYPE_CHECKING:
    from anomalist.datasets._folder_cache import Decoding
    from anomalist.datasets._folder_files import Entry, Layout

__all__ = ["Folder"]

_Side = Annotated[int, Field(ge=1, le=8192)]
_SHOWN = 20  # broken files that are named on the screen; all are named in a file


def _size(value: Any) -> Any:
    """Read ``256``, ``"192x256"``, ``["192x256"]`` or ``(192, 256)`` as (H, W)."""
    parts = value if isinstance(value, list | tuple) else [value]
    parts = [number for part in parts for number in str(part).split("x")]
    return parts * 2 if len(parts) == 1 else parts


def _window(value: Any) -> Any:
    """Read ``"LOW;HIGH"`` or a pair as (low, high), low < high."""
    if value == "dtype":
        return value
    parts = value.split(";") if isinstance(value, str) else value
    try:
        low, high = map(float, parts)
    except (TypeError, ValueError):
        low, high = 1.0, 0.0
    if not -np.inf < low < high < np.inf:
        raise InputError(f"'dtype', or LOW;HIGH with LOW < HIGH, got {value!r}")
    return low, high


class Folder(DatasetConfig):
    """Images in a folder, brought to one size."""

    licence: ClassVar[str] = "your own"
    size: ClassVar[str] = "as many as are in the folder"
    shape: ClassVar[str] = "1 or 3 channels, as large as resize says"
    home: ClassVar[str] = "your own files"
    own: ClassVar[bool] = True

    path: str = Field("", description="the folder of images")
    resize: Annotated[tuple[_Side, _Side], BeforeValidator(_size)] = Field(
        (256, 256),
        description="the size that all images are brought to: 256, or 192x256 (height x width)",
    )
    fit: Literal["squash", "pad", "mirror", "crop"] = Field(
        "squash",
        description="what becomes of another aspect ratio: the image is squashed, padded with "
        "black, continued by its "
        "mirror images (and so is its mask), or cropped",
    )
    channels: Literal["auto", "grey", "colour"] = Field(
        "auto", description="grey, colour, or auto: colour if one of the files has it"
    )
    intensity: Annotated[Literal["dtype"] | tuple[float, float], BeforeValidator(_window)] = Field(
        "dtype",
        description="black and white: 'dtype' for 0..255, 0..65535, in floats 0..1; or LOW;HIGH in "
        "the file's values",
    )
    anomalous: str = Field(
        "",
        description="a list of the anomalous images, a file in the folder; not for the MVTec "
        "layout",
    )
    good: tuple[str, ...] = Field(
        (), description="folders of normal images, where no layout says it; '.' for all others"
    )
    bad: tuple[str, ...] = Field(
        (), description="folders of anomalous images, where no layout says it"
    )
    broken: float = Field(
        0.01, ge=0, le=1, description="the share of broken files above which it stops"
    )
    test_share: float = Field(
        0.2, gt=0, lt=1, description="the share of good images to test on, without MVTec layout"
    )
    seed: int = Field(0, ge=0, description="of the choice of these")

    def load(self) -> Dataset:
        """Return the images: uint8, uint16 or float32; kinds "good", then the kinds of anomaly; masks if there are any.

        The first call decodes all files into the data folder (see ``status``); files that cannot be
        read are named on standard error and left out.

        Raises:
            InputError: no such folder, nothing in it, too many broken files, or no room for the
                decoded images.
        """
        from anomalist.datasets import _folder_cache, _folder_files, _folder_work, _science

        if not self.path:
            raise InputError("the data set folder needs to know where: folder:path=FOLDER")
        root = Path(self.path).expanduser()
        said = _folder_files.Question(
            self.anomalous, self.good, self.bad, self.test_share, self.seed
        )
        layout = _folder_files.find(root, said)
        entries = [entry for entry in layout.entries if entry.fault is None]
        physical = [entry.name for entry in entries if _science.reader(entry.name)]
        _science.check_installed(physical)
        window = None if self.intensity == "dtype" else self.intensity
        if window is not None:
            check_steps(np.dtype(np.float32), *window)
        if physical and window is None:
            raise InputError(
                "folder.intensity: DICOM and FITS values have no range of their own; give LOW;HIGH"
            )
        wish = _folder_work.Wish(self.resize, self.fit, self.channels, window)
        decoding = _folder_cache.decoded(root, entries, wish, layout.masked, data_folder(self.name))
        faults = {entry.name: entry.fault for entry in layout.entries if entry.fault}
        faults |= {entries[row].name: fault for row, fault in decoding.faults.items()}
        if decoding.turned:
            say(
                f"folder: {decoding.turned:,} images are turned as their EXIF data say; a mask "
                "must show them so too"
            )
        self._report(layout, faults, [entries[row].name for row in decoding.faded], decoding.folder)
        return self._dataset(root, [entries[row] for row in decoding.kept], decoding, len(faults))

    def status(self) -> Status:
        """Return whether the folder is there."""
        if not self.path:
            return Status("put here", "any folder of images: folder:path=FOLDER")
        root = Path(self.path).expanduser()
        return Status("ready" if root.is_dir() else "put here", str(root))

    def _report(
        self, layout: Layout, faults: dict[str, str], faded: list[str], folder: Path
    ) -> None:
        """Name what is broken, and stop if it is too much.

        Raises:
            InputError: a larger share of the images than ``broken`` cannot be used.
        """
        lines = [f"{printable(name)}: {printable(fault)}" for name, fault in sorted(faults.items())]
        if layout.reading:
            say(f"folder: {printable(layout.reading)}")
        if layout.others:
            found = ", ".join(
                f"{count:,} {printable(ending)}" for ending, count in layout.others.most_common(5)
            )
            say(f"folder: files left alone: {found}")
        if faded:
            shown = ", ".join(map(printable, faded[:5])) + (", …" if len(faded) > 5 else "")
            say(
                f"folder: in {len(faded):,} anomalous images no marked pixel is left at this size: "
                f"{shown}"
            )
        with contextlib.suppress(OSError):  # a cache that can only be read has it already
            write_text(folder / "broken.txt", "".join(line + "\n" for line in lines))
        for line in lines[:_SHOWN]:
            say(f"folder: broken: {line}")
        if len(lines) > _SHOWN:
            say(f"folder: broken: and {len(lines) - _SHOWN:,} more, all in {folder / 'broken.txt'}")
        count = len(layout.entries)
        if len(lines) > self.broken * count:
            raise InputError(
                f"folder: {len(lines):,} of {count:,} images cannot be used, more than "
                f"broken={self.broken:g}; "
                f"the first is {lines[0]}; all are in {folder / 'broken.txt'}"
            )

    def _dataset(
        self, root: Path, entries: list[Entry], decoding: Decoding, broken: int
    ) -> Dataset:
        named = [printable(entry.kind) for entry in entries]
        kinds = ("good", *sorted(set(named) - {"good"}))
        labels = np.array([kinds.index(kind) for kind in named], np.int64)
        trained = sum(not entry.test for entry in entries)
        if trained == 0:
            raise InputError(f"folder: no image to train on in {str(root)!r}")
        masks = decoding.masks
        nothing = None if masks is None else np.broadcast_to(np.False_, (trained, *self.resize))
        images, span = decoding.images, (0.0, 0.0) if self.intensity == "dtype" else self.intensity
        files = np.array([printable(entry.name) for entry in entries], np.str_)
        train = ImageSet(
            images[:trained], labels[:trained], kinds, nothing, span, files=files[:trained]
        )
        test = ImageSet(
            images[trained:], labels[trained:], kinds, masks, span, files=files[trained:]
        )
        return Dataset(
            str(self),
            train,
            test,
            f"{root}, {broken:,} broken files left out, decoded in {decoding.folder}",
        )
