"""Errors: one line, with the valid names and the nearest one."""

import pickle

import pytest

from anomalist.core.errors import InputError, unknown


def test_the_nearest_name_is_suggested():
    assert str(unknown("model", "autoencodr", ["vae", "autoencoder"])) == (
        "unknown model 'autoencodr': did you mean 'autoencoder'? valid: autoencoder, vae"
    )


def test_a_name_unlike_any_gets_the_list_alone():
    assert (
        str(unknown("model", "zzz", ["vae", "autoencoder"]))
        == "unknown model 'zzz': valid: autoencoder, vae"
    )


def test_nothing_valid_is_said_so():
    assert str(unknown("model", "x", [])) == "unknown model 'x': valid: none"


@pytest.mark.parametrize("name", [3, None, "two\nlines", ""])
def test_whatever_was_named_the_answer_is_an_input_error_of_one_line(name):
    error = unknown("model", name, ["vae"])
    assert isinstance(error, InputError)
    assert "\n" not in str(error)
    assert repr(name) in str(error)


def test_line_breaks_become_spaces():
    assert str(InputError("got [[0, 0]\n     [1, 1]]\r\n")) == "got [[0, 0] [1, 1]]"


def test_it_is_a_value_error_and_survives_a_process_border():
    error = pickle.loads(pickle.dumps(InputError("what, where, how")))
    assert isinstance(error, InputError)
    assert isinstance(error, ValueError)
    assert str(error) == "what, where, how"


def test_many_names_are_not_all_listed():
    names = [f"name_{number}" for number in range(30)]
    message = str(unknown("thing", "nam_7", names))
    assert message.startswith(
        "unknown thing 'nam_7': did you mean 'name_7'? nearest of 30: name_7, "
    )
    assert message.count("name_") == 6


@pytest.mark.parametrize(
    ("given", "suggested"),
    [
        ("--out", None),
        ("--bottleneck", "--model.bottleneck"),
        ("--botleneck", "--model.bottleneck"),
        ("--seed", "--seed"),
        ("--model.unti", "--model.unit"),
        ("--unit", "--model.unit"),
        ("--test-size", None),
    ],
)
def test_an_option_is_suggested_across_parts_only_where_it_is_nearly_the_same(given, suggested):
    message = str(
        unknown(
            "option",
            given,
            ["--model.unit", "--model.bottleneck", "--results", "--seed", "--model"],
        )
    )
    assert ("did you mean" in message) == (suggested is not None)
    assert suggested is None or f"did you mean {suggested!r}?" in message
