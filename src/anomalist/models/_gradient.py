"""Gradient: what detectors with a network share: first weights, a training by their options, weights as arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from anomalist.training import apply_batched, resolve, train

__all__ = [
    "Run",
    "Trained",
    "TrainingPrecision",
    "answers",
    "check_shape",
    "in_double",
    "initialise",
    "load_weights",
    "stage_file",
    "train_as_set",
    "weights",
]

Module = TypeVar("Module", bound=nn.Module)
Precision = Literal["auto", "float32", "bfloat16"]
TrainingPrecision = Annotated[
    Precision,
    Field(
        description="arithmetic of training: bfloat16 takes half the time on processors that have "
        "it, on others more"
    ),
]


_STEP_PIXELS, _LEAST_BATCH = 1 << 19, 8  # of a training step, where images are large
_SCORED, _SCORED_PIXELS = 256, 1 << 20  # images scored at once, and pixels where they are large


class Run(Protocol):
    """A detector that runs somewhere."""

    @property
    def device(self) -> Literal["auto", "cpu", "cuda"]:
        """Where the network runs."""

    @property
    def precision(self) -> Precision:
        """Its arithmetic."""


class Trained(Run, Protocol):
    """A detector that has the options of a training."""

    @property
    def name(self) -> str:
        """The detector's name."""

    @property
    def epochs(self) -> int | None:
        """Passes over the images."""

    @property
    def batch_size(self) -> int | None:
        """Images a step; None: see :func:`step_size`."""

    @property
    def usual_batch(self) -> int:
        """Images a step where ``batch_size`` does not say and they are not large."""

    @property
    def learning_rate(self) -> float:
        """The schedule's peak."""

    @property
    def seed(self) -> int:
        """Seed of every random choice."""


def train_as_set(
    detector: Trained,
    network: nn.Module,
    loss: Callable[..., Tensor],
    images: NDArray[np.float32],
    checkpoint: Path | None,
    *,
    targets: NDArray[Any] | None = None,
    stage: str = "training",
    epochs: int | None = None,
) -> list[float]:
    """Train a network as the detector's options say, see :func:`anomalist.training.train`; return the losses.

    ``epochs`` takes the place of the detector's own; ``stage`` heads the progress line. A detector
    may have an option ``training_precision``, which is then that of its training.
    """
    return train(
        network,
        loss,
        images,
        targets=targets,
        epochs=epochs or detector.epochs,
        batch_size=step_size(detector, images),
        learning_rate=detector.learning_rate,
        seed=detector.seed,
        device=detector.device,
        precision=getattr(detector, "training_precision", detector.precision),
        title=f"{stage} {detector.name}",
        checkpoint=checkpoint,
    )


def step_size(detector: Trained, images: NDArray[np.float32]) -> int:
    """Return the images of a training step: ``batch_size``, or the detector's usual number, fewer of large ones.

    A step of more pixels than stay near the processor spends its time in fetching memory: images of
    256 x 256 train at 29 images a second in batches of 128 and at 63 in batches of 8, on two cores.
    Since a training has a number of steps, not of images, large images are not paid for with hours
    either.
    """
    if detector.batch_size is not None:
        return detector.batch_size
    return int(np.clip(_STEP_PIXELS // images[0, 0].size, _LEAST_BATCH, detector.usual_batch))


@contextmanager
def stage_file(checkpoint: Path | None, stage: str) -> Iterator[Path | None]:
    """Within it a stage before the last has a checkpoint of its own, which is removed when all stages are done."""
    path = checkpoint and checkpoint.with_name(f"{checkpoint.name}.{stage}")
    yield path
    if path is not None:
        path.unlink(missing_ok=True)


def answers(
    detector: Run, network: nn.Module, images: NDArray[np.float32], size: int | None = None
) -> NDArray[np.float32]:
    """Return what a network makes of images, where and as the detector runs; see :func:`training.apply_batched`.

    By default 256 images are taken at once, fewer where they are above 64 x 64.
    """
    device, dtype = resolve(detector.device, detector.precision)
    if size is None:
        size = int(np.clip(_SCORED_PIXELS // images[0, 0].size, 1, _SCORED))
    return apply_batched(network.to(device).eval(), images, device=device, dtype=dtype, size=size)


def initialise(layer: nn.Module) -> None:
    """Draw weights so that signals keep their size through ReLU layers (He et al., ICCV 2015).

    torch's own default shrinks them, and training then starts with hundreds of steps on a plateau.
    """
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)


def in_double(layers: nn.Module, values: Tensor) -> Tensor:
    """Return what trained layers make of values, computed in float64, as float32.

    The last bits of torch's float32 product with few columns depend on the place in the batch, on
    some processors.
    """
    wide = {name: value.double() for name, value in layers.state_dict().items()}
    result: Tensor = torch.func.functional_call(layers, wide, (values.double(),))
    return result.float()


def weights(network: nn.Module | None) -> dict[str, NDArray[Any]]:
    """Return a fitted network's weights by name."""
    assert network is not None
    return {name: value.cpu().numpy() for name, value in network.state_dict().items()}


def load_weights(network: Module, arrays: dict[str, NDArray[Any]]) -> Module:
    """Return the network, in evaluation mode, with what :func:`weights` returned; all of ``arrays`` must fit."""
    network.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    return network.eval()


def check_shape(arrays: dict[str, NDArray[Any]], shape: tuple[int, ...] | None) -> None:
    """Take ``shape`` out of arrays whose weights would fit images of any size.

    Raises:
        ValueError: they were fitted on images of another shape than ``shape``.
    """
    if (fitted_on := tuple(arrays.pop("shape").tolist())) != shape:
        raise ValueError(f"it was fitted on images {list(fitted_on)}")
