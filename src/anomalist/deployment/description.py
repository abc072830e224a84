"""The description of a model: ``model.json`` in its folder, and the metadata of an ONNX file."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from anomalist.core.config import Config
from anomalist.deployment.reading import Reading
from anomalist.deployment.tiling import Tiling

__all__ = ["FORMAT", "Cost", "Description", "Training"]

FORMAT = 1


class Training(Config):
    """The images that a model was made from."""

    folder: str = Field(description="name of the folder of images")
    images: int = Field(description="number of normal images, for training and calibration")
    sha256: str = Field(description="hash of the contents of these images, as they were read")
    rotated: bool = Field(False, description="whether rotated copies were used for training")


class Cost(Config):
    """What the model took and takes, measured where it was fitted."""

    fit_s: float = Field(description="seconds to fit and calibrate")
    one_image_ms: float = Field(description="milliseconds to score one image alone")
    images_per_s: float = Field(description="images scored per second, in batches")
    peak_bytes: int = Field(description="highest memory of the process that fitted it")
    threads: int
    processor: str


class Description(Config):
    """What a model is, how it reads files, and how it was calibrated."""

    format: int = FORMAT
    anomalist: str = Field(description="version of the package that fitted it")
    created: str = Field(description="date and time, UTC")
    detector: str = Field(description="the detector and its options")
    map_quantity: str = Field(description="what the map shows")
    has_maps: bool = Field(description="whether the detector draws maps")
    reading: Reading
    tiling: Tiling | None = None
    method: Literal["split", "cross", "none"] = Field(description="how it was calibrated")
    calibration_images: int
    false_alarms: float | None = Field(description="the chosen false-alarm rate")
    seed: int = 0
    training: Training
    cost: Cost | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    fit: dict[str, Any] = Field(default_factory=dict, description="the options of the fit")

    @property
    def scored_size(self) -> tuple[int, int]:
        """Height and width of what the detector scores: an image, or a tile."""
        if self.tiling is not None:
            return self.tiling.side, self.tiling.side
        assert self.reading.size is not None
        return self.reading.size
