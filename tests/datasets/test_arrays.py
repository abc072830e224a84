"""arrays: the user's own .npy, .npz, HDF5 and folders, with an explicit range of values."""

import tracemalloc

import numpy as np
import pytest

from anomalist import datasets, tasks
from anomalist.core import npy as _npy
from anomalist.datasets import _hdf5
from refusals import refused

h5py = pytest.importorskip("h5py", reason="h5py is not installed")


def grey(n=6, dtype=np.uint8, side=5):
    return (np.arange(n * side * side) % 199).reshape(n, side, side).astype(dtype)


def split(**more):
    return {"train_images": grey(6), "test_images": grey(4)} | more


def save(path, arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array.astype("S") if array.dtype.kind == "U" else array
    else:
        path.mkdir()
        for name, array in arrays.items():
            np.save(path / f"{name}.npy", array)
    return path


each_form = pytest.mark.parametrize("form", ["x.npz", "x.h5", "folder"])


@each_form
def test_split_arrays_are_used_where_they_lie(tmp_path, form):
    masks = grey(4) > 90
    more = {
        "train_labels": np.zeros(6, np.int16),
        "test_labels": np.array([[0], [3], [0], [3]]),
        "test_masks": masks,
    }
    path = save(tmp_path / form, split(**more))
    assert datasets.status(f"arrays:path={path}") == ("ready", str(path))
    dataset = datasets.load(f"arrays:path={path}")
    assert dataset.name == f"arrays:path={path}"
    assert dataset.provenance == str(path)
    assert dataset.train.class_names == dataset.test.class_names == ("0", "3")
    assert dataset.train.class_index.tolist() == [0] * 6
    assert dataset.test.class_index.tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(dataset.train.images, grey(6)[:, None], strict=True)
    np.testing.assert_array_equal(dataset.test.masks, masks, strict=True)
    assert dataset.train.masks is None
    assert dataset.train.value_range == (0, 255)
    base = dataset.train.images
    while not isinstance(base, np.memmap):
        base = base.base
    assert not base.flags.writeable


@each_form
def test_arrays_under_other_names_that_are_not_split(tmp_path, form):
    path = save(
        tmp_path / form, {"scans": grey(10), "labels": np.arange(10) > 7, "where": grey(10) > 190}
    )
    dataset = datasets.load(f"arrays:path={path},images=scans,masks=where,test_share=0.3")
    np.testing.assert_array_equal(dataset.train.images[:, 0], grey(10)[:7])
    np.testing.assert_array_equal(dataset.test.images[:, 0], grey(10)[7:])
    np.testing.assert_array_equal(dataset.test.masks, (grey(10) > 190)[7:])
    assert dataset.test.class_index.tolist() == [0, 1, 1]
    assert dataset.train.class_names == ("good", "anomaly")


def test_a_lone_npy_is_all_good(tmp_path):
    np.save(tmp_path / "x.npy", grey(10))
    dataset = datasets.load(f"arrays:path={tmp_path / 'x.npy'}")
    assert (len(dataset.train), len(dataset.test)) == (8, 2)
    assert dataset.train.class_names == ("good",)
    task = tasks.make_corrupted(dataset, "stripes", calibration=2)
    assert len(task.train) == 6


def test_groups_of_hdf5_are_named_by_their_path(tmp_path):
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        for part, n in (("train", 3), ("test", 2)):
            file.create_dataset(f"{part}/x", data=grey(n), chunks=(1, 5, 5), compression="gzip")
            file[f"{part}/y"] = np.array([b"good", b"scratch", b"dent"][:n])
    dataset = datasets.load("arrays:path=" + str(path) + ",images={split}/x,labels={split}/y")
    np.testing.assert_array_equal(dataset.train.images[:, 0], grey(3))
    assert dataset.train.class_names == ("good", "dent", "scratch")
    assert dataset.train.class_index.tolist() == [0, 2, 1]


@pytest.mark.parametrize("kinds", [["dent", "good", "ash"], [b"dent", b"good", b"ash"]])
def test_good_is_the_first_kind(tmp_path, kinds):
    path = save(
        tmp_path / "x.npz",
        split(train_labels=np.array(["good"] * 6), test_labels=np.array([*kinds, kinds[1]])),
    )
    if isinstance(kinds[0], bytes):
        path = save(
            tmp_path / "y.npz",
            split(train_labels=np.array([b"good"] * 6), test_labels=np.array([*kinds, b"good"])),
        )
    dataset = datasets.load(f"arrays:path={path}")
    assert dataset.test.class_names == ("good", "ash", "dent")
    assert dataset.test.class_index.tolist() == [2, 0, 1, 0]


def test_masks_alone_say_which_images_are_good(tmp_path):
    masks = np.zeros((4, 5, 5), np.float32)
    masks[2, 1, 1] = 1
    dataset = datasets.load(f"arrays:path={save(tmp_path / 'x.npz', split(test_masks=masks))}")
    assert dataset.test.class_names == ("good", "anomaly")
    assert dataset.test.class_index.tolist() == [0, 0, 1, 0]
    assert dataset.test.masks.dtype == np.bool_


@pytest.mark.parametrize(
    "dtype", ["u2", "f4", ">f4", ">u2", "f8", "f2", "i2", "i8", "u4", "?", "u1"]
)
def test_values_are_mapped_by_one_explicit_range(tmp_path, dtype):
    images = np.array([[[0, 1], [2, 3]], [[1, 1], [0, 1]]]).astype(dtype)
    np.save(tmp_path / "x.npy", images)
    dataset = datasets.load(f"arrays:path={tmp_path / 'x.npy'},low=0,high=2,test_share=0.5")
    kept = np.dtype(dtype) if np.dtype(dtype) in (np.uint8, np.uint16, np.float32) else np.float32
    assert dataset.train.images.dtype == kept
    expected = [[0, 0.5], [1, 1]] if dtype != "?" else [[0, 0.5], [0.5, 0.5]]
    assert dataset.train.to_float()[0, 0].tolist() == expected
    if dtype == "u1":
        return
    with refused(f"contains {np.dtype(dtype)} from 0 to", "for all images: low=…,high=…"):
        datasets.load(f"arrays:path={tmp_path / 'x.npy'}")


def test_negative_values_may_stand_for_black(tmp_path):
    np.save(tmp_path / "x.npy", np.array([-1000, 0, 1000, 3000], np.int16).reshape(2, 1, 2))
    dataset = datasets.load(f"arrays:path={tmp_path / 'x.npy'},low=-1000,high=1000,test_share=0.5")
    assert dataset.train.to_float().ravel().tolist() == [0, 0.5]
    assert dataset.test.to_float().ravel().tolist() == [1, 1]


@pytest.mark.parametrize(("channels", "order"), [("last", (0, 1, 2, 3)), ("first", (0, 3, 1, 2))])
def test_channels_first_or_last(tmp_path, channels, order):
    images = np.arange(4 * 5 * 6 * 3, dtype=np.uint16).reshape(4, 5, 6, 3)
    np.save(tmp_path / "x.npy", images.transpose(order))
    dataset = datasets.load(f"arrays:path={tmp_path / 'x.npy'},channels={channels},low=0,high=999")
    np.testing.assert_array_equal(dataset.train.images, images[:3].transpose(0, 3, 1, 2))


def test_large_arrays_stay_on_the_disk(tmp_path):
    big = np.zeros((40, 1000, 1000), np.uint16)
    np.save(tmp_path / "x.npy", big)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["images"] = big
    del big
    tracemalloc.start()
    try:
        for name in ("x.npy", "x.h5"):
            dataset = datasets.load(f"arrays:path={tmp_path / name},images=images,low=0,high=1")
            assert dataset.train.images.shape == (32, 1, 1000, 1000)
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        (split(), "low=0", ["give low and high", "low=0.0, high=None"]),
        (split(), "low=2,high=1", ["low < high"]),
        (split(), "low=nan,high=1", ["arrays.low", "finite"]),
        (
            split(),
            "images=x",
            ["has no array 'x'", "it has: test_images, train_images", "set images=NAME"],
        ),
        (split(), "labels=y", ["arrays.labels: ", "has no array 'y'"]),
        (split(), "labels={split}_labels", ["has no array 'train_labels'"]),
        ({"train_images": grey()}, "", ["has no array 'test_images'"]),
        (
            split(train_images=grey().astype("c8")),
            "",
            ["real numbers [N, H, W]", "got complex64 [6, 5, 5]"],
        ),
        (split(train_images=grey()[0]), "", ["got uint8 [5, 5]"]),
        (split(train_images=grey()[:0]), "", ["got uint8 [0, 5, 5]"]),
        (split(train_images=np.array(["a", "b"])), "", ["got <U1 [2]"]),
        (
            split(train_labels=np.zeros(5, int), test_labels=np.zeros(4, int)),
            "",
            ["labels must be", "[6]", "[5]"],
        ),
        (
            split(train_labels=np.zeros(6), test_labels=np.zeros(4)),
            "",
            ["labels must be integers", "got float64 [6]"],
        ),
        (split(test_labels=np.zeros(4, int)), "", ["both splits need labels of the same type"]),
        (
            split(train_labels=np.zeros(6, bool), test_labels=np.zeros(4, int)),
            "",
            ["of the same type"],
        ),
        (
            split(test_masks=np.zeros((4, 5, 6), bool)),
            "",
            ["masks must be [4, 5, 5]", "got bool [4, 5, 6]"],
        ),
        (
            split(test_masks=np.zeros((4, 5, 5), "c8")),
            "",
            ["masks must be [4, 5, 5]", "got complex64"],
        ),
        (
            split(train_images=np.full((3, 2, 2), np.nan)),
            "low=0,high=1",
            ["NaN, or values that are not finite"],
        ),
        (split(train_images=np.full((3, 2, 2), 1e300)), "low=0,high=1", ["not finite as float32"]),
        (
            split(test_images=grey(4, side=7)),
            "",
            ["training images are 1 x 5 x 5, test images are 1 x 7 x 7"],
        ),
        ({"images": grey(1)}, "images=images", ["contains 1 images; at least two are needed"]),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, arrays, options, words):
    path = save(tmp_path / "x.npz", arrays)
    with refused(*words):
        datasets.load(f"arrays:path={path}," + options)


