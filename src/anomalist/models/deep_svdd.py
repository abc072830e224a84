"""Deep SVDD: a network maps normal images close to one point; the distance from it is the score.

Stage one trains an autoencoder; the centre c is the mean of its codes. Stage two continues with its
encoder f, which has no biases, and minimises the first expression; the second one is the score::

    mean |f(x) - c|^2 + weight_decay / 2 sum |W|^2
    score = |f(x) - c|^2

(Ruff et al., "Deep one-class classification", ICML 2018: the one-class objective). The centre c is
fixed in stage two. The score is in squared units of the code space; there is no map.
"""

from __future__ import annotations

from anomalist.models._hypersphere import HypersphereDetector

__all__ = ["DeepSvdd"]


class DeepSvdd(HypersphereDetector):
    """Pull the codes of normal images to their centre; score by the distance from it."""
