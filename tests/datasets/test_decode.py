"""Decoding: every kind of picture, depth and shape comes out with the values that its file
holds."""

import io
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from anomalist.core.errors import InputError
from anomalist.image_files.decode import decode, decode_mask, open_regular, probe
from anomalist.image_files.frame import DecodeSpec
from picture_files import chunk, dicom, fits, noise, png_sixteen, saved, tiff, tiff_of
from refusals import refused

LOOK = DecodeSpec((20, 24), "stretch", None, False, "uint8")
GREY, RGB, DEEP = noise((20, 24)), noise((20, 24, 3)), noise((20, 24), 65536)
LUMA = np.array([0.299, 0.587, 0.114])


def read(data, look=LOOK, name="a.png"):
    """Decode after looking at the header, as the folder does."""
    depth = {8: "uint8", 16: "uint16", 32: "float32"}[probe(io.BytesIO(data), name)[1]]
    deeper = max(depth, look.dtype, key=["uint8", "uint16", "float32"].index)
    image, _ = decode(io.BytesIO(data), name, look._replace(dtype=deeper))
    assert image.dtype == deeper
    assert image.shape == (3 if look.colour else 1, *look.size)
    return image


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_lossless_files_keep_every_value(kind):
    np.testing.assert_array_equal(read(saved(Image.fromarray(GREY), kind))[0], GREY)
    colour = read(saved(Image.fromarray(RGB), kind), LOOK._replace(colour=True))
    np.testing.assert_array_equal(colour, RGB.transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    "options", [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}]
)
def test_sixteen_bits_of_grey_keep_every_value(kind, options):
    if kind == "PNG" and options:
        options = {"compress_level": 9}
    np.testing.assert_array_equal(read(saved(Image.fromarray(DEEP), kind, **options))[0], DEEP)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_of_colour_keep_every_value(order):
    values, look = noise((20, 24, 3), 65536), LOOK._replace(colour=True)
    data = values.astype(f"{order}u2").tobytes()
    for file in (png_sixteen(values), tiff(24, 20, bits=(16, 16, 16), data=data, order=order)):
        np.testing.assert_array_equal(read(file, look), values.transpose(2, 0, 1))
    np.testing.assert_allclose(read(png_sixteen(values))[0], values @ LUMA, atol=0.51)


def test_floats_keep_every_value_and_lie_in_0_to_1():
    values = noise((20, 24), 65536).astype(np.float32) / 65535
    np.testing.assert_array_equal(read(saved(Image.fromarray(values), "TIFF"))[0], values)
    with refused("values in [0, 1.5]", "intensity=LOW;HIGH"):
        read(saved(Image.fromarray(values / values.max() * 1.5 * (values > 0.1)), "TIFF"))
    wide = LOOK._replace(window=(-100, 100))
    np.testing.assert_array_equal(
        read(saved(Image.fromarray(values * 300), "TIFF"), wide)[0], values * 300
    )


def test_32_bit_integers_need_a_window():
    data = saved(Image.fromarray(DEEP.astype(np.int32) - 30_000), "TIFF")
    with refused("32-bit integers", "intensity=LOW;HIGH"):
        read(data)
    np.testing.assert_array_equal(
        read(data, LOOK._replace(window=(0, 9)))[0], DEEP.astype(np.float32) - 30_000
    )


def test_depths_that_meet_are_scaled_by_their_types_alone():
    for look, factor in (
        (LOOK._replace(dtype="uint16"), 257),
        (LOOK._replace(dtype="float32"), 1 / 255),
    ):
        np.testing.assert_allclose(
            read(saved(Image.fromarray(GREY), "PNG"), look)[0], GREY * float(factor), rtol=1e-6
        )
    deep = read(saved(Image.fromarray(DEEP), "PNG"), LOOK._replace(dtype="float32"))
    np.testing.assert_allclose(deep[0], DEEP / 65535, rtol=1e-6)
    windowed = LOOK._replace(dtype="float32", window=(0, 4095))  # values stay what they are
    np.testing.assert_array_equal(read(saved(Image.fromarray(DEEP), "PNG"), windowed)[0], DEEP)


