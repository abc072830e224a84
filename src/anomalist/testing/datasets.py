"""The contract of data sets. Each check takes a data set that is ready on this machine."""

from __future__ import annotations

import numpy as np

from anomalist.datasets import DatasetConfig, parse

__all__ = ["CHECKS"]


def it_says_what_it_is(dataset: DatasetConfig) -> None:
    """Licence, size, shape and home are described, and so is each option."""
    for text in (dataset.licence, dataset.size, dataset.shape, dataset.home):
        assert text
        assert text.isprintable()
    assert all(field.description for field in type(dataset).model_fields.values())
    assert dataset.status().state in ("ready", "fetch", "manual")


def its_images_are_complete(dataset: DatasetConfig) -> None:
    """Both splits have images of one shape, classes that they name, and values in range."""
    loaded = dataset.load()
    assert len(loaded.train) > 0
    assert loaded.train.images.shape[1:] == loaded.test.images.shape[1:]
    assert loaded.train.class_names == loaded.test.class_names
    assert loaded.train.value_range == loaded.test.value_range
    for part in (loaded.train, loaded.test):
        some = part.take(np.arange(min(200, len(part)))).to_float()
        assert np.isfinite(some).all()
        if part.masks is not None:
            assert part.masks.shape == (len(part), *part.images.shape[2:])


def loading_twice_gives_the_same_bytes(dataset: DatasetConfig) -> None:
    """A second load gives the same images, classes and masks."""
    one = dataset.load()
    other = dataset.load()
    for first, second in ((one.train, other.train), (one.test, other.test)):
        assert np.array_equal(first.images, second.images)
        assert np.array_equal(first.class_index, second.class_index)
        assert (first.masks is None) == (second.masks is None)
        if first.masks is not None and second.masks is not None:
            assert np.array_equal(first.masks, second.masks)


def its_spec_reads_back(dataset: DatasetConfig) -> None:
    """Name and options describe it."""
    assert parse(dataset.spec).spec == dataset.spec


CHECKS = (
    it_says_what_it_is,
    its_images_are_complete,
    loading_twice_gives_the_same_bytes,
    its_spec_reads_back,
)
