"""Pretrained features: whose weights they are, what is refused, and what three detectors make of
them."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist, mahalanobis

from anomalist.core.errors import InputError
from anomalist.models import Padim, PatchMemory, StudentTeacher, parse
from anomalist.models import _pretrained as _features
from anomalist.models._networks import backbone as _backbone
from anomalist.models._networks.trunk import Trunk, _unit_length
from anomalist.models._networks.trunk import fused as fuse
from anomalist.models._pretrained import whitener
from anomalist.models.patch_memory import coreset, reweighting
from refusals import refused
from toys import blobs

pytest.importorskip("efficientnet_lite_pytorch")

SMALL = {"side": 32, "device": "cpu"}
IMAGES = blobs(40, (1, 32, 32))


def features(detector, images):
    return _features.Extractor.of(detector, detector.l2_normalise).apply(images, detector)


@pytest.mark.parametrize(
    ("options", "mean", "deviation"),
    [
        ({}, [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
        ({"normalisation": "imagenet"}, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ],
)
def test_a_feature_is_the_networks_own_averaged_over_its_patch(options, mean, deviation):
    whole = _backbone.untrained("efficientnet_lite0")
    whole.load_state_dict(_backbone._packaged("efficientnet_lite0"))
    x = np.repeat(IMAGES[:2], 3, axis=1)
    x = (x - np.array(mean)[:, None, None]) / np.array(deviation)[:, None, None]
    outputs = []
    whole.eval()._blocks[4].register_forward_hook(
        lambda *args: outputs.append(args[2])
    )  # the last with a stride of 8
    with torch.inference_mode():
        whole(torch.from_numpy(x.astype(np.float32)))
    found = features(PatchMemory(**SMALL, **options, layers=(8,), l2_normalise=False), IMAGES[:2])
    assert found.shape == (2, 40, 4, 4)
    np.testing.assert_allclose(
        found[:, :, 1, 2], outputs[0][:, :, 0:3, 1:4].mean((2, 3)), rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(
        found[:, :, 0, 0], outputs[0][:, :, :2, :2].mean((2, 3)), rtol=1e-3, atol=1e-4
    )


def test_fused_layers_compute_the_same_and_nothing_of_the_trained_network_changes():
    torch.manual_seed(0)
    options = PatchMemory(layers=(4, 8, 16), side=64).trunk_options(False)
    trunk = Trunk(_backbone.untrained("efficientnet_lite0"), options)
    for layer in trunk.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-1, 1)
            layer.running_var.uniform_(0.5, 2)
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    fused = fuse(trunk)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in fused.modules())
    images = torch.from_numpy(IMAGES[:4])
    torch.testing.assert_close(fused(images), trunk.eval()(images), rtol=1e-3, atol=1e-4)
    assert all(torch.equal(before[name], value) for name, value in trunk.state_dict().items())


def test_features_of_each_stride_have_unit_length_and_the_direction_of_the_plain_ones():
    unit, plain = (
        features(PatchMemory(**SMALL, l2_normalise=unit), IMAGES[:3]) for unit in (True, False)
    )
    for part in (slice(40), slice(40, None)):
        np.testing.assert_allclose((unit[:, part] ** 2).sum(1), 1, rtol=1e-4)
        length = np.sqrt((plain[:, part] ** 2).sum(1, keepdims=True))
        np.testing.assert_allclose(unit[:, part] * length, plain[:, part], rtol=1e-3, atol=1e-3)
    assert torch.isfinite(_unit_length(torch.zeros(1, 3, 2, 2))).all()


def test_grey_and_colour_of_the_same_grey_look_alike_and_strides_are_joined_on_the_finest_grid():
    detector = PatchMemory(**SMALL, layers=(16, 4, 8))
    found = features(detector, IMAGES[:3])
    assert found.shape == (3, 24 + 40 + 112, 8, 8)
    np.testing.assert_array_equal(found, features(detector, np.repeat(IMAGES[:3], 3, axis=1)))


def test_a_command_line_names_strides():
    assert parse("padim:layers=4;8").layers == (4, 8)
    assert parse(parse("padim:layers=16").spec) == parse("padim:layers=16")


def test_images_are_brought_to_the_side_in_proportion():
    found = features(PatchMemory(side=64, layers=(8,), device="cpu"), blobs(2, (1, 8, 12)))
    assert found.shape == (2, 40, 8, 12)
    assert features(PatchMemory(layers=(8,), device="cpu"), blobs(2, (1, 56, 112))).shape == (
        2,
        40,
        14,
        28,
    )
    assert features(PatchMemory(layers=(8,), device="cpu"), blobs(2, (1, 120, 128))).shape == (
        2,
        40,
        15,
        16,
    )
    shrunk = blobs(2, (1, 160, 192)).reshape(2, 1, 80, 2, 96, 2).mean((3, 5))
    half = features(PatchMemory(layers=(8,), side=80, device="cpu"), blobs(2, (1, 160, 192)))
    np.testing.assert_allclose(
        half, features(PatchMemory(layers=(8,), side=80, device="cpu"), shrunk), atol=1e-3
    )


@pytest.mark.parametrize(
    "inside", [lambda state: state, lambda state: {"state_dict": state, "epoch": 3}]
)
def test_a_checkpoint_of_the_users_may_have_other_names(inside, tmp_path):
    state = _backbone._packaged("efficientnet_lite0")
    plain = PatchMemory(**SMALL, memory=20).fit(IMAGES).score(IMAGES[:3])
    path = tmp_path / "own.pth"
    torch.save(
        inside(
            {
                f"layer{i}.{name.split('.')[-1]}": value
                for i, (name, value) in enumerate(state.items())
            }
        ),
        path,
    )
    own = PatchMemory(**SMALL, memory=20, weights=str(path)).fit(IMAGES).score(IMAGES[:3])
    np.testing.assert_array_equal(plain.pixel, own.pixel)


def test_what_holds_other_weights_is_refused(tmp_path):
    other, code, missing = tmp_path / "other.pth", tmp_path / "code.pth", tmp_path / "none.pth"
    torch.save({"weight": torch.zeros(3)}, other)
    torch.save({"run": print}, code)
    (tmp_path / "text.pth").write_text("no weights")
    for path, words in (
        (other, "does not fit efficientnet_lite0"),
        (code, "no plain tensors"),
        (missing, "no file"),
    ):
        with refused("weights", str(path), words):
            PatchMemory(**SMALL, weights=str(path)).fit(IMAGES)
    with refused("no plain tensors"):
        PatchMemory(**SMALL, weights=str(tmp_path / "text.pth")).fit(IMAGES)


def test_a_package_with_other_weights_is_refused(monkeypatch):
    monkeypatch.setitem(_backbone._SHA256, "efficientnet_lite0", "0" * 64)
    _backbone._packaged.cache_clear()
    try:
        with refused("efficientnet_lite0", "not the expected ones"):
            PatchMemory(**SMALL).fit(IMAGES)
    finally:
        _backbone._packaged.cache_clear()


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(_backbone.importlib, "import_module", absent)
    with refused("pip install 'anomalist[features]'"):
        PatchMemory(**SMALL).fit(IMAGES)


def test_the_coreset_is_the_greedy_one():
    points = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    chosen = coreset(points, 10, projected=5, seed=3)
    assert len(set(chosen.tolist())) == 10
    apart = cdist(points, points)
    for count in range(1, 10):
        nearest = apart[:, chosen[:count]].min(axis=1)
        assert nearest[chosen[count]] == pytest.approx(nearest.max(), rel=1e-5)
    assert sorted(coreset(points, 100, projected=2, seed=0)) == list(range(60))


def test_twins_are_taken_last():
    points = np.zeros((20, 4), np.float32)
    points[7] = 1
    assert 7 in coreset(points, 2, projected=4, seed=0)


def test_the_weight_is_that_of_equation_7():
    random = np.random.default_rng(0)
    memory, patch = random.normal(size=(30, 6)), random.normal(size=6)
    away = np.linalg.norm(memory - patch, axis=1)
    nearest = int(away.argmin())
    around = np.linalg.norm(memory - memory[nearest], axis=1).argsort()[:4]
    assert around[0] == nearest
    weight = 1 - np.exp(away[nearest]) / np.exp(away[around]).sum()
    found = reweighting(patch.astype(np.float32), nearest, memory.astype(np.float32), 4)
    assert found == pytest.approx(weight, rel=1e-5)
    assert reweighting(patch.astype(np.float32), 0, memory[:1].astype(np.float32), 4) == 1


@pytest.mark.parametrize("as_in_the_paper", [True, False])
def test_a_patch_in_memory_is_no_distance_away_and_one_that_is_not_is_as_far_as_its_nearest(
    as_in_the_paper,
):
    options = (
        {"l2_normalise": False, "regularisation": 0, "aggregation": "reweighted", "neighbours": 9}
        if as_in_the_paper
        else {}
    )
    detector = PatchMemory(**SMALL, memory=10_000, blur=0, **options).fit(IMAGES[:20])
    np.testing.assert_allclose(detector.score(IMAGES[:20]).image, 0, atol=1e-3)
    learnt, scores = detector._learnt, detector.score(IMAGES[20:23])
    found = features(detector, IMAGES[20:23]).transpose(0, 2, 3, 1).reshape(3, -1, 152)
    white = (found - learnt["centre"]) @ learnt["whitening"]
    away = np.stack([cdist(each, learnt["memory"]) for each in white])
    far, nearest = away.min(axis=2), away.argmin(axis=2)
    full = _features.pixel_maps(far.reshape(3, 4, 4).astype(np.float32), (32, 32), 0)
    np.testing.assert_allclose(scores.pixel, full, rtol=1e-4)
    if as_in_the_paper:
        worst = [(n, far[n].argmax()) for n in range(3)]
        weights = [reweighting(white[at], nearest[at], learnt["memory"], 9) for at in worst]
        np.testing.assert_allclose(scores.image, weights * far.max(axis=1), rtol=1e-4)
    else:
        among = np.sort(cdist(learnt["memory"], learnt["memory"]), axis=1)[:, 1:41].mean(axis=1)
        ratio = far / np.maximum(among, 0.1 * among.mean())[nearest]
        relative = _features.pixel_maps(ratio.reshape(3, 4, 4).astype(np.float32), (32, 32), 0)
        np.testing.assert_allclose(
            scores.image, np.sort(relative.reshape(3, -1))[:, -10:].mean(axis=1), rtol=1e-4
        )


def test_a_memory_of_one_patch_or_of_like_ones_still_scores():
    for images, memory in ((IMAGES, 1), (np.zeros_like(IMAGES), 10)):
        scores = PatchMemory(**SMALL, memory=memory).fit(images).score(IMAGES[:2])
        assert np.isfinite(scores.image).all()
        assert (scores.image > 0).all()


def test_whitened_patches_are_uncorrelated_and_a_constant_feature_stays_finite():
    random = np.random.default_rng(0)
    points = (random.normal(size=(5_000, 4)) @ random.normal(size=(4, 4)) + 3).astype(np.float32)
    centre, matrix = whitener(points, 1e-6)
    np.testing.assert_allclose(np.cov(((points - centre) @ matrix).T), np.eye(4), atol=1e-2)
    points[:, 2] = 7
    centre, matrix = whitener(points, 0.1)
    assert np.isfinite(matrix).all()
    np.testing.assert_allclose(((points - centre) @ matrix)[:, 2], 0, atol=1e-2)


def test_padim_is_the_mahalanobis_distance_at_each_place():
    detector = Padim(**SMALL, channels=6, blur=0, regularisation=0.1).fit(IMAGES)
    found = features(detector, IMAGES)[:, detector._chosen].astype(np.float64)
    variance = found.var(axis=0, ddof=1).mean()
    test = blobs(3, (1, 32, 32), seed=1)
    seen = features(detector, test)[:, detector._chosen].astype(np.float64)
    expected = np.zeros((3, 4, 4))
    for i in range(4):
        for j in range(4):
            covariance = np.cov(found[:, :, i, j].T) + 0.1 * variance * np.eye(6)
            inverse = np.linalg.inv(covariance)
            for n in range(3):
                expected[n, i, j] = mahalanobis(
                    seen[n, :, i, j], found[:, :, i, j].mean(axis=0), inverse
                )
    pixel = detector.score(test).pixel
    full = _features.pixel_maps(expected.astype(np.float32), (32, 32), 0)
    np.testing.assert_allclose(pixel, full, rtol=1e-3)
    np.testing.assert_array_equal(detector.score(test).image, pixel.max(axis=(1, 2)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options"), [(PatchMemory, {}), (Padim, {}), (StudentTeacher, {"epochs": 60})]
)
def test_a_hole_is_found_where_it_is(kind, options):
    images = blobs(60, (1, 64, 64))
    detector = kind(**SMALL, blur=1, **options).fit(images)
    test = blobs(10, (1, 64, 64), seed=1)
    holed = test.copy()
    holed[:, :, 24:40, 24:40] = 1 - holed[:, :, 24:40, 24:40]
    scores = detector.score(holed)
    assert scores.image.min() > detector.score(test).image.max()
    hole = np.zeros((64, 64), bool)
    hole[24:40, 24:40] = True
    assert (scores.pixel[:, hole].mean(axis=1) > scores.pixel[:, ~hole].mean(axis=1)).all()


@pytest.mark.parametrize(
    ("grid", "size", "blur"), [((8, 8), (64, 64), 4), ((5, 9), (33, 47), 16), ((4, 4), (7, 6), 0)]
)
def test_maps_are_enlarged_then_blurred(grid, size, blur):
    grids = np.random.default_rng(0).random((3, *grid), dtype=np.float32)
    full = torch.nn.functional.interpolate(torch.from_numpy(grids)[:, None], size, mode="bilinear")[
        :, 0
    ].numpy()
    expected = np.stack([gaussian_filter(each, blur * min(size) / 224) for each in full])
    np.testing.assert_allclose(
        _features.pixel_maps(grids, size, blur), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
def test_the_student_learns_to_imitate_and_the_teacher_stays_as_it_is():
    detector = StudentTeacher(**SMALL, epochs=40, hidden=0).fit(IMAGES)
    assert detector.history[-1] < 0.5 * detector.history[0]
    own = _features.Extractor.of(detector, l2_normalise=True).network.state_dict()
    kept = detector._extractor.network.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in own.items())


def test_the_map_is_the_mahalanobis_distance_of_the_students_error_at_each_place():
    train, test = (blobs(count, (1, 64, 80), seed=count) for count in (40, 3))
    detector = StudentTeacher(side=80, device="cpu", epochs=2, blur=0).fit(train)
    apart = detector._network
    found = detector._extractor.apply(test, detector)
    assert found.shape == (3, 152, 10, 12)  # not a multiple of the student's four
    found = [
        detector._extractor.apply(
            images, detector, torch.nn.Sequential(detector._extractor.network, apart)
        )
        for images in (train, test)
    ]
    errors, new = (part.reshape(len(part), 152, -1).astype(np.float64) for part in found)
    variance = errors.var(axis=0, ddof=1).mean()
    far = np.zeros((3, 120), np.float32)
    for place in range(120):
        inverse = np.linalg.inv(np.cov(errors[:, :, place].T) + 0.01 * variance * np.eye(152))
        for n in range(3):
            far[n, place] = mahalanobis(new[n, :, place], errors[:, :, place].mean(axis=0), inverse)
    far = far.reshape(3, 10, 12)
    np.testing.assert_allclose(
        detector.score(test).pixel, _features.pixel_maps(far, (64, 80), 0), rtol=1e-3
    )
    np.testing.assert_array_equal(
        detector.score(test).image, detector.score(test).pixel.max(axis=(1, 2))
    )


def test_the_student_sees_whitened_features():
    detector = StudentTeacher(**SMALL, epochs=2).fit(IMAGES)
    apart = detector._network
    found = detector._extractor.apply(IMAGES, detector)
    centre, whitening = whitener(_features.as_rows(found), 0.1)
    with torch.inference_mode():
        features = apart.white(torch.from_numpy(found))
    white = (_features.as_rows(found) - centre) @ whitening
    np.testing.assert_allclose(_features.as_rows(features.numpy()), white, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_student_restores_images_of_two_kinds_but_not_unseen():
    kinds = np.concatenate([IMAGES, 1 - IMAGES])
    seeing, blind = (
        StudentTeacher(**SMALL, epochs=40, hidden=share).fit(kinds) for share in (0, 0.99)
    )
    assert seeing.history[-1] < 0.5 * blind.history[-1]


def test_a_saved_detector_needs_no_file_of_weights(tmp_path, monkeypatch):
    from anomalist.models import load

    detector = PatchMemory(**SMALL, memory=20).fit(IMAGES)
    detector.save(tmp_path)

    def none(*_):
        raise InputError("no weights here")

    monkeypatch.setattr(_backbone, "_packaged", none)
    np.testing.assert_array_equal(load(tmp_path).score(IMAGES).pixel, detector.score(IMAGES).pixel)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (PatchMemory, "layers", ()),
        (PatchMemory, "layers", (7,)),
        (PatchMemory, "memory", 0),
        (Padim, "channels", 0),
        (Padim, "regularisation", 0),
        (PatchMemory, "side", 8),
        (PatchMemory, "backbone", "vgg"),
    ],
)
def test_a_wrong_option_is_refused_by_name(kind, field, value):
    with refused(f"{kind().name}.{field}"):
        kind(**{field: value})


@pytest.mark.parametrize("name", ["padim", "patch_memory", "student_teacher"])
@pytest.mark.parametrize("channels", [2, 4])
def test_images_of_two_or_four_channels_are_refused(name, channels):
    with refused("1 or 3 channels", f"got {channels}"):
        parse(name).fit(np.zeros((4, channels, 16, 16), np.float32))


def test_padim_that_does_not_fit_in_memory_is_refused_before_it_is_fitted(monkeypatch):
    monkeypatch.setattr("anomalist.core.memory.available_bytes", lambda: 10_000)
    with refused("padim with", "GB of memory", "set side=256"):
        parse("padim").fit(np.zeros((4, 1, 32, 32), np.float32))
