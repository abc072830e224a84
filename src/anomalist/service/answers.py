"""Answers: what the service says about scored images, as JSON values or as a picture."""

from __future__ import annotations

import io

from pydantic import BaseModel, Field

from anomalist.deployment.model import CalibratedModel
from anomalist.deployment.pictures import draw_overlay
from anomalist.deployment.reading import ImageFile
from anomalist.deployment.regions import Region, largest_region
from anomalist.deployment.result_row import result_row
from anomalist.deployment.thumbnail import thumbnails_of
from anomalist.service.batching import Scored
from anomalist.thumbnails import MapScale

__all__ = ["Answer", "Result", "answer_of", "overlay_of", "pictures_of"]


class Result(BaseModel):
    """What the model says about one file; ``fault`` says why if it could not be read."""

    file: str = Field(description="name of the file, as sent")
    fault: str | None = Field(None, description="why the file could not be read")
    width: int | None = Field(None, description="width of the image in pixels")
    height: int | None = None
    score: float | None = Field(None, description="higher is more anomalous")
    p_value: float | None = Field(
        None, description="probability that a normal image scores at least as high"
    )
    percentile: float | None = Field(
        None, description="percentage of normal images that score lower"
    )
    verdict: str | None = Field(
        None, description="normal or anomalous, at the model's false-alarm rate"
    )
    region_left: int | None = Field(
        None, description="box of the largest anomalous region, in pixels of the file"
    )
    region_top: int | None = None
    region_width: int | None = None
    region_height: int | None = None
    region_area: int | None = None
    pictures: dict[str, str | None] | None = Field(
        None, description="thumbnails in base64, with ?pictures=true"
    )


class Answer(BaseModel):
    """The answer to a request: one result per file, in the order of the request."""

    results: list[Result]


def answer_of(model: CalibratedModel, name: str, file: ImageFile, scored: Scored) -> Result:
    """Return the result of a scored file."""
    row = result_row(
        scored.predictions,
        scored.number,
        file,
        _region(file, scored),
        is_calibrated=model.calibration.image.count > 0,
    )
    return Result(file=name, width=file.size[0], height=file.size[1], **row)


def overlay_of(model: CalibratedModel, file: ImageFile, scored: Scored) -> bytes:
    """Return the heatmap over the image, with a box around the largest region, as PNG.

    The model must draw maps.
    """
    assert scored.predictions.maps is not None
    heat = scored.predictions.maps[scored.number]
    picture = draw_overlay(model, file, heat, _region(file, scored))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def pictures_of(
    model: CalibratedModel, scale: MapScale | None, name: str, scored: Scored
) -> dict[str, str | None]:
    """Return thumbnails: ``input``, ``map``, ``restored``, and ``mask`` if a map has none."""
    rows = slice(scored.number, scored.number + 1)
    own = scored.predictions._replace(
        score=scored.predictions.score[rows],
        p_value=scored.predictions.p_value[rows],
        maps=None if scored.predictions.maps is None else scored.predictions.maps[rows],
        masks=None if scored.predictions.masks is None else scored.predictions.masks[rows],
    )
    [small] = thumbnails_of(model, scale, scored.images[rows], own, [name])
    [score] = small.scores
    return {"input": small.input, "map": score.map, "restored": score.restored, "mask": score.mask}


def _region(file: ImageFile, scored: Scored) -> Region | None:
    masks = scored.predictions.masks
    return None if masks is None else largest_region(masks[scored.number], file.frame)
