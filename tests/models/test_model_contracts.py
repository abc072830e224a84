"""The contract of every detector, by name: those there are and those that will be."""

import hashlib
import json
import random
from functools import cache
from importlib.util import find_spec
from typing import Literal, get_args, get_origin

import numpy as np
import pytest
import torch

from anomalist import catalog, models
from anomalist.detector import RUN_FIELDS, parse
from anomalist.training import using_threads
from refusals import refused
from toys import blobs

NAMES = [name for name in catalog.names("models") if name != "pyod" or find_spec("pyod")]
SMALL = {  # those of them that a detector has
    "width": 4,
    "bottleneck": 3,
    "epochs": 1,
    "batch_size": 64,
    "trees": 20,
    "members": ("autoencoder:width=4,bottleneck=3,epochs=1,batch_size=64", "lof", "pca"),
}
SIZES = [(1, 12, 12), (3, 33, 47), (1, 5, 6)]


def small(name, **changes):
    fields = catalog.find_class("models", name).model_fields
    return parse({"name": name, **{k: v for k, v in SMALL.items() if k in fields}, "device": "cpu", **changes})


def variants(name):
    """The detector as it is, and with each other value of each option that is a choice."""
    fields = catalog.find_class("models", name).model_fields
    choices = [
        (field, value)
        for field, info in fields.items()
        if field not in RUN_FIELDS and get_origin(info.annotation) is Literal
        for value in get_args(info.annotation)
        if value != info.default
    ]
    return [(name,), *((name, choice) for choice in choices)]


VARIANTS = [variant for name in NAMES for variant in variants(name)]

each_name = pytest.mark.parametrize("name", NAMES)
each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join([v[0], *(c[1] for c in v[1:])]))


@cache
def fitted(variant, size=(1, 12, 12), **changes):
    """A detector after a short training, to be shared between tests, which only score with it."""
    return small(variant[0], **dict(variant[1:]), **changes).fit(blobs(150, size))


def same(one, two):
    pixels = (one.pixel is None and two.pixel is None) or one.pixel.tobytes() == two.pixel.tobytes()
    return one.image.tobytes() == two.image.tobytes() and pixels


def rows(scores, chosen):
    return type(scores)(scores.image[chosen], None if scores.pixel is None else scores.pixel[chosen])


def inverted(images):
    """What no training image looks like."""
    return 1 - images


@each_variant
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_scores_have_the_images_shape_and_are_finite(variant, size):
    images = blobs(20, size, seed=1)
    before = images.tobytes()
    scores = fitted(variant, size).score(images)
    assert scores.image.shape == (20,)
    assert scores.image.dtype == np.float32
    assert np.isfinite(scores.image).all()
    if scores.pixel is not None:
        assert scores.pixel.shape == (20, *size[1:])
        assert scores.pixel.dtype == np.float32
        assert np.isfinite(scores.pixel).all()
    assert images.tobytes() == before


@each_variant
def test_the_seed_decides_and_nothing_else(variant):
    test = blobs(20, seed=1)
    torch.manual_seed(123)
    np.random.seed(123)
    again = small(variant[0], **dict(variant[1:])).fit(blobs(150))
    other = small(variant[0], **dict(variant[1:]), seed=1).fit(blobs(150))
    assert same(fitted(variant).score(test), again.score(test))
    assert again.history == fitted(variant).history
    assert same(other.score(test), again.score(test)) == again.deterministic  # it says so of itself, and is held to it


@each_variant
def test_fitting_again_starts_afresh(variant):
    test = blobs(20, seed=1)
    twice = small(variant[0], **dict(variant[1:])).fit(blobs(40, seed=9)).fit(blobs(150))
    assert same(twice.score(test), fitted(variant).score(test))


@each_variant
def test_scoring_twice_gives_the_same_bytes(variant):
    test = blobs(20, seed=1)
    first = fitted(variant).score(test)
    assert same(fitted(variant).score(test), first)


@each_variant
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_score_does_not_depend_on_the_batch(variant, size, threads):
    images, detector = blobs(300, size, seed=2), fitted(variant, size)
    with using_threads(threads):
        whole = detector.score(images)
        order = np.random.default_rng(0).permutation(300)
        assert same(detector.score(images[order]), rows(whole, order))
        assert same(detector.score(images[250:270]), rows(whole, slice(250, 270)))
        assert same(detector.score(images[::-1]), rows(whole, slice(None, None, -1)))
        for i in (0, 100, 255, 256, 299):
            assert same(detector.score(images[i : i + 1]), rows(whole, slice(i, i + 1)))


