"""TrainedDetector: the base of detectors with a network of their own, and what they share.

First weights, a training by the detector's options, predictions in batches, weights as arrays.
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
LearningRate = Annotated[float, Field(gt=0, description="peak of the one-cycle schedule")]
TrainingPrecision = Annotated[
    Literal["auto", "float32", "bfloat16"],
    Field(
        description="arithmetic of training: bfloat16 takes half the time on processors that "
        "support it, and more time on others"
    ),
]

_STEP_PIXELS = 1 << 19  # of a training step, where images are large
_MIN_BATCH = 8
_SCORED = 256  # images scored at once
_SCORED_PIXELS = 1 << 20  # pixels scored at once, where images are large


class TrainedDetector(Detector):
    """Options of a training, its losses, and a network that is saved as its weights.

    A subclass defines ``_build``, ``_fit`` and ``_score``.

    - ``_build`` makes the network. ``_fit`` calls it within ``seeded(self.seed, "weights")`` of
      :mod:`anomalist.training`, so that the first weights depend only on the seed.
    - ``_fit`` trains through :meth:`_train` and sets ``self._network`` and ``self._history``, the
      losses that ``_train`` returned.
    - ``_score`` calls :func:`predict_batched`, so that the batch has no influence.

    One that learns more than weights extends ``_arrays`` and ``_restore``.
    """

    # Images per step, where ``batch_size`` is unset and images are small.
    usual_batch: ClassVar[int] = 128
    usual_steps: ClassVar[int] = 3_400  # of a training, where ``epochs`` is unset
    precision_field: ClassVar[str] = "precision"  # the option that says how training computes
    any_size: ClassVar[bool] = False  # whether the weights fit images of every size
    epoch_fields: ClassVar[tuple[str, ...]] = ("epochs",)

    epochs: int | None = Field(
        None,
        ge=1,
        description="passes over the training images; by default enough for about 3,400 steps",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="images per training step; by default 128, fewer of images above 64 x 64",
    )
    learning_rate: LearningRate = 3e-3

    _network: nn.Module | None = PrivateAttr(None)
    _history: list[float] = PrivateAttr(default_factory=list)

    @abstractmethod
    def _build(self) -> nn.Module:
        """Return the network with its first weights, drawn by the seed."""

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch of all stages; empty before ``fit``."""
        return list(self._history)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape C, H, W of the images that it was fitted on, or is being fitted on."""
        assert self._shape is not None
        return self._shape

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
        """Train a network by the detector's options and return the loss of each epoch.

        Args:
            network: what is trained, in place.
            loss: as :func:`anomalist.training.train` takes it.
            images: float32 ``[N, C, H, W]``.
            checkpoint: a file to resume from.
            targets: what belongs to each image, ``[N, …]``.
            stage: the first word of the progress line.
            epochs: in place of the option.
            precision: in place of the option.
            channels_last: as :func:`anomalist.training.train` takes it.
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
        """Return the epochs of a training on these images where the option is unset."""
        return epochs_for_steps(self.usual_steps, len(images), self._step_size(images))

    def _step_size(self, images: NDArray[np.float32]) -> int:
        """Return the images of a training step: ``batch_size``, or the usual number.

        Large images are taken fewer at a time: a step of more pixels than the processor's cache
        holds spends its time fetching memory. On two cores images of 256 x 256 train at 29 images a
        second in batches of 128, and at 63 in batches of 8. Since a training has a number of steps,
        not of images, large images do not cost hours either.
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
    """Return a network's output for images, on the detector's device and in its precision.

    See :func:`anomalist.training.apply_batched`.

    Args:
        detector: whose device and precision are used.
        network: images to output.
        images: float32 ``[N, C, H, W]``.
        size: images at once; by default 256, fewer of images above 64 x 64.
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
    """Return how many images of so many pixels are scored at once."""
    return int(np.clip(_SCORED_PIXELS // pixels, 1, _SCORED))


@contextmanager
def stage_file(checkpoint: Path | None, stage: str) -> Iterator[Path | None]:
    """Yield a checkpoint for a stage before the last; it is removed when all stages are done."""
    path = checkpoint and checkpoint.with_name(f"{checkpoint.name}.{stage}")
    yield path
    if path is not None:
        path.unlink(missing_ok=True)


def weights(network: nn.Module | None) -> dict[str, NDArray[Any]]:
    """Return a fitted network's weights by name."""
    assert network is not None
    return {name: value.cpu().numpy() for name, value in network.state_dict().items()}


def load_weights(network: Module, arrays: dict[str, NDArray[Any]]) -> Module:
    """Return the network, in evaluation mode, with what :func:`weights` returned.

    Raises:
        RuntimeError: an array is missing, superfluous or of another shape.
    """
    state: dict[str, Tensor] = {name: torch.from_numpy(value) for name, value in arrays.items()}
    network.load_state_dict(state)
    return network.eval()


def check_shape(arrays: dict[str, NDArray[Any]], shape: tuple[int, ...] | None) -> None:
    """Take ``shape`` out of arrays whose weights fit images of any size, and check it.

    Raises:
        ValueError: they were fitted on images of another shape than ``shape``.
    """
    fitted_on = tuple(arrays.pop("shape").tolist())
    if fitted_on != shape:
        raise ValueError(f"it was fitted on images {list(fitted_on)}")
