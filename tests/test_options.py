"""Options: the command line of a config is the config."""

import argparse

import pytest

from anomalist.baseline import Baseline
from anomalist.cli import _options as options
from anomalist.cli._parser import Parser
from anomalist.core.errors import InputError


def read(*words):
    parser = Parser("test", "a test")
    options.add_options(parser, Baseline, words)
    return options.collect(parser.read(words), Baseline)


def test_nothing_given_leaves_every_default():
    assert read() == {}
    assert Baseline(**read()) == Baseline()


def test_every_field_has_an_option():
    parser = Parser("test", "a test")
    options.add_options(parser, Baseline, [])
    given = {action.dest for action in parser._actions}
    assert set(Baseline.model_fields) <= given
    assert {"model.bottleneck", "model.epochs", "model.architecture"} <= given


def test_values_reach_the_config_typed_and_checked():
    config = Baseline(
        **read(
            "--seed", "7", "--model.bottleneck", "4", "--corruptions", "stripes:lines=2", "stripes"
        )
    )
    assert config.seed == 7
    assert config.detector().bottleneck == 4
    assert config.detector().seed == 7
    assert [str(corruption) for corruption in config.corruptions] == ["stripes:lines=2", "stripes"]


def test_the_detector_gets_the_run_s_own_seed_device_and_precision():
    detector = Baseline(seed=5, device="cpu", precision="float32").detector()
    assert (detector.seed, detector.device, detector.precision) == (5, "cpu", "float32")


def test_abbreviations_are_not_guessed():
    with pytest.raises(InputError, match="unknown"):
        read("--see", "1")


def test_the_parser_raises_in_place_of_leaving():
    parser = Parser("test", "a test")
    parser.add_argument("--count", type=int)
    with pytest.raises(
        InputError, match="argument --count: invalid int value: 'x'; see anomalist test --help"
    ):
        parser.read(["--count", "x"])
    assert isinstance(parser.read(["--count", "1"]), argparse.Namespace)
