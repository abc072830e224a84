"""Every detector by name, each small enough for a test, fitted once and shared."""

from functools import cache
from importlib.util import find_spec
from typing import Literal, get_args, get_origin

import pytest

from anomalist.core import catalog
from anomalist.models import RUN_FIELDS, parse
from toys import blobs

_NEEDED = {"pyod": "pyod"} | dict.fromkeys(
    ("padim", "patch_memory", "student_teacher"), "efficientnet_lite_pytorch"
)
NAMES = [
    name for name in catalog.names("models") if name not in _NEEDED or find_spec(_NEEDED[name])
]
SMALL = {  # those of them that a detector has
    "width": 4,
    "bottleneck": 3,
    "epochs": 1,
    "pretraining": 1,
    "batch_size": 64,
    "trees": 20,
    "side": 32,
    "memory": 50,
    "channels": 40,
    "levels": (0.2, 0.5),
    "draws": 1,
    "members": ("autoencoder:width=4,bottleneck=3,epochs=1,batch_size=64", "lof", "pca"),
}
slow = pytest.mark.slow  # `make test-fast` sees every detector as it is, at one size, on one thread
SIZES = [(1, 12, 12), pytest.param((3, 33, 47), marks=slow), pytest.param((1, 5, 6), marks=slow)]


def small(name, **changes):
    fields = catalog.find_class("models", name).model_fields
    return parse(
        {
            "name": name,
            **{k: v for k, v in SMALL.items() if k in fields},
            "device": "cpu",
            **changes,
        }
    )


def variants(name):
    """The detector as it is, and with each other value of each option that is a choice."""
    fields = catalog.find_class("models", name).model_fields
    choices = [
        (field, value)
        for field, info in fields.items()
        if field
        not in (
            *RUN_FIELDS,
            "backbone",
        )  # another is the same code, with weights of another package
        and get_origin(info.annotation) is Literal
        for value in get_args(info.annotation)
        if value != info.default
    ]
    return [(name,), *((name, choice) for choice in choices)]


VARIANTS = [
    pytest.param(variant, marks=slow if len(variant) > 1 else ())
    for name in NAMES
    for variant in variants(name)
]

each_name = pytest.mark.parametrize("name", NAMES)
each_variant = pytest.mark.parametrize(
    "variant", VARIANTS, ids=lambda v: "-".join([v[0], *(c[1] for c in v[1:])])
)


@cache
def fitted(variant, size=(1, 12, 12), **changes):
    """A detector after a short training, to be shared between tests, which only score with it."""
    return small(variant[0], **dict(variant[1:]), **changes).fit(blobs(150, size))


def same(one, two):
    pixels = (one.pixel is None and two.pixel is None) or one.pixel.tobytes() == two.pixel.tobytes()
    return one.image.tobytes() == two.image.tobytes() and pixels


def rows(scores, chosen):
    return type(scores)(
        scores.image[chosen], None if scores.pixel is None else scores.pixel[chosen]
    )
