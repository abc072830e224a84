"""Ensemble: combines several detectors, each standardised on held-out normal images.

Different kinds of detectors miss different anomalies, and their scores have no common unit. Each
member is therefore fitted on a part of the training images, and its scores s are standardised on
the rest, normal images that it has not seen: z = (s - mean) / standard deviation. No test image and
no anomaly is used. (Aggarwal & Sathe, "Theoretical foundations and algorithms for outlier
ensembles", SIGKDD Explorations 2015, compare such sums and maxima.)

The image score is the maximum or the mean of the members' z, or with ``combine="excess"``::

    z of the first + sum over the others of max(0, z - highest z of a held-out normal image)

The map combines the maps of the members that have one in the same way; each pixel is in units of
the standard deviation of all held-out pixels.

- The maximum is the score of the member with the strongest response.
- The mean decreases with every member that does not respond.
- With the excess, the other members count only above their scores of all held-out normal images, so
  they do not weaken a good first member (see experiments/blind_spot_ensemble.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from anomalist.models._base import Detector, Model, Scores, for_run
from anomalist.models._nested import detector_arrays, take_detector
from anomalist.models._standardise import Standard, hold_out

__all__ = ["Ensemble"]

Combine = Literal["max", "mean", "excess"]


class Ensemble(Detector):
    """Combine the scores of several detectors, which share seed, device and precision."""

    no_export: ClassVar[str] = "its members are exported one by one"

    members: tuple[Model, ...] = Field(
        ("autoencoder", "lof", "pca"),
        min_length=2,
        validate_default=True,
        description="the detectors, each as name or name:option=value,option=value",
    )
    combine: Combine = Field(
        "max",
        description="how standardised scores are combined; excess: the first member, plus the "
        "others where they exceed all held-out normal images",
    )
    held_out: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="fraction of the training images held out to standardise the members on",
    )

    _fitted: tuple[Detector, ...] = PrivateAttr(())
    _image: tuple[Standard, ...] = PrivateAttr(())  # of each member's image scores
    _pixel: tuple[Standard | None, ...] = PrivateAttr(())  # of each member's maps, or None

    @property
    def history(self) -> list[float]:
        """The losses of all members, concatenated."""
        return [loss for member in self._fitted for loss in member.history]

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The corruptions that at least one member is trained on."""
        return tuple(dict.fromkeys(name for member in self.members for name in member.trained_on))

    @property
    def versions(self) -> list[Any]:
        """The versions of the ensemble and of its members."""
        return [type(self).version, *(member.versions for member in self.members)]

    def check_installed(self) -> None:
        """Check that the optional packages of all members are installed.

        Raises:
            InputError: a package is not installed.
        """
        for member in self.members:
            member.check_installed()

    def shortened(self, epochs: int) -> Self:
        """Return the ensemble with ``epochs`` for members whose number of epochs is unset."""
        members = tuple(member.shortened(epochs) for member in self.members)
        return self.model_copy(update={"members": members})

    @classmethod
    def of(
        cls,
        fitted: Sequence[Detector],
        normal: NDArray[np.float32],
        combine: Combine = "max",
    ) -> Self:
        """Return an ensemble of fitted detectors without fitting them again.

        Args:
            fitted: two or more fitted detectors for images of the same size.
            normal: normal images that no member was fitted on, float32 ``[N, C, H, W]`` in [0, 1].
            combine: like the option.

        Raises:
            InputError: a detector is not fitted, or was fitted on images of another size.
        """
        ensemble = cls(members=tuple(fitted), combine=combine)
        for member in fitted:
            member.check_fitted(normal)
        ensemble._shape = fitted[0]._shape
        ensemble._standardise(tuple(fitted), normal)
        return ensemble

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        learnt_from, normal = hold_out(images, self.held_out, self.seed)
        members = tuple(for_run(member, self) for member in self.members)
        files: list[Path | None] = [None] * len(members)
        if checkpoint is not None:
            names = [f"{checkpoint.name}.{number}" for number in range(len(members))]
            files = [checkpoint.with_name(name) for name in names]
        for member, file in zip(members, files, strict=True):
            member.fit(learnt_from, checkpoint=file)
        self._standardise(members, normal)
        for file in files:
            if file is not None:
                file.unlink(missing_ok=True)

    def _standardise(self, members: tuple[Detector, ...], normal: NDArray[np.float32]) -> None:
        scores = [member.score(normal) for member in members]
        self._fitted = members
        self._image = tuple(Standard.of(one.image) for one in scores)
        self._pixel = tuple(None if one.pixel is None else Standard.of(one.pixel) for one in scores)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        return self.join([member.score(images) for member in self._fitted])

    def join(self, scores: Sequence[Scores]) -> Scores:
        """Return the ensemble's scores from the scores of its members, in order."""
        image = [(standard, one.image) for standard, one in zip(self._image, scores, strict=True)]
        pixel = [
            (standard, one.pixel)
            for standard, one in zip(self._pixel, scores, strict=True)
            if standard is not None and one.pixel is not None
        ]
        return Scores(self._join(image), self._join(pixel) if pixel else None)

    def _join(self, parts: Sequence[tuple[Standard, NDArray[np.float32]]]) -> NDArray[np.float32]:
        z = [standard(scores) for standard, scores in parts]
        if self.combine == "max":
            return np.asarray(np.max(z, axis=0), np.float32)
        if self.combine == "mean":
            return np.asarray(np.mean(z, axis=0), np.float32)
        excess = [
            np.maximum(own - standard.highest, 0)
            for (standard, _), own in zip(parts[1:], z[1:], strict=True)
        ]
        return np.asarray(np.sum([z[0], *excess], axis=0), np.float32)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {}
        for number, member in enumerate(self._fitted):
            arrays |= detector_arrays(f"{number}.", member)
        rows = []
        for image, pixel in zip(self._image, self._pixel, strict=True):
            no_maps = (np.nan, np.nan, np.nan)
            rows.append([*astuple(image), *(no_maps if pixel is None else astuple(pixel))])
        return {**arrays, "standards": np.array(rows)}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        members = tuple(
            take_detector(f"{number}.", arrays, for_run(member, self), self._shape)
            for number, member in enumerate(self.members)
        )
        rows = arrays["standards"].tolist()
        if len(rows) != len(members):
            raise ValueError(f"standards of {len(rows)} members, not {len(members)}")
        self._fitted = members
        self._image = tuple(Standard(*row[:3]) for row in rows)
        self._pixel = tuple(None if np.isnan(row[3]) else Standard(*row[3:]) for row in rows)
