"""Synthetic: a network is trained to find synthetic defects; its map is where it finds one.

Normal images get synthetic defects, and a small U-Net learns which pixels were changed, and whether
any was (in the spirit of DRAEM: Zavrtanik, Kristan & Skocaj, ICCV 2021, without its reconstruction;
and of CutPaste: Li et al., CVPR 2021). With p_i its probability that pixel i is defective and q
that the image is, it minimises

    mean_i H(m_i, p_i) + image_weight H(max_i m_i, q),    H(m, p) = -m log p - (1 - m) log(1 - p),

m the mask of the changed pixels. The map is the surprise of a pixel if all is well, -log(1 - p_i)
in nats, at least 0 and never saturated; the image's score is -log(1 - q), or the map's
``aggregation``.

Unlike other detectors it has seen anomalies, if only synthetic ones: ``trained_on`` names them, and
a trial or a baseline that would test on one of these is refused unless ``allow_seen`` is set. The
standard defects are irregular regions, mostly one blot erased, and bent scratches: no squares, no
rows or columns, no single pixels and no noise over a whole image.
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
    """Learn to find synthetic defects; score by how sure the network is of one."""

    version: ClassVar[int] = 3
    usual_batch: ClassVar[int] = 128
    any_size: ClassVar[bool] = True
    precision_field: ClassVar[str] = "training_precision"

    defects: tuple[CorruptionSpec, ...] = Field(
        DEFECTS,
        min_length=1,
        description="corruptions to learn from, each at random severities unless it has a strength "
        "of its own",
    )
    clean: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="share of the training images that are left clean",
    )
    least: float = Field(
        MIN_SEVERITY,
        gt=0,
        le=1,
        description="lowest severity of a defect; drawn log-uniform",
    )
    most: float = Field(
        MAX_SEVERITY,
        gt=0,
        le=1,
        description="highest severity of a defect",
    )
    width: int = Field(
        32, ge=1, description="channels of the network's upper levels; the lowest has twice as many"
    )
    learning_rate: LearningRate = 1e-2
    training_precision: TrainingPrecision = "bfloat16"
    image_weight: float = Field(
        0.3, ge=0, description="weight of the image's cross-entropy beside the pixels'"
    )
    aggregation: Literal["learnt", "mean", "max", "top_1_percent"] = Field(
        "learnt",
        description="an image's score: the network's own output, or an aggregate of the map",
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
            return SegmentationNetwork(self.image_shape[0], self.width)

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

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._network is not None
        logits = predict_batched(self, self._network, images)
        # -log(1 - p); not computed in torch: see apply_batched.
        surprise = np.logaddexp(np.float32(0), logits)
        maps = np.ascontiguousarray(surprise[:, 1:]).reshape(len(images), *images.shape[2:])
        if self.aggregation == "learnt":
            return Scores(surprise[:, 0].copy(), maps)
        return Scores(heatmaps.aggregate(maps, self.aggregation), maps)
