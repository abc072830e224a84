"""The classic training script, a DataLoader over PIL images, compared with `anomalist`.

    python benchmarks/classic_loop.py [--repeats 3] [--quick]

Both do the same work: a dense autoencoder 784-128-64-8 is trained on the 60,000 training images of
MNIST, in batches of 128 with Adam. Then 200 clean and 200 noisy test images are scored by their
mean squared error. The methods are compared twice:

- at equal epochs: 5 each;
- at equal quality: the classic loop has 5 epochs. The package has the fewest epochs whose AUROC is
  at most 0.0005 below that of the classic loop. The number of epochs is chosen without the test
  images: both are trained on 55,000 training images, and AUROC is measured on the other 5,000,
  clean against noisy, as the median over seeds.

The methods take turns, once for each seed. Quote the ratio of the medians, because times vary
between runs. The times exclude reading the data set and computing the printed AUROCs (5,000 test
images, clean against noisy).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from _bench import Result, load_mnist, print_result
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score
from tabulate import tabulate
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from anomalist import models
from anomalist.corruptions import GaussianNoise
from anomalist.images import ImageSet

EPOCHS = 5  # of the classic loop
BATCH = 128
BOTTLENECK = 8
SCORED = 200  # clean images of the timed scoring, and noisy images
JUDGED = 5_000  # clean images of an AUROC, and noisy images
CANDIDATES = (1, 2, 3, 4, 5, 7, 10, 14, 20)  # epochs of the package at equal quality
TOLERANCE = 0.0005  # of AUROC

Float = NDArray[np.float32]
Scorer = Callable[[Float], Float]
Method = Callable[[ImageSet, int, int], Scorer]  # from images, epochs and seed


class PilImages(Dataset[tuple[Tensor, int]]):
    """Converts each image to PIL and then to a tensor when it is accessed, like torchvision."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.integer[Any]]) -> None:
        self.images = torch.from_numpy(images[:, 0])
        self.labels = torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[row].numpy())
        label = int(self.labels[row])
        values = torch.from_numpy(np.array(image, np.uint8, copy=True))
        values = values.view(image.height, image.width, 1).permute(2, 0, 1).contiguous()
        return values.to(torch.float32).div(255), label


def classic(training: ImageSet, epochs: int, seed: int) -> Scorer:
    """Train as in common tutorials."""
    torch.manual_seed(seed)
    sizes = (784, 128, 64, BOTTLENECK, 64, 128, 784)
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    network = nn.Sequential(*layers[:-1], nn.Sigmoid())
    data = PilImages(training.images, training.class_index)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(epochs):
        for batch, _ in DataLoader(data, batch_size=BATCH, shuffle=True):
            loss = nn.functional.mse_loss(network(batch), batch.flatten(1))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def score(images: Float) -> Float:
        with torch.no_grad():
            tensor = torch.from_numpy(images)
            errors = (network(tensor) - tensor.flatten(1)) ** 2
            return errors.mean(1).numpy()

    return score


def ours(training: ImageSet, epochs: int, seed: int) -> Scorer:
    """Do the same with the package."""
    detector = models.Autoencoder(
        architecture="dense",
        bottleneck=BOTTLENECK,
        epochs=epochs,
        batch_size=BATCH,
        learning_rate=1e-3,
        seed=seed,
    )
    detector.fit(training.to_float())
    return lambda images: detector.score(images).image


def with_noise(clean: Float) -> Float:
    """Return the images, followed by the same images with noise."""
    noisy = GaussianNoise(sigma=0.3)(clean, seed=0).images
    return np.concatenate([clean, noisy])


