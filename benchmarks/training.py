"""Training speed of the reference autoencoder, compared with a plain loop of the same network.

    python benchmarks/training.py [--repeats 3] [--quick]

The plain loop is the usual first version: a DataLoader over a TensorDataset, the same network with
the same initial weights, the same fused Adam and one-cycle schedule, batches of 128, float32. The
network is the convolutional one of `models.Autoencoder()`, with 111,521 parameters for images of
28 x 28. All are trained for one epoch on the same images, in turns. Rates are images per second.

- Images of 28 x 28, on one thread and on two: the reference settings and the fast settings
  (bfloat16, channels last, batches of 256) are compared with the plain loop. The printed losses are
  means over the epoch.
- Overhead of the training loop: the time of `fit` less that of the bare steps (forward, backward
  and Adam on prepared batches, in memory that is reused), as a share of the time of `fit`. It is
  printed and not compared with kept results.
- Images of 256 x 256, smooth and random: the reference settings, which then use small batches, are
  compared with the faster of two plain loops, with batches of 128 and of 8.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from _bench import Result, load_mnist, median_times, print_result
from numpy.typing import NDArray
from tabulate import tabulate
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from anomalist import models
from anomalist.baseline.settings import SMALL, with_settings
from anomalist.core.devices import using_threads
from anomalist.core.environment import processor
from anomalist.core.memory import reusing_memory
from anomalist.core.randomness import generator
from anomalist.models._networks.autoencoder import AutoencoderNetwork, conv_decoder, conv_encoder
from anomalist.models._networks.layers import initialise
from anomalist.training import seeded

IMAGES = 25_600  # of 28 x 28: 200 steps of 128
LARGE_IMAGES = 256  # of 256 x 256
LARGE_SIDE = 256
BATCH = 128
SMALL_BATCH = 8
LEARNING_RATE = 3e-3
BOTTLENECK = 32
WIDTH = 16
THREADS = (1, 2)

REFERENCE = models.Autoencoder(epochs=1, device="cpu")
FAST = with_settings(REFERENCE, SMALL[-1], 1)

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Trained:
    """The result of one way of training."""

    rate: float  # images per second
    loss: float  # mean over the epoch


def build(shape: tuple[int, ...]) -> AutoencoderNetwork:
    """Return the network of `models.Autoencoder()` with its initial weights."""
    channels, height, width = shape
    size = (channels, height, width)
    with seeded(0, "weights"):
        encoder = conv_encoder(size, BOTTLENECK, WIDTH)
        decoder = conv_decoder(size, BOTTLENECK, WIDTH)
        return AutoencoderNetwork(encoder, decoder).apply(initialise)


def plain_loop(images: Float, batch_size: int = BATCH) -> float:
    """Train for one epoch without the package; return the mean loss."""
    torch.manual_seed(0)
    network = build(images.shape[1:])
    data = TensorDataset(torch.from_numpy(images))
    loader = DataLoader(data, batch_size=batch_size, shuffle=True)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=len(loader), cycle_momentum=False
    )
    total = torch.zeros(())
    for (batch,) in loader:
        loss = nn.functional.mse_loss(network(batch), batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        total += loss.detach() * len(batch)
    return float(total) / len(images)


def bare_steps(shape: tuple[int, ...], batches: tuple[Tensor, ...]) -> None:
    """Make the steps of one epoch on prepared batches, and nothing else."""
    network = build(shape)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    with reusing_memory():
        for batch in batches:
            loss = nn.functional.mse_loss(network(batch), batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def fit(detector: models.Autoencoder, images: Float) -> float:
    """Train a new detector with the same options for one epoch; return the mean loss."""
    return detector.model_copy(deep=True).fit(images).history[-1]


def train_in_turns(
    ways: Mapping[str, Callable[[], float]],
    others: Mapping[str, Callable[[], object]],
    images: int,
    repeats: int,
) -> tuple[dict[str, Trained], dict[str, float]]:
    """Time ways of training and other calls in turns.

    Args:
        ways: ways of training, which return their loss.
        others: other calls.
        images: number of training images.
        repeats: number of timed runs of each, after one untimed run.

    Returns:
        the result of each way, and the median seconds of all calls.
    """
    losses: dict[str, float] = {}

    def keep_loss(name: str) -> None:
        losses[name] = ways[name]()

    calls: dict[str, Callable[[], object]] = {name: partial(keep_loss, name) for name in ways}
    seconds = median_times({**calls, **others}, repeats, warm_ups=1)
    trained = {name: Trained(images / seconds[name], losses[name]) for name in ways}
    return trained, seconds


def small_images(images: Float, threads: int, repeats: int) -> Result:
    """Compare on MNIST with a given number of threads."""
    shape = images.shape[1:]
    batches = torch.split(torch.from_numpy(images), BATCH)
    ways: dict[str, Callable[[], float]] = {
        "plain loop": lambda: plain_loop(images),
        "reference settings": lambda: fit(REFERENCE, images),
        "fast settings": lambda: fit(FAST, images),
    }
    steps = {"bare steps": lambda: bare_steps(shape, batches)}
    with using_threads(threads):
        trained, seconds = train_in_turns(ways, steps, len(images), repeats)
    where = f"28 x 28, threads {threads}"
    plain = trained["plain loop"].rate
    print_trained(where, trained, plain)
    overhead = 1 - seconds["bare steps"] / seconds["reference settings"]
    print(f"overhead of the training loop: {overhead:.1%} of fit")
    ratios = {}
    for name in ("reference settings", "fast settings"):
        ratios[f"{where}: {name} / plain loop"] = trained[name].rate / plain
    details = _rates(where, trained)
    details[f"{where}: the loop's own cost, share of fit"] = overhead
    return Result("training", ratios, details)


def large_images(images: Float, repeats: int) -> Result:
    """Compare on images of 256 x 256 with torch's default number of threads."""
    ways: dict[str, Callable[[], float]] = {
        f"plain loop, batches of {size}": partial(plain_loop, images, size)
        for size in (BATCH, SMALL_BATCH)
    }
    plain_loops = list(ways)
    ways["reference settings"] = lambda: fit(REFERENCE, images)
    trained, _ = train_in_turns(ways, {}, len(images), repeats)
    plain = max(trained[name].rate for name in plain_loops)
    where = f"{LARGE_SIDE} x {LARGE_SIDE}"
    print_trained(where, trained, plain)
    ratio = trained["reference settings"].rate / plain
    name = f"{where}: reference settings / better plain loop"
    return Result("training", {name: ratio}, _rates(where, trained))


