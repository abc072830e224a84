"""The base class of detectors that learn from normal images and anomalies, synthetic or known.

Synthetic anomalies are normal images with synthetic defects; known anomalies have the label -1.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from anomalist.core.errors import InputError
from anomalist.corruptions import Corruption, CorruptionSpec, parse
from anomalist.models._networks.autoencoder import conv_decoder, conv_encoder
from anomalist.models._networks.layers import discard_draws, forward_float64, initialise
from anomalist.models._trained import LearningRate, TrainedDetector
from anomalist.training import seeded

__all__ = [
    "DEFECTS",
    "MAX_SEVERITY",
    "MIN_SEVERITY",
    "AnomalyExposedDetector",
    "ScoringNetwork",
    "add_synthetic_anomalies",
    "corruption_names",
    "with_anomalies",
]

DEFECTS = tuple(
    parse(f"blobs:{options}")
    for options in (
        *(f"scale={scale},shape=blot" for scale in (1.5, 2, 3, 4)),
        "scale=2,shape=blot,fill=mixed",
        "scale=1",
        "scale=2",
        *(f"scale={scale},shape=scratches" for scale in (4, 8, 16)),
        "scale=6,shape=scratches,fill=mixed",
        "scale=2,fill=mixed",
        "scale=1,fill=noise,opacity=0.05",
    )
)
MIN_SEVERITY = 0.005
MAX_SEVERITY = 0.25
_GROUP = 8  # images of a batch that share a defect and its severity
_HIDDEN = 64  # units of the scoring network's hidden layer


class AnomalyExposedDetector(TrainedDetector):
    """Train a network on batches of normal images and as many anomalies.

    A subclass defines ``_build``, ``_objective`` and ``_score``.
    """

    usual_batch: ClassVar[int] = 64
    usual_steps: ClassVar[int] = 1_500
    old_names: ClassVar[Mapping[str, str]] = {"synthetic_share": "made"}

    defects: tuple[CorruptionSpec, ...] = Field(
        DEFECTS, min_length=1, description="corruptions that create synthetic anomalies"
    )
    synthetic_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="fraction of the anomalies that are synthetic if some are known; else all are",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="number of epochs; by default enough for about 1,500 steps",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="normal images per training step, with as many anomalies; by default 64, fewer "
        "for large images",
    )
    learning_rate: LearningRate = 1e-3

    @abstractmethod
    def _objective(self, output: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of the network's output; ``truth`` is 1.0 for anomalies, else 0.0."""

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The corruptions that create synthetic anomalies."""
        return corruption_names(self.defects) if self.synthetic_share else ()

    @property
    def needs_known_anomalies(self) -> bool:
        """Whether fitting requires labelled anomalies, because none are synthetic."""
        return self.synthetic_share == 0

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._fit_labelled(images, np.zeros(len(images), np.int8), checkpoint)

    def _fit_labelled(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.integer[Any]],
        checkpoint: Path | None,
    ) -> None:
        normal = images[labels >= 0]
        known = torch.from_numpy(images[labels < 0])
        if len(known) == 0 and self.needs_known_anomalies:
            raise InputError(
                f"{self.name}: synthetic_share=0 needs known anomalies (labels -1), but there are "
                "none; label some or raise synthetic_share"
            )
        network = self._build()

        def loss(batch: Tensor) -> Tensor:
            both, truth = with_anomalies(batch, known, self.synthetic_share, self.defects)
            return self._objective(network(both).float(), truth)

        self._history = self._train(network, loss, normal, checkpoint)
        self._network = network


class ScoringNetwork(nn.Module):
    """Map images ``[n, C, H, W]`` to scores ``[n]``: a convolutional encoder and one layer."""

    def __init__(self, shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.encoder = conv_encoder(shape, _HIDDEN, width)
        discard_draws(lambda: conv_decoder(shape, _HIDDEN, width))
        self.last = nn.Linear(_HIDDEN, 1)
        self.apply(initialise)

    @classmethod
    def drawn(
        cls,
        shape: tuple[int, int, int],
        width: int,
        seed: int,
    ) -> ScoringNetwork:
        """Return the network with initial weights drawn by the seed."""
        with seeded(seed, "weights"):
            return cls(shape, width)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores."""
        hidden = torch.relu(self.encoder(images))
        output = self.last(hidden) if self.training else forward_float64(self.last, hidden)
        numbers: Tensor = output[:, 0]
        return numbers


def corruption_names(defects: Sequence[Corruption]) -> tuple[str, ...]:
    """Return the distinct names of the corruptions, sorted."""
    return tuple(sorted({defect.name for defect in defects}))


def with_anomalies(
    batch: Tensor,
    known: Tensor,
    synthetic_share: float,
    defects: Sequence[Corruption],
) -> tuple[Tensor, Tensor]:
    """Return a batch followed by as many anomalies, and the truth: 1.0 for anomalies.

    Random numbers come from torch's generator, which ``training.train`` seeds for each step. A
    synthetic anomaly without a changed pixel counts as normal.

    Args:
        batch: normal images, float32 ``[n, C, H, W]``.
        known: known anomalies ``[m, C, H, W]``; they are drawn with replacement.
        synthetic_share: fraction of the anomalies that are synthetic; all are if none is known.
        defects: corruptions that create synthetic anomalies.
    """
    n = len(batch)
    count = round(synthetic_share * n) if len(known) else n
    synthetic, masks = add_synthetic_anomalies(batch[:count].cpu().numpy(), defects)
    drawn = known[torch.randint(max(len(known), 1), (n - count,))]
    device = batch.device
    both = torch.cat([batch, torch.from_numpy(synthetic).to(device), drawn.to(device)])
    changed = torch.from_numpy(masks.any(axis=(1, 2))).float()
    truth = torch.cat([torch.zeros(n), changed, torch.ones(n - count)])
    return both, truth.to(device)


def add_synthetic_anomalies(
    images: NDArray[np.float32],
    defects: Sequence[Corruption],
    clean_share: float = 0.0,
    min_severity: float = MIN_SEVERITY,
    max_severity: float = MAX_SEVERITY,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the images with synthetic defects in most of them, and masks of the changed pixels.

    Random numbers come from torch's generator, which ``training.train`` seeds for each step, so
    that a resumed training draws the same.

    Args:
        images: float32 ``[n, C, H, W]``; not modified.
        defects: corruptions, applied at random severities unless their strength is set.
        clean_share: fraction of the images that remain unchanged.
        min_severity: lowest severity; severities are log-uniform.
        max_severity: highest severity.
    """
    n, _, height, width = images.shape
    changed = images.copy()
    masks = np.zeros((n, height, width), np.bool_)
    hit = np.flatnonzero(torch.rand(n).numpy() >= clean_share)
    for first in range(0, len(hit), _GROUP):
        rows = hit[first : first + _GROUP]
        draw = torch.rand((), dtype=torch.float64).item()
        defect = defects[int(torch.randint(len(defects), ()))]
        severity = min_severity * (max_severity / min_severity) ** draw
        seed = int(torch.randint(2**62, ()))
        changed[rows], masks[rows] = _at(defect, severity)(images[rows], seed=seed)
    return changed, masks


def _at(defect: Corruption, severity: float) -> Corruption:
    """Return the defect at a severity, unless its strength is set."""
    if defect.severity is not None or defect.given_strength is not None:
        return defect
    return defect.model_copy(update={"severity": severity})
