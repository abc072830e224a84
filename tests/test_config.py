"""Config: typed, frozen, and wrong values answered with one line."""

from typing import Literal

import numpy as np
import pytest
from pydantic import Field, model_validator

from anomalist.core.config import Config, snake_case
from anomalist.core.errors import InputError
from refusals import refused


class Inner(Config):
    depth: int = Field(1, ge=1, le=9)
    kind: Literal["this", "that"] = "this"

    @model_validator(mode="after")
    def _odd(self):
        if self.depth == 4:
            raise InputError("inner: depth must not be 4")
        return self


class TwoWords(Config):
    name: str
    rate: float = 0.5
    inner: Inner = Inner()
    sizes: tuple[int, ...] = ()


def test_values_are_converted_and_never_change():
    config = TwoWords(name="x", rate="0.25", sizes=["3", 4])
    assert (config.rate, config.sizes) == (0.25, (3, 4))
    with pytest.raises(ValueError, match="frozen"):
        config.rate = 1.0
    assert config.rate == 0.25
    assert hash(config) == hash(TwoWords(name="x", rate=0.25, sizes=(3, 4)))


def test_numpy_numbers_are_taken():
    config = Inner(depth=np.int64(3))
    assert config == Inner(depth=3)
    assert type(config.depth) is int


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"depht": 2},
            ["unknown option of inner 'depht'", "did you mean 'depth'?", "valid: depth, kind"],
        ),
        ({"depth": 0}, ["inner.depth", "greater than or equal to 1", "got 0"]),
        ({"depth": 10}, ["inner.depth", "less than or equal to 9", "got 10"]),
        ({"depth": 2.5}, ["inner.depth", "integer", "got 2.5"]),
        ({"depth": "two"}, ["inner.depth", "integer", "got 'two'"]),
        ({"depth": None}, ["inner.depth", "got None"]),
        ({"depth": np.zeros((50, 50))}, ["inner.depth", "got array"]),
        ({"depth": "1\n2"}, ["inner.depth"]),
        ({"kind": "thus"}, ["inner.kind", "'this' or 'that'", "got 'thus'"]),
        ({"depth": 4}, ["inner: depth must not be 4"]),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_field(values, words):
    with refused(*words):
        Inner(**values)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), "nan"])
def test_no_field_takes_nan(rate):
    with refused("two_words.rate", "finite"):
        TwoWords(name="x", rate=rate)


def test_a_missing_value_is_named():
    with refused("two_words.name", "required"):
        TwoWords()


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ({"depth": 0}, ["two_words.inner", "inner.depth", "got 0"]),
        ({"depht": 1}, ["two_words.inner", "did you mean 'depth'?"]),
        ({"depth": 4}, ["two_words.inner", "depth must not be 4"]),
        (3, ["two_words.inner", "got 3"]),
    ],
)
def test_a_config_within_a_config_says_where(inner, words):
    with refused(*words):
        TwoWords(name="x", inner=inner)


def test_a_config_within_a_config_is_read_from_a_mapping_and_written_as_one():
    config = TwoWords(name="x", inner={"depth": 3})
    assert config.inner == Inner(depth=3)
    assert TwoWords(**config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("name", "file_name"),
    [
        ("Stripes", "stripes"),
        ("PatchOcclusion", "patch_occlusion"),
        ("DeepSad", "deep_sad"),
        ("Vae", "vae"),
    ],
)
def test_a_class_is_named_after_its_file(name, file_name):
    assert snake_case(name) == file_name
