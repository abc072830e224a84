"""Detector: what every file in ``models/`` keeps: fit on normal images, score any, save and load without pickle."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer, PlainValidator, PrivateAttr, SerializationInfo
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from anomalist import catalog
from anomalist._version import __version__
from anomalist.config import Config, snake_case
from anomalist.errors import InputError
from anomalist.files import make_folder, replacing, write_json
from anomalist.images import check_images

__all__ = [
    "RUN_FIELDS",
    "SEEN",
    "Detector",
    "Model",
    "Scores",
    "for_run",
    "load",
    "parse",
    "shortened",
]

RUN_FIELDS = ("seed", "device", "precision")  # how a fit is run, as opposed to what is fitted
# Follows the name of a detector that has seen anomalies, if only made ones.
SEEN = " (trained on synthetic anomalies)"
_DESCRIPTION, _ARRAYS = "detector.json", "arrays.safetensors"


class Scores(NamedTuple):
    """How anomalous each image, and each pixel, is: higher = more anomalous, on a scale of the detector's own."""

    image: NDArray[np.float32]  # [N]
    pixel: NDArray[np.float32] | None  # [N, H, W]


class Detector(Config):
    """A detector is its own config: the fields are what a user may set, what ``fit`` learnt is private.

    A subclass defines ``_fit``, ``_score``, ``_arrays`` and ``_restore``; the checks and the files
    are here.
    """

    version: ClassVar[int] = 1  # of the algorithm: raised when a result changes on purpose
    deterministic: ClassVar[bool] = (
        False  # whether the seed changes nothing, but which images are kept if not all are
    )
    map_quantity: ClassVar[str] = (
        "anomaly score"  # what the numbers of a map are, for a picture's scale
    )
    needs: ClassVar[
        dict[str, str]
    ] = {}  # modules of optional packages, and the extra that installs each

    seed: int = Field(0, ge=0, description="seed of every random choice")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where networks run")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic of networks: 'auto' is bfloat16 on a GPU, float32 elsewhere"
    )

    _shape: tuple[int, int, int] | None = PrivateAttr(None)

    @property
    def name(self) -> str:
        """The detector's file name."""
        return snake_case(type(self).__name__)

    @property
    def history(self) -> list[float]:
        """The mean training loss of each epoch; empty before ``fit``, and for detectors without a loss."""
        return []

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The names of the corruptions that it has seen in training; empty for all that learn from normal images."""
        return ()

    @property
    def versions(self) -> Any:
        """Its algorithm's version as a trial's name holds it; of a detector made of others, theirs too."""
        return type(self).version

    @property
    def spec(self) -> str:
        """The name and the options that are not the defaults, as :func:`parse` reads them."""
        plain = type(self)()
        names = [name for name in type(self).model_fields if name not in RUN_FIELDS]
        chosen = {
            name: getattr(self, name)
            for name in names
            if getattr(self, name) != getattr(plain, name)
        }
        return catalog.spell(self.name, {name: _plain(value) for name, value in chosen.items()})

    @property
    def label(self) -> str:
        """The name as consoles and reports print it, with ``SEEN`` where that is due."""
        return self.name + SEEN * bool(self.trained_on)

    def check_installed(self) -> None:
        """Check that the optional packages are there which the detector needs, or those that it is made of.

        Raises:
            InputError: one is not; the message says how to install it.
        """
        for module, extra in type(self).needs.items():
            if importlib.util.find_spec(module) is None:
                package = module.replace("_", "-")
                raise InputError(f"{self.name} needs {package}: pip install 'anomalist[{extra}]'")
        for _, value in self:
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Detector):
                    part.check_installed()

    def fit(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.integer[Any]] | None = None,
        *,
        checkpoint: Path | None = None,
    ) -> Self:
        """Learn from images that are taken to be normal, but for those that are known not to be.

        A detector that cannot learn from known anomalies leaves them out of training.

        Args:
            images: float32 ``[N, C, H, W]`` in [0, 1]; not modified.
            labels: integers ``[N]``: -1 a known anomaly, 0 nothing is known, +1 known to be normal;
                None: all 0.
            checkpoint: a file that a long training goes on from if it is there, and writes now and
                then.

        Returns:
            the detector itself.

        Raises:
            InputError: wrong type, shape or values.
        """
        check_images(images, f"{self.name}.fit")
        _, c, h, w = images.shape
        self._shape = (c, h, w)
        try:
            if labels is None:
                self._fit(images, checkpoint)
            else:
                self._fit_labelled(
                    images, _check_labels(labels, len(images), self.name), checkpoint
                )
        except BaseException:
            self._shape = None  # half a fit is none
            raise
        return self

    def score(self, images: NDArray[np.float32]) -> Scores:
        """Score images; an image's score does not depend on the others it is scored with.

        Args:
            images: float32 ``[N, C, H, W]`` in [0, 1], of the size that the detector was fitted on.

        Raises:
            InputError: not fitted yet, or wrong type, shape or values.
        """
        self.check_fitted(images)
        return self._score(images)

    def reconstruct(self, images: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return what normal images nearest to these would look like, float32 like ``images``.

        None, unless a detector can say: not every kind of detector restores images.
        """
        return None

    def check_fitted(self, images: NDArray[np.float32]) -> None:
        """Raise InputError unless the detector is fitted and ``images`` are of its kind."""
        if self._shape is None:
            raise InputError(
                f"{self.name} is not fitted yet: call fit(images), or models.load(folder)"
            )
        check_images(images, f"{self.name}.score")
        if images.shape[1:] != self._shape:
            raise InputError(
                f"{self.name} was fitted on images {list(self._shape)} (C, H, W), got "
                f"{list(images.shape[1:])}"
            )

    @abstractmethod
    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None: ...

    def _fit_labelled(
        self, images: NDArray[np.float32], labels: NDArray[np.integer[Any]], checkpoint: Path | None
    ) -> None:
        """Learn with labels; a detector that can learn from known anomalies says how, the others leave them out."""
        self._fit(images[labels >= 0], checkpoint)

    @abstractmethod
    def _score(self, images: NDArray[np.float32]) -> Scores: ...

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that was learnt."""

    @abstractmethod
    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what ``_arrays`` returned; ``self._shape`` is set already."""

    def save(self, folder: str | Path) -> None:
        """Write the fitted detector to ``folder``: ``detector.json`` and ``arrays.safetensors``, no pickle.

        Raises:
            InputError: not fitted yet, or the folder cannot be written to.
        """
        if self._shape is None:
            raise InputError(f"{self.name} is not fitted yet: nothing to save")
        path = make_folder(Path(folder), "model folder")
        data = safetensors.save(
            {k: np.require(v, requirements="C") for k, v in self._arrays().items()}
        )
        with replacing(path / _ARRAYS) as temporary:
            temporary.write_bytes(data)
        description = {
            "format": 1,
            "anomalist": __version__,
            "detector": self.name,
            "config": self.model_dump(mode="json"),
            "shape": list(self._shape),
            "arrays_sha256": hashlib.sha256(data).hexdigest(),
        }
        write_json(path / _DESCRIPTION, description)


