"""The contract of every corruption, by name: those there are and those that will be."""

import random
from itertools import pairwise
from typing import Literal, get_args, get_origin

import numpy as np
import pytest

from anomalist.cli import _gallery as gallery
from anomalist.core import catalog
from anomalist.corruptions import parse
from anomalist.corruptions._base import _MAX_IMAGES
from refusals import refused

NAMES = catalog.names("corruptions")


def variants(name):
    """The corruption as it is, and with each value of each option that is a choice."""
    choices = [
        {field: value}
        for field, info in catalog.find_class("corruptions", name).model_fields.items()
        if get_origin(info.annotation) is Literal
        for value in get_args(info.annotation)
    ]
    return [{"name": name}, *({"name": name, **choice} for choice in choices)]


VARIANTS = [spec for name in NAMES for spec in variants(name)]
SIZES = [(1, 17, 23), (3, 23, 17), (1, 28, 28), (3, 3, 3), (1, 3, 8), (1, 1, 1), (3, 1, 6)]

each_name = pytest.mark.parametrize("name", NAMES)
each_variant = pytest.mark.parametrize("spec", VARIANTS, ids=lambda spec: "-".join(spec.values()))
each_size = pytest.mark.parametrize("size", SIZES, ids=str)


def photographs(n, size=(1, 17, 23), seed=0):
    """Images with all kinds of values, exact black and white among them."""
    images = np.random.default_rng(seed).random((n, *size), dtype=np.float32) * 1.4 - 0.2
    return np.clip(images, 0, 1)


def at(spec, severity):
    return parse({**spec, "severity": severity})


def leaves_flat_images(spec):
    """Whether it only moves or mixes what is there: it can do nothing to an image of one pixel,
    nor to a flat one."""
    flat = np.full((20, 1, 17, 23), 0.3, np.float32)
    return not at(spec, 1.0)(flat, seed=1).masks.any()


def same(one, two):
    return (
        one.images.tobytes() == two.images.tobytes() and one.masks.tobytes() == two.masks.tobytes()
    )


@each_variant
@each_size
def test_the_mask_is_exactly_the_changed_pixels_and_values_stay_in_range(spec, size):
    images = photographs(20, size)
    before = images.tobytes()
    for severity in (0.05, 0.5, 1.0):
        result = at(spec, severity)(images, seed=1)
        assert result.images.shape == images.shape
        assert result.images.dtype == np.float32
        assert result.masks.dtype == np.bool_
        np.testing.assert_array_equal(result.masks, (result.images != images).any(axis=1))
        assert result.images.min() >= 0
        assert result.images.max() <= 1
    assert result.masks.any() or (size[1:] == (1, 1) and leaves_flat_images(spec))
    assert images.tobytes() == before
    assert not np.shares_memory(result.images, images)


@each_variant
@each_size
def test_severity_zero_changes_nothing(spec, size):
    images = photographs(20, size)
    result = at(spec, 0.0)(images, seed=1)
    assert result.images.tobytes() == images.tobytes()
    assert not result.masks.any()
    assert not np.shares_memory(result.images, images)


@each_variant
@pytest.mark.parametrize("size", [(1, 17, 23), (3, 12, 9)], ids=str)
def test_each_image_changes_further_with_severity(spec, size):
    images = photographs(40, size).astype(np.float64)
    severities = np.linspace(0, 1, 41)
    results = [at(spec, severity)(images.astype(np.float32), seed=2) for severity in severities]
    energy = np.array([np.square(result.images - images).sum(axis=(1, 2, 3)) for result in results])
    assert (np.diff(energy, axis=0) >= 0).all()
    assert (energy[20] > energy[2]).mean() > 0.9
    assert (energy[40] > energy[20]).mean() > 0.9
    for weaker, stronger in pairwise(results):  # the same corruption, further
        assert not (weaker.masks & ~stronger.masks).any()


@each_variant
def test_the_seed_decides(spec):
    images = photographs(30)
    one, again, other = (at(spec, 0.5)(images, seed=seed) for seed in (3, 3, 4))
    assert same(one, again)
    changed = (one.images != other.images).any(axis=(1, 2, 3))
    assert changed.mean() > 0.8
    for seed in (-1, 2**70):
        assert not same(at(spec, 0.5)(images, seed=seed), one)


@each_variant
def test_equal_images_are_corrupted_each_in_its_own_way(spec):
    images = np.repeat(photographs(1), 20, axis=0)
    result = at(spec, 0.4)(images, seed=0)
    assert len({image.tobytes() for image in result.images}) > 15


