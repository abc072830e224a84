"""Inpainting: no prediction sees what it predicts, and the surprise is the logarithm that it is
said to be."""

import numpy as np
import pytest
import torch

from anomalist.models import Inpainting, _trained
from anomalist.models._networks.blind_spot import BlindSpot, Pyramid
from anomalist.models._surprise import (
    Surprise,
    bin_edges,
    bin_means,
    combine,
    features,
    mean_excess,
    mean_value,
    pixel_map,
    residuals,
    surprise,
)
from refusals import refused
from toys import blobs


def small(**changes):
    return Inpainting(**{"width": 4, "epochs": 1, "batch_size": 64, "device": "cpu", **changes})


@pytest.mark.parametrize("cell", [1, 2, 3, 4])
@pytest.mark.parametrize("place", [(0, 0), (5, 6), (10, 12)])
def test_a_prediction_sees_nothing_of_its_hidden_block_and_all_that_lies_next_to_it(cell, place):
    torch.manual_seed(0)
    network = BlindSpot((1, 11, 13), cell, width=8, bins=3)
    images = torch.rand(1, 1, 11, 13, requires_grad=True)
    row, column = place
    network(images)[0, 0, :, row, column].square().sum().backward()
    margin = 0 if cell == 1 else cell
    top, left = (at // cell * cell - margin for at in place)
    hidden = np.zeros((11, 13), bool)
    hidden[max(top, 0) : top + cell + 2 * margin, max(left, 0) : left + cell + 2 * margin] = True
    reached = images.grad[0, 0].numpy() != 0
    assert not reached[hidden].any()
    ring = np.zeros((13, 15), bool)  # the pixels next to the hidden block
    rows, columns = np.nonzero(hidden)
    ring[rows.min() : rows.max() + 3, columns.min() : columns.max() + 3] = True
    ring = ring[1:-1, 1:-1] & ~hidden
    assert reached[ring].all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 6), (3, 33, 47), (2, 8, 3)])
def test_every_value_of_any_size_is_predicted_at_every_scale(shape):
    logits = Pyramid(shape, (1, 2, 4), width=2, bins=5)(torch.rand(2, *shape))
    assert logits.shape == (2, 3, shape[0], 5, *shape[1:])


def test_each_channel_has_its_own_bins():
    torch.manual_seed(0)
    network = BlindSpot((2, 4, 4), 2, width=8, bins=3)
    images = torch.rand(1, 2, 4, 4)
    with torch.no_grad():
        before = network(images)
        network.head.bias[: 3 * 4] += 1  # the first channel's, 4 pixels a cell
        after = network(images)
    torch.testing.assert_close(after[:, 0], before[:, 0] + 1)
    torch.testing.assert_close(after[:, 1], before[:, 1])


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_value_that_all_pixels_share_has_a_bin_of_its_own(value):
    value = np.float32(round(value * 255) / 255)
    edges = bin_edges(np.full((3, 1, 4, 4), value, np.float32))
    assert (np.diff(edges) > 0).all()
    near = [max(value - 1 / 255, 0), value, min(value + 1 / 255, 1)]
    bins = np.searchsorted(edges, np.array(near, np.float32))
    assert bins[0] < bins[1] or value == 0
    assert bins[1] < bins[2] or value == 1


def test_any_value_has_a_bin_and_a_faint_one_is_not_black():
    edges = bin_edges(np.random.default_rng(0).random((5, 1, 20, 20), dtype=np.float32))
    bins = np.searchsorted(edges, np.linspace(0, 1, 1001, dtype=np.float32))
    assert set(bins) == set(range(len(edges) + 1))
    assert np.searchsorted(edges, np.float32(0.03)) != np.searchsorted(edges, np.float32(0))


def test_the_bins_of_training_are_those_of_scoring():
    edges = bin_edges(blobs(20))
    values = np.concatenate([edges, np.random.default_rng(0).random(1000, dtype=np.float32)])
    trained = torch.bucketize(torch.from_numpy(values), torch.from_numpy(edges)).numpy()
    np.testing.assert_array_equal(trained, np.searchsorted(edges, values))


