"""Synthetic: a network trained to find defects that were made by hand in normal images; its map is where it sees one.

Normal images get synthetic defects, and a small U-Net learns which pixels were changed, and whether
any was (in the spirit of DRAEM: Zavrtanik, Kristan & Skocaj, ICCV 2021, without its reconstruction;
and of CutPaste: Li et al., CVPR 2021). With p_i its probability that pixel i is defective and q
that the image is, it minimises

    mean_i H(m_i, p_i) + image_weight H(max_i m_i, q),    H(m, p) = -m log p - (1 - m) log(1 - p),

m the mask of the changed pixels. The map is the surprise of a pixel if all is well, -log(1 - p_i)
in nats, at least 0 and never saturated; the image's score is -log(1 - q), or the map's
``aggregation``.

Unlike other detectors it has seen anomalies, if only made ones: ``trained_on`` names them, and a
trial or a baseline that would test on one of these is refused unless it says ``allow_seen``. The
standard defects are irregular regions, mostly one blot erased, and bent scratches: no squares, no
rows or columns, no single pixels and no noise over a whole image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, model_validator
from torch import Tensor, nn

from anomalist import heatmaps
from anomalist.detector import Detector, Scores
from anomalist.errors import InputError
from anomalist.models._auxiliary import DEFECTS, LEAST, MOST, Defect, names, spoil
from anomalist.models._gradient import (
    TrainingPrecision,
    answers,
    check_shape,
    load_weights,
    train_as_set,
    weights,
)
from anomalist.models._unet import UNet
from anomalist.training import seeded

__all__ = ["Synthetic"]


class Synthetic(Detector):
    """Learn to find synthetic defects; score by how sure the network is of one."""

    version: ClassVar[int] = 3
    usual_batch: ClassVar[int] = 128

    defects: tuple[Defect, ...] = Field(
        DEFECTS,
        min_length=1,
        description="corruptions to learn from, each at random severities unless it has a strength "
        "of its own",
    )
    clean: float = Field(
        0.05, ge=0, lt=1, description="share of the training images that are left clean"
    )
    least: float = Field(
        LEAST, gt=0, le=1, description="least severity of a defect; drawn log-uniform"
    )
    most: float = Field(MOST, gt=0, le=1, description="highest severity of a defect")
    width: int = Field(
        32, ge=1, description="channels of the network's upper levels; the lowest has twice as many"
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="passes over the training images; by default as many as make about 3,400 steps",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="images a training step; by default 128, fewer of images above 64 x 64",
    )
    learning_rate: float = Field(1e-2, gt=0, description="peak of the one-cycle schedule")
    training_precision: TrainingPrecision = "bfloat16"
    image_weight: float = Field(
        0.3, ge=0, description="weight of the image's cross-entropy beside the pixels'"
    )
    aggregation: Literal["learnt", "mean", "max", "top_1_percent"] = Field(
        "learnt",
        description="an image's score: the network's own answer, or what is made of the map",
    )

    _network: UNet | None = PrivateAttr(None)
    _history: list[float] = PrivateAttr(default_factory=list)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            raise InputError(
                f"synthetic.least: at most synthetic.most = {self.most:g}, got {self.least:g}"
            )
        return self

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch, in nats; empty before ``fit``."""
        return list(self._history)

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The names of the corruptions that it learns from."""
        return names(self.defects)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        network = self._build()

        def loss(batch: Tensor) -> Tensor:
            spoilt, masks = spoil(
                batch.cpu().numpy(), self.defects, self.clean, self.least, self.most
            )
            logits = network(torch.from_numpy(spoilt).to(batch.device)).float()
            targets = torch.from_numpy(masks).to(batch.device, torch.float32).flatten(1)
            image = nn.functional.binary_cross_entropy_with_logits(logits[:, 0], targets.amax(1))
            return (
                nn.functional.binary_cross_entropy_with_logits(logits[:, 1:], targets)
                + self.image_weight * image
            )

        self._history = train_as_set(self, network, loss, images, checkpoint)
        self._network = network

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._network is not None
        logits = answers(self, self._network, images)
        surprise = np.logaddexp(
            np.float32(0), logits
        )  # -log(1 - p); not in torch: see apply_batched
        maps = np.ascontiguousarray(surprise[:, 1:]).reshape(len(images), *images.shape[2:])
        if self.aggregation == "learnt":
            return Scores(surprise[:, 0].copy(), maps)
        return Scores(heatmaps.aggregate(maps, self.aggregation), maps)

    def _build(self) -> UNet:
        assert self._shape is not None
        with seeded(self.seed, "weights"):  # before the first weight is drawn
            return UNet(self._shape[0], self.width)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            **weights(self._network),
            "history": np.array(self._history),
            "shape": np.array(self._shape),
        }

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._history = arrays.pop("history").tolist()
        check_shape(arrays, self._shape)
        self._network = load_weights(self._build(), arrays)