@each_variant
@pytest.mark.parametrize("size", [(1, 9, 7), (3, 28, 31)], ids=str)
def test_an_image_does_not_depend_on_the_batch(spec, size):
    n = 2 * _MAX_IMAGES + 40
    images, index = photographs(n, size), np.arange(n) * 7919 - 5
    corruption = at(spec, 0.5)
    whole = corruption(images, seed=5, index=index)
    assert whole.masks.any(axis=(1, 2)).mean() > 0.8

    def agrees(rows):
        part = corruption(images[rows], seed=5, index=index[rows])
        np.testing.assert_array_equal(part.images, whole.images[rows])
        np.testing.assert_array_equal(part.masks, whole.masks[rows])

    agrees(np.random.default_rng(0).permutation(n))
    agrees(slice(None, None, -1))
    agrees(slice(_MAX_IMAGES - 3, _MAX_IMAGES + 5))
    agrees(slice(1, _MAX_IMAGES + 1))
    for i in (0, _MAX_IMAGES - 1, _MAX_IMAGES, n - 1):
        agrees([i])


@each_name
def test_images_are_numbered_from_zero_unless_told_otherwise(name):
    images = photographs(10)
    plain = parse(name)(images, seed=0)
    for index in (np.arange(10), list(range(10)), np.arange(10, dtype=np.uint8)):
        assert same(parse(name)(images, seed=0, index=index), plain)
    assert not same(parse(name)(images, seed=0, index=np.arange(1, 11)), plain)
    parse(name)(images[:1], seed=0, index=np.array([2**62]))
    parse(name)(images[:1], seed=0, index=[2**63])


@each_variant
def test_no_global_state_is_read_or_changed(spec):
    results = []
    for state in (1, 2):
        np.random.seed(state)
        random.seed(state)
        before = np.random.get_state()[1].tolist(), random.getstate()
        results.append(at(spec, 0.5)(photographs(10), seed=0))
        assert (np.random.get_state()[1].tolist(), random.getstate()) == before
    assert same(*results)


@each_variant
def test_views_and_read_only_images_are_taken_as_they_are(spec):
    images = photographs(12)
    expected = at(spec, 0.5)(images, seed=0)
    locked = images.copy()
    locked.flags.writeable = False
    channels_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for given in (locked, channels_last, np.repeat(images, 2, axis=0)[::2]):
        result = at(spec, 0.5)(given, seed=0)
        np.testing.assert_array_equal(result.images, expected.images)
        np.testing.assert_array_equal(result.masks, expected.masks)


@pytest.mark.slow
@each_name
@pytest.mark.parametrize("shape", [(28, 28), (17, 23), (3, 3), (64, 5), (1, 1), (1, 9)], ids=str)
def test_the_map_to_the_physical_parameter_has_an_inverse(name, shape):
    corruption = parse(name)
    severities = np.linspace(0, 1, 101).tolist()
    physical = [corruption.to_physical(severity, shape) for severity in severities]
    assert physical[0] == 0
    assert physical[-1] > 0
    assert (np.diff(physical) >= 0).all()
    values = physical
    if all(
        isinstance(value, int) for value in physical
    ):  # a count: every one up to the most can be had
        values = list(range(physical[-1] + 1))
    for value in values:
        severity = corruption.to_severity(value, shape)
        assert 0 <= severity <= 1
        assert corruption.to_physical(severity, shape) == value
        named = parse({"name": name, corruption.physical: value})
        assert named.strength(shape) == value
        assert named.severity_at(shape) == severity
        assert at({"name": name}, severity).severity_at(shape) == severity
        assert at({"name": name}, severity).strength(shape) == value


@each_variant
def test_the_physical_parameter_by_name_equals_the_severity_that_maps_to_it(spec):
    images = photographs(10)
    for severity in (0.0, 0.1, 0.33, 1.0):
        corruption = at(spec, severity)
        named = parse({**spec, corruption.physical: corruption.strength(images.shape[2:])})
        assert same(named(images, seed=0), corruption(images, seed=0))
        assert same(
            at(spec, named.severity_at(images.shape[2:]))(images, seed=0), named(images, seed=0)
        )


@each_variant
def test_with_neither_the_severity_is_a_half(spec):
    images = photographs(10)
    assert parse(spec).severity_at((17, 23)) == 0.5
    assert same(parse(spec)(images, seed=0), at(spec, 0.5)(images, seed=0))


