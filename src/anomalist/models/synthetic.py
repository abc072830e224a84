"""Synthetic: learns to segment synthetic defects, and marks similar regions in new images.

Synthetic defects are added to normal images, and a small U-Net learns which pixels were changed and
whether any pixel was changed (similar to DRAEM: Zavrtanik, Kristan & Skocaj, ICCV 2021, but without
its reconstruction; and to CutPaste: Li et al., CVPR 2021). Let m be the mask of the changed pixels,
p_i the network's probability that pixel i is defective, and q that the image is. Training
minimises::

    mean_i H(m_i, p_i) + image_weight H(max_i m_i, q)
    H(m, p) = -m log p - (1 - m) log(1 - p)

The map is the surprise of each pixel under the hypothesis of no defect, -log(1 - p_i) in nats. It
is at least 0 and does not saturate. The image score is -log(1 - q), or the map's ``aggregation``.

Unlike most detectors this one has seen anomalies, although only synthetic ones. ``trained_on``
lists them. Trials and baselines that would test on one of these corruptions fail unless
``allow_seen`` is set. The default defects are irregular regions, mostly one erased blot, and curved
scratches. They contain no squares, no rows or columns, no single pixels and no noise over a whole
image.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, model_validator
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from anomalist import heatmaps
from anomalist.core.errors import InputError
from anomalist.corruptions import CorruptionSpec
from anomalist.models._base import Scores
from anomalist.models._export.segmentation import ExportedSegmentation
from anomalist.models._exposed import (
    DEFECTS,
    MAX_SEVERITY,
    MIN_SEVERITY,
    add_synthetic_anomalies,
    corruption_names,
)
from anomalist.models._networks.unet import SegmentationNetwork
from anomalist.models._trained import (
    LearningRate,
    TrainedDetector,
    TrainingPrecision,
    predict_batched,
)
from anomalist.training import seeded

__all__ = ["Synthetic"]


class Synthetic(TrainedDetector):
    """Learn to segment synthetic defects; score by the predicted probability of a defect."""

    version: ClassVar[int] = 3
    usual_batch: ClassVar[int] = 128
    any_size: ClassVar[bool] = True
    precision_field: ClassVar[str] = "training_precision"

    defects: tuple[CorruptionSpec, ...] = Field(
        DEFECTS,
        min_length=1,
        description="corruptions to learn from, at random severities unless a strength is set",
    )
    clean: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="fraction of the training images without a defect",
    )
    least: float = Field(
        MIN_SEVERITY,
        gt=0,
        le=1,
        description="lowest severity of a defect; severities are log-uniform",
    )
    most: float = Field(
        MAX_SEVERITY,
        gt=0,
        le=1,
        description="highest severity of a defect",
    )
    width: int = Field(
        32, ge=1, description="channels of the network; twice as many at the lowest resolution"
    )
    learning_rate: LearningRate = 1e-2
    training_precision: TrainingPrecision = "bfloat16"
    image_weight: float = Field(
        0.3, ge=0, description="weight of the image's cross-entropy relative to the pixels'"
    )
    aggregation: Literal["learnt", "mean", "max", "top_1_percent"] = Field(
        "learnt",
        description="the image score: the network's image output, or an aggregate of the map",
    )

    _network: SegmentationNetwork | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            raise InputError(
                f"synthetic.least: at most synthetic.most = {self.most:g}, got {self.least:g}"
            )
        return self

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The corruptions that it learns from."""
        return corruption_names(self.defects)

    def _build(self) -> SegmentationNetwork:
        with seeded(self.seed, "weights"):
            return SegmentationNetwork(self.fitted_shape[0], self.width)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        network = self._build()

        def loss(batch: Tensor) -> Tensor:
            changed, masks = add_synthetic_anomalies(
                batch.cpu().numpy(), self.defects, self.clean, self.least, self.most
            )
            logits = network(torch.from_numpy(changed).to(batch.device)).float()
            truth = torch.from_numpy(masks).to(batch.device, torch.float32).flatten(1)
            of_image = binary_cross_entropy_with_logits(logits[:, 0], truth.amax(1))
            of_pixels = binary_cross_entropy_with_logits(logits[:, 1:], truth)
            return of_pixels + self.image_weight * of_image

        self._history = self._train(network, loss, images, checkpoint)
        self._network = network

    def _unexportable(self) -> str:
        return ""

    def _export_module(self) -> ExportedSegmentation:
        assert self._network is not None
        how = None if self.aggregation == "learnt" else self.aggregation
        return ExportedSegmentation(self._network, how)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._network is not None
        logits = predict_batched(self, self._network, images)
        # -log(1 - p); not computed in torch: see apply_batched.
        surprise = np.logaddexp(np.float32(0), logits)
        maps = np.ascontiguousarray(surprise[:, 1:]).reshape(len(images), *images.shape[2:])
        if self.aggregation == "learnt":
            return Scores(surprise[:, 0].copy(), maps)
        return Scores(heatmaps.aggregate(maps, self.aggregation), maps)
