"""The contract of corruptions. Each check takes a corruption with any options."""

from __future__ import annotations

import numpy as np

from anomalist.corruptions import Corruption, CorruptionResult, parse
from anomalist.testing.images import noise

__all__ = ["CHECKS"]


def the_mask_is_exactly_what_changed(corruption: Corruption) -> None:
    """Masks mark the changed pixels, values stay in [0, 1], and images are not modified."""
    for shape in ((1, 17, 23), (3, 28, 28)):
        images = noise(20, shape)
        before = images.tobytes()
        for severity in (0.05, 0.5, 1.0):
            result = _at(corruption, severity)(images, seed=1)
            assert result.images.shape == images.shape
            assert result.images.dtype == np.float32
            changed = (result.images != images).any(axis=1)
            assert np.array_equal(result.masks, changed), "the mask is not what changed"
            assert 0 <= result.images.min() <= result.images.max() <= 1
        assert result.masks.any(), "the strongest corruption changes nothing"
        assert images.tobytes() == before, "images were modified"
        assert not np.shares_memory(result.images, images)


def severity_zero_changes_nothing(corruption: Corruption) -> None:
    """At severity 0 all pixels stay the same."""
    images = noise(20)
    result = _at(corruption, 0.0)(images, seed=1)
    assert result.images.tobytes() == images.tobytes()
    assert not result.masks.any()


def images_change_further_with_severity(corruption: Corruption) -> None:
    """The squared change never decreases with severity."""
    images = noise(40)
    energies = []
    for severity in np.linspace(0, 1, 21):
        changed = _at(corruption, float(severity))(images, seed=2).images
        energies.append(np.square(changed.astype(np.float64) - images).sum(axis=(1, 2, 3)))
    steps = np.diff(np.array(energies), axis=0)
    assert (steps >= 0).all(), "a stronger corruption changes an image less"


def the_seed_decides(corruption: Corruption) -> None:
    """One seed gives one result, another seed another, and no global state is used."""
    images = noise(30)
    results = []
    for state in (1, 2):
        np.random.seed(state)
        results.append(_at(corruption, 0.5)(images, seed=3))
    assert _same(*results), "two calls with the same seed differ"
    assert not _same(results[0], _at(corruption, 0.5)(images, seed=4)), "the seed has no effect"


def an_image_does_not_depend_on_the_batch(corruption: Corruption) -> None:
    """An image's result depends only on the image, the seed and its index."""
    count = 600
    images = noise(count, (1, 9, 7))
    index = np.arange(count) * 7919
    one = _at(corruption, 0.5)
    whole = one(images, seed=5, index=index)
    random = np.random.default_rng(0)
    for rows in (random.permutation(count), np.arange(count)[::-1], np.array([17])):
        part = one(images[rows], seed=5, index=index[rows])
        assert np.array_equal(part.images, whole.images[rows])
        assert np.array_equal(part.masks, whole.masks[rows])


def its_spec_reads_back(corruption: Corruption) -> None:
    """Name and options describe it."""
    assert parse(corruption.spec).spec == corruption.spec
    assert all(field.description for field in type(corruption).model_fields.values())


CHECKS = (
    the_mask_is_exactly_what_changed,
    severity_zero_changes_nothing,
    images_change_further_with_severity,
    the_seed_decides,
    an_image_does_not_depend_on_the_batch,
    its_spec_reads_back,
)


def _at(corruption: Corruption, severity: float) -> Corruption:
    options = corruption.model_dump(mode="json", exclude_none=True)
    options.pop(type(corruption).physical, None)
    return parse({"name": corruption.name, **options, "severity": severity})


def _same(one: CorruptionResult, other: CorruptionResult) -> bool:
    return (
        one.images.tobytes() == other.images.tobytes()
        and one.masks.tobytes() == other.masks.tobytes()
    )
