"""The options of a fit: the images, the detector, and the calibration."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from anomalist.calibration import LOWEST_RATE
from anomalist.core.config import Config
from anomalist.core.errors import InputError
from anomalist.datasets.folder import Folder, Intensity, Size
from anomalist.deployment.tiling import GRID, Tiling
from anomalist.models import Model

__all__ = ["FitConfig"]

_OVERLAP_SHARE = 4  # a tile's side divided by the default overlap


def _none_if_auto(value: Any) -> Any:
    return None if value == "auto" else value


class FitConfig(Config):
    """What is fitted, on which images, and how it is calibrated."""

    path: str = Field("", description="folder of images")
    good: tuple[str, ...] = Field(
        (), description="folders of normal images inside DIR; '.' for all that are not bad"
    )
    bad: tuple[str, ...] = Field(
        (), description="folders of anomalous images inside DIR, which are not used"
    )
    anomalous: str = Field(
        "", description="file inside DIR that lists the anomalous images, which are not used"
    )
    model: Annotated[Model | None, BeforeValidator(_none_if_auto)] = Field(
        None,
        description="detector, see `anomalist list models`; by default chosen by the number and "
        "the size of the images",
    )
    resize: Size | None = Field(
        None,
        description="size of all images after resizing: 256, or 192x256 (height x width); by "
        "default chosen by the sizes of the files",
    )
    resize_mode: Literal["stretch", "pad", "mirror", "crop"] = Field(
        "stretch",
        description="how other aspect ratios are handled: stretch the image, pad it with black, "
        "mirror it at its borders, or crop it",
    )
    channels: Literal["auto", "grey", "colour"] = Field(
        "auto", description="grey, colour, or auto: colour if at least one file is in colour"
    )
    intensity: Intensity = Field(
        "dtype",
        description="values of black and white: 'dtype' for the range of the file's type, or "
        "LOW;HIGH in the units of the files",
    )
    max_broken_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="largest fraction of unreadable files; with more, the fit stops with an error",
    )
    tile: int | None = Field(
        None,
        ge=32,
        description="side of overlapping tiles, a multiple of 32; images are cut into tiles "
        "instead of being resized, for small defects in images of high resolution",
    )
    overlap: int | None = Field(
        None,
        ge=0,
        description="pixels shared by neighbouring tiles, a multiple of 32; by default a quarter "
        "of the tile, rounded down",
    )
    calibration: Literal["auto", "split", "cross", "none"] = Field(
        "auto",
        description="how the threshold is set: split holds some normal images out of training; "
        "cross scores each image by a detector that was fitted without it, with one detector per "
        "fold; none sets no threshold. By default split with 150 images or more, else cross",
    )
    held_out: int | None = Field(
        None,
        ge=1,
        description="number of normal images held out by split calibration; by default a fifth, or "
        "up to a third if a rate of 1 % needs it",
    )
    folds: int | None = Field(
        None,
        ge=2,
        description="number of folds of cross calibration; by default 5, or one per image with at "
        "most 16 images",
    )
    false_alarms: float | None = Field(
        None,
        ge=LOWEST_RATE,
        lt=1,
        description="expected share of normal images that are called anomalous; by default the "
        "lowest of 0.01, 0.02, 0.05, 0.1 and 0.2 that the number of images supports",
    )
    rotate: Literal["auto", "yes", "no"] = Field(
        "auto",
        description="whether rotated copies are used for training too; by default with at most 16 "
        "images whose content has no fixed orientation",
    )
    seed: int = Field(0, ge=0, description="seed of all random choices")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="device of networks; auto uses a GPU if there is one"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="number format of networks; auto uses bfloat16 on a GPU, else float32"
    )
    threads: int | None = Field(
        None, ge=1, description="number of processor threads; by default one per core"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.tile is not None and self.resize is not None:
            raise InputError("tile and resize: give one of them; tiles are cut at full resolution")
        if self.overlap is not None and self.tile is None:
            raise InputError("overlap needs tile: give the side of the tiles as well")
        method = self.method
        if self.held_out is not None and method != "split":
            raise InputError(f"held_out is an option of split calibration, not {method}")
        if self.folds is not None and method != "cross":
            raise InputError(f"folds is an option of cross calibration, not {method}")
        if self.false_alarms is not None and method == "none":
            raise InputError("false_alarms needs a calibration: choose split or cross")
        self.folder()  # raises an error for a wrong size or intensity
        _ = self.tiling
        return self

    @property
    def method(self) -> str:
        """The calibration; ``auto`` if neither it nor an option of one of them is given."""
        if self.calibration != "auto":
            return self.calibration
        if self.held_out is not None:
            return "split"
        return "auto" if self.folds is None else "cross"

    @property
    def tiling(self) -> Tiling | None:
        """The tiles, or None."""
        if self.tile is None:
            return None
        overlap = (
            self.tile // _OVERLAP_SHARE // GRID * GRID if self.overlap is None else self.overlap
        )
        return Tiling(side=self.tile, overlap=overlap)

    def folder(self, size: tuple[int, int] | None = None) -> Folder:
        """Return the data set of the folder.

        Args:
            size: height and width; by default those of ``resize``, else those of the data set.
        """
        chosen = size or self.resize
        options = {} if chosen is None else {"resize": chosen}
        return Folder(
            path=self.path,
            resize_mode=self.resize_mode,
            channels=self.channels,
            intensity=self.intensity,
            anomalous=self.anomalous,
            good=self.good,
            bad=self.bad,
            max_broken_share=self.max_broken_share,
            **options,
        )