def auroc(score: Scorer, images: Float) -> float:
    """Return the AUROC of images whose second half is noisy."""
    is_noisy = np.repeat([0, 1], len(images) // 2)
    return float(roc_auc_score(is_noisy, score(images)))


def epochs_to_quality(
    training: ImageSet,
    held_out: Float,
    candidates: Sequence[int],
    seeds: Sequence[int],
) -> int | None:
    """Return the fewest epochs with which the package reaches the classic loop's AUROC.

    Args:
        training: training images of both.
        held_out: images on which AUROC is measured; the second half is noisy.
        candidates: numbers of epochs, ascending.
        seeds: seeds of the trainings; their median AUROC is compared.

    Returns:
        the number of epochs, or None if no candidate is enough.
    """

    def median_auroc(method: Method, epochs: int) -> float:
        values = [auroc(method(training, epochs, seed), held_out) for seed in seeds]
        return statistics.median(values)

    wanted = median_auroc(classic, EPOCHS) - TOLERANCE
    print(f"held-out images: AUROC {wanted + TOLERANCE:.4f} by the classic loop", flush=True)
    for epochs in candidates:
        reached = median_auroc(ours, epochs)
        print(f"held-out images: AUROC {reached:.4f} by ours, epochs: {epochs}", flush=True)
        if reached >= wanted:
            return epochs
    return None


@dataclass(frozen=True)
class Timed:
    """Medians of a method with a number of epochs."""

    seconds: float
    auroc: float


def time_in_turns(
    methods: Mapping[str, tuple[Method, int]],
    training: ImageSet,
    judged: Float,
    seeds: Sequence[int],
) -> dict[str, Timed]:
    """Train and score with each method and its number of epochs, in turns.

    Args:
        methods: methods with their epochs, by name.
        training: what they learn from.
        judged: images of the AUROC, with a noisy second half. Scoring some of them is timed.
        seeds: one for each turn.
    """
    half = len(judged) // 2
    scored = np.concatenate([judged[:SCORED], judged[half : half + SCORED]])
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    aurocs: dict[str, list[float]] = {name: [] for name in methods}
    for seed in seeds:
        for name, (method, epochs) in methods.items():
            start = time.perf_counter()
            score = method(training, epochs, seed)
            score(scored)
            seconds[name].append(time.perf_counter() - start)
            aurocs[name].append(auroc(score, judged))
    return {
        name: Timed(statistics.median(seconds[name]), statistics.median(aurocs[name]))
        for name in methods
    }


def measure(quick: bool, *, repeats: int | None = None) -> Result:
    """Compare both at equal epochs and at equal quality.

    Args:
        quick: train on 2,000 images, once, and try few numbers of epochs.
        repeats: number of trainings of each; by default three.
    """
    seeds = range(repeats or (1 if quick else 3))
    mnist = load_mnist()
    training = mnist.train
    held_out = 500 if quick else JUDGED
    if quick:
        training = training.take(np.arange(2_000))
    rows = np.arange(len(training))
    candidates = CANDIDATES[:3] if quick else CANDIDATES
    epochs = epochs_to_quality(
        training.take(rows[:-held_out]),
        with_noise(training.take(rows[-held_out:]).to_float()),
        candidates,
        seeds,
    )
    if epochs is None:
        print(f"equal quality: not reached within {candidates[-1]} epochs")
    methods: dict[str, tuple[Method, int]] = {
        "classic": (classic, EPOCHS),
        "equal epochs": (ours, EPOCHS),
    }
    if epochs is not None:
        methods["equal quality"] = (ours, epochs)
    judged = with_noise(mnist.test.take(np.arange(held_out)).to_float())
    timed = time_in_turns(methods, training, judged, seeds)
    print_timed(timed, methods, len(seeds))
    return _result(timed, epochs)


def print_timed(
    timed: dict[str, Timed],
    methods: Mapping[str, tuple[Method, int]],
    repeats: int,
) -> None:
    """Print the medians, the number of epochs and the versions."""
    rows = []
    for name, one in timed.items():
        ratio = timed["classic"].seconds / one.seconds
        rows.append((name, methods[name][1], one.seconds, one.auroc, ratio))
    headers = ("", "epochs", "s", "AUROC", "classic / it")
    print(tabulate(rows, headers, floatfmt=("", "", ".2f", ".4f", ".2f")))
    threads = torch.get_num_threads()
    print(f"medians of {repeats}; torch {torch.__version__}, {threads} threads")


def _result(timed: dict[str, Timed], epochs: int | None) -> Result:
    ratios = {}
    details = {}
    for name, one in timed.items():
        details[f"{name}, s"] = one.seconds
        details[f"{name}, AUROC"] = one.auroc
        if name != "classic":
            ratios[f"{name}: classic loop / ours"] = timed["classic"].seconds / one.seconds
    if epochs is not None:
        details["equal quality, epochs"] = epochs
    return Result("classic_loop", ratios, details, threads=torch.get_num_threads())


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
