"""Ensemble: several detectors of unlike kinds, each put on one scale by held-out normal images, then joined.

Each kind of detector has a blind spot of its own. Their scores have no common unit, so each member is fitted on a part
of the training images and its scores s are standardised by those of the rest, normal images that it has not seen:
z = (s - mean) / standard deviation. No test image is ever looked at, and no anomaly. (Aggarwal & Sathe, "Theoretical
foundations and algorithms for outlier ensembles", SIGKDD Explorations 2015, compare such sums and maxima.)

An image's score is the maximum or the mean of its members' z; the map is the same of the members that have maps, each
pixel in units of the spread of all held-out pixels. The maximum is what the member says that sees most; the mean is
drawn down by members that see nothing (on pseudo-anomalies of four training digits the maximum was never the worse, see
experiments/choose_one_class.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from anomalist.detector import Detector, Model, Scores, for_run
from anomalist.models._standard import Standard, hold_out

__all__ = ["Ensemble"]


class Ensemble(Detector):
    """Score by several detectors together; they share the ensemble's seed, device and precision."""

    members: tuple[Model, ...] = Field(
        ("autoencoder", "lof", "pca"),
        min_length=2,
        validate_default=True,
        description="the detectors, each as name or name:option=value,option=value",
    )
    combine: Literal["max", "mean"] = Field("max", description="how standardised scores are joined")
    held_out: float = Field(
        0.1, gt=0, lt=1, description="share of the training images that members are standardised by, not fitted on"
    )

    _fitted: tuple[Detector, ...] = PrivateAttr(())
    _image: tuple[Standard, ...] = PrivateAttr(())  # of each member's image scores
    _pixel: tuple[Standard | None, ...] = PrivateAttr(())  # of its maps, None where it has none

    @property
    def history(self) -> list[float]:
        """The members' losses, one member after the other."""
        return [loss for member in self._fitted for loss in member.history]

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The names of the corruptions that any member is trained on."""
        return tuple(dict.fromkeys(name for member in self.members for name in member.trained_on))

    @property
    def versions(self) -> list[Any]:
        """Its own version and its members'."""
        return [type(self).version, *(member.versions for member in self.members)]

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        learnt_from, normal = hold_out(images, self.held_out, self.seed)
        members = tuple(for_run(member, self) for member in self.members)
        files = [checkpoint and checkpoint.with_name(f"{checkpoint.name}.{i}") for i in range(len(members))]
        for member, file in zip(members, files, strict=True):
            member.fit(learnt_from, checkpoint=file)
        found = [member.score(normal) for member in members]
        self._fitted = members
        self._image = tuple(Standard.of(scores.image) for scores in found)
        self._pixel = tuple(None if scores.pixel is None else Standard.of(scores.pixel) for scores in found)
        for file in filter(None, files):
            file.unlink(missing_ok=True)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        found = [member.score(images) for member in self._fitted]
        image = [standard(scores.image) for standard, scores in zip(self._image, found, strict=True)]
        pixel = [
            standard(scores.pixel)
            for standard, scores in zip(self._pixel, found, strict=True)
            if standard is not None and scores.pixel is not None
        ]
        return Scores(self._join(image), self._join(pixel) if pixel else None)

    def _join(self, parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
        joined = np.max(parts, axis=0) if self.combine == "max" else np.mean(parts, axis=0)
        return np.asarray(joined, np.float32)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {
            f"{i}.{name}": value for i, member in enumerate(self._fitted) for name, value in member._arrays().items()
        }
        standards = [
            [image.mean, image.scale, *((np.nan, np.nan) if pixel is None else (pixel.mean, pixel.scale))]
            for image, pixel in zip(self._image, self._pixel, strict=True)
        ]
        return {**arrays, "standards": np.array(standards)}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        members = tuple(for_run(member, self) for member in self.members)
        for i, member in enumerate(members):
            prefix = f"{i}."
            member._shape = self._shape
            member._restore({k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)})
        rows = arrays["standards"].tolist()
        if len(rows) != len(members):
            raise ValueError(f"standards of {len(rows)} members, not {len(members)}")
        self._fitted = members
        self._image = tuple(Standard(mean, scale) for mean, scale, _, _ in rows)
        self._pixel = tuple(None if np.isnan(mean) else Standard(mean, scale) for _, _, mean, scale in rows)
