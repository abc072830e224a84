"""Shared by several networks: initial weights, and products independent of the batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["discard_draws", "forward_float64", "initialise", "pad_to_multiple"]


def initialise(layer: nn.Module) -> None:
    """Draw weights that preserve the scale of signals through ReLU layers (He et al., ICCV 2015).

    torch's default reduces the scale, and training then starts with hundreds of steps on a plateau.
    """
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)


def discard_draws(build: Callable[[], nn.Module], *, initialised: bool = False) -> None:
    """Advance torch's CPU generator as if a network were built, without building it.

    Version 0.1 built whole autoencoders even if only one half was used. With the same random draws,
    detectors keep their initial weights and results from that version.

    Args:
        build: returns the network; it is called on torch's "meta" device, without memory or draws.
        initialised: whether :func:`initialise` was applied to the network as well.
    """
    with torch.device("meta"):
        network = build()
    sizes = [parameter.numel() for parameter in network.parameters()]
    if initialised:
        sizes += [one.numel() for one in network.parameters() if one.ndim > 1]
    torch.rand(sum(sizes))


def forward_float64(layers: nn.Module, values: Tensor) -> Tensor:
    """Return the output of trained layers, computed in float64, as float32.

    On some processors the last bits of torch's float32 product with few columns depend on the
    position in the batch.
    """
    wide = {name: value.double() for name, value in layers.state_dict().items()}
    output: Tensor = torch.func.functional_call(layers, wide, (values.double(),))
    return output.float()


def pad_to_multiple(images: Tensor, depth: int) -> Tensor:
    """Return images padded so that their sides can be halved ``depth`` times to at least 2."""
    step = 2**depth
    below, right = (max(-side % step, 2 * step - side) for side in images.shape[2:])
    padded = nn.functional.pad(images, (0, right, 0, below))
    return padded.contiguous(memory_format=torch.channels_last)  # faster
