"""PyOD: runs any of 21 detectors of the PyOD library under this package's contract.

Zhao, Nasrullah & Li, "PyOD: a Python toolbox for scalable outlier detection", JMLR 2019. It needs
the extra ``pyod``.

The adaptor adds the following to PyOD:

- Random choices follow the seed and change no global state.
- Detectors run on one thread, so that the thread count changes no score.
- Fitting fails for detectors whose score of an image changes from call to call, is NaN, or has no
  meaning for a single image.
- Some detectors' scores depend on the other images of the call: ECOD and COPOD count the new images
  among the training images, others differ in the last bits. These score one image at a time, which
  is slow.
- A saved detector contains the training vectors. Loading fits again and checks that the scores are
  the same.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import inspect
import io
import os
import random
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, field_validator
from threadpoolctl import threadpool_limits

from anomalist.core.devices import using_threads
from anomalist.core.errors import InputError, unknown
from anomalist.core.randomness import derive
from anomalist.models._vectors import VectorDetector, training_vectors
from anomalist.training import seeded

__all__ = ["Pyod"]

_MODULES = {  # the classes that need no further package and take vectors without labels
    "ABOD": "abod",
    "AutoEncoder": "auto_encoder",
    "CBLOF": "cblof",
    "COPOD": "copod",
    "DeepSVDD": "deep_svdd",
    "ECOD": "ecod",
    "GMM": "gmm",
    "HBOS": "hbos",
    "IForest": "iforest",
    "INNE": "inne",
    "KDE": "kde",
    "KNN": "knn",
    "KPCA": "kpca",
    "LODA": "loda",
    "LOF": "lof",
    "LUNAR": "lunar",
    "MCD": "mcd",
    "OCSVM": "ocsvm",
    "PCA": "pca",
    "QMCD": "qmcd",
    "Sampling": "sampling",
}
_RANDOM = "its score of an image changes from call to call"
_TOGETHER = "it ranks a set of images and cannot score a single image"
_REFUSED = {"ALAD": _RANDOM, "VAE": _RANDOM} | dict.fromkeys(
    ("CD", "COF", "DIF", "LMDD", "LOCI", "RGraph", "ROD", "SOD", "SOS"), _TOGETHER
)
_MEND = "choose another detector, or set components, which removes constant pixels"
_SIZE = 64  # images per batch, the last one padded, if scores do not depend on the batch
_PROBED = 16  # images of the test batch that are also scored alone


class Pyod(VectorDetector):
    """Score by a detector of the PyOD library."""

    no_export: ClassVar[str] = "PyOD computes the scores, not torch"
    needs: ClassVar[dict[str, str]] = {"pyod": "pyod"}

    detector: str = Field("HBOS", description=f"class of PyOD: {', '.join(_MODULES)}")
    options: tuple[str, ...] = Field((), description="parameters of that class, each as name=value")

    _table: NDArray[np.float32] | None = PrivateAttr(None)
    _machine: Any = PrivateAttr(None)
    _alone: bool = PrivateAttr(False)  # score one image at a time
    _probe: NDArray[np.float64] | None = PrivateAttr(None)  # scores of the test batch

    @field_validator("detector")
    @classmethod
    def _known(cls, name: str) -> str:
        if name in _REFUSED:
            raise InputError(
                f"pyod: {name} cannot be used: {_REFUSED[name]}; choose for example ECOD or KNN"
            )
        if name not in _MODULES:
            raise unknown("pyod detector", name, _MODULES)
        return name

    @field_validator("options")
    @classmethod
    def _pairs(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        for option in options:
            name, sign, _ = option.partition("=")
            if not sign or not name.strip().isidentifier():
                raise InputError(f"pyod: option {option!r} is not name=value")
        return options

    def _learn(self, vectors: NDArray[np.float32]) -> None:
        self._table = vectors
        with _isolated(self.seed), self._in_words():
            self._machine = self._build(vectors.shape[1]).fit(vectors.astype(np.float64))
            self._judge(vectors)

    def _build(self, size: int) -> Any:
        """Return PyOD's detector, not yet fitted."""
        if importlib.util.find_spec("pyod") is None:
            raise InputError("pyod is not installed: pip install 'anomalist[pyod]'")
        chosen = getattr(
            importlib.import_module(f"pyod.models.{_MODULES[self.detector]}"), self.detector
        )
        ours = {
            "random_state": derive(self.seed, "pyod") % 2**32,
            "device": "cpu",
            "verbose": 0,
            "n_features": size,
        }
        takes = set(inspect.signature(chosen).parameters)
        values = {name: value for name, value in ours.items() if name in takes}
        for option in self.options:
            name, _, text = (part.strip() for part in option.partition("="))
            if name not in takes or name == "random_state":
                raise unknown(f"option of pyod's {self.detector}", name, takes - {"random_state"})
            try:
                values[name] = ast.literal_eval(text)
            except (ValueError, SyntaxError):
                values[name] = text
        return chosen(**values)

    def _judge(self, vectors: NDArray[np.float32]) -> None:
        """Check that scores are usable, and whether images must be scored one at a time."""
        rows = vectors[np.arange(_SIZE) % len(vectors)]
        rows[1::2] = rows[1::2, ::-1]  # every second vector is reversed, as an anomaly
        together = self._ask(rows)
        alone = np.concatenate([self._ask(rows[i : i + 1]) for i in range(_PROBED)])
        if not np.isfinite(together).all():
            raise InputError(
                f"pyod: {self.detector} gives NaN or infinite scores on these images; {_MEND}"
            )
        if self._ask(rows).tobytes() != together.tobytes():
            raise InputError(f"pyod: {self.detector} cannot be used: {_RANDOM}")
        same = together[:_PROBED].tobytes() == alone.tobytes()
        if not np.isfinite(alone).all() or (
            len(np.unique(alone)) == 1 < len(np.unique(together[:_PROBED]))
        ):
            raise InputError(f"pyod: {self.detector} cannot be used: {_TOGETHER}")
        self._alone = not same or self._ask(rows[::-1])[::-1].tobytes() != together.tobytes()
        self._probe = alone

    def _ask(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        raw = self._machine.decision_function(vectors.astype(np.float64))
        scores = np.ascontiguousarray(raw, np.float64).reshape(len(vectors))
        # Larger values would become infinite in float32.
        return np.where(np.abs(scores) > np.finfo(np.float32).max, np.inf, scores)

    def _measure(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        assert self._table is not None
        size = 1 if self._alone else _SIZE
        padded = np.concatenate([vectors, np.repeat(self._table[:1], -len(vectors) % size, axis=0)])
        with _isolated(self.seed), self._in_words():
            parts = [
                self._ask(padded[first : first + size]) for first in range(0, len(padded), size)
            ]
        scores = np.concatenate(parts)[: len(vectors)]
        if not np.isfinite(scores).all():
            raise InputError(
                f"pyod: {self.detector} gives NaN or infinite scores for some images; {_MEND}"
            )
        return scores

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn exceptions of PyOD into one line."""
        # On unsuitable data PyOD may raise any exception, even a NameError.
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"pyod: {self.detector} cannot be used on these images: {type(error).__name__}: "
                f"{error}"
            ) from error

    def _learnt(self) -> dict[str, NDArray[Any]]:
        assert self._table is not None
        assert self._probe is not None
        return {"table": self._table, "probe": self._probe}

    def _recall(self, arrays: dict[str, NDArray[Any]], width: int) -> None:
        probe = arrays["probe"]
        self._learn(training_vectors(arrays, width))
        if self._probe is None or self._probe.tobytes() != probe.tobytes():
            raise InputError(
                f"pyod: {self.detector} gives different scores after loading: use the versions of "
                "pyod and its requirements that it was saved with, or fit and save it again"
            )


@contextlib.contextmanager
def _isolated(seed: int) -> Iterator[None]:
    """Seed all global generators, use one thread and print nothing within the context.

    Generators and threads are restored afterwards. Numeric warnings, for example for constant
    pixels, are suppressed, because the scores are checked instead.
    """
    before = np.random.get_state()
    plain = random.getstate()
    hashing = os.environ.get("PYTHONHASHSEED")
    try:
        with (
            seeded(seed, "pyod"),
            using_threads(1),
            threadpool_limits(1),
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", RuntimeWarning)
            np.random.seed(derive(seed, "pyod") % 2**32)
            random.seed(derive(seed, "pyod"))
            yield
    finally:
        np.random.set_state(before)
        random.setstate(plain)
        os.environ.pop("PYTHONHASHSEED", None)  # PyOD's networks set it
        if hashing is not None:
            os.environ["PYTHONHASHSEED"] = hashing