def smooth_images(count: int) -> Float:
    """Return random smooth grey images, ``[count, 1, 256, 256]`` in [0, 1]."""
    draws = generator(0, "benchmark/training")
    coarse = torch.from_numpy(draws.random((count, 1, 16, 16), np.float32))
    size = (LARGE_SIDE, LARGE_SIDE)
    return nn.functional.interpolate(coarse, size=size, mode="bilinear").numpy()


def print_trained(title: str, trained: dict[str, Trained], plain: float) -> None:
    """Print rates, losses, and the ratios to the rate of the plain loop."""
    rows = [(name, one.rate, one.rate / plain, one.loss) for name, one in trained.items()]
    headers = (title, "images/s", "it / plain", "loss")
    print(tabulate(rows, headers, floatfmt=("", ",.0f", ".2f", ".5f")), flush=True)


def _rates(where: str, trained: dict[str, Trained]) -> dict[str, float]:
    return {f"{where}: {name}, images/s": one.rate for name, one in trained.items()}


def measure(quick: bool, *, repeats: int | None = None) -> Result:
    """Compare on small and on large images.

    Args:
        quick: train on few images, once.
        repeats: number of trainings of each; by default three.
    """
    repeats = repeats or (1 if quick else 3)
    mnist = load_mnist().train
    images = mnist.take(np.arange(512 if quick else IMAGES)).to_float()
    print(f"{processor()}; torch {torch.__version__}; medians of {repeats}", flush=True)
    parts = [small_images(images, threads, repeats) for threads in THREADS]
    parts.append(large_images(smooth_images(SMALL_BATCH if quick else LARGE_IMAGES), repeats))
    ratios: dict[str, float] = {}
    details: dict[str, float] = {}
    for part in parts:
        ratios |= part.ratios
        details |= part.details
    return Result("training", ratios, details, threads=max(THREADS))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, help="number of trainings of each (default: 3)")
    parser.add_argument("--quick", action="store_true", help="a tiny run")
    options = parser.parse_args()
    print_result(lambda: measure(options.quick, repeats=options.repeats))


if __name__ == "__main__":
    main()