def test_objects_are_never_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path / "evil").touch, ()

    evil = np.empty(3, object)
    evil[:] = Evil()
    np.save(tmp_path / "x.npy", evil)
    np.savez(tmp_path / "x.npz", train_images=evil, test_images=evil)
    for name in ("x.npy", "x.npz"):
        with refused("contains object: only numbers"):
            datasets.load(f"arrays:path={tmp_path / name}")
    assert not (tmp_path / "evil").exists()


def test_paths_that_cannot_be_read_are_refused_in_one_line(tmp_path):
    with refused("arrays.path is missing", "arrays:path=images.npz"):
        datasets.load("arrays")
    for name in ("none.npz", "none.npy", "none.h5", "none", "none.mat"):
        assert datasets.status(f"arrays:path={tmp_path / name}") == (
            "manual",
            str(tmp_path / name),
        )
        with refused("arrays.path: ", name, "cannot be read: No such file or directory"):
            datasets.load(f"arrays:path={tmp_path / name}")
    (tmp_path / "x.mat").write_bytes(b"MATLAB")
    with refused("x.mat is not a .npy, .npz, .h5 or .hdf5 file"):
        datasets.load(f"arrays:path={tmp_path / 'x.mat'}")
    (tmp_path / "empty").mkdir()
    with refused("has no array 'train_images'", "it has: none"):
        datasets.load(f"arrays:path={tmp_path / 'empty'}")


