"""Each shallow detector agrees with scikit-learn's own scores; its vectors and their products are
exact."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import KernelDensity, LocalOutlierFactor, NearestNeighbors
from sklearn.svm import OneClassSVM
from threadpoolctl import threadpool_limits

from anomalist import models
from anomalist.core.randomness import derive
from anomalist.models import Knn, Lof, parse
from anomalist.models._preprocessing import deskew, direction_planes, prepare
from anomalist.models._vectors import PrincipalComponents, nearest, squared_distances
from toys import blobs

SHALLOW = ["pca", "knn", "lof", "ocsvm", "isolation_forest", "kde"]
each_shallow = pytest.mark.parametrize("name", SHALLOW)
TRAIN, TEST = blobs(300), np.concatenate([blobs(40, seed=1), 1 - blobs(10, seed=2)])
X, Y = TRAIN.reshape(300, -1), TEST.reshape(50, -1)  # the vectors as they are, not rounded


def scores(name, **options):
    return parse({"name": name, **options}).fit(TRAIN).score(TEST).image


def noise(count, shape=(1, 28, 28), seed=0):
    return np.random.default_rng(seed).random((count, *shape), dtype=np.float32)


@pytest.mark.parametrize("distance", ["mean", "kth"])
@pytest.mark.parametrize("k", [1, 5, 299, 1_000])
def test_knn_is_the_distance_to_the_nearest(k, distance):
    away = NearestNeighbors(n_neighbors=min(k, 300), algorithm="brute").fit(X).kneighbors(Y)[0]
    expected = away.mean(axis=1) if distance == "mean" else away[:, -1]
    np.testing.assert_allclose(scores("knn", k=k, distance=distance), expected, rtol=1e-5)


@pytest.mark.parametrize("k", [1, 20, 299])
def test_lof_is_scikit_learns(k):
    expected = (
        -LocalOutlierFactor(n_neighbors=k, novelty=True, algorithm="brute").fit(X).score_samples(Y)
    )
    np.testing.assert_allclose(scores("lof", k=k), expected, rtol=1e-5)


def test_more_neighbours_than_images_are_all_of_them():
    np.testing.assert_array_equal(scores("lof", k=1_000), scores("lof", k=299))


@pytest.mark.parametrize("options", [{}, {"nu": 0.5, "gamma": 0.3}, {"nu": 0.99}])
def test_ocsvm_is_scikit_learns(options):
    machine = OneClassSVM(
        nu=options.get("nu", 0.1), gamma=options.get("gamma", "scale"), tol=1e-3
    ).fit(X)
    expected = -machine.decision_function(Y)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        scores("ocsvm", **options) / scale, expected / scale, atol=2e-3
    )  # the solver's tolerance
    fitted = parse({"name": "ocsvm", **options}).fit(TRAIN)
    exact = OneClassSVM(nu=fitted.nu, gamma=fitted._constants[0]).fit(prepare(TRAIN, 0, False))
    np.testing.assert_allclose(
        fitted.score(TEST).image, -exact.decision_function(Y), rtol=1e-5, atol=1e-5 * scale
    )


@pytest.mark.parametrize("subsample", [1, 2, 64, 256, 1_000])
def test_isolation_forest_is_scikit_learns(subsample):
    state = derive(3, "trees") % 2**32
    size = min(subsample, 300)
    forest = IsolationForest(n_estimators=30, max_samples=size, random_state=state).fit(
        prepare(TRAIN, 0, False)
    )
    expected = -forest.score_samples(prepare(TEST, 0, False))
    found = scores("isolation_forest", trees=30, subsample=subsample, seed=3)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("bandwidth", [0.1, 0.5, 2.0])
def test_kde_is_scikit_learns(bandwidth):
    reference = KernelDensity(
        bandwidth=bandwidth, leaf_size=1_000
    )  # one leaf: its trees are not exact far away
    expected = -reference.fit(X).score_samples(Y)
    np.testing.assert_allclose(scores("kde", bandwidth=bandwidth), expected, rtol=1e-5, atol=1e-2)


def test_the_leave_one_out_bandwidth_is_the_likeliest():
    width = parse("kde").fit(TRAIN)._width

    def likelihood(h):
        exponent = -squared_distances(prepare(TRAIN, 0, False), prepare(TRAIN, 0, False)) / (
            2 * h**2
        )
        np.fill_diagonal(exponent, -np.inf)
        return np.logaddexp.reduce(exponent, axis=1).mean() - X.shape[1] * np.log(h)

    assert likelihood(width) >= max(
        likelihood(width * factor) for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2)
    )


def test_scotts_rule():
    spread = np.sqrt(X.var(axis=0).mean())
    assert parse("kde:rule=scott").fit(TRAIN)._width == pytest.approx(
        spread * 300 ** (-1 / 148), rel=1e-5
    )


@pytest.mark.parametrize("components", [1, 5, 15])
@pytest.mark.parametrize("count", [300, 60])  # more images than pixels, and fewer
def test_pca_is_scikit_learns(components, count):
    reference = PCA(n_components=components, svd_solver="full").fit(X[:count].astype(np.float64))
    restored = reference.inverse_transform(reference.transform(Y.astype(np.float64)))
    detector = parse({"name": "pca", "components": components}).fit(TRAIN[:count])
    np.testing.assert_allclose(
        detector.score(TEST).pixel.reshape(50, -1), (Y - restored) ** 2, atol=1e-5
    )
    np.testing.assert_allclose(
        detector.reconstruct(TEST).reshape(50, -1), np.clip(restored, 0, 1), atol=1e-5
    )


def test_pca_keeps_as_many_components_as_hold_the_variance():
    ratio = np.cumsum(PCA(svd_solver="full").fit(X).explained_variance_ratio_)
    for variance in (0.5, 0.9, 0.99):
        kept = parse({"name": "pca", "variance": variance}).fit(TRAIN)._kept
        assert kept.axes.shape[1] == np.searchsorted(ratio, variance) + 1


def test_a_basis_has_no_direction_without_variance():
    line = np.linspace(0, 1, 9, dtype=np.float32)[:, None] * np.ones(40, np.float32)
    for vectors in (line, np.repeat(line, 10, axis=0), line[:1]):
        axes = PrincipalComponents.fit(vectors, 5).axes
        assert (np.linalg.norm(axes, axis=0) > 0.5).sum() == (0 if len(vectors) == 1 else 1)


def test_pca_has_a_map_unless_images_are_deskewed():
    plain, straight = parse("pca:blur=1").fit(TRAIN), parse("pca:deskew=true").fit(TRAIN)
    assert plain.score(TEST).pixel is not None
    assert plain.reconstruct(TEST).shape == TEST.shape
    assert straight.score(TEST).pixel is None
    assert straight.reconstruct(TEST) is None


@pytest.mark.slow
@each_shallow
@pytest.mark.parametrize("directions", [None, 5])
@pytest.mark.parametrize(
    "size", [(1, 12, 12), (3, 9, 14), (2, 1, 7), (1, 6, 1), (1, 1, 1)], ids=str
)
def test_every_preprocessing_keeps_the_contract(name, size, directions, tmp_path):
    options = {"blur": 0.8, "deskew": True, "samples": 40} | (
        {} if name == "pca" else {"components": 4}
    )
    options["directions"] = directions
    detector = parse({"name": name, **options}).fit(noise(60, size))
    images = noise(300, size, seed=1)
    whole = detector.score(images).image
    assert np.isfinite(whole).all()
    for threads in (1, 2, 3):
        with threadpool_limits(threads):
            alone = np.concatenate(
                [detector.score(images[i : i + 1]).image for i in (0, 7, 255, 256, 299)]
            )
            assert alone.tobytes() == whole[[0, 7, 255, 256, 299]].tobytes()
            assert detector.score(images[::-1]).image.tobytes() == whole[::-1].tobytes()
    detector.save(tmp_path)
    assert models.load(tmp_path).score(images).image.tobytes() == whole.tobytes()
    constant = np.full((5, *size), 0.5, np.float32)
    assert np.isfinite(parse({"name": name, **options}).fit(constant).score(constant).image).all()


@each_shallow
def test_samples_are_drawn_by_the_seed(name):
    few, other = (scores(name, samples=50, seed=seed) for seed in (1, 2))
    assert few.tobytes() != other.tobytes()
    assert few.tobytes() == scores(name, samples=50, seed=1).tobytes()
    assert (
        scores(name, samples=300).tobytes()
        == scores(name).tobytes()
        == scores(name, samples=9_999).tobytes()
    )


@pytest.mark.parametrize("name", ["knn", "lof", "kde", "ocsvm"])
def test_components_change_little_when_all_are_kept(name):
    np.testing.assert_allclose(
        scores(name, components=144, gamma=0.05)
        if name == "ocsvm"
        else scores(name, components=144),
        scores(name, gamma=0.05) if name == "ocsvm" else scores(name),
        rtol=2e-2,
        atol=1e-2,
    )


@each_shallow
def test_many_equal_images_among_others_are_no_trouble(name):
    train = np.concatenate([np.repeat(TRAIN[:1], 100, axis=0), TRAIN])
    found = parse(name).fit(train).score(np.concatenate([TRAIN[:1], TEST])).image
    assert np.isfinite(found).all()
    assert found[0] < found[1:].max()


def test_products_are_exact():
    """Whole numbers are the reference: Python's have any length."""
    for size in (784, 3 * 64 * 64):
        rows = prepare(noise(7, (1, 1, size)), 0, False)
        table = np.concatenate([prepare(noise(30, (1, 1, size), seed=1), 0, False), rows])
        step = 2.0 ** ((50 - int(np.ceil(np.log2(size)))) // 2)
        whole = [
            [int(value * step) for value in row] for row in np.concatenate([rows, table]).tolist()
        ]
        assert all(value * step == int(value * step) for value in rows[0].tolist())
        found = squared_distances(rows, table)
        for i in (0, 6):
            for j in (0, 29, 30 + i):
                expected = sum((a - b) ** 2 for a, b in zip(whole[i], whole[7 + j], strict=True))
                assert found[i, j] * step**2 == expected
        assert found[3, 33] == 0


def test_nearest_leaves_out_the_row_itself_and_no_twin():
    table = prepare(np.concatenate([blobs(5), blobs(5)]), 0, False)
    distances, index = nearest(table[2:4], table, 3, first=2)
    assert index[:, 0].tolist() == [7, 8]
    assert (distances[:, 0] == 0).all()
    assert (np.diff(distances) >= 0).all()


@pytest.mark.parametrize("size", [(1, 28, 28), (3, 20, 31)], ids=str)
def test_deskewing_takes_the_skew_out(size):
    c, h, w = size
    y, x = np.mgrid[:h, :w]
    for slope in (-0.5, 0.0, 0.4):
        along = x - w / 2 + 1 - slope * (y - h / 2)
        image = np.exp(-(along**2) / 4 - (y - h / 2) ** 2 / 18).astype(np.float32)
        straight = deskew(np.repeat(image[None, None], c, axis=1))[0].mean(axis=0)
        m = straight / straight.sum()
        my, mx = (m * y).sum(), (m * x).sum()
        assert abs((m * (y - my) * (x - mx)).sum()) < 0.05
        assert mx == pytest.approx((image * x).sum() / image.sum(), abs=0.05)
        assert straight.max() > 0.9


@pytest.mark.parametrize("size", [(1, 28, 28), (3, 5, 7), (1, 1, 9), (1, 9, 1), (1, 1, 1)], ids=str)
def test_deskewing_is_defined_for_every_image(size):
    for value in (0.0, 1e-30, 0.5, 1.0):
        constant = np.full((2, *size), value, np.float32)
        np.testing.assert_allclose(deskew(constant), constant, rtol=1e-6)
    for images in (noise(9, size), (noise(9, size) > 0.97).astype(np.float32)):
        straight = deskew(images)
        assert straight.shape == images.shape
        assert straight.dtype == np.float32
        assert 0 <= straight.min() <= straight.max() <= 1


def test_blurring_is_scipys():
    images = noise(5, (2, 9, 11))
    blurred = prepare(images, 1.5, False).reshape(images.shape)
    expected = [[gaussian_filter(channel, 1.5) for channel in image] for image in images]
    np.testing.assert_allclose(blurred, expected, atol=1e-6)


@pytest.mark.parametrize("count", [3, 4, 8])
def test_directions_add_up_to_the_gradient(count):
    images = noise(20, (2, 9, 11))
    planes = direction_planes(images, count).reshape(20, 2, count, 9, 11)
    assert planes.min() == 0
    assert ((planes > 0).sum(axis=2) <= 2).all()  # the two neighbours
    angles = 2 * np.pi * np.arange(count) / count
    dy, dx = np.gradient(np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge"), axis=(2, 3))
    for unit, gradient in ((np.cos(angles), dx), (np.sin(angles), dy)):
        assert np.allclose(
            np.einsum("nckhw,k->nchw", planes, unit), gradient[:, :, 1:-1, 1:-1], atol=1e-6
        )


def test_a_quarter_turn_turns_the_directions():
    images = noise(5, (1, 8, 8))
    turned = direction_planes(np.rot90(images, axes=(2, 3)).copy(), 8)
    planes = np.rot90(direction_planes(images, 8), axes=(2, 3))
    assert np.allclose(
        turned, np.roll(planes, -2, axis=1), atol=1e-6
    )  # y points down: rot90 turns by -90 degrees


def test_planes_are_blurred_sampled_and_rooted():
    images = noise(3, (1, 12, 12))
    planes = gaussian_filter(direction_planes(images, 4), (0, 0, 1.5, 1.5))
    assert np.allclose(
        prepare(images, 1.5, False, 4).reshape(3, 4, 4, 4) ** 2, planes[:, :, 1::3, 1::3], atol=1e-6
    )
    assert prepare(images, 0, False, 4).shape == (3, 4 * 144)


@pytest.mark.parametrize("copies", [1, 5, 20, 200])
def test_copies_of_a_training_image_change_no_score_of_lof(copies):
    images = blobs(300)
    expected = Lof().fit(images).score(blobs(50, seed=1)).image
    more = np.concatenate(
        [np.repeat(images[:1], copies, axis=0), images, np.repeat(images[7:9], copies, axis=0)]
    )
    np.testing.assert_array_equal(Lof().fit(more).score(blobs(50, seed=1)).image, expected)


def test_near_copies_and_equal_images_leave_scores_of_lof_finite_and_small():
    images = blobs(300)
    near = np.clip(
        np.repeat(images[:1], 40, axis=0)
        + np.linspace(0, 1e-5, 40, dtype=np.float32)[:, None, None, None],
        0,
        1,
    )
    assert Lof().fit(np.concatenate([images, near])).score(blobs(50, seed=1)).image.max() < 30
    far = Lof().fit(np.repeat(images[:1], 30, axis=0)).score(images).image
    assert far[0] < 1e-6
    assert 0.1 < far[1:].max() < 100


def test_arrays_of_a_subclass_have_names_of_their_own():
    class Clash(Knn):
        def _learnt(self):
            return {"table": self._table, "mean": self._table[0]}

    detector = Clash(components=4).fit(blobs(40))
    with pytest.raises(TypeError, match="VectorDetector reserves the names mean"):
        detector._arrays()
