"""The base class of all detectors: fit on normal images, score any image, save and load.

Nothing is pickled: a saved detector consists of ``detector.json`` (options and hashes) and
``arrays.safetensors`` (the learnt arrays).
"""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer, PlainValidator, PrivateAttr, SerializationInfo

from anomalist.core.config import Config
from anomalist.core.errors import InputError
from anomalist.core.named import NamedConfig
from anomalist.images import check_images
from anomalist.models._scores import Scores, SecondScore

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "RUN_FIELDS",
    "SEEN",
    "Detector",
    "Model",
    "Scores",
    "SecondScore",
    "for_run",
    "parse",
]

RUN_FIELDS = ("seed", "device", "precision")  # how a fit runs, as opposed to what is fitted
# Appended to the name of a detector that was trained on synthetic anomalies.
SEEN = " (trained on synthetic anomalies)"


class Detector(NamedConfig):
    """An anomaly detector, which is its own config: fields are options, learnt state is private.

    A subclass defines ``_fit``, ``_score``, ``_arrays`` and ``_restore``, or inherits from a base
    that defines some of them: ``_vectors``, ``_trained``, ``_exposed``, ``_pretrained``. This class
    checks the inputs and handles the files.
    """

    registry: ClassVar[str] = "models"
    unwritten: ClassVar[frozenset[str]] = frozenset(RUN_FIELDS)

    version: ClassVar[int] = 1  # of the algorithm: raised when results change on purpose
    # Whether the seed affects only the choice of images if not all are kept.
    deterministic: ClassVar[bool] = False
    # The quantity that maps show, for colour bars; a property if it depends on an option.
    map_quantity: ClassVar[str] = "anomaly score"
    needs: ClassVar[Mapping[str, str]] = {}  # modules of optional packages, and their extras
    no_export: ClassVar[str] = (
        "no torch module is written for it"  # why; empty if it can be exported
    )
    epoch_fields: ClassVar[tuple[str, ...]] = ()  # options that set the number of epochs

    seed: int = Field(0, ge=0, description="seed of all random choices")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="device that networks run on"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="number format of networks: auto is bfloat16 on a GPU, else float32"
    )

    _shape: tuple[int, int, int] | None = PrivateAttr(None)

    @abstractmethod
    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        """Learn from normal images; ``checkpoint`` is a file that training resumes from."""

    @abstractmethod
    def _score(self, images: NDArray[np.float32]) -> Scores:
        """Score images of the size that the detector was fitted on."""

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Return the learnt arrays by name."""

    @abstractmethod
    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Restore the state from the arrays of ``_arrays``; ``self._shape`` is set already."""

    def _fit_labelled(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.integer[Any]],
        checkpoint: Path | None,
    ) -> None:
        """Learn from labelled images; by default known anomalies are not used."""
        self._fit(images[labels >= 0], checkpoint)

    @property
    def history(self) -> list[float]:
        """The mean training loss of each epoch; empty before ``fit`` or without training."""
        return []

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The corruptions used in training; empty for detectors that learn from normal images."""
        return ()

    @property
    def needs_known_anomalies(self) -> bool:
        """Whether fitting requires labelled anomalies."""
        return False

    @property
    def versions(self) -> Any:
        """The version of the algorithm in a trial's key; for ensembles also that of the members."""
        return type(self).version

    @property
    def label(self) -> str:
        """The name in console output and reports, with ``SEEN`` appended if it applies."""
        return self.name + SEEN if self.trained_on else self.name

    def check_installed(self) -> None:
        """Check that the required optional packages are installed.

        Raises:
            InputError: a package is missing; the message says how to install it.
        """
        for module, extra in type(self).needs.items():
            if importlib.util.find_spec(module) is None:
                package = module.replace("_", "-")
                raise InputError(f"{self.name} needs {package}: pip install 'anomalist[{extra}]'")

    def shortened(self, epochs: int) -> Self:
        """Return a copy with ``epochs`` in each training stage whose number is unset."""
        unset = [field for field in self.epoch_fields if getattr(self, field) is None]
        return self.model_copy(update=dict.fromkeys(unset, epochs))

    def fit(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.integer[Any]] | None = None,
        *,
        checkpoint: Path | None = None,
    ) -> Self:
        """Fit the detector to images that are assumed to be normal, except for known anomalies.

        Detectors that cannot learn from known anomalies exclude them from training.

        Args:
            images: float32 ``[N, C, H, W]`` in [0, 1]; not modified.
            labels: integers ``[N]``: -1 for a known anomaly, 0 for an unlabelled image, +1 for an
                image known to be normal; None: all 0.
            checkpoint: a file that training writes regularly, and resumes from if it exists.

        Returns:
            the fitted detector itself.

        Raises:
            InputError: wrong type, shape or values.
        """
        check_images(images, f"{self.name}.fit")
        _, channels, height, width = images.shape
        self._shape = (channels, height, width)
        try:
            if labels is None:
                self._fit(images, checkpoint)
            else:
                checked = _check_labels(labels, len(images), self.name)
                self._fit_labelled(images, checked, checkpoint)
        except BaseException:
            self._shape = None  # an interrupted fit leaves the detector unfitted
            raise
        return self

    def score(self, images: NDArray[np.float32]) -> Scores:
        """Score images; the score of an image does not depend on the others.

        Args:
            images: float32 ``[N, C, H, W]`` in [0, 1], of the size that the detector was fitted on.

        Raises:
            InputError: the detector is not fitted, or wrong type, shape or values.
        """
        self.check_fitted(images)
        return self._score(images)

    def reconstruct(self, images: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return the detector's normal reconstruction of each image, float32 like ``images``.

        Detectors that do not reconstruct images return None.
        """
        return None

    def second_score(self, images: NDArray[np.float32]) -> SecondScore | None:
        """Return a second scoring rule for the same fit, or None if there is none.

        Args:
            images: the images that the detector was fitted on.
        """
        return None

    def export_module(self) -> nn.Module:
        """Return the fitted detector as a torch module, for export.

        The module maps images, float32 ``[n, C, H, W]`` in [0, 1], to scores ``[n]`` and maps
        ``[n, H, W]`` (None without maps). It uses only operations that ONNX has, and gives the
        scores of :meth:`score` up to rounding.

        Raises:
            InputError: the detector is not fitted, or it or one of its options has no such module.
        """
        if self._shape is None:
            raise InputError(f"{self.name} is not fitted yet: nothing to export")
        reason = self._unexportable()
        if reason:
            raise InputError(f"{self.name} cannot be exported: {reason}")
        return self._export_module().eval()

    def _unexportable(self) -> str:
        """Return why the detector cannot be exported, or an empty text."""
        return self.no_export

    def _export_module(self) -> nn.Module:
        """Return the module of :meth:`export_module`."""
        raise NotImplementedError

    def check_fitted(self, images: NDArray[np.float32]) -> None:
        """Check that the detector is fitted on images of this shape.

        Raises:
            InputError: the detector is not fitted, or the images have the wrong type, shape or
                values.
        """
        if self._shape is None:
            raise InputError(f"{self.name} is not fitted yet: call fit(images), or models.load")
        check_images(images, f"{self.name}.score")
        if images.shape[1:] != self._shape:
            fitted = list(self._shape)
            given = list(images.shape[1:])
            raise InputError(f"{self.name} was fitted on images {fitted} (C, H, W), got {given}")

    def save(self, folder: str | Path) -> None:
        """Write the fitted detector to ``folder``: ``detector.json`` and ``arrays.safetensors``.

        Raises:
            InputError: the detector is not fitted, or the folder cannot be written to.
        """
        from anomalist.models._saved import save

        save(self, Path(folder))

    @property
    def fitted_shape(self) -> tuple[int, int, int]:
        """The shape C, H, W of the images that the detector is fitted on.

        Raises:
            InputError: the detector is not fitted.
        """
        if self._shape is None:
            raise InputError(f"{self.name} is not fitted yet: call fit(images), or models.load")
        return self._shape

    def learnt_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the learnt arrays by name."""
        return self._arrays()

    def restore(self, shape: tuple[int, int, int], arrays: dict[str, NDArray[Any]]) -> None:
        """Restore the state of a fitted detector.

        Args:
            shape: the ``fitted_shape``.
            arrays: the ``learnt_arrays``.
        """
        self._shape = shape
        self._restore(arrays)


def parse(given: str | Mapping[str, Any] | Detector) -> Detector:
    """Return the unfitted detector that ``given`` describes.

    See :meth:`NamedConfig.parse <anomalist.core.named.NamedConfig.parse>`; for example
    ``"autoencoder:bottleneck=16"``.
    """
    return Detector.parse(given)


def for_run(model: Detector, run: Config) -> Detector:
    """Return an unfitted copy of ``model`` with the seed, device and precision of ``run``."""
    return model.model_copy(update={name: getattr(run, name) for name in RUN_FIELDS})


def _check_labels(
    labels: NDArray[np.integer[Any]],
    count: int,
    name: str,
) -> NDArray[np.integer[Any]]:
    checked = np.asarray(labels)
    is_integer = checked.dtype.kind in "iu"
    if checked.shape != (count,) or not is_integer or not np.isin(checked, (-1, 0, 1)).all():
        got = f"{checked.dtype} {list(checked.shape)}"
        raise InputError(f"{name}.fit: labels must be [{count}] of -1, 0 or +1, got {got}")
    if (checked < 0).all():
        raise InputError(
            f"{name}.fit: all images are known anomalies; add normal or unlabelled images"
        )
    return checked


def _dump(detector: Detector, info: SerializationInfo) -> dict[str, Any]:
    fields = detector.model_dump(
        mode="json",
        exclude=set(RUN_FIELDS),
        exclude_defaults=info.exclude_defaults,
    )
    return {"name": detector.name, **fields}


# A detector as a field of another config, which has the run fields itself.
Model = Annotated[Detector, PlainValidator(parse), PlainSerializer(_dump)]
