"""Choose the rule of `autoencoder:score_by=fused` on held-out training images of MNIST.

    python experiments/choose_fused_score.py            a few minutes on two cores
    python experiments/choose_fused_score.py --seeds 1

1. For each seed 6,000 training images are held out. The autoencoder is fitted on the other 54,000.
2. The held-out images are scored clean and with the eleven corruptions of the study `blind_spot`.
   The components of the score are E, R and H of anomalist/models/_normal_neighbours.py, and for
   comparison LOF, the local outlier factor of the code. A rule combines some of these four
   components into one score.
3. The table shows the AUROC of each rule in percent, as the mean over the seeds.

The test split is not read. Seeds begin at 10, because those of studies begin at 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from anomalist import datasets
from anomalist.core.randomness import generator
from anomalist.corruptions import parse
from anomalist.metrics import auroc
from anomalist.models import Autoencoder
from anomalist.models import _normal_neighbours as neighbours
from anomalist.suites.mnist import CORRUPTIONS

HELD_OUT = 6_000
FIRST_SEED = 10
E, R, H, LOF = range(4)

Wide = NDArray[np.float64]
# Maps the components of images, and the sorted components of kept images, to one score per image.
Rule = Callable[[Wide, Wide], Wide]


def z_scores(components: Wide, normal: Wide) -> Wide:
    """Return components standardised by the mean and standard deviation of the kept images."""
    centred = components - normal.mean(axis=1, keepdims=True)
    return centred / normal.std(axis=1, keepdims=True)


def surprises(components: Wide, normal: Wide) -> Wide:
    """Return, for each component, -log of the fraction of kept images with at least this value."""
    return np.stack([neighbours.surprise(*pair) for pair in zip(components, normal, strict=True)])


def single(component: int) -> Rule:
    """Return the rule that uses one component alone."""
    return lambda components, normal: components[component]


def soft_maximum(measure: Rule, power: float, *chosen: int) -> Rule:
    """Return the rule that computes the log of the sum of exp(power * component)."""

    def rule(components: Wide, normal: Wide) -> Wide:
        measured = measure(components, normal)[list(chosen)]
        return np.logaddexp.reduce(power * measured)

    return rule


def total(measure: Rule, *chosen: int) -> Rule:
    """Return the rule that adds components."""
    return lambda components, normal: measure(components, normal)[list(chosen)].sum(axis=0)


def beyond_eightieth(components: Wide, normal: Wide) -> Wide:
    """Return z(E) plus the excess of z(LOF) over its 80th percentile, the first rule tried."""
    z = z_scores(components, normal)
    limit = np.quantile(z_scores(normal, normal)[LOF], 0.8)
    return z[E] + np.maximum(z[LOF] - limit, 0)


RULES: dict[str, Rule] = {
    "E, the error alone": single(E),
    "R": single(R),
    "H": single(H),
    "LOF": single(LOF),
    "z(E) + max(0, z(LOF) - 80th percentile)": beyond_eightieth,
    "z(E) + z(LOF)": total(z_scores, E, LOF),
    "soft maximum of z(E), z(LOF)": soft_maximum(z_scores, 1, E, LOF),
    "soft maximum of z(R), z(LOF)": soft_maximum(z_scores, 1, R, LOF),
    "sum of z(E), z(R), z(H)": total(z_scores, E, R, H),
    "soft maximum of z(E), z(R), z(H)": soft_maximum(z_scores, 1, E, R, H),
    "sum of log p (Fisher)": total(surprises, E, R, H),
    "harmonic mean of p": soft_maximum(surprises, 1, E, R, H),
    "mean of p^(-1/2), chosen": soft_maximum(surprises, 0.5, E, R, H),
}


@contextmanager
def changed(name: str, value: float) -> Iterator[None]:
    """Give a constant of the fused score another value within the context."""
    before = getattr(neighbours, name)
    setattr(neighbours, name, value)
    try:
        yield
    finally:
        setattr(neighbours, name, before)


CONSTANTS = (
    ("MAX_KEPT", 5_000),
    ("MAX_KEPT", 20_000),
    ("NEIGHBOURS", 5),
    ("NEIGHBOURS", 20),
    ("BLUR", 1 / 28),
    ("BLUR", 1 / 14),
    ("TAIL_SHARE", 0.05),
)


class Case:
    """One seed's autoencoder with the held-out images, clean and corrupted."""

    def __init__(self, seed: int) -> None:
        images = datasets.load("mnist").train.to_float()
        order = generator(seed, "choose fused score").permutation(len(images))
        self.normal = images[order[:HELD_OUT]]
        self.train = images[order[HELD_OUT:]]
        self.detector = Autoencoder(seed=seed).fit(self.train)
        latent = Autoencoder(seed=seed, score_by="latent").fit(self.train)
        self.images = [self.normal]
        for spec in CORRUPTIONS:
            changed_images, masks = parse(spec)(self.normal, seed=seed)
            self.images.append(changed_images[masks.any(axis=(1, 2))])
        self.factors = [np.log(latent.score(images).image) for images in self.images]

    def aurocs(self, rules: dict[str, Rule]) -> dict[str, list[float]]:
        """Return the AUROC of each corruption in percent, by rule."""
        second = self.detector.second_score(self.train)
        assert second is not None
        fused = second.detector
        assert isinstance(fused, Autoencoder)
        kept = fused._neighbours
        assert kept is not None
        # Training images are their own neighbours in LOF, so held-out images standardise it.
        ranks = (np.arange(kept.normal.shape[1]) + 0.5) / kept.normal.shape[1]
        normal = np.vstack([kept.normal, np.quantile(self.factors[0], ranks)])
        components = []
        for images, factors in zip(self.images, self.factors, strict=True):
            errors = self.detector.score(images).image
            ours, _ = kept.components(images, fused.encode(images), errors)
            components.append(np.vstack([ours, factors]))
        figures: dict[str, list[float]] = {}
        for name, rule in rules.items():
            clean, *corrupted = (rule(one, normal) for one in components)
            for scores in corrupted:
                labels = np.repeat([0, 1], [len(clean), len(scores)])
                value = 100 * auroc(np.concatenate([clean, scores]), labels)
                figures.setdefault(name, []).append(value)
        return figures


def main() -> None:
    """Print a table: one line per rule, then one line per changed constant."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    figures: dict[str, list[list[float]]] = {}
    chosen = {"chosen": RULES["mean of p^(-1/2), chosen"]}
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        case = Case(seed)
        for name, aurocs in case.aurocs(RULES).items():
            figures.setdefault(name, []).append(aurocs)
        for constant, value in CONSTANTS:
            with changed(constant, value):
                aurocs = case.aurocs(chosen)["chosen"]
            figures.setdefault(f"chosen, {constant} = {value:.3g}", []).append(aurocs)
    lines = []
    for name, of_seeds in figures.items():
        means = np.mean(of_seeds, axis=0)
        lines.append([name, means.mean(), *means])
    print(tabulate(lines, ["rule", "mean", *CORRUPTIONS], "github", floatfmt=".2f"))


if __name__ == "__main__":
    main()