@each_variant
@pytest.mark.parametrize("threads", [1, 3, 7])
def test_a_score_does_not_depend_on_the_place_in_the_batch(variant, threads):
    """With threads that do not divide the batch, the end of a share lies within an image."""
    detector = fitted(variant, (1, 28, 28))
    images = np.random.default_rng(0).random((6, 1, 28, 28), dtype=np.float32)
    with using_threads(threads):
        for image in images:
            scores = detector.score(np.repeat(image[None], 256, axis=0))
            assert len(np.unique(scores.image)) == 1
            if scores.pixel is not None:
                assert (scores.pixel == scores.pixel[0]).all()


@each_variant
def test_read_only_images_and_views_are_scored_alike(variant):
    images, detector = blobs(20, seed=1), fitted(variant)
    locked = images.copy()
    locked.flags.writeable = False
    channels_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for given in (locked, channels_last, np.repeat(images, 2, axis=0)[::2]):
        assert same(detector.score(given), detector.score(images))
    assert same(small(variant[0], **dict(variant[1:])).fit(blobs(301)[::-2]).score(images),
                small(variant[0], **dict(variant[1:])).fit(blobs(301)[::-2].copy()).score(images))  # fmt: skip


@each_name
def test_training_images_are_not_modified(name):
    images = blobs(150)
    before = images.tobytes()
    small(name).fit(images)
    assert images.tobytes() == before


@each_name
def test_no_global_state_is_changed(name):
    def state():
        torch_state = torch.get_rng_state().tolist(), torch.get_num_threads(), torch.get_num_interop_threads()
        settings = torch.are_deterministic_algorithms_enabled(), torch.get_default_dtype(), torch.is_grad_enabled()
        return torch_state, settings, np.random.get_state()[1].tolist(), random.getstate()

    torch.manual_seed(77)  # no state that a fit ends in
    np.random.seed(77)
    before = state()
    small(name).fit(blobs(150)).score(blobs(20, seed=1))
    assert state() == before


@each_variant
@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_a_saved_detector_comes_back_bit_by_bit(variant, size, tmp_path):
    detector, test = fitted(variant, size), blobs(20, size, seed=1)
    detector.save(tmp_path / "new" / "folder")
    read = models.load(str(tmp_path / "new" / "folder"))
    assert type(read) is type(detector)
    assert read.model_dump() == detector.model_dump()
    assert read.history == detector.history
    assert same(read.score(test), detector.score(test))
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "arrays.safetensors",
        "detector.json",
    ]
    read.save(tmp_path / "again")
    for name in ("arrays.safetensors", "detector.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "new" / "folder" / name).read_bytes()


@pytest.fixture(params=NAMES)
def saved(request, tmp_path):
    fitted((request.param,)).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("file", ["detector.json", "arrays.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "garbage", "one bit"])
def test_a_damaged_file_is_refused(saved, file, damage):
    path = saved / file
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "one bit":
        data[1 if file == "detector.json" else len(data) // 2] ^= 0x80
    if damage != "missing":
        path.write_bytes({"empty": b"", "cut": data[:-40], "garbage": b"\x80\x04garbage"}.get(damage, data))
    with refused(str(saved), file):
        models.load(saved)


@pytest.mark.parametrize("arrays", [b"", b"\x80\x04garbage", b"\x02\0\0\0\0\0\0\0{}"])
def test_arrays_that_are_not_the_detectors_are_refused_even_with_the_right_hash(saved, arrays):
    described = json.loads((saved / "detector.json").read_text())
    described["arrays_sha256"] = hashlib.sha256(arrays).hexdigest()
    (saved / "detector.json").write_text(json.dumps(described))
    (saved / "arrays.safetensors").write_bytes(arrays)
    with refused(str(saved), "save it anew"):
        models.load(saved)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, ["format 2"]),
        ({"detector": "autoencodr"}, ["unknown model 'autoencodr'", "did you mean 'autoencoder'?"]),
        ({"detector": "../trial"}, ["unknown model"]),
        ({"detector": None}, ["unknown model"]),
        ({"config": {"no_such_option": 1}}, ["unknown option"]),
        ({"config": []}, ["save it anew"]),
        ({"shape": [1, 12]}, ["save it anew"]),
        ({"shape": [1, 19, 23]}, ["save it anew"]),
        ({"shape": "big"}, ["save it anew"]),
        ({"shape": None}, ["save it anew"]),
    ],
)
def test_a_changed_description_is_refused(saved, changes, words):
    described = json.loads((saved / "detector.json").read_text())
    (saved / "detector.json").write_text(json.dumps({**described, **changes}))
    with refused(*words):
        models.load(saved)


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '{"format": 1}', "NaN"])
def test_a_description_of_something_else_is_refused(saved, text):
    (saved / "detector.json").write_text(text)
    with refused("detector.json", "save it anew"):
        models.load(saved)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with refused("no detector in", "nowhere"):
        models.load(tmp_path / "nowhere")


@each_name
def test_a_folder_that_cannot_be_written_is_refused(name, tmp_path):
    (tmp_path / "file").write_text("mine")
    with refused("model folder", "name another"):
        fitted((name,)).save(tmp_path / "file" / "below")


