"""The data set folder: layouts, lists, sizes, splits, the cache."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from folders import hash_of, mask_at, put, refuse_to_decode
from PIL import Image

from anomalist.datasets import parse
from anomalist.datasets.folder import Folder
from picture_files import dicom, fits, noise, saved, tiff_of, tiff_of_planes
from refusals import refused

TILES = Path(__file__).parents[3] / "shared" / "data" / "magnetic_tile"
pytestmark = pytest.mark.usefixtures("own_cache")


def test_the_mvtec_layout_is_recognised(mvtec):
    found = Folder(path=str(mvtec), resize=(20, 24)).load()
    assert found.name == f"folder:path={mvtec},resize=20;24"  # what loads it again
    assert (found.train.class_names, found.test.class_names) == (("good", "crack", "dent"),) * 2
    assert found.train.class_index.tolist() == [0] * 5
    assert found.test.class_index.tolist() == [1, 2, 2, 0, 0]
    assert found.train.images.shape == (5, 1, 20, 24)
    assert found.train.images.dtype == np.uint8
    for number in range(5):
        np.testing.assert_array_equal(
            found.train.images[number, 0], noise((20, 24), seed=hash_of(f"{number}.png"))
        )
    for row, mask in enumerate(
        [mask_at(4), mask_at(4), mask_at(8), mask_at(0) * 0, mask_at(0) * 0]
    ):
        np.testing.assert_array_equal(found.test.masks[row], mask > 0)
    assert found.train.masks.shape == (5, 20, 24)
    assert not found.train.masks.any()


def test_without_ground_truth_there_are_no_masks(mvtec):
    shutil.rmtree(mvtec / "ground_truth")
    found = Folder(path=str(mvtec)).load()
    assert found.train.masks is None
    assert found.test.masks is None
    assert len(found.test) == 5


def test_a_mask_that_is_missing_is_named(mvtec, capsys):
    (mvtec / "ground_truth" / "dent" / "b.png").unlink()
    found = Folder(path=str(mvtec), max_broken_share=0.5).load()
    assert found.test.class_index.tolist() == [1, 2, 0, 0]
    assert (
        "test/dent/b.png: its mask is missing: ground_truth/dent/b_mask.png or"
        in capsys.readouterr().err
    )


def test_kinds_are_printable(mvtec):
    (mvtec / "test" / "dent").rename(mvtec / "test" / "de\x1bnt")
    shutil.rmtree(mvtec / "ground_truth")
    assert Folder(path=str(mvtec)).load().test.class_names == ("good", "crack", "de\\x1bnt")


def test_a_training_folder_that_is_not_good_is_refused(mvtec):
    put(mvtec / "train" / "dent" / "a.png")
    with refused("train/dent", "train/good"):
        Folder(path=str(mvtec)).load()


def test_files_that_are_no_images_are_left_alone_and_counted(mvtec, capsys):
    (mvtec / "readme.txt").write_text("")
    (mvtec / "license.txt").write_text("")
    (mvtec / ".DS_Store.png").write_text("")
    put(mvtec / "extra" / "a.png")
    assert len(Folder(path=str(mvtec)).load().train) == 5
    assert "ignored files: 2 .txt, 1 images outside of train and test\n" in capsys.readouterr().err


def test_any_folder_is_split_by_seed(flat):
    one, same, other = (
        Folder(path=str(flat), resize=(20, 24), seed=seed, test_share=0.3).load()
        for seed in (0, 0, 1)
    )
    assert (len(one.train), len(one.test)) == (7, 3)
    assert one.train.class_names == ("good",)
    assert one.test.masks is None
    np.testing.assert_array_equal(one.test.images, same.test.images)
    assert not np.array_equal(one.test.images, other.test.images)
    everything = {image.tobytes() for image in np.concatenate([one.train.images, one.test.images])}
    assert everything == {
        noise((20, 24), seed=hash_of(f"{number}.png")).tobytes() for number in range(10)
    }


def test_the_side_of_a_file_hardly_depends_on_the_others(flat):
    before = {
        image.tobytes() for image in Folder(path=str(flat), test_share=0.3).load().test.images
    }
    (flat / "day_1" / "3.png").unlink()
    after = {image.tobytes() for image in Folder(path=str(flat), test_share=0.3).load().test.images}
    assert len(before & after) >= 2


def test_a_list_says_what_is_anomalous(flat):
    put(flat / "masks" / "m3.png", mask_at(4))
    put(flat / "masks" / "m4.png", mask_at(8))
    (flat / "bad.tsv").write_text("day_1/3.png\tmasks/m3.png\r\n\r\nday_0/4.png\tmasks/m4.png\r\n")
    found = Folder(path=str(flat), anomalous="bad.tsv", resize=(20, 24), test_share=0.25).load()
    assert (len(found.train), found.test.class_names, found.test.class_index.tolist()) == (
        6,
        ("good", "anomalous"),
        [0, 1, 0, 1],
    )
    for row, number, place in ((1, 4, 8), (3, 3, 4)):
        np.testing.assert_array_equal(
            found.test.images[row, 0], noise((20, 24), seed=hash_of(f"{number}.png"))
        )
        np.testing.assert_array_equal(found.test.masks[row], mask_at(place) > 0)


def test_a_list_may_have_no_masks(flat):
    (flat / "bad.txt").write_text("day_1/3.png\n")
    found = Folder(path=str(flat), anomalous="bad.txt").load()
    assert (found.test.class_index.tolist().count(1), found.test.masks) == (1, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("day_1/30.png\n", ["'day_1/30.png'", "no image of the folder"]),
        ("day_1/3.png\tmask.png\nday_0/4.png\n", ["1 of 2 images have no mask"]),
        ("day_1/3.png\ta\tb\n", ["name, tab, name of mask"]),
        ("\x1b[31m\n", ["\\x1b[31m"]),
        ("\0", ["folder.anomalous"]),
    ],
)
def test_a_list_that_does_not_fit_is_refused(flat, text, words):
    (flat / "bad.txt").write_text(text)
    with refused(*words):
        Folder(path=str(flat), anomalous="bad.txt").load()


def test_a_list_that_is_not_there_or_not_wanted_is_refused(flat, mvtec):
    with refused("folder.anomalous", "bad.txt"):
        Folder(path=str(flat), anomalous="bad.txt").load()
    os.mkfifo(flat / "pipe.txt")
    with refused("folder.anomalous", "pipe.txt"):
        Folder(path=str(flat), anomalous="pipe.txt").load()
    with refused("folder.anomalous", "MVTec"):
        Folder(path=str(mvtec), anomalous="bad.txt").load()


def test_a_folder_that_is_none_is_refused(tmp_path):
    with refused("folder:path=FOLDER"):
        Folder().load()
    with refused("not a folder", "nowhere"):
        Folder(path=str(tmp_path / "nowhere")).load()
    (tmp_path / "empty").mkdir()
    with refused("no image", ".png"):
        Folder(path=str(tmp_path / "empty")).load()


def test_dicom_and_fits_need_a_window(tmp_path):
    for number in range(5):
        path = tmp_path / "sky" / f"{number}.fits"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(fits(noise((20, 24), 65536, seed=number)))
    with refused("folder.intensity", "FITS", "LOW;HIGH"):
        Folder(path=str(path.parent)).load()
    found = Folder(path=str(path.parent), intensity="1000;2000", resize=(20, 24)).load()
    assert found.train.images.dtype == np.float32
    assert (
        found.train.value_range,
        found.train.to_float().min(),
        found.train.to_float().max(),
    ) == ((1000, 2000), 0, 1)


def test_the_deepest_file_decides_for_all(flat):
    put(flat / "deep.png", noise((20, 24), 65536))
    found = Folder(path=str(flat), resize=(20, 24)).load()
    assert found.train.images.dtype == found.test.images.dtype == np.uint16
    everything = {
        image.tobytes() for image in np.concatenate([found.train.images, found.test.images])
    }
    grey = [
        noise((20, 24), seed=hash_of(f"{number}.png")).astype(np.uint16) * 257
        for number in range(10)
    ]
    assert everything == {image.tobytes() for image in [*grey, noise((20, 24), 65536)]}


def test_one_file_of_colour_makes_all_of_them_colour_unless_told(flat):
    put(flat / "colour.png", noise((20, 24, 3)))
    assert Folder(path=str(flat)).load().train.images.shape[1] == 3
    assert Folder(path=str(flat), channels="grey").load().train.images.shape[1] == 1


def test_marks_that_vanish_are_told(mvtec, capsys):
    found = Folder(path=str(mvtec), resize=2).load()
    assert found.test.masks.any(axis=(1, 2)).tolist() == [True, True, False, False, False]
    assert (
        "the masks of 1 anomalous images are empty at this size: test/dent/b.png\n"
        in capsys.readouterr().err
    )


def test_more_broken_files_than_allowed_stop_it_and_are_not_decoded_again(
    flat, capsys, monkeypatch
):
    (flat / "torn.png").write_bytes(b"bad")
    (flat / "worse.gif").write_bytes(b"bad")
    with refused(
        "2 of 12 images cannot be used", "max_broken_share=0.1", "torn.png: not a PNG", "broken.txt"
    ):
        Folder(path=str(flat), max_broken_share=0.1).load()
    refuse_to_decode(monkeypatch)
    found = Folder(path=str(flat), max_broken_share=0.2).load()
    assert len(found.train) + len(found.test) == 10
    assert "2 broken files excluded" in found.provenance
    assert capsys.readouterr().err.count("anomalist: folder: broken: ") == 4


def test_a_folder_of_broken_files_alone_says_so(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.png").write_bytes(b"bad")
    for broken in (0.5, 1):
        with refused("1 of 1 images" if broken < 1 else "no training image"):
            Folder(path=str(tmp_path / "a"), max_broken_share=broken).load()


def test_broken_files_leave_no_gap(flat):
    for number in (0, 1, 4, 9):
        (flat / f"day_{number % 2}" / f"{number}.png").write_bytes(
            saved(Image.fromarray(noise((20, 24))), "PNG")[:99]
        )
    found = Folder(path=str(flat), max_broken_share=0.5, resize=(20, 24), test_share=0.3).load()
    there = [image.tobytes() for image in np.concatenate([found.train.images, found.test.images])]
    assert sorted(there) == sorted(
        noise((20, 24), seed=hash_of(f"{n}.png")).tobytes() for n in (2, 3, 5, 6, 7, 8)
    )


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("resize=0", ["folder.resize", "greater than or equal to 1"]),
        ("resize=1x2x3", ["folder.resize"]),
        ("resize=axb", ["folder.resize"]),
        ("resize=90000", ["folder.resize"]),
        ("intensity=auto", ["folder.intensity", "LOW;HIGH", "'auto'"]),
        ("intensity=5;5", ["folder.intensity", "LOW < HIGH"]),
        ("intensity=0;nan", ["folder.intensity"]),
        ("resize_mode=squeeze", ["folder.resize_mode", "stretch"]),
        ("max_broken_share=2", ["folder.max_broken_share"]),
        ("test_share=1", ["folder.test_share"]),
        ("size=3", ["unknown option of folder 'size'"]),
    ],
)
def test_wrong_options_are_refused(spec, words):
    with refused(*words):
        parse(f"folder:path=a,{spec}")


@pytest.mark.parametrize(
    "spec",
    [
        "folder",
        "folder:path=a/b",
        "folder:path=a,resize=64",
        "folder:resize=64x32,resize_mode=pad",
        "folder:intensity=-5;400.5",
    ],
)
def test_the_text_of_a_folder_is_read_back(spec):
    made = parse(spec)
    assert parse(str(made)) == made
    assert Folder(**made.model_dump(mode="json")) == made
    assert parse("folder:resize=64x32").resize == (64, 32)
    assert (
        parse("folder:resize=64").resize
        == Folder(resize=64).resize
        == Folder(resize="64").resize
        == (64, 64)
    )


def test_the_status_says_what_is_there(flat):
    assert Folder().status().state == "manual"
    assert Folder(path=str(flat)).status() == ("ready", str(flat))
    assert Folder(path=str(flat / "nowhere")).status() == ("manual", str(flat / "nowhere"))


@pytest.mark.skipif(not TILES.is_dir(), reason=f"the magnetic tiles are not in {TILES}")
@pytest.mark.slow
def test_the_magnetic_tiles_are_all_read():
    found = Folder(path=str(TILES), resize=64).load()
    assert found.train.class_names == ("good", "blowhole", "crack")
    assert np.bincount(found.train.class_index).tolist() == [440]
    assert np.bincount(found.test.class_index).tolist() == [120, 115, 57]
    marked = found.test.masks.any(axis=(1, 2))
    assert not marked[found.test.class_index == 0].any()
    assert (
        marked[found.test.class_index > 0].mean() > 0.8
    )  # a few marks are smaller than a pixel of 64 x 64
    assert "0 broken files" in found.provenance


@pytest.mark.slow
def test_a_process_that_dies_is_said_in_one_line():
    from anomalist.image_files import cache as _folder_cache

    with refused("folder", "killed"):
        list(_folder_cache._each(os._exit, [(1,)] * 3, 1000))


def arranged(root, *folders, count=3):
    for folder in folders:
        for number in range(count):
            put(root / folder / f"{number}.png")
    return root


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (
            ("bottle/train/good", "bottle/test/dent", "bottle/ground_truth/dent"),
            ["contains a data set", "/bottle"],
        ),
        (("a/train/OK", "a/test/x", "b/train/good"), ["contains a data set", "/a"]),
        (("ok", "nok"), ["'nok'", "bad=FOLDER", "known layouts"]),
        (("Good parts/OK", "Good parts/NG"), ["'NG'"]),
        (("good", "scratched"), ["'scratched'", "beside 'good'"]),
        (("normal", "others/a"), ["'others'", "beside 'normal'"]),
        (("train", "test"), ["'test'", "part of a layout"]),
        (("train/good", "test_private"), ["'test_private'"]),
        (("train/a", "validation/a"), ["'validation'"]),
        (("lot", "ground_truth/lot"), ["'ground_truth'"]),
        (("images", "masks"), ["'masks'"]),
        (("Anomalies",), ["'Anomalies'"]),
        (("line 1/rejected", "line 1/passed"), ["'rejected'", "'line 1'"]),
        (("test/good", "test/dent"), ["'test'"]),
        (("defect-free", "n.i.O."), ["'n.i.O.'"]),
        (("ok_parts", "nok_parts"), ["'nok_parts'"]),
        (("good_images", "bad_images"), ["'bad_images'"]),
        (("OK1", "NG1"), ["'NG1'"]),
        (("parts", "defect_1"), ["'defect_1'"]),
        (("train/good", "test_images/scratch"), ["'test_images'", "beside 'train'"]),
        (("train", "scratch"), ["'scratch'", "beside 'train'"]),
    ],
)
def test_names_that_may_mean_defects_are_asked_about(tmp_path, folders, words):
    with refused(*words):
        Folder(path=str(arranged(tmp_path / "parts", *folders))).load()


@pytest.mark.parametrize(
    "folders", [("day 1", "day 2"), ("ok",), ("train/good",), ("train",), ("A", "B/C")]
)
def test_names_that_mean_nothing_bad_are_taken_as_normal_and_it_is_said(tmp_path, capsys, folders):
    found = Folder(path=str(arranged(tmp_path / "parts", *folders))).load()
    assert found.test.class_names == ("good",)
    assert "all images are taken as normal" in capsys.readouterr().err


def test_an_image_beside_its_mask_is_asked_about(tmp_path):
    root = arranged(tmp_path / "parts", "lot")
    put(root / "lot" / "1_mask.png", mask_at(4))
    with refused("lot/1_mask.png", "mask of another image"):
        Folder(path=str(root)).load()


@pytest.mark.parametrize("good", ["good", "Good", "ok", "normal"])
@pytest.mark.parametrize("test", ["test", "test_public"])
def test_other_words_for_good_are_read_and_said(mvtec, capsys, good, test):
    for part in ("train", "test"):
        (mvtec / part / "good").rename(mvtec / part / good)
    (mvtec / "ground_truth").rename(
        mvtec / "test" / "ground_truth" if test != "test" else mvtec / "ground_truth"
    )
    (mvtec / "test").rename(mvtec / test)
    found = Folder(path=str(mvtec), resize=(20, 24)).load()
    assert found.test.class_names == ("good", "crack", "dent")
    assert found.test.class_index.tolist().count(0) == 2
    assert found.test.masks.any(axis=(1, 2)).sum() == 3
    said = (
        f"train/{good} contains the good images, {test} the test images" in capsys.readouterr().err
    )
    assert said == ((good, test) != ("good", "test"))


def test_the_user_says_which_folders_are_good_and_bad(tmp_path, capsys):
    root = arranged(
        tmp_path / "parts", "line 1/ok", "line 2/ok", "nok/dent", "nok/crack", "later", count=4
    )
    spec = (
        f"folder:path={root},resize=20x24,good=line 1;line 2,bad=nok/dent;nok/crack,test_share=0.25"
    )
    found = parse(spec).load()
    assert (len(found.train), len(found.test)) == (6, 10)
    assert found.test.class_names == ("good", "crack", "dent")
    assert np.bincount(found.test.class_index).tolist() == [2, 4, 4]
    assert "4 images in folders that are neither good nor bad" in capsys.readouterr().err
    everything = Folder(path=str(root), good=(".",), bad=("nok",)).load()
    assert everything.test.class_names == ("good", "nok")
    assert len(everything.train) + len(everything.test) == 20
    with refused("'nowhere'", "good and bad"):
        Folder(path=str(root), good=("nowhere",)).load()
    with refused("not both"):
        Folder(path=str(root), good=("later",), anomalous="bad.txt").load()


@pytest.mark.parametrize(
    "link", ["ground_truth", "ground_truth/dent", "test", "train/good", "test/dent"]
)
def test_a_link_in_place_of_a_folder_of_the_layout_is_refused_by_name(mvtec, tmp_path, link):
    (mvtec / link).rename(tmp_path / "elsewhere")
    (mvtec / link).symlink_to(tmp_path / "elsewhere")
    with refused(repr(link), "link to a folder"):
        Folder(path=str(mvtec)).load()


def test_every_mask_is_used_or_refused_by_name(mvtec, capsys):
    put(mvtec / "ground_truth" / "dent" / "a.png", mask_at(0))
    with refused(
        "test/dent/a.png", "it has 2 masks", "ground_truth/dent/a.png, ground_truth/dent/a_mask.png"
    ):
        Folder(path=str(mvtec)).load()
    (mvtec / "ground_truth" / "dent" / "a.png").unlink()
    put(
        mvtec / "ground_truth" / "good" / "0_mask.png", mask_at(0) * 0
    )  # a good image has nothing to mark
    assert len(Folder(path=str(mvtec)).load().test) == 5
    put(mvtec / "ground_truth" / "dent" / "z_mask.png", mask_at(0))
    with refused("1 masks belong to no image", "ground_truth/dent/z_mask.png"):
        Folder(path=str(mvtec)).load()


def test_a_mask_that_marks_nothing_says_what_to_do(mvtec):
    put(mvtec / "ground_truth" / "dent" / "a_mask.png", mask_at(0) * 0)
    with refused(
        "test/dent/a.png", "marks no pixel", "mark the defect, or move the image to the good ones"
    ):
        Folder(path=str(mvtec)).load()


def of_fits(values, **cards):
    return lambda: fits(values, **cards)


EVERY_FILE_FAILS = {
    "float": (
        "tif",
        lambda: saved(Image.fromarray(np.full((9, 9), 1e3, np.float32)), "TIFF"),
        "intensity=LOW;HIGH",
    ),
    "nan": (
        "tif",
        lambda: saved(Image.fromarray(np.full((20, 24), np.nan, np.float32)), "TIFF"),
        "NaN",
    ),
    "int": (
        "tif",
        lambda: saved(Image.fromarray(np.full((20, 24), 7, np.int32)), "TIFF"),
        "intensity=LOW;HIGH",
    ),
    "signed bytes": ("tif", lambda: tiff_of(np.zeros((20, 24)), 8, 2, 1), "signed 8-bit"),
    "planar": ("tif", lambda: tiff_of_planes(noise((3, 20, 24), 65536)), "unsupported layout"),
    "truncated": ("png", lambda: saved(Image.fromarray(noise((20, 24))), "PNG")[:-120], "damaged"),
    "text": ("png", lambda: b"hello", "not a PNG"),
    "empty": ("png", lambda: b"", "an empty file"),
    "DICOM without preamble": (
        "dcm",
        lambda: dicom(noise((20, 24), 65536))[132:],
        "not a DICOM file",
    ),
    "DICOM of two frames": (
        "dcm",
        lambda: dicom(noise((40, 24), 65536), Rows=20, NumberOfFrames=2),
        "one frame",
    ),
    "FITS with BLANK": ("fits", of_fits(np.full((20, 24), 5, np.int16), BLANK=5), "NaN"),
    "FITS of three axes": (
        "fits",
        of_fits(noise((2, 20, 24), 65536).astype(np.float32)),
        "two-dimensional image",
    ),
}


@pytest.mark.parametrize("what", EVERY_FILE_FAILS)
@pytest.mark.parametrize("allowed", [0.01, 1.0])
def test_where_every_file_fails_the_first_reason_is_said(tmp_path, what, allowed):
    ending, data, reason = EVERY_FILE_FAILS[what]
    for number in range(3):
        path = tmp_path / "parts" / f"{number}.{ending}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data())
    window = (0.0, 10.0) if ending in ("dcm", "fits") else "dtype"
    folder = Folder(path=str(tmp_path / "parts"), max_broken_share=allowed, intensity=window)
    with refused(
        *(["no training image"] if allowed == 1 else ["3 of 3 images cannot be used", reason])
    ):
        folder.load()


def test_an_empty_test_folder_leaves_nothing_to_test(mvtec):
    shutil.rmtree(mvtec / "test")
    (mvtec / "test").mkdir()
    shutil.rmtree(mvtec / "ground_truth")
    assert len(Folder(path=str(mvtec)).load().test) == 0


def test_files_are_named_and_follow_their_images(mvtec):
    found = Folder(path=str(mvtec), resize=(20, 24)).load()
    assert found.train.files.tolist() == [f"train/good/{number}.png" for number in range(5)]
    assert found.test.files.tolist() == [
        "test/crack/a.png",
        "test/dent/a.png",
        "test/dent/b.png",
        "test/good/0.png",
        "test/good/1.png",
    ]
    assert found.test.take(np.array([3, 1])).files.tolist() == [
        "test/good/0.png",
        "test/dent/a.png",
    ]


def test_exif_turns_are_applied_and_said(tmp_path, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "parts" / "0.png"
    path.parent.mkdir()
    path.write_bytes(saved(Image.fromarray(noise((20, 24))), "PNG", exif=exif))
    put(tmp_path / "parts" / "1.png")
    for _ in range(2):  # decoded, and from the cache
        found = Folder(path=str(tmp_path / "parts"), resize=(24, 20), test_share=0.5).load()
        images = {
            name: image
            for part in (found.train, found.test)
            for name, image in zip(part.files, part.images, strict=True)
        }
        np.testing.assert_array_equal(images["0.png"][0], np.rot90(noise((20, 24)), -1))
        assert "1 images are rotated according to their EXIF data" in capsys.readouterr().err


def test_a_window_too_narrow_for_float32_is_refused(tmp_path):
    put(tmp_path / "parts" / "0.png")
    with refused("float32", "subtract"):
        Folder(path=str(tmp_path / "parts"), intensity=(1e9, 1e9 + 100)).load()


def test_files_named_as_anomalies_are_asked_about(tmp_path):
    put(tmp_path / "parts" / "good_0.png")
    put(tmp_path / "parts" / "bad_0.png")
    with refused("'bad_0.png'", "name for anomalous images"):
        Folder(path=str(tmp_path / "parts")).load()


@pytest.mark.parametrize("kind", ["clean", "normal", "Good"])
def test_defects_in_a_folder_that_counts_as_good_are_refused(mvtec, kind):
    (mvtec / "test" / "dent").rename(mvtec / "test" / kind)
    (mvtec / "ground_truth" / "dent").rename(mvtec / "ground_truth" / kind)
    with refused(f"ground_truth/{kind}/", "marks pixels", "count as good"):
        Folder(path=str(mvtec)).load()


def test_good_and_bad_that_contradict_each_other_are_refused(tmp_path, mvtec):
    root = arranged(tmp_path / "own", "a", "b/sub", "b", "rejects/good", count=4)
    for good, bad in ((("a",), ("a",)), (("a",), (".",))):
        with refused("give each folder once"):
            Folder(path=str(root), good=good, bad=bad).load()
    found = Folder(path=str(root), good=("a", "b/sub"), bad=("b", "rejects/good")).load()
    assert np.bincount(found.test.class_index, minlength=3)[1:].tolist() == [4, 4]
    assert found.test.class_names == ("good", "b", "bad good")
    assert (
        len(found.train) + (found.test.class_index == 0).sum() == 8
    )  # the one that says more counts
    with refused("MVTec AD layout"):
        Folder(path=str(mvtec), good=("train/good",), bad=("test/dent",)).load()


def test_hidden_folders_are_counted(mvtec, capsys):
    (mvtec / "test" / "dent").rename(mvtec / "test" / ".dent")
    shutil.rmtree(mvtec / "ground_truth")
    Folder(path=str(mvtec)).load()
    assert "1 hidden folders" in capsys.readouterr().err
