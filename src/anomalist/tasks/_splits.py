"""The images of a task, drawn on first use."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from anomalist.core.errors import InputError
from anomalist.images import Dataset
from anomalist.split import Split, count_leaks, fingerprints

if TYPE_CHECKING:
    from anomalist.tasks._base import Task

__all__ = ["TaskSplits"]


class TaskSplits:
    """The images of a task; each part is drawn on first use and then kept.

    Attributes:
        task: the task.
        dataset: the data set of the images.
        seed: seed of all draws.
    """

    def __init__(self, task: Task, dataset: Dataset, seed: int) -> None:
        self.task = task
        self.dataset = dataset
        self.seed = seed
        self._trains_with: TaskSplits = self  # whose training and calibration images are used
        self._tests_with: TaskSplits = self  # whose normal test images are used

    @property
    def train(self) -> Split:
        """The training images, with ``train_labels`` if some anomalies are known."""
        return self._trains_with._training[0]

    @property
    def calibration(self) -> Split:
        """Held-out normal images, for thresholds."""
        return self._trains_with._training[1]

    @property
    def normal(self) -> Split:
        """The normal test images."""
        return self._tests_with._normal

    @cached_property
    def anomalies(self) -> Split:
        """The anomalous test images."""
        return self.task.anomalies(self.normal, self.dataset, self.seed)

    @cached_property
    def test(self) -> Split:
        """All test images, the normal ones first."""
        return self.normal + self.anomalies

    @cached_property
    def leaks(self) -> int:
        """The number of test images that are identical to a training or calibration image."""
        among_normal = self._tests_with._normal_leaks
        return among_normal + count_leaks(self.anomalies, self._trains_with._seen)

    def with_task(self, task: Task) -> TaskSplits:
        """Return the images of another task that trains on the same images.

        Training and calibration images are shared. Normal test images are shared if both tasks use
        the same number.
        """
        other = TaskSplits(task, self.dataset, self.seed)
        other._trains_with = self._trains_with
        if task.test == self.task.test:
            other._tests_with = self._tests_with
        return other

    def check_leaks(self) -> None:
        """Refuse a task with more leaks than its ``duplicates`` allows.

        Raises:
            InputError: there are too many; the message gives the number.
        """
        self._refuse(self.leaks, len(self.normal) + len(self.anomalies))

    def check_normal_leaks(self) -> None:
        """Refuse normal test images with more leaks than ``duplicates`` allows.

        This can be called before the anomalies are drawn.

        Raises:
            InputError: there are too many; the message gives the number.
        """
        self._refuse(self._tests_with._normal_leaks, len(self.normal))

    def _refuse(self, leaks: int, tested: int) -> None:
        if leaks > self.task.duplicates * tested:
            raise InputError(
                f"{leaks:,} of {tested:,} test images are identical to training or calibration "
                f"images: remove them from the data set, or allow more than "
                f"{self.task.duplicates:.0%} with the option duplicates"
            )

    @cached_property
    def _training(self) -> tuple[Split, Split]:
        return self.task.training(self.dataset, self.seed)

    @cached_property
    def _seen(self) -> set[bytes]:
        return {*fingerprints(self.train), *fingerprints(self.calibration)}

    @cached_property
    def _normal(self) -> Split:
        return self.task.normal_test_images(self.dataset, self.seed)

    @cached_property
    def _normal_leaks(self) -> int:
        return count_leaks(self._normal, self._trains_with._seen)
