"""Auxiliary: anomalies to learn from: defects made in normal images, and images that are known to be anomalous."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator
from torch import Tensor, nn

from anomalist.corruption import Corruption, parse
from anomalist.errors import InputError
from anomalist.models._autoencoder_network import ConvNetwork
from anomalist.models._gradient import Trained, in_double, initialise, step_size, train_as_set
from anomalist.training import passes

__all__ = [
    "DEFECTS",
    "LEAST",
    "MOST",
    "Defect",
    "Scorer",
    "names",
    "spoil",
    "train_against",
    "with_anomalies",
]

Defect = Annotated[Corruption, PlainValidator(parse), PlainSerializer(str, return_type=str)]

DEFECTS = tuple(
    parse(f"blobs:{spec}")
    for spec in (
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
LEAST, MOST = 0.005, 0.25  # severities of defects
_STEPS = 1_500  # the default length of a training
_GROUP = 8  # images of a batch that share a defect and its severity


class Exposed(Trained, Protocol):
    """A detector that has the options of anomalies to learn from."""

    @property
    def defects(self) -> tuple[Corruption, ...]:
        """What anomalies are made with."""

    @property
    def made(self) -> float:
        """Share of made anomalies beside known ones."""


class Scorer(nn.Module):
    """Images ``[n, C, H, W]`` to one number each, ``[n]``: the autoencoder's encoder and a hidden layer."""

    def __init__(self, shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        hidden = 64
        self.encoder = ConvNetwork(shape, hidden, width).encoder
        self.last = nn.Linear(hidden, 1)
        self.apply(initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Return the numbers."""
        hidden = torch.relu(self.encoder(images))
        result: Tensor = (self.last(hidden) if self.training else in_double(self.last, hidden))[
            :, 0
        ]
        return result


def names(defects: Sequence[Corruption]) -> tuple[str, ...]:
    """Return the names of the corruptions, each once."""
    return tuple(sorted({defect.name for defect in defects}))


def train_against(
    detector: Exposed,
    network: nn.Module,
    objective: Callable[[Tensor, Tensor], Tensor],
    images: NDArray[np.float32],
    labels: NDArray[np.integer[Any]],
    checkpoint: Path | None,
) -> list[float]:
    """Train a network on batches of normal images, each followed by as many anomalies; return the losses.

    Args:
        detector: whose options are followed.
        network: images to answers.
        objective: answers and what is true, float 1 for an anomaly, to the loss.
        images: float32 ``[N, C, H, W]``.
        labels: -1 for a known anomaly, else 0 or +1.
        checkpoint: as :func:`anomalist.training.train` takes it.

    Raises:
        InputError: no anomaly is known and none is to be made.
    """
    normal, known = images[labels >= 0], torch.from_numpy(images[labels < 0])
    if len(known) == 0 and detector.made == 0:
        raise InputError(
            f"{detector.name}: made=0 needs known anomalies (labels -1), there are none; label "
            "some or raise made"
        )

    def loss(batch: Tensor) -> Tensor:
        whole, truth = with_anomalies(batch, known, detector.made, detector.defects)
        return objective(network(whole).float(), truth)

    epochs = detector.epochs or passes(len(normal), step_size(detector, normal), _STEPS)
    return train_as_set(detector, network, loss, normal, checkpoint, epochs=epochs)


def with_anomalies(
    batch: Tensor, known: Tensor, made: float, defects: Sequence[Corruption]
) -> tuple[Tensor, Tensor]:
    """Return a batch followed by as many anomalies, and what is true of each: float 1 for an anomaly.

    Draws from torch's generator, which ``training.train`` sets for each step. A made anomaly in
    which nothing changed counts as normal.

    Args:
        batch: normal images, float32 ``[n, C, H, W]``.
        known: known anomalies ``[m, C, H, W]``; they are drawn with replacement.
        made: share of the anomalies that are made; all are if none is known.
        defects: what they are made with.
    """
    n = len(batch)
    count = round(made * n) if len(known) else n
    spoilt, masks = spoil(batch[:count].cpu().numpy(), defects, 0.0, LEAST, MOST)
    drawn = known[torch.randint(max(len(known), 1), (n - count,))]
    whole = torch.cat([batch, torch.from_numpy(spoilt).to(batch.device), drawn.to(batch.device)])
    changed = torch.from_numpy(masks.any(axis=(1, 2))).float()
    return whole, torch.cat([torch.zeros(n), changed, torch.ones(n - count)]).to(batch.device)


def spoil(
    images: NDArray[np.float32],
    defects: Sequence[Corruption],
    clean: float,
    least: float,
    most: float,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the images with defects in most of them, and the changed pixels; draws from torch's generator.

    ``training.train`` sets that generator for each step, so a training that is taken up again draws
    the same.

    Args:
        images: float32 ``[n, C, H, W]``; not modified.
        defects: corruptions, each at random severities unless it has a strength of its own.
        clean: share of the images that are left as they are.
        least: least severity; drawn log-uniform.
        most: highest severity.
    """
    n, _, h, w = images.shape
    spoilt, masks = images.copy(), np.zeros((n, h, w), np.bool_)
    hit = np.flatnonzero(torch.rand(n).numpy() >= clean)
    for first in range(0, len(hit), _GROUP):
        rows = hit[first : first + _GROUP]
        draw, kind = (
            torch.rand((), dtype=torch.float64).item(),
            int(torch.randint(len(defects), ())),
        )
        severity = least * (most / least) ** draw
        result = _at(defects[kind], severity)(images[rows], seed=int(torch.randint(2**62, ())))
        spoilt[rows], masks[rows] = result
    return spoilt, masks


def _at(defect: Corruption, severity: float) -> Corruption:
    """Return the defect at a severity, unless it has a strength of its own."""
    given = defect.severity is not None or getattr(defect, defect.physical) is not None
    return defect if given else defect.model_copy(update={"severity": severity})