def hdf5(path, make):
    with h5py.File(path, "w") as file:
        make(file)
    return path


def test_hostile_hdf5_is_refused_in_one_line(tmp_path, monkeypatch):
    good = hdf5(
        tmp_path / "good.h5", lambda file: file.create_dataset("images", data=grey())
    ).read_bytes()
    for number, content in enumerate(
        (b"", b"<html>", good[:100], good[:-30], b"\x89HDF\r\n\x1a\n" + bytes(99))
    ):
        path = tmp_path / f"{number}.h5"
        path.write_bytes(content)
        with refused(str(path)):
            datasets.load(f"arrays:path={path},images=images")
    monkeypatch.setattr(_npy, "MOST_BYTES", 1 << 20)
    absurd = hdf5(
        tmp_path / "absurd.h5",
        lambda file: file.create_dataset(
            "images", (1 << 20, 1 << 10, 1 << 10), "u1", chunks=(1, 64, 64), fillvalue=0
        ),
    )
    with refused("absurd.h5: images needs 1.02e+03 GiB of memory"):
        datasets.load(f"arrays:path={absurd},images=images")
    text = hdf5(tmp_path / "text.h5", lambda file: file.create_dataset("images", data=["a", "b"]))
    with refused("text.h5: images does not contain plain numbers"):
        datasets.load(f"arrays:path={text},images=images")


