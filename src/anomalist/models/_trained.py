"""The base class of detectors that train a network, and helpers they share.

It provides initial weights, training by the detector's options, batched prediction, and weights as
arrays.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from torch import Tensor, nn

from anomalist.core.devices import resolve
from anomalist.models._base import Detector
from anomalist.training import apply_batched, epochs_for_steps, train

__all__ = [
    "LearningRate",
    "TrainedDetector",
    "TrainingPrecision",
    "check_shape",
    "load_weights",
    "predict_batched",
    "scored_at_once",
    "stage_file",
    "weights",
]

Module = TypeVar("Module", bound=nn.Module)
LearningRate = Annotated[float, Field(gt=0, description="peak of the one-cycle learning rate")]
TrainingPrecision = Annotated[
    Literal["auto", "float32", "bfloat16"],
    Field(
        description="number format in training: bfloat16 takes half the time on processors that "
        "support it, and more time on others"
    ),
]

_STEP_PIXELS = 1 << 19  # values per training step of large images
_MIN_BATCH = 8
_SCORED = 256  # images scored at once
_SCORED_PIXELS = 1 << 20  # pixels scored at once for large images


class TrainedDetector(Detector):
    """Training options, losses, and a network that is saved as its weights.

    A subclass defines ``_build``, ``_fit`` and ``_score``:

    - ``_build`` creates the network within ``seeded(self.seed, "weights")`` of
      :mod:`anomalist.training`, so that the initial weights depend only on the seed.
    - ``_fit`` trains with :meth:`_train` and sets ``self._network`` and ``self._history``, the
      losses that ``_train`` returned.
    - ``_score`` calls :func:`predict_batched`, so that scores do not depend on the batch.

    A subclass with learnt state besides the weights extends ``_arrays`` and ``_restore``.
    """

    # Images per step if ``batch_size`` is unset and images are small.
    usual_batch: ClassVar[int] = 128
    usual_steps: ClassVar[int] = 3_400  # training steps if ``epochs`` is unset
    precision_field: ClassVar[str] = "precision"  # the option for the training's number format
    any_size: ClassVar[bool] = False  # whether the weights fit images of every size
    epoch_fields: ClassVar[tuple[str, ...]] = ("epochs",)

    epochs: int | None = Field(
        None,
        ge=1,
        description="number of epochs; by default enough for about 3,400 steps",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="images per training step; by default 128, fewer for images above 64 x 64",
    )
    learning_rate: LearningRate = 3e-3

    _network: nn.Module | None = PrivateAttr(None)
    _history: list[float] = PrivateAttr(default_factory=list)

    @abstractmethod
    def _build(self) -> nn.Module:
        """Return the network with its initial weights, drawn by the seed."""

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch of all stages; empty before ``fit``."""
        return list(self._history)

    def _train(
        self,
        network: nn.Module,
        loss: Callable[..., Tensor],
        images: NDArray[np.float32],
        checkpoint: Path | None,
        *,
        targets: NDArray[Any] | None = None,
        stage: str = "training",
        epochs: int | None = None,
        precision: str | None = None,
        channels_last: bool = False,
    ) -> list[float]:
        """Train a network with the detector's options and return the loss of each epoch.

        Args:
            network: the network, trained in place.
            loss: like the argument of :func:`anomalist.training.train`.
            images: float32 ``[N, C, H, W]``.
            checkpoint: a file to resume from.
            targets: a target for each image, ``[N, …]``.
            stage: the first word of the progress line.
            epochs: overrides the option.
            precision: overrides the option.
            channels_last: like the argument of :func:`anomalist.training.train`.
        """
        return train(
            network,
            loss,
            images,
            targets=targets,
            epochs=epochs or self.epochs or self.usual_epochs(images),
            batch_size=self._step_size(images),
            learning_rate=self.learning_rate,
            seed=self.seed,
            device=self.device,
            precision=precision or getattr(self, self.precision_field),
            channels_last=channels_last,
            title=f"{stage} {self.name}",
            checkpoint=checkpoint,
        )

    def usual_epochs(self, images: NDArray[np.float32]) -> int:
        """Return the number of epochs on these images if the option is unset."""
        return epochs_for_steps(self.usual_steps, len(images), self._step_size(images))

    def _step_size(self, images: NDArray[np.float32]) -> int:
        """Return the images per training step: ``batch_size``, or the usual number.

        Batches of large images are smaller, because a step whose pixels exceed the processor's
        cache is limited by memory access. On two cores, training on images of 256 x 256 processes
        29 images a second in batches of 128, and 63 in batches of 8. The default number of steps
        does not depend on the batch size, which also limits the training time on large images.
        """
        if self.batch_size is not None:
            return self.batch_size
        return int(np.clip(_STEP_PIXELS // images[0, 0].size, _MIN_BATCH, self.usual_batch))

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {**weights(self._network), "history": np.array(self._history)}
        if self.any_size:
            arrays["shape"] = np.array(self._shape)
        return arrays

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._history = arrays.pop("history").tolist()
        if self.any_size:
            check_shape(arrays, self._shape)
        self._network = load_weights(self._build(), arrays)


def predict_batched(
    detector: Detector,
    network: nn.Module,
    images: NDArray[np.float32],
    size: int | None = None,
) -> NDArray[np.float32]:
    """Return a network's output for images, with the detector's device and precision.

    See :func:`anomalist.training.apply_batched`.

    Args:
        detector: the detector whose device and precision are used.
        network: the network.
        images: float32 ``[N, C, H, W]``.
        size: images per batch; by default 256, fewer for images above 64 x 64.
    """
    device, dtype = resolve(detector.device, detector.precision)
    if size is None:
        size = scored_at_once(images[0, 0].size)
    return apply_batched(
        network.to(device).eval(),
        images,
        device=device,
        dtype=dtype,
        size=size,
    )


def scored_at_once(pixels: int) -> int:
    """Return how many images of ``pixels`` pixels are scored at once."""
    return int(np.clip(_SCORED_PIXELS // pixels, 1, _SCORED))


@contextmanager
def stage_file(checkpoint: Path | None, stage: str) -> Iterator[Path | None]:
    """Yield the checkpoint file of an earlier stage, and remove it after the last stage."""
    path = checkpoint and checkpoint.with_name(f"{checkpoint.name}.{stage}")
    yield path
    if path is not None:
        path.unlink(missing_ok=True)


def weights(network: nn.Module | None) -> dict[str, NDArray[Any]]:
    """Return the weights of a fitted network by name."""
    assert network is not None
    return {name: value.cpu().numpy() for name, value in network.state_dict().items()}


def load_weights(network: Module, arrays: dict[str, NDArray[Any]]) -> Module:
    """Return the network in evaluation mode with the weights of :func:`weights`.

    Raises:
        RuntimeError: an array is missing, superfluous or of another shape.
    """
    state: dict[str, Tensor] = {name: torch.from_numpy(value) for name, value in arrays.items()}
    network.load_state_dict(state)
    return network.eval()


def check_shape(arrays: dict[str, NDArray[Any]], shape: tuple[int, ...] | None) -> None:
    """Check the image shape of arrays whose weights fit images of any size, and remove it.

    Raises:
        ValueError: the network was fitted on images of another shape than ``shape``.
    """
    fitted_on = tuple(arrays.pop("shape").tolist())
    if fitted_on != shape:
        raise ValueError(f"it was fitted on images {list(fitted_on)}")