def test_a_dark_image_stays_dark():
    assert read(saved(Image.fromarray(GREY // 64), "PNG")).max() == 3
    assert read(saved(Image.fromarray(DEEP // 64), "PNG")).max() == 1023


def test_grey_and_colour_become_each_other():
    data = saved(Image.fromarray(RGB), "PNG")
    np.testing.assert_allclose(read(data)[0], RGB @ LUMA, atol=1)
    for plane in read(saved(Image.fromarray(GREY), "PNG"), LOOK._replace(colour=True)):
        np.testing.assert_array_equal(plane, GREY)
    for plane in read(saved(Image.fromarray(DEEP), "PNG"), LOOK._replace(colour=True)):
        np.testing.assert_array_equal(plane, DEEP)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (saved(Image.fromarray(GREY), "PNG"), (False, 8)),
        (saved(Image.fromarray(RGB), "JPEG"), (True, 8)),
        (saved(Image.fromarray(RGB).convert("CMYK"), "JPEG"), (True, 8)),
        (saved(Image.fromarray(RGB).quantize(9), "PNG"), (True, 8)),
        (saved(Image.fromarray(GREY).convert("LA"), "PNG"), (False, 8)),
        (saved(Image.fromarray(GREY).convert("1"), "TIFF"), (False, 8)),
        (saved(Image.fromarray(DEEP), "PNG"), (False, 16)),
        (png_sixteen(noise((20, 24, 4), 65536)), (True, 16)),
        (saved(Image.fromarray(GREY.astype(np.float32)), "TIFF"), (False, 32)),
    ],
)
def test_the_header_tells_colour_and_depth(data, expected):
    assert probe(io.BytesIO(data), "a.png") == (*expected, False)


def test_one_bit_is_black_and_white():
    ones = Image.fromarray(noise((20, 24), 2) * 255).convert("1")
    for kind in ("PNG", "TIFF", "BMP"):
        np.testing.assert_array_equal(read(saved(ones, kind))[0], noise((20, 24), 2) * 255)


def test_cmyk_becomes_rgb():
    flat = Image.new("CMYK", (24, 20), (0, 255, 255, 0))
    colour = read(saved(flat, "JPEG", quality=100), LOOK._replace(colour=True), "a.jpg")
    np.testing.assert_allclose(colour.mean(axis=(1, 2)), [255, 0, 0], atol=3)


def test_what_is_transparent_lies_on_black():
    alpha = np.where(np.arange(24) < 12, 0, 255)[None].repeat(20, 0).astype(np.uint8)
    image = Image.fromarray(RGB)
    image.putalpha(Image.fromarray(alpha))
    expected = (RGB * (alpha > 0)[..., None]).transpose(2, 0, 1)
    np.testing.assert_array_equal(read(saved(image, "PNG"), LOOK._replace(colour=True)), expected)
    palette = Image.fromarray((GREY // 64).astype(np.uint8), "P")
    palette.putpalette([9, 9, 9, 50, 50, 50, 100, 100, 100, 200, 200, 200])
    levels = np.array([0, 50, 100, 200])[GREY // 64]
    np.testing.assert_array_equal(read(saved(palette, "PNG", transparency=0))[0], levels)
    deep = np.dstack([noise((20, 24, 3), 65536), alpha.astype(np.uint16) * 257])
    expected = (deep[..., :3] * (alpha > 0)[..., None]).transpose(2, 0, 1)
    np.testing.assert_array_equal(read(png_sixteen(deep), LOOK._replace(colour=True)), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "values"), [("PNG", GREY), ("PNG", DEEP), ("PNG", RGB), ("TIFF", GREY), ("TIFF", DEEP)]
)
def test_the_orientation_that_exif_asks_for_is_applied(orientation, kind, values):
    """As Pillow's own exif_transpose does it: image, mask and the size that the mask must have."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(values), kind, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    look = LOOK._replace(size=upright.shape[:2], dtype=str(values.dtype), colour=values.ndim == 3)
    expected = upright[None] if values.ndim == 2 else upright.transpose(2, 0, 1)
    image, size = decode(io.BytesIO(data), "a", look)
    np.testing.assert_array_equal(image, expected)
    assert size == upright.shape[1::-1]
    assert probe(io.BytesIO(data), "a")[2] == (orientation != 1)
    if values is GREY:
        mask = saved(Image.fromarray((values > 128).astype(np.uint8) * 255), kind, exif=exif)
        np.testing.assert_array_equal(
            decode_mask(io.BytesIO(mask), size, look)[0], expected[0] > 128
        )


def test_sixteen_bits_of_colour_are_turned_too():
    values = noise((20, 24, 3), 65536)
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = png_sixteen(values)
    data = plain[:33] + chunk(b"eXIf", exif.tobytes()[6:]) + plain[33:]  # after the header
    look = LOOK._replace(size=(24, 20), dtype="uint16", colour=True)
    np.testing.assert_array_equal(
        decode(io.BytesIO(data), "a.png", look)[0], np.rot90(values, -1).transpose(2, 0, 1)
    )


def test_a_jpeg_is_turned_before_it_is_cropped():
    exif = Image.Exif()
    exif[0x0112] = 8
    data = saved(
        Image.fromarray(np.repeat(ramp(60, 90)[..., None], 3, 2)), "JPEG", exif=exif, quality=100
    )
    expected = np.rot90(ramp(60, 90))
    look = LOOK._replace(size=(45, 30), dtype="uint8", colour=False)
    got = decode(io.BytesIO(data), "a.jpg", look)[0][0]
    np.testing.assert_allclose(got[5:40, 5:25], expected[1::2, 1::2][5:40, 5:25], atol=3)


@pytest.mark.parametrize("low_is_bright", [False, True])
@pytest.mark.parametrize(
    ("bits", "kind"), [(8, 1), (12, 1), (16, 1), (32, 1), (16, 2), (32, 2), (32, 3)]
)
def test_every_type_of_a_tiff_is_read_right(bits, kind, low_is_bright):
    """Pillow's own: unsigned 32 bits become negative, and white-is-zero is known of 8 bits
    alone."""
    top = (
        {8: 255, 12: 4095, 16: 65535 if kind == 1 else 30000, 32: 4e9 if kind == 1 else 2e9}[bits]
        if kind != 3
        else 1
    )
    share = np.linspace(0, 1, 480).reshape(20, 24)
    data = tiff_of(share * top, bits, kind, 0 if low_is_bright else 1)
    if kind == 1 and bits in (8, 12, 16):
        window, dtype, full = None, "uint8" if bits == 8 else "uint16", 255 if bits == 8 else 65535
    else:
        window, dtype, full = (0, top), "float32", top
    look = LOOK._replace(size=(20, 24), dtype=dtype, window=None if kind == 3 else window)
    if (
        (kind == 2 and low_is_bright)
        or (bits, low_is_bright) == (12, True)
        or (kind == 1 and bits == 32 and low_is_bright)
    ):
        with pytest.raises(Exception):  # noqa: B017  (Pillow does not open it: a broken file, by name)
            decode(io.BytesIO(data), "a.tif", look)
        return
    got = decode(io.BytesIO(data), "a.tif", look)[0][0].astype(float) / full
    np.testing.assert_allclose(got, 1 - share if low_is_bright else share, atol=1 / 200)


def test_signed_bytes_are_refused():
    with refused("signed 8-bit"):
        decode(io.BytesIO(tiff_of(np.full((20, 24), -5), 8, 2, 1)), "a.tif", LOOK)


def ramp(h, w):
    return np.add.outer(np.arange(h) * 2.0, np.arange(w)).astype(np.uint8)


@pytest.mark.parametrize(("kind", "deep"), [("PNG", False), ("JPEG", False), ("PNG", True)])
def test_fits_keep_geometry(kind, deep):
    values = ramp(60, 90)
    image = Image.fromarray(values.astype(np.uint16) * 257 if deep else values)
    data, scale = (
        saved(image, kind, **({"quality": 100} if kind == "JPEG" else {})),
        257 if deep else 1,
    )
    squashed = read(data, LOOK._replace(size=(30, 30)))[0] / scale
    np.testing.assert_allclose(
        squashed[5:25, 5:25], ramp(60, 90)[::2, 1::3][5:25, 5:25] + 1, atol=1.6
    )
    padded = read(data, LOOK._replace(size=(30, 30), resize_mode="pad"))[0] / scale
    assert not padded[:5].any()
    assert not padded[25:].any()
    np.testing.assert_allclose(padded[8:22, 5:25], ramp(60, 90)[1::3, 1::3][3:17, 5:25], atol=1.6)
    mirrored = read(data, LOOK._replace(size=(30, 30), resize_mode="mirror"))[0] / scale
    np.testing.assert_array_equal(mirrored[5:25], padded[5:25])
    np.testing.assert_array_equal(mirrored[:5], padded[5:10][::-1])
    np.testing.assert_array_equal(mirrored[25:], padded[20:25][::-1])
    cropped = read(data, LOOK._replace(size=(30, 30), resize_mode="crop"))[0] / scale
    np.testing.assert_allclose(
        cropped[5:25, 5:25], ramp(60, 90)[::2, 15:75:2][5:25, 5:25] + 1.5, atol=1.6
    )


def test_a_pad_is_black_in_the_window_too():
    data = saved(Image.fromarray(np.full((10, 40), 200, np.uint8)), "PNG")
    assert read(data, LOOK._replace(resize_mode="pad", window=(100, 255)))[0, 0, 0] == 100
    assert read(data, LOOK._replace(resize_mode="pad", window=(-100, 255)))[0, 0, 0] == 0
    assert (
        read(data, LOOK._replace(resize_mode="pad", window=(-100, 255), dtype="float32"))[0, 0, 0]
        == -100
    )


def test_a_long_thin_image_is_mirrored_again_and_again():
    data = saved(Image.fromarray(np.repeat(np.uint8([[10], [200]]), 20, axis=1)), "PNG")
    mirrored = read(data, LOOK._replace(size=(10, 20), resize_mode="mirror"))[0]
    np.testing.assert_array_equal(mirrored[:, 0], [10, 200, 200, 10, 10, 200, 200, 10, 10, 200])


def test_a_large_jpeg_decoded_smaller_is_nearly_the_same():
    rows, columns = np.mgrid[:400, :600]
    values = (127 + 60 * np.sin(rows / 31) + 60 * np.cos(columns / 47)).astype(np.uint8)
    for fit in ("stretch", "pad", "mirror", "crop"):
        look = LOOK._replace(size=(40, 50), resize_mode=fit)
        jpeg, png = (read(saved(Image.fromarray(values), kind), look) for kind in ("JPEG", "PNG"))
        assert np.abs(jpeg.astype(int) - png).max() <= 4


def read_mask(values, size=(24, 20), look=LOOK, kind="PNG"):
    return decode_mask(io.BytesIO(saved(Image.fromarray(values), kind)), size, look)


def test_a_mask_is_marked_from_half_of_its_range_on():
    np.testing.assert_array_equal(read_mask(GREY)[0], GREY >= 128)
    np.testing.assert_array_equal(read_mask(DEEP)[0], DEEP >= 32768)
    np.testing.assert_array_equal(read_mask(np.dstack([GREY] * 3))[0], GREY >= 128)
    image = Image.fromarray(GREY >= 128)
    np.testing.assert_array_equal(
        decode_mask(io.BytesIO(saved(image, "PNG")), (24, 20), LOOK)[0], GREY >= 128
    )


@pytest.mark.parametrize("fit", ["stretch", "pad", "mirror", "crop"])
def test_a_mask_goes_where_its_image_goes(fit):
    marked = np.zeros((60, 90), np.uint8)
    marked[20:40, 31:59] = 255  # no edge halfway between pixels
    look = LOOK._replace(size=(30, 30), resize_mode=fit)
    image, _ = decode(io.BytesIO(saved(Image.fromarray(marked), "PNG")), "a.png", look)
    np.testing.assert_array_equal(read_mask(marked, (90, 60), look)[0], image[0] >= 128)


def test_a_mark_that_vanishes_is_told():
    marked = np.zeros((60, 90), np.uint8)
    marked[0, 0] = 255
    mask, left = read_mask(marked, (90, 60), LOOK._replace(size=(3, 3)))
    assert (mask.any(), left) == (False, False)


def test_masks_that_mark_nothing_or_do_not_fit_are_refused():
    with refused("20 x 24", "24 x 20", "height x width"):
        read_mask(GREY, (20, 24))
    with refused("marks no pixel", "good ones"):
        read_mask(GREY * 0)
    with refused("8 or 16 bits"):
        read_mask(GREY.astype(np.float32), kind="TIFF")


def test_dicom_is_rescaled_by_its_own_slope_and_intercept():
    look, stored = LOOK._replace(window=(-1000, 3000), dtype="float32"), noise((20, 24), 4096)
    data = dicom(stored, RescaleSlope="2", RescaleIntercept="-1024")
    np.testing.assert_array_equal(on_disk(data, look, ".dcm")[0], stored * 2.0 - 1024)
    mirrored = dicom(stored, PhotometricInterpretation="MONOCHROME1")  # low is bright
    np.testing.assert_array_equal(on_disk(mirrored, look, ".dcm")[0], 2000.0 - stored)
    signed = dicom(stored.astype(np.int16) - 2000)
    np.testing.assert_array_equal(on_disk(signed, look, ".DCM")[0], stored.astype(float) - 2000)


def on_disk(data, look, ending):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a{ending}")
        path.write_bytes(data)
        with open_regular(path) as file:
            return decode(file, path.name, look)[0]


def test_fits_is_scaled_by_its_own_zero():
    look, stored = LOOK._replace(window=(0, 1), dtype="float32"), noise((20, 24), 65536)
    for values in (stored, stored.astype(np.float64) / 7, stored.astype(np.int32)):
        np.testing.assert_array_equal(
            on_disk(fits(values), look, ".fits")[0], values.astype(np.float32)
        )


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with refused("not a regular file"):
        open_regular(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    with refused("empty"):
        open_regular(tmp_path / "empty")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(InputError, match="3,221,225,472 bytes"):
        open_regular(tmp_path / "sparse")


def blocks(*values):
    """A mask with a square of each of these values (numbers or colours) on black."""
    mask = np.zeros((20, 24, *np.shape(values[0])), np.uint8)
    for place, value in enumerate(values):
        mask[2:8, 1 + 8 * place : 6 + 8 * place] = value
    return mask


@pytest.mark.parametrize(
    "values",
    [
        (255, 255),
        (1, 1),
        (1, 2, 3),
        (255, 100),
        (1, 255),
        (127, 128),
        (20, 60, 90),
        ((0, 255, 0), (255, 0, 0), (0, 0, 90)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_every_region_of_a_mask_is_marked_whatever_its_value(values, kind):
    mask = blocks(*values)
    expected = mask > 0 if mask.ndim == 2 else mask.any(axis=2)
    np.testing.assert_array_equal(read_mask(mask, kind=kind)[0], expected)


def test_edges_between_black_and_white_are_marked_from_half_on():
    mask = np.zeros((20, 24), np.uint8)
    mask[4:12, 4:12] = np.add.outer(np.arange(8), np.arange(8)) * 17
    mask[18, 20] = 1  # what resizing leaves
    np.testing.assert_array_equal(read_mask(mask)[0], mask >= 128)


def test_dark_shades_beside_a_mark_are_refused():
    mask = blocks(255, 0)
    mask[10:20, 2:22] = np.arange(200).reshape(10, 20) // 2 + 9
    with refused("dark regions of many shades", "PNG"):
        read_mask(mask)


def test_a_jpeg_mask_is_marked_from_half_on_and_dark_marks_are_refused():
    assert read_mask(blocks(255, 255), kind="JPEG")[0].sum() == 60
    with refused("dark regions", "PNG"):
        read_mask(blocks(255, 100), kind="JPEG")


@pytest.mark.parametrize(("upper", "lower"), [(255, 1), (200, 100), (255, 127)])
def test_classes_that_touch_are_all_marked(upper, lower):
    mask = np.zeros((20, 24), np.uint8)
    mask[2:8, 2:8], mask[8:14, 2:8] = upper, lower
    np.testing.assert_array_equal(read_mask(mask)[0], mask > 0)