def test_both_surprises_are_what_they_are_said_to_be():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (2, 3, 2, 5, 4, 6)).astype(np.float32)
    bins = rng.integers(0, 5, (2, 2, 4, 6))
    chance = np.exp(logits.astype(np.float64))
    chance /= chance.sum(axis=3, keepdims=True)
    below = np.stack(
        [chance[:, :, :, :k].sum(axis=3) + chance[:, :, :, k] / 2 for k in range(5)], axis=3
    )
    log, tail = -np.log(chance), -np.log(2 * np.minimum(below, 1 - below))
    got = surprise(logits, bins)
    for values, seen, expected in (
        (log, got.log, got.expected_log),
        (tail, got.tail, got.expected_tail),
    ):
        chosen = np.take_along_axis(values, bins[:, None, :, None], axis=3)[:, :, :, 0]
        np.testing.assert_allclose(seen, chosen.sum(axis=2), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(expected, (chance * values).sum(axis=3).sum(axis=2), rtol=1e-4)


def test_what_is_certain_and_seen_is_no_surprise_and_the_impossible_a_finite_one():
    logits = np.array([1e4, 0, -1e4], np.float32).reshape(1, 1, 1, 3, 1, 1)
    for chosen in range(3):
        got = surprise(logits, np.full((1, 1, 1, 1), chosen))
        assert all(np.isfinite(part).all() for part in got)
        assert (got.tail > 10) == (chosen > 0)
        assert (got.log > 10) == (chosen > 0)


def excess_of(maps):
    """A surprise whose tail is ``maps``, [n, H, W], at its one scale, and that expects none."""
    maps = np.asarray(maps, np.float32)[:, None]
    return Surprise(maps, np.zeros_like(maps), maps, np.zeros_like(maps))


def test_a_window_adds_up_what_lies_in_it():
    maps = np.zeros((2, 12, 12))
    maps[0, 4:7, 5:8] = 2  # a 3 x 3 square
    maps[1, 0:7, 11] = 1  # a line of 7 at the border
    found = features(excess_of(maps))
    assert found.shape == (2, 7)
    np.testing.assert_allclose(found[:, 3:], [[18, 18, 18, 6], [3, 5, 7, 7]], rtol=1e-5)
    np.testing.assert_allclose(found[:, 2], maps.max(axis=(1, 2)))  # 1 % of 144 pixels is one


def test_the_map_is_the_surprise_weighted_by_that_around():
    maps = np.zeros((2, 24, 24))
    maps[:, 5, 5] = 1  # alone, and as one of sixteen
    maps[1, 4:8, 4:8] = 1
    alone, among = pixel_map(excess_of(maps))
    assert alone[5, 5] == alone.max() > 0
    assert among[5, 5] > 3 * alone[5, 5]
    assert (among[:, 15:] == 0).all()


def test_the_soft_maximum_is_at_least_the_maximum():
    found = np.random.default_rng(0).normal(0, 3, (50, 8)).astype(np.float32)
    score = combine(found, np.zeros(8, np.float32), np.ones(8, np.float32))
    assert (score >= found.max(axis=1)).all()
    assert (score <= found.max(axis=1) + np.log(8) / 2 + 1e-5).all()


def test_the_joint_score_is_a_sum_in_standard_deviations():
    mean, spread = np.array([1, -2], np.float32), np.array([2, 4], np.float32)
    found = np.array([[1, -2], [3, -2], [3, 6]], np.float32)
    np.testing.assert_allclose(combine(found, mean, spread, "joint"), [0, 1, 3])


def test_the_mean_excess_is_over_scales_and_pixels():
    seen = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    found = Surprise(seen, np.ones_like(seen), seen, seen)
    np.testing.assert_allclose(mean_excess(found), [10.5])


def test_what_is_left_over_is_what_was_not_predicted():
    images = np.random.default_rng(0).random((2, 2, 3, 4), dtype=np.float32)
    logits = np.full((2, 3, 2, 5, 3, 4), -100, np.float32)
    logits[:, 0, :, 4] = logits[:, 1, :, 0] = logits[:, 2, :, 2] = 100  # certain of 1, of 0, of 0.5
    left = residuals(images, logits, np.linspace(0, 1, 5, dtype=np.float32))
    assert left.shape == (2, 6, 3, 4)
    np.testing.assert_allclose(
        left, np.concatenate([images / 2, (1 + images) / 2, (0.5 + images) / 2], 1), rtol=1e-5
    )


def stripes(count, way, seed=0):
    """Lines at places of their own, all along ``way``: 0 down, 1 across."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, 1, 12, 12), np.float32)
    images[np.arange(count), :, :, rng.integers(1, 11, count)] = 1
    return images if way == 0 else np.ascontiguousarray(images.swapaxes(2, 3))


def test_the_joint_score_knows_what_normal_images_leave_over():
    detector = small(aggregation="joint", epochs=10, learning_rate=0.01, scales=(2, 4)).fit(
        stripes(200, 0)
    )
    usual, turned = (detector.score(stripes(50, way, seed=1)).image for way in (0, 1))
    assert (turned[:, None] > usual).mean() > 0.9
    assert abs(np.median(usual)) < 3  # standard deviations of two summands


def test_a_restored_pixel_does_not_depend_on_its_own_value():
    detector = small(scales=(1, 4)).fit(blobs(100, (1, 24, 24)))
    images = blobs(5, (1, 24, 24), seed=1)
    changed = images.copy()
    changed[:, :, 8:12, 8:12] = 0.5  # one cell of the larger scale
    same = (detector.reconstruct(images) == detector.reconstruct(changed)).all(axis=(0, 1))
    assert same[4:16, 4:16].all()  # the cell is hidden from itself and from its neighbours
    assert not same[:, 16:].all()


def test_restored_images_are_means_of_bins():
    images = np.array([0, 0.25, 1], np.float32).repeat(20).reshape(1, 1, 6, 10)
    edges = bin_edges(images)
    means = bin_means(images, edges)
    for value in (0, 0.25, 1):
        assert means[np.searchsorted(edges, np.float32(value))] == value
    assert ((means >= 0) & (means <= 1)).all()
    certain = np.full((1, 1, len(means), 1, 1), -100, np.float32)
    certain[:, :, 2] = 100
    assert mean_value(certain, means) == means[2]


def test_what_scores_are_standardised_by_was_not_trained_on(monkeypatch):
    shown = []
    monkeypatch.setattr(
        _trained, "train", lambda network, loss, images, **_: shown.append(images) or [0.5]
    )
    standardised = []
    monkeypatch.setattr(
        Inpainting,
        "_surprise",
        lambda self, batch, _: standardised.append(batch) or excess_of(batch[:, 0]),
    )
    images = blobs(50)
    small().fit(images)
    assert (len(shown[0]), len(standardised[0])) == (45, 5)
    assert {i.tobytes() for i in (*shown[0], *standardised[0])} == {i.tobytes() for i in images}


def test_the_mean_of_the_map_is_another_score():
    images = blobs(20, seed=1)
    default, mean = (
        small(aggregation=how).fit(blobs(100)).score(images) for how in ("features", "mean")
    )
    np.testing.assert_array_equal(default.pixel, mean.pixel)
    np.testing.assert_allclose(mean.image, mean.pixel.mean(axis=(1, 2)), rtol=1e-5)
    assert (default.image != mean.image).any()


@pytest.mark.slow
def test_training_lowers_the_surprise_it_reports():
    detector = small(epochs=20, learning_rate=0.01)
    assert detector.history == []
    detector.fit(blobs(300))
    assert len(detector.history) == 20
    assert detector.history[-1] < 0.7 * detector.history[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 0),
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0),
        ("aggregation", "sum"),
        ("scales", ()),
        ("scales", (0,)),
        ("scales", "wide"),
    ],
)
def test_a_wrong_option_is_refused_by_name(field, value):
    with refused(f"inpainting.{field}"):
        Inpainting(**{field: value})