def _check_labels(
    labels: NDArray[np.integer[Any]], count: int, who: str
) -> NDArray[np.integer[Any]]:
    found = np.asarray(labels)
    if (
        found.shape != (count,)
        or found.dtype.kind not in "iu"
        or not np.isin(found, (-1, 0, 1)).all()
    ):
        raise InputError(
            f"{who}.fit takes labels [{count}] of -1, 0 or +1, got {found.dtype} "
            f"{list(found.shape)}"
        )
    if (found < 0).all():
        raise InputError(
            f"{who}.fit: every image is a known anomaly; normal or unlabelled ones are needed"
        )
    return found


def _plain(value: Any) -> Any:
    """Return an option's value with the detectors in it as text."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value.spec if isinstance(value, Detector) else value


def parse(given: str | dict[str, Any] | Detector) -> Detector:
    """Return the detector that ``given`` names, not yet fitted.

    Args:
        given: ``"name"``, ``"name:option=value,option=value"``, a mapping with the key ``name``
            (see :func:`anomalist.catalog.build`), or a detector, which is returned as it is.

    Raises:
        InputError: an unknown model, option or value.
    """
    if isinstance(given, Detector):
        return given
    detector = catalog.build("models", given)
    assert isinstance(detector, Detector)
    return detector


def _dump(detector: Detector, info: SerializationInfo) -> dict[str, Any]:
    fields = detector.model_dump(
        mode="json", exclude=set(RUN_FIELDS), exclude_defaults=info.exclude_defaults
    )
    return {"name": detector.name, **fields}


def for_run(model: Detector, run: Config) -> Detector:
    """Return ``model``, not yet fitted, with the seed, device and precision of ``run``, a config that has them."""
    return model.model_copy(update={name: getattr(run, name) for name in RUN_FIELDS})


def shortened(model: Detector, epochs: int) -> Detector:
    """Return a detector with so many epochs, in each of its stages, where none are given; or all that it is made of."""
    changes: dict[str, Any] = {}
    for name, value in model:
        if name in ("epochs", "pretraining") and value is None:
            changes[name] = epochs
        elif isinstance(value, tuple):
            changes[name] = tuple(
                shortened(part, epochs) if isinstance(part, Detector) else part for part in value
            )
    return model.model_copy(update=changes)


# A detector as a field of another config, which holds the run fields itself.
Model = Annotated[Detector, PlainValidator(parse), PlainSerializer(_dump)]


def load(folder: str | Path) -> Detector:
    """Return the fitted detector saved in ``folder``; it gives the very same scores.

    Raises:
        InputError: a file is missing, altered, or of a format that this version does not know.
    """
    path = Path(folder)
    for name in (_DESCRIPTION, _ARRAYS):
        if not (path / name).is_file():
            raise InputError(
                f"no detector in {str(path)!r}: {name} is missing; save one with "
                "detector.save(folder)"
            )
    try:
        described = json.loads((path / _DESCRIPTION).read_text(encoding="utf-8"))
        data = (path / _ARRAYS).read_bytes()
        if described["format"] != 1:
            raise InputError(
                f"{str(path)!r} has detector format {described['format']!r}; this version reads 1"
            )
        if hashlib.sha256(data).hexdigest() != described["arrays_sha256"]:
            raise InputError(
                f"{str(path / _ARRAYS)!r} is not the file that was saved: its hash differs; save "
                "it anew"
            )
        detector = catalog.find_class("models", described["detector"])(**described["config"])
        c, h, w = described["shape"]
        detector._shape = (c, h, w)
        detector._restore(safetensors.load(data))
    except InputError:
        raise
    except (
        ValueError,
        LookupError,
        TypeError,
        RuntimeError,
        SafetensorError,
    ) as error:  # of json, torch, safetensors
        raise InputError(
            f"{str(path / _DESCRIPTION)!r} cannot be read as a detector ({error}); save it anew"
        ) from None
    assert isinstance(detector, Detector)
    return detector