@each_variant
def test_its_text_is_read_back(spec):
    plain = parse(spec)
    strong = parse({**spec, plain.physical: plain.to_physical(0.3, (28, 28))})
    for corruption in (plain, strong, at(spec, 0.1 + 0.2), at(spec, 0.0), at(spec, 1e-9)):
        read = parse(str(corruption))
        assert type(read) is type(corruption)
        assert read == corruption
        assert str(read) == str(corruption)
        assert parse({"name": corruption.name, **corruption.model_dump(mode="json")}) == corruption
        assert parse(corruption) is corruption
    assert str(parse(spec["name"])) == spec["name"]


@each_name
def test_its_file_says_how_strong_it_is_and_where_it_comes_from(name):
    for label in ("Strength", "Source"):
        assert len(gallery.paragraph(name, label)) > 10
    assert f"``{parse(name).physical}``" in gallery.paragraph(name, "Strength")


@each_name
@pytest.mark.parametrize("severity", [-0.01, 1.01, float("nan"), float("inf"), "much", [0.5]])
def test_a_severity_outside_zero_to_one_is_refused(name, severity):
    with refused(f"{name}.severity", repr(severity)):
        parse({"name": name, "severity": severity})


@each_name
def test_two_strengths_are_refused(name):
    physical = parse(name).physical
    with refused(f"{name}: give either severity or {physical}"):
        parse({"name": name, "severity": 0.5, physical: 1})


@each_name
def test_a_strength_below_zero_or_beyond_the_image_is_refused(name):
    physical = parse(name).physical
    with refused(f"{name}.{physical}", "greater than or equal to 0"):
        parse({"name": name, physical: -1})
    beyond = parse(name).to_physical(1.0, (17, 23)) + 1
    with refused(f"{name}.{physical}", f"got {beyond:g}"):
        parse({"name": name, physical: beyond})(photographs(2), seed=0)


@each_name
def test_images_that_are_not_images_are_refused(name):
    corruption, good = parse(name), photographs(2)
    for bad in (good.astype(np.float64), (good * 255).astype(np.uint8), good[0], [[0.5]], good[:0]):
        with refused(f"corruption {name}"):
            corruption(bad, seed=0)
    for value in (np.nan, np.inf, 1.001, -0.001):
        spoilt = good.copy()
        spoilt[1, 0, 3, 3] = value
        with refused(f"corruption {name}"):
            corruption(spoilt, seed=0)


@each_name
@pytest.mark.parametrize(
    "index", [[0], [0, 1, 2], [[0, 1]], 0, [0.0, 1.0], [np.nan, 1], ["0", "1"], [0, 10**40]]
)
def test_an_index_that_does_not_number_the_images_is_refused(name, index):
    with refused("index must be integers [2]"):
        parse(name)(photographs(2), seed=0, index=index)


@each_name
def test_an_unknown_option_is_refused_with_the_nearest(name):
    physical = parse(name).physical
    with refused(f"unknown option of {name}", f"did you mean {physical!r}?", "severity"):
        parse(f"{name}:{physical}x=1")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            "strips",
            ["unknown corruption 'strips'", "did you mean 'stripes'?", "nearest of "],
        ),
        ("PatchOcclusion", ["did you mean 'patch_occlusion'?"]),
        ("", ["unknown corruption ''", "nearest of "]),
        ("stripes:lines", ["'lines' lacks a value", "name:option=value"]),
        ("stripes:lines=2.5", ["stripes.lines", "integer", "'2.5'"]),
        ("stripes:direction=up", ["stripes.direction", "'rows'", "got 'up'"]),
        ("stripes:severity=", ["stripes.severity", "number"]),
        ("stripes:=3", ["unknown option of stripes ''"]),
        ({"severity": 0.5}, ["unknown corruption ''"]),
        ({"name": 3}, ["unknown corruption 3"]),
        (3, ["name:option=value", "got 3"]),
        (None, ["name:option=value", "got None"]),
        (["stripes"], ["name:option=value", "got ['stripes']"]),
    ],
)
def test_text_that_names_no_corruption_is_refused(spec, words):
    with refused(*words):
        parse(spec)


def test_text_may_have_spaces():
    assert parse(" stripes : lines = 3 , direction=rows,") == parse(
        {"name": "stripes", "lines": 3, "direction": "rows"}
    )
