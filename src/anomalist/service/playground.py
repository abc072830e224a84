"""The playground: corrupt a test image of a run, and see how its detector scores it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray

from anomalist import corruptions, datasets
from anomalist.core.errors import InputError
from anomalist.deployment import load
from anomalist.deployment.model import CalibratedModel
from anomalist.deployment.of_run import data_set_of, is_run
from anomalist.deployment.thumbnail import scale_of, thumbnails_of
from anomalist.thumbnails import MapScale

__all__ = ["Playground", "levels_of"]

_EACH = 20  # images of each class


class Playground:
    """Test images of a run, its detector, and every corruption."""

    def __init__(
        self,
        model: CalibratedModel,
        images: NDArray[np.float32],
        classes: dict[str, list[int]],
        seed: int,
    ) -> None:
        """Use images in memory; :meth:`of_run` reads those of a run.

        Args:
            model: the model of the run.
            images: float32 ``[n, C, H, W]`` in [0, 1].
            classes: for each class the places of its images.
            seed: seed of the corruptions.
        """
        self._model = model
        self._images = images
        self._classes = classes
        self._seed = seed
        self._one_at_a_time = threading.Lock()
        self._scale: MapScale | None = scale_of(model, model.description.false_alarms)
        self._corruptions = [name for name in corruptions.names() if self._is_usable(name)]

    @classmethod
    def of_run(cls, folder: Path) -> Playground:
        """Return the playground of a run: its detector, and test images of its data set.

        Raises:
            InputError: the run or its data set cannot be read.
        """
        if not is_run(folder):
            raise InputError(f"{str(folder)!r} is not a run: give the results of `anomalist run`")
        model = load(folder)
        name, seed = data_set_of(folder)
        test = datasets.load(name).test
        places: list[int] = []
        classes: dict[str, list[int]] = {}
        for index, label in enumerate(test.class_names):
            own = np.flatnonzero(test.class_index == index)[:_EACH]
            if len(own):
                classes[str(label)] = list(range(len(places), len(places) + len(own)))
                places += own.tolist()
        return cls(model, test.take(np.array(places)).to_float(), classes, seed)

    def options(self) -> dict[str, Any]:
        """Return the classes with their numbers of images, and the names of the corruptions."""
        return {
            "detector": self._model.description.detector,
            "quantity": self._model.description.map_quantity,
            "classes": {name: len(places) for name, places in self._classes.items()},
            "corruptions": self._corruptions,
            "falseAlarms": self._model.description.false_alarms,
            "levels": levels_of(self._scale),
        }

    def look(self, kind: str, number: int, corruption: str, severity: float) -> dict[str, Any]:
        """Return an image with a corruption, and what the detector says about it.

        Args:
            kind: the class.
            number: which of its images, from 0.
            corruption: name of the corruption.
            severity: in [0, 1]; 0 leaves the image as it is.

        Returns:
            ``score``, ``p_value``, ``verdict``, and small pictures: ``input``, ``restored``,
            ``map`` and ``truth``.

        Raises:
            HTTPException: 404, no such class, image or corruption.
        """
        if corruption not in self._corruptions:
            raise HTTPException(404, f"there is no corruption {corruption!r}")
        if not 0 <= number < len(self._classes.get(kind, ())):
            raise HTTPException(404, f"there is no image {number} of class {kind!r}")
        place = self._classes[kind][number]
        image = self._images[place : place + 1]
        chosen = corruptions.parse({"name": corruption, "severity": severity})
        result = chosen(image, seed=self._seed, index=np.array([place]))
        with self._one_at_a_time, self._model.scorer.small_batches():
            predictions = self._model.predict(result.images)
            [small] = thumbnails_of(
                self._model, self._scale, result.images, predictions, [kind], [kind], result.masks
            )
        [score] = small.scores
        return {
            "score": score.value,
            "p_value": score.p_value,
            "verdict": "anomalous" if predictions.is_anomaly[0] else "normal",
            "changed": int(result.masks.sum()),
            "input": small.input,
            "restored": score.restored,
            "map": score.map,
            "truth": small.truth,
        }

    def _is_usable(self, name: str) -> bool:
        """Return whether a corruption needs no further options and fits the images."""
        try:
            corruptions.parse({"name": name, "severity": 0.5})(self._images[:1], seed=0)
        except InputError:
            return False
        return True


def levels_of(scale: MapScale | None) -> list[tuple[float, int]]:
    """Return false-alarm rates, decreasing, and the lowest level of marked pixels at each."""
    if scale is None:
        return []
    pairs = [(rate, scale.level_at(rate)) for rate in scale.rates]
    return sorted(pairs, reverse=True)