@each_name
def test_what_is_not_fitted_is_refused(name, tmp_path):
    with refused(name, "not fitted yet"):
        small(name).score(blobs(2))
    with refused(name, "not fitted yet"):
        small(name).save(tmp_path)
    assert not list(tmp_path.iterdir())


@each_name
def test_a_fit_that_fails_leaves_nothing_fitted(name, tmp_path, monkeypatch):
    detector = small(name).fit(blobs(40))

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(detector), "_fit", fail)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(blobs(40, (1, 9, 9)))
    with refused(name, "not fitted yet"):
        detector.score(blobs(2))
    with refused(name, "not fitted yet"):
        detector.save(tmp_path)


def bad_images():
    good = blobs(3)
    yield good.astype(np.float64)
    yield (good * 255).astype(np.uint8)
    yield good[0]
    yield good[:0]
    yield good.tolist()
    yield torch.from_numpy(good)
    for value in (np.nan, np.inf, 1.5, -0.5):
        spoilt = good.copy()
        spoilt[1, 0, 3, 3] = value
        yield spoilt


@each_name
def test_images_that_are_not_images_are_refused(name):
    for images in bad_images():
        with refused(f"{name}.fit"):
            small(name).fit(images)
        with refused(f"{name}.score"):
            fitted((name,)).score(images)


@each_name
@pytest.mark.parametrize("size", [(1, 12, 13), (3, 12, 12), (1, 6, 24)], ids=str)
def test_images_of_another_size_are_refused(name, size):
    with refused(name, "fitted on images [1, 12, 12]", str(list(size))):
        fitted((name,)).score(blobs(2, size))


@each_name
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("count", [1, 10])
def test_constant_images_and_few_of_them_are_enough(name, value, count):
    constant = np.full((count, 1, 12, 12), value, np.float32)
    detector = small(name).fit(constant)
    for images in (constant, blobs(3), 1 - constant):
        scores = detector.score(images)
        assert np.isfinite(scores.image).all()
        assert scores.pixel is None or np.isfinite(scores.pixel).all()


@each_variant
def test_anomalies_score_higher_than_normal_images(variant):
    longer = {"epochs": 30, "learning_rate": 0.01}
    fields = catalog.find_class("models", variant[0]).model_fields
    changes = {field: value for field, value in longer.items() if field in fields}
    detector = small(variant[0], **dict(variant[1:]), **changes).fit(blobs(300))
    normal = blobs(100, seed=1)
    scores = detector.score(normal)
    for anomalies in (inverted(normal), np.random.default_rng(0).random(normal.shape, dtype=np.float32)):
        strange = detector.score(anomalies)
        auroc = (strange.image[:, None] > scores.image[None]).mean()
        assert auroc > 0.95
    if scores.pixel is not None:  # and a bright square is where the map says
        marked = normal.copy()
        marked[:, :, :3, :3] = 1
        pixel = detector.score(marked).pixel
        inside, outside = pixel[:, :3, :3].reshape(100, -1, 1), pixel[:, 5:, 5:].reshape(100, 1, -1)
        assert (inside > outside).mean() > 0.95  # whatever the scale of the map


@each_name
def test_reduced_precision_keeps_the_contract(name):
    images = blobs(60, seed=2)
    detector = small(name, precision="bfloat16").fit(blobs(150))
    whole = detector.score(images)
    assert np.isfinite(whole.image).all()
    assert same(detector.score(images[::-1]), rows(whole, slice(None, None, -1)))
    assert same(small(name, precision="bfloat16").fit(blobs(150)).score(images), whole)


@each_name
def test_a_restored_image_looks_like_an_image(name):
    images = blobs(20, seed=1)
    restored = fitted((name,)).reconstruct(images)
    if restored is not None:
        assert restored.shape == images.shape
        assert restored.dtype == np.float32
        assert restored.min() >= 0
        assert restored.max() <= 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("autoencodr", ["unknown model 'autoencodr'", "did you mean 'autoencoder'?"]),
        ({"epochs": 1}, ["unknown model ''", "autoencoder"]),
        ({"name": 3}, ["unknown model 3"]),
        ({"name": "autoencoder", "botleneck": 3}, ["unknown option", "did you mean 'bottleneck'?"]),
        (3, ["a name or a mapping", "got 3"]),
        (None, ["a name or a mapping", "got None"]),
    ],
)
def test_what_names_no_detector_is_refused(given, words):
    with refused(*words):
        parse(given)


@each_name
def test_a_detector_is_a_frozen_config_that_reads_back(name):
    detector = small(name)
    assert parse(detector) is detector
    assert parse({"name": name, **detector.model_dump(mode="json")}) == detector
    with pytest.raises(ValueError, match="frozen"):
        detector.seed = 3
