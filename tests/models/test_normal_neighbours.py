"""The fused score: the formula written out, the same bytes in any batch, and few images."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from anomalist.core.errors import InputError
from anomalist.models import Autoencoder, Pca, load
from anomalist.models import _normal_neighbours as neighbours
from toys import blobs

NORMAL = blobs(300)
UNSEEN = blobs(40, seed=1)


def fused(**changes):
    options = {"width": 4, "bottleneck": 3, "epochs": 20, "batch_size": 64, "device": "cpu"}
    return Autoencoder(**{**options, "score_by": "fused", **changes})


@pytest.fixture(scope="module")
def detector():
    return fused().fit(NORMAL)


def whole(codes, kept):
    """Codes as whole numbers, in float64: their squared distances are exact in any arithmetic."""
    centre = kept.mean(axis=0, dtype=np.float64)
    most = int(np.sqrt(2**22 / kept.shape[1]))
    steps = np.rint((codes - centre) * (most / (2 * np.abs(kept - centre).max())))
    return np.clip(steps, -most, most)


def by_hand(detector, images):
    """E, R and H of the docstring, and the expected images, without torch or a shared line."""
    plain = detector.model_copy(update={"score_by": "error"})
    codes = detector.encode(images).astype(np.float64)
    kept = detector.encode(NORMAL).astype(np.float64)
    restored = plain.reconstruct(NORMAL)
    near, own = [], []
    for one in whole(codes, kept):
        near.append(np.argsort(((whole(kept, kept) - one) ** 2).sum(axis=1), kind="stable")[:10])
    for place, one in enumerate(whole(kept, kept)):
        distances = ((whole(kept, kept) - one) ** 2).sum(axis=1)
        distances[place] = np.inf
        own.append(np.argsort(distances, kind="stable")[:10])

    def difference(pictures, index):
        expected = restored[index].mean(axis=1)
        sigma = 12 / 18
        blurred = gaussian_filter(pictures - expected, (0, 0, sigma, sigma), mode="nearest")
        highest = np.sort((blurred**2).mean(axis=1).reshape(len(pictures), -1))[:, -14:]
        return np.log(highest.mean(axis=1, dtype=np.float64)), expected

    of_kept = np.log(plain.score(NORMAL).image.astype(np.float64))
    of_images = np.log(plain.score(images).image.astype(np.float64))
    kept_difference, _ = difference(NORMAL, own)
    own_difference, expected = difference(images, near)
    components = [(of_images, of_kept)]
    for mine, theirs in ((of_images, of_kept), (own_difference, kept_difference)):
        slope, intercept = np.polyfit(theirs[own].mean(axis=1), theirs, 1)
        components.append(
            (
                mine - intercept - slope * theirs[near].mean(axis=1),
                theirs - intercept - slope * theirs[own].mean(axis=1),
            )
        )
    return components, expected


def test_the_score_is_the_docstrings(detector):
    components, expected = by_hand(detector, UNSEEN)
    scores = detector.score(UNSEEN)
    np.testing.assert_allclose(detector.reconstruct(UNSEEN), expected, atol=1e-6)
    np.testing.assert_allclose(
        scores.pixel, np.square(UNSEEN - expected).mean(axis=1), rtol=1e-3, atol=1e-7
    )
    total = 0
    for values, normal in components:
        rising = np.sort(normal)
        limit, excess = rising[-10], rising[-10:].mean() - rising[-10]
        share = np.exp(np.interp(values, rising, np.log(1 - (np.arange(300) + 0.5) / 300)))
        tail = 9.5 / 300 * np.exp(-(values - limit) / excess)
        total = total + np.where(values > limit, tail, share) ** -0.5
    np.testing.assert_allclose(scores.image, np.log(total), rtol=1e-3)


def test_no_batch_and_no_file_changes_a_byte(detector, tmp_path):
    scores = detector.score(UNSEEN)
    detector.save(tmp_path)
    for other in (detector, load(tmp_path)):
        for rows in (slice(0, 1), slice(3, 20), slice(39, 40)):
            part = other.score(UNSEEN[rows])
            assert part.image.tobytes() == scores.image[rows].tobytes()
            assert part.pixel.tobytes() == scores.pixel[rows].tobytes()


def test_beyond_every_normal_image_scores_still_rise(detector):
    """Two anomalies that no normal image reaches are not tied."""
    far = np.clip(
        UNSEEN[:1] + np.linspace(0.3, 0.9, 5, dtype=np.float32)[:, None, None, None], 0, 1
    )
    assert np.all(np.diff(detector.score(far).image) > 0)


def test_the_second_score_is_that_of_score_by_fused(detector, tmp_path):
    plain = fused(score_by="error").fit(NORMAL)
    name, second, score_both = plain.second_score(NORMAL)
    assert name == "fused"
    error, both = score_both(UNSEEN)
    np.testing.assert_array_equal(both.image, detector.score(UNSEEN).image)
    np.testing.assert_array_equal(second.score(UNSEEN).pixel, both.pixel)
    np.testing.assert_array_equal(error.image, plain.score(UNSEEN).image)
    np.testing.assert_array_equal(error.pixel, plain.score(UNSEEN).pixel)
    second.save(tmp_path)
    np.testing.assert_array_equal(load(tmp_path).score(UNSEEN).image, both.image)
    assert detector.second_score(NORMAL) is None
    assert Pca().fit(NORMAL).second_score(NORMAL) is None


@pytest.mark.parametrize(
    "normal", [np.zeros(500), np.r_[np.arange(300.0), np.full(30, 300.0)], np.arange(400.0)]
)
def test_surprise_rises_where_normal_values_tie(normal):
    values = np.linspace(normal[0] - 1, normal[-1] + 1, 2_000)
    surprise = neighbours.surprise(values, normal)
    assert np.all(np.diff(surprise) >= 0)
    assert np.all(np.diff(surprise[values > normal[-1]]) > 0)


def test_rounding_is_not_taken_for_spread():
    """Copies of one image: what differs is a little anomalous, not 1e15."""
    images = np.repeat(blobs(1), 50, axis=0)
    scores = fused(epochs=2).fit(images).score(np.concatenate([images[:1], images[:1] * 0.99]))
    assert np.all(scores.image < 1e7)
    assert scores.image[1] > scores.image[0]


@pytest.mark.parametrize("count", [1, 2, 5, 12])
@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 9, 11)])
def test_few_images_and_copies_have_finite_scores(count, shape):
    for images in (blobs(count, shape), np.repeat(blobs(1, shape), count, axis=0)):
        scores = fused(epochs=2).fit(images).score(blobs(8, shape, seed=2))
        assert np.isfinite(scores.image).all()
        assert scores.pixel.shape == (8, *shape[1:])


def test_the_kept_images_are_drawn_by_the_seed(monkeypatch):
    monkeypatch.setattr(neighbours, "MAX_KEPT", 50)
    first, again, other = (neighbours.kept_images(NORMAL, seed) for seed in (0, 0, 1))
    assert len(first) == 50
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_few_large_images_are_kept(monkeypatch):
    monkeypatch.setattr(neighbours, "_MAX_NUMBERS", 1_000)
    assert len(neighbours.kept_images(NORMAL, 0)) == 6  # 144 pixels each


@pytest.mark.parametrize("threads", [1, 2])
def test_a_tie_of_distances_is_broken_the_same_way_in_any_batch(threads, monkeypatch):
    """Codes on few whole numbers have many equal distances."""
    rng = np.random.default_rng(0)
    kept = rng.integers(-2, 3, (500, 2)).astype(np.float32)
    codes = rng.integers(-2, 3, (40, 2)).astype(np.float32)
    expected = neighbours._nearest(codes, kept)
    monkeypatch.setattr(neighbours, "_ROWS", 7 * threads)
    np.testing.assert_array_equal(neighbours._nearest(codes, kept), expected)


@pytest.mark.parametrize("name", ["codes", "errors", "differences", "normal"])
def test_values_that_cannot_be_are_refused(name, detector):
    arrays = detector._neighbours.arrays()
    damaged = arrays[f"neighbours.{name}"].copy()
    damaged.flat[-1] = np.nan
    arrays[f"neighbours.{name}"] = damaged
    with pytest.raises(ValueError, match="finite"):
        neighbours.NormalNeighbours.take(arrays, lambda codes: codes)


def test_damaged_arrays_are_one_line(detector, tmp_path):
    detector.save(tmp_path)
    described = tmp_path / "detector.json"
    text = json.loads(described.read_text())
    text["config"]["score_by"] = "latent"
    described.write_text(json.dumps(text))
    with pytest.raises(InputError, match="cannot be read as a detector"):
        load(tmp_path)
