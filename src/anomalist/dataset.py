"""DatasetConfig: the contract that every file in ``datasets/`` keeps."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple

from anomalist import catalog
from anomalist.config import Config, snake_case
from anomalist.images import Dataset

__all__ = ["DatasetConfig", "Status", "parse"]


class Status(NamedTuple):
    """Whether a data set can be used on this machine."""

    state: Literal["ready", "fetchable", "put here"]
    detail: str  # the folder or file: where it lies, comes from, or has to be put


class DatasetConfig(Config):
    """A data set and its options; it is made in an instant, and read only by :meth:`load`.

    For sets with real defects ``kinds[0]`` is "good" (normal), the other kinds are the defects'
    types, and masks are given where they are known, all false for good images.
    """

    licence: ClassVar[str]  # of the images
    size: ClassVar[str]  # how many images, e.g. "70,000 images"
    shape: ClassVar[str]  # of one image, channels first, e.g. "1 x 28 x 28"
    home: ClassVar[str]  # the address of its authors' page
    own: ClassVar[bool] = False  # whether it is a user's own files, as many as there are

    @abstractmethod
    def load(self) -> Dataset:
        """Return the data set, fetched on first use; the same data every time.

        Raises:
            InputError: it is not here and cannot be fetched, or its files are not what they should
                be.
        """

    @abstractmethod
    def status(self) -> Status:
        """Return whether the data set is on this machine, at a glance: nothing is fetched, no large file is read."""

    @property
    def name(self) -> str:
        """The data set's file name."""
        return snake_case(type(self).__name__)

    def __str__(self) -> str:
        """Return the text that :func:`parse` reads back, e.g. ``textures:texture=brick,side=64``."""
        values = {
            name: value for name, value in self if value != type(self).model_fields[name].default
        }
        return catalog.spell(self.name, values)


def parse(spec: str | dict[str, Any] | DatasetConfig) -> DatasetConfig:
    """Return the data set that ``spec`` names; nothing of it is read.

    Args:
        spec: ``"name"`` or ``"name:option=value,option=value"``, a mapping with the key ``name``,
            or a data set, which is returned as it is.

    Raises:
        InputError: an unknown name, option or value.
    """
    if isinstance(spec, DatasetConfig):
        return spec
    dataset = catalog.build("datasets", spec)
    assert isinstance(dataset, DatasetConfig)
    return dataset
