"""The contract of detectors. Each check takes a detector that is not fitted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.models import Detector, Scores, load, parse
from anomalist.testing.images import blobs

__all__ = ["CHECKS", "refuses", "same"]

_SHAPE = (1, 12, 12)


def same(one: Scores, other: Scores) -> bool:
    """Return whether two scores are equal to the last bit."""
    if (one.pixel is None) != (other.pixel is None):
        return False
    maps = one.pixel is None or other.pixel is None or one.pixel.tobytes() == other.pixel.tobytes()
    return one.image.tobytes() == other.image.tobytes() and maps


def refuses(function: Callable[..., object], *arguments: object) -> None:
    """Check that a call raises InputError with a message of one line."""
    message = ""
    try:
        function(*arguments)
    except InputError as error:
        message = str(error)
    assert message, f"{function} must raise InputError with a message"
    assert "\n" not in message


def scores_have_the_shape_of_the_images(detector: Detector) -> None:
    """Scores are finite float32 of the images' number and size; images are not modified."""
    training = blobs(80, _SHAPE)
    images = blobs(20, _SHAPE, seed=1)
    before = training.tobytes(), images.tobytes()
    scores = _fitted(detector, training).score(images)
    assert (training.tobytes(), images.tobytes()) == before, "images were modified"
    assert scores.image.shape == (20,)
    assert scores.image.dtype == np.float32
    assert np.isfinite(scores.image).all()
    if scores.pixel is not None:
        assert scores.pixel.shape == (20, *_SHAPE[1:])
        assert scores.pixel.dtype == np.float32
        assert np.isfinite(scores.pixel).all()


def the_seed_decides(detector: Detector) -> None:
    """Two fits with one seed are equal; global random states are neither read nor changed."""
    images = blobs(20, _SHAPE, seed=1)
    results = []
    for state in (1, 2):
        np.random.seed(state)
        before = np.random.get_state()[1].tolist()  # type: ignore[index]
        results.append(_fitted(detector).score(images))
        after = np.random.get_state()[1].tolist()  # type: ignore[index]
        assert after == before, "the global random state was changed"
    assert same(*results), "two fits with the same seed differ"


def fitting_again_starts_afresh(detector: Detector) -> None:
    """A detector that is fitted twice equals one that is fitted once."""
    images = blobs(20, _SHAPE, seed=1)
    twice = _copy(detector).fit(blobs(40, _SHAPE, seed=9)).fit(blobs(80, _SHAPE))
    assert same(twice.score(images), _fitted(detector).score(images))


def a_score_does_not_depend_on_the_batch(detector: Detector) -> None:
    """Images score the same alone, together, and in any order."""
    fitted = _fitted(detector)
    images = blobs(300, _SHAPE, seed=2)
    whole = fitted.score(images)
    order = np.random.default_rng(0).permutation(len(images))
    assert same(fitted.score(images[order]), _rows(whole, order))
    for first, last in ((0, 1), (255, 257), (250, 270), (299, 300)):
        rows = np.arange(first, last)
        assert same(fitted.score(images[rows]), _rows(whole, rows))


def views_and_read_only_images_are_scored_alike(detector: Detector) -> None:
    """Neither strides nor the writable flag matter."""
    fitted = _fitted(detector)
    images = blobs(20, _SHAPE, seed=1)
    locked = images.copy()
    locked.flags.writeable = False
    for given in (locked, np.repeat(images, 2, axis=0)[::2]):
        assert same(fitted.score(given), fitted.score(images))


def wrong_input_is_refused(detector: Detector) -> None:
    """Wrong types, shapes and values, and other sizes than in the fit, raise InputError."""
    fitted = _fitted(detector)
    for images in _wrong_images():
        refuses(_copy(detector).fit, images)
        refuses(fitted.score, images)
    refuses(fitted.score, blobs(2, (1, 12, 13)))
    refuses(fitted.score, blobs(2, (3, 12, 12)))
    refuses(_copy(detector).score, blobs(2, _SHAPE))


def a_saved_detector_gives_the_same_scores(detector: Detector) -> None:
    """Saving and loading changes no bit, and an unfitted detector is not saved."""
    images = blobs(20, _SHAPE, seed=1)
    fitted = _fitted(detector)
    with tempfile.TemporaryDirectory() as folder:
        refuses(_copy(detector).save, folder)
        fitted.save(folder)
        assert same(load(folder).score(images), fitted.score(images))


def constant_images_and_few_of_them_are_enough(detector: Detector) -> None:
    """Fits on ten equal images, and on one, give finite scores."""
    for count in (1, 10):
        constant = np.full((count, *_SHAPE), 0.5, np.float32)
        fitted = _copy(detector).fit(constant)
        for images in (constant, blobs(3, _SHAPE), 1 - constant):
            scores = fitted.score(images)
            assert np.isfinite(scores.image).all()
            assert scores.pixel is None or np.isfinite(scores.pixel).all()


def anomalies_score_higher(detector: Detector) -> None:
    """Noise scores higher than normal images, with an AUROC above 0.9."""
    fitted = _fitted(detector, blobs(200, _SHAPE))
    normal = fitted.score(blobs(60, _SHAPE, seed=1)).image
    noise = np.random.default_rng(0).random((60, *_SHAPE), dtype=np.float32)
    strange = fitted.score(noise).image
    assert (strange[:, None] > normal[None]).mean() > 0.9


def its_spec_reads_back(detector: Detector) -> None:
    """A detector is a frozen config that its name and options describe."""
    assert parse(detector.spec).spec == detector.spec
    assert parse({"name": detector.name, **detector.model_dump(mode="json")}) == detector
    assert all(field.description for field in type(detector).model_fields.values())


CHECKS = (
    scores_have_the_shape_of_the_images,
    the_seed_decides,
    fitting_again_starts_afresh,
    a_score_does_not_depend_on_the_batch,
    views_and_read_only_images_are_scored_alike,
    wrong_input_is_refused,
    a_saved_detector_gives_the_same_scores,
    constant_images_and_few_of_them_are_enough,
    anomalies_score_higher,
    its_spec_reads_back,
)


def _copy(detector: Detector) -> Detector:
    return parse({"name": detector.name, **detector.model_dump(mode="json")})


def _fitted(detector: Detector, images: NDArray[np.float32] | None = None) -> Detector:
    return _copy(detector).fit(blobs(80, _SHAPE) if images is None else images)


def _rows(scores: Scores, rows: NDArray[np.int64]) -> Scores:
    return Scores(scores.image[rows], None if scores.pixel is None else scores.pixel[rows])


def _wrong_images() -> list[object]:
    good = blobs(3, _SHAPE)
    wrong: list[object] = [
        good.astype(np.float64),
        (good * 255).astype(np.uint8),
        good[0],
        good[:0],
        good.tolist(),
    ]
    for value in (np.nan, np.inf, 1.5, -0.5):
        broken = good.copy()
        broken[1, 0, 3, 3] = value
        wrong.append(broken)
    return wrong
