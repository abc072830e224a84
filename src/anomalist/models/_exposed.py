"""AnomalyExposedDetector: the base of detectors that learn against anomalies, synthetic or known.

Synthetic anomalies are normal images with synthetic defects; known ones are labelled -1.
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
    """Train a network on batches of normal images, each followed by as many anomalies.

    A subclass defines ``_build``, ``_objective`` and ``_score``.
    """

    usual_batch: ClassVar[int] = 64
    usual_steps: ClassVar[int] = 1_500
    old_names: ClassVar[Mapping[str, str]] = {"synthetic_share": "made"}

    defects: tuple[CorruptionSpec, ...] = Field(
        DEFECTS, min_length=1, description="corruptions that synthetic anomalies are made with"
    )
    synthetic_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of synthetic anomalies beside known ones; without known ones, all are "
        "synthetic",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="passes over the normal images; by default enough for about 1,500 steps",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="normal images per training step, with as many anomalies; by default 64, fewer "
        "of large images",
    )
    learning_rate: LearningRate = 1e-3

    @abstractmethod
    def _objective(self, output: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of the network's output; ``truth`` is float 1 for an anomaly."""

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The corruptions that synthetic anomalies are made with."""
        return corruption_names(self.defects) if self.synthetic_share else ()

    @property
    def needs_known_anomalies(self) -> bool:
        """Whether there are no synthetic anomalies to learn from."""
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
                f"{self.name}: synthetic_share=0 needs known anomalies (labels -1), there are "
                "none; label some or raise synthetic_share"
            )
        network = self._build()

        def loss(batch: Tensor) -> Tensor:
            both, truth = with_anomalies(batch, known, self.synthetic_share, self.defects)
            return self._objective(network(both).float(), truth)

        self._history = self._train(network, loss, normal, checkpoint)
        self._network = network


class ScoringNetwork(nn.Module):
    """Images ``[n, C, H, W]`` to a number each, ``[n]``: a convolutional encoder and one layer."""

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
        """Return the network with first weights that follow from the seed."""
        with seeded(seed, "weights"):
            return cls(shape, width)

    def forward(self, images: Tensor) -> Tensor:
        """Return the numbers."""
        hidden = torch.relu(self.encoder(images))
        output = self.last(hidden) if self.training else forward_float64(self.last, hidden)
        numbers: Tensor = output[:, 0]
        return numbers


def corruption_names(defects: Sequence[Corruption]) -> tuple[str, ...]:
    """Return the names of the corruptions, each once."""
    return tuple(sorted({defect.name for defect in defects}))


def with_anomalies(
    batch: Tensor,
    known: Tensor,
    synthetic_share: float,
    defects: Sequence[Corruption],
) -> tuple[Tensor, Tensor]:
    """Return a batch followed by as many anomalies, and the truth: float 1 for an anomaly.

    Draws from torch's generator, which ``training.train`` sets for each step. A synthetic anomaly
    in which nothing changed counts as normal.

    Args:
        batch: normal images, float32 ``[n, C, H, W]``.
        known: known anomalies ``[m, C, H, W]``; they are drawn with replacement.
        synthetic_share: share of the anomalies that are synthetic; all are if none is known.
        defects: what synthetic ones are made with.
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
    """Return the images with defects in most of them, and the changed pixels.

    Draws from torch's generator, which ``training.train`` sets for each step, so that a resumed
    training draws the same.

    Args:
        images: float32 ``[n, C, H, W]``; not modified.
        defects: corruptions, each at random severities unless it has a strength of its own.
        clean_share: share of the images that are left as they are.
        min_severity: lowest severity; drawn log-uniform.
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
    """Return the defect at a severity, unless it has a strength of its own."""
    if defect.severity is not None or defect.given_strength is not None:
        return defect
    return defect.model_copy(update={"severity": severity})
