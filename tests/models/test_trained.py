"""What detectors with a network share: their options reach the one loop."""

import pytest

from anomalist.models import _trained, parse
from toys import blobs


@pytest.mark.parametrize(
    "name",
    [
        "autoencoder",
        "deep_sad",
        "deep_svdd",
        "deviation_network",
        "fcdd",
        "inpainting",
        "outlier_exposure",
        "synthetic",
        "vae",
    ],
)
def test_its_options_reach_the_loop(name, monkeypatch):
    given = {}
    monkeypatch.setattr(_trained, "train", lambda *_, **options: given.update(options) or [0.5])
    options = {
        "epochs": 7,
        "batch_size": 5,
        "learning_rate": 0.25,
        "seed": 3,
        "device": "cpu",
        "precision": "float32",
    }
    own = (
        {"training_precision": "auto"}
        if name in ("deep_sad", "deep_svdd", "diffusion", "synthetic")
        else {}
    )
    assert set(parse({"name": name, **options, **own}).fit(blobs(3)).history) == {
        0.5
    }  # of each stage
    assert {name: given[name] for name in options} == options | (
        {"precision": "auto"} if own else {}
    )
