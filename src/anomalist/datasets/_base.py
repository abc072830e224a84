"""DatasetConfig: the base of every file in ``datasets/``."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from anomalist.core import catalog
from anomalist.core.named import NamedConfig
from anomalist.core.spec import parse_spec
from anomalist.images import Dataset

__all__ = ["DatasetConfig", "Status", "old_text", "parse"]


class Status(NamedTuple):
    """Whether a data set can be used on this machine.

    Attributes:
        state: it is here, it can be fetched, or a person has to put it there (manual).
        detail: the folder or file: where it lies, comes from, or has to be put.
    """

    state: Literal["ready", "fetchable", "manual"]
    detail: str


class DatasetConfig(NamedConfig):
    """A data set and its options; making one reads nothing, only :meth:`load` does.

    In sets with real defects ``class_names[0]`` is "good" (normal), the other classes are the types
    of defect, and masks are given where they are known, all false for good images.
    """

    registry: ClassVar[str] = "datasets"

    licence: ClassVar[str]  # of the images
    size: ClassVar[str]  # how many images, e.g. "70,000 images"
    shape: ClassVar[str]  # of one image, channels first, e.g. "1 x 28 x 28"
    home: ClassVar[str]  # the address of its authors' page
    own: ClassVar[bool] = False  # whether it reads a user's own files, of any number

    @property
    def image_folder(self) -> Path | None:
        """The user's folder that images are read from; None for other sets."""
        return None

    @abstractmethod
    def load(self) -> Dataset:
        """Return the data set, fetched on first use; the same data every time.

        Raises:
            InputError: it is not here and cannot be fetched, or its files are not as expected.
        """

    @abstractmethod
    def status(self) -> Status:
        """Return whether the data set is on this machine; fetches and reads next to nothing."""


parse = DatasetConfig.parse


def old_text(spec: str) -> str:
    """Return a spec with the spelling of version 0.1, which the names of trials are hashed from."""
    name, options = parse_spec(spec, "data set")
    if not options:
        return spec
    chosen: type[DatasetConfig] = catalog.find_class("datasets", name)
    for option, value in options.items():
        old_option = chosen.old_names.get(option, option)
        old_value = chosen.old_values.get(option, {}).get(value, value)
        spec = spec.replace(f"{option}={value}", f"{old_option}={old_value}")
    return spec
