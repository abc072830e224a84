"""The base class of all data sets."""

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
        state: ready, fetchable (it can be downloaded), or manual (the user must provide it).
        detail: the folder or file where the data set is, comes from, or must be put.
    """

    state: Literal["ready", "fetchable", "manual"]
    detail: str


class DatasetConfig(NamedConfig):
    """A data set and its options; only :meth:`load` reads data.

    In data sets with real defects ``class_names[0]`` is "good" (normal) and the other classes are
    the types of defect. Masks are present if they are known; those of good images are all false.
    """

    registry: ClassVar[str] = "datasets"

    licence: ClassVar[str]  # of the images
    size: ClassVar[str]  # number of images, e.g. "70,000 images"
    shape: ClassVar[str]  # of one image, channels first, e.g. "1 x 28 x 28"
    home: ClassVar[str]  # the address of its authors' page
    own: ClassVar[bool] = False  # whether it reads the user's own files

    @property
    def image_folder(self) -> Path | None:
        """The user's folder of images; None for other data sets."""
        return None

    @abstractmethod
    def load(self) -> Dataset:
        """Load the data set, and download it on first use; the data are always the same.

        Raises:
            InputError: it is missing and cannot be downloaded, or its files are not as expected.
        """

    @abstractmethod
    def status(self) -> Status:
        """Return whether the data set is on this machine, without downloading or reading it."""


parse = DatasetConfig.parse


def old_text(spec: str) -> str:
    """Return a spec in the spelling of version 0.1, which the keys of trials are hashes of."""
    name, options = parse_spec(spec, "data set")
    if not options:
        return spec
    chosen: type[DatasetConfig] = catalog.find_class("datasets", name)
    for option, value in options.items():
        old_option = chosen.old_names.get(option, option)
        old_value = chosen.old_values.get(option, {}).get(value, value)
        spec = spec.replace(f"{option}={value}", f"{old_option}={old_value}")
    return spec
