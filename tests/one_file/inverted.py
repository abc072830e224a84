"""Normal is the data set; an anomaly is one of its images inverted."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.images import Dataset
from anomalist.split import Split
from anomalist.tasks import Task

__all__ = ["Inverted"]


class Inverted(Task):
    """Find inverted images."""

    kind: Literal["inverted"] = Field("inverted", description="what an anomaly is")

    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return all normal test images, inverted."""
        is_anomaly = np.ones(len(normal), np.bool_)
        return Split(1 - normal.images, is_anomaly, normal.image_index)

    def _contaminants(
        self,
        images: NDArray[np.float32],
        image_index: NDArray[np.int64],
        dataset: Dataset,
        seed: int,
    ) -> NDArray[np.float32]:
        return 1 - images