def test_hdf5_does_not_lead_into_other_files(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(150))
    linked = hdf5(
        tmp_path / "linked.h5",
        lambda file: file.__setitem__("images", h5py.ExternalLink("good.h5", "images")),
    )
    with refused("has no array 'images'"):
        datasets.load(f"arrays:path={linked},images=images")
    raw = [(str(tmp_path / "secret"), 0, 150)]
    outside = hdf5(
        tmp_path / "outside.h5",
        lambda file: file.create_dataset("images", (6, 5, 5), "u1", external=raw),
    )
    with refused("outside.h5: images is stored in other files"):
        datasets.load(f"arrays:path={outside},images=images")


def test_without_h5py_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with refused("reading HDF5 needs h5py: pip install 'anomalist[hdf5]'"):
        _hdf5.read_hdf5(tmp_path / "x.h5")


@pytest.mark.parametrize("dtype", ["i2", "u4", "i4", "i8", "u8", "f8"])
@pytest.mark.parametrize("low", [0, 1_000, 10**9])
def test_a_range_far_from_zero_keeps_its_steps(tmp_path, dtype, low):
    """float32 near 1e9 has steps of 64: values are brought to [0, 1] before they become float32."""
    if (dtype != "f8" and np.iinfo(dtype).max < low + 100) or (dtype == "f8" and low == 2**62):
        pytest.skip("does not hold such numbers")
    steps = np.arange(10 * 4 * 5).reshape(10, 4, 5) % 101
    values = steps.astype(dtype) + np.array(low, dtype)
    np.save(tmp_path / "far.npy", values)
    found = datasets.load(f"arrays:path={tmp_path / 'far.npy'},low={low},high={low + 100}")
    images = np.concatenate([found.train.to_float(), found.test.to_float()])
    np.testing.assert_allclose(images[:, 0], steps / 100, atol=1e-6)


def test_float32_far_from_zero_is_refused(tmp_path):
    np.save(tmp_path / "far.npy", np.full((4, 5, 6), 1e9, np.float32))
    with refused("float32", "subtract"):
        datasets.load(f"arrays:path={tmp_path / 'far.npy'},low=1e9,high=1000000100")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels_that_seem_to_come_first_are_asked_about(tmp_path, channels):
    np.save(tmp_path / "torch.npy", noise_of((8, channels, 16, 16)))
    with refused("channels=first", "channels=last if they have 16 channels"):
        datasets.load(f"arrays:path={tmp_path / 'torch.npy'}")
    assert datasets.load(f"arrays:path={tmp_path / 'torch.npy'},channels=first").train.images.shape[
        1:
    ] == (
        channels,
        16,
        16,
    )
    assert datasets.load(f"arrays:path={tmp_path / 'torch.npy'},channels=last").train.images.shape[
        1:
    ] == (
        16,
        channels,
        16,
    )


def noise_of(shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (70_000, 80_000), (-10, 0)])
def test_a_range_that_misses_every_value_is_refused(tmp_path, low, high):
    np.save(
        tmp_path / "a.npy",
        np.random.default_rng(0).integers(1, 60_000, (9, 5, 5)).astype(np.uint16),
    )
    with refused("none of them between", "black and white"):
        datasets.load(f"arrays:path={tmp_path / 'a.npy'},low={low},high={high}")


def test_limits_that_floats_cannot_hold_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.full((9, 5, 5), 2**60))
    with refused("2^53", "subtract"):
        datasets.load(f"arrays:path={tmp_path / 'a.npy'},low={2**60},high={2**60 + 1000}")
