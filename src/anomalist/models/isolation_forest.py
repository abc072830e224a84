"""Isolation forest: an image is anomalous if few random splits isolate it from training images.

Liu, Ting & Zhou, "Isolation forest", ICDM 2008. Each tree splits a random subset of the training
images at random values of random pixels until each image is alone or the tree is
log2(``subsample``) deep. Let h(x) be the depth of the leaf of x. If the leaf contains m > 1
training images, c(m) is added to h(x). The score is in (0, 1) and near 1 far from training images::

    c(m) = 2 (ln(m - 1) + 0.5772) - 2 (m - 1) / m    for m > 2,    c(2) = 1
    score(x) = 2^(-mean of h(x) over the trees / c(subsample))

scikit-learn grows the trees.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from sklearn.ensemble import IsolationForest as SklearnForest

from anomalist.core.randomness import derive
from anomalist.models._vectors import VectorDetector

__all__ = ["IsolationForest"]

# Each [trees, nodes], padded; the children of a leaf are the leaf itself.
_TREE_ARRAYS = (
    "feature",
    "threshold",
    "left",
    "right",
    "path",
)


class IsolationForest(VectorDetector):
    """Score an image by the number of random splits that isolate it."""

    deterministic: ClassVar[bool] = False

    trees: int = Field(100, ge=1, description="number of trees")
    subsample: int = Field(256, ge=1, description="training images per tree")

    _forest: dict[str, NDArray[Any]] = PrivateAttr(default_factory=dict)

    def _learn(self, vectors: NDArray[np.float32]) -> None:
        size = min(self.subsample, len(vectors))
        state = derive(self.seed, "trees") % 2**32
        forest = SklearnForest(
            n_estimators=self.trees,
            max_samples=size,
            random_state=state,
        ).fit(vectors)
        trees = [_tree(estimator.tree_) for estimator in forest.estimators_]
        nodes = max(len(tree["left"]) for tree in trees)
        self._forest = {
            name: np.stack([np.pad(tree[name], (0, nodes - len(tree[name]))) for tree in trees])
            for name in _TREE_ARRAYS
        }
        self._forest["usual"] = _path(np.array([size]))

    def _measure(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        feature, threshold, left, right, path = (self._forest[name] for name in _TREE_ARRAYS)
        rows = np.arange(len(vectors))[:, None]
        trees = np.arange(len(path))[None]
        node = np.zeros((len(vectors), len(path)), np.int64)
        while True:
            low = vectors[rows, feature[trees, node]] <= threshold[trees, node]
            deeper = np.where(low, left[trees, node], right[trees, node])
            if (deeper == node).all():
                break
            node = deeper
        depth = path[trees, node].mean(axis=1)
        usual = self._forest["usual"].item()
        score: NDArray[np.float64] = np.exp2(-depth / usual if usual else np.full(len(depth), -1.0))
        return score

    def _learnt(self) -> dict[str, NDArray[Any]]:
        return self._forest

    def _recall(self, arrays: dict[str, NDArray[Any]], width: int) -> None:
        self._forest = {name: arrays[name] for name in (*_TREE_ARRAYS, "usual")}
        left, right, feature = (self._forest[name] for name in ("left", "right", "feature"))
        if len({self._forest[name].shape for name in _TREE_ARRAYS}) != 1 or left.ndim != 2:
            raise ValueError("a forest's arrays must be of one shape")
        own = np.arange(left.shape[1])
        # Children come after their parent, so that every traversal ends.
        inner = (left > own) & (right > own)
        if not (inner | (left == own) & (right == own) | (left == 0) & (right == 0)).all():
            raise ValueError("a forest's nodes must lead to later nodes")
        if (
            max(left.max(), right.max()) >= left.shape[1]
            or not 0 <= feature.min() <= feature.max() < width
        ):
            raise ValueError("a forest's nodes must name nodes and values that exist")


def _tree(tree: Any) -> dict[str, NDArray[Any]]:
    """Return a fitted scikit-learn tree as arrays ``[nodes]``."""
    own = np.arange(tree.node_count)
    leaf = tree.children_left < 0
    depth = np.zeros(tree.node_count)
    for node in own[~leaf]:  # parents come before their children
        depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
    return {
        "feature": np.where(leaf, 0, tree.feature),
        "threshold": np.where(leaf, 0.0, tree.threshold),
        "left": np.where(leaf, own, tree.children_left),
        "right": np.where(leaf, own, tree.children_right),
        "path": np.where(leaf, depth + _path(tree.n_node_samples), 0.0),
    }


def _path(count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return c(m), the mean depth of an unsuccessful search in a random binary tree."""
    m = np.maximum(count, 2).astype(np.float64)
    path = 2 * (np.log(m - 1) + np.euler_gamma) - 2 * (m - 1) / m
    return np.where(count <= 1, 0.0, np.where(count == 2, 1.0, path))
