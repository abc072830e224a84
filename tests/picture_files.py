"""Image files made in memory: well-formed ones of every kind, and malformed ones by the hundred."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff\xe0", "tif": b"II*\0", "bmp": b"BM"}


def saved(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(shape, high=256, seed=0):
    """Values that no compression shortens, so that a cut anywhere cuts pixels."""
    kind = np.uint8 if high <= 256 else np.uint16
    return np.random.Generator(np.random.Philox(seed)).integers(0, high, shape).astype(kind)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, colour, packed, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        MAGIC["png"] + chunk(b"IHDR", header) + extra + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def png_sixteen(values):
    """A 16-bit PNG with the values [h, w, 3 or 4]: a kind that Pillow does not write."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    colour = {2: 4, 3: 2, 4: 6}[values.shape[2]]
    return png(values.shape[1], values.shape[0], 16, colour, zlib.compress(rows))


def tiff(width, height, *, bits=(8,), data=b"\0" * 64, order="<", claimed=None):
    """An uncompressed TIFF of one strip, its tags as given."""
    samples, place = len(bits), 8 + 2 + 12 * 9 + 4
    where = place if samples > 2 else (bits[0] if samples == 1 else bits[0] | bits[1] << 16)
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, samples, where),
        (259, 3, 1, 1),
        (262, 3, 1, 2 if samples > 1 else 1),
        (273, 4, 1, place + 2 * samples),
        (277, 3, 1, samples),
        (278, 4, 1, height),
        (279, 4, 1, claimed or len(data)),
    ]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(tags))
    for tag, kind, count, value in tags:
        short = kind == 3 and count == 1
        head += struct.pack(order + "HHI", tag, kind, count)
        head += struct.pack(order + "HH", value, 0) if short else struct.pack(order + "I", value)
    return head + struct.pack(order + "I", 0) + struct.pack(f"{order}{samples}H", *bits) + data


def tiff_of(values, bits, kind, photometric):
    """A grey TIFF of any type: ``kind`` 1 unsigned, 2 signed, 3 float; ``photometric`` 0: white is
    zero."""
    height, width = values.shape
    if bits == 12:
        pairs = np.rint(values).astype(np.uint32).reshape(height, -1, 2)
        packed = np.stack(
            [
                pairs[..., 0] >> 4,
                (pairs[..., 0] & 15) << 4 | pairs[..., 1] >> 8,
                pairs[..., 1] & 255,
            ],
            axis=-1,
        )
        data = packed.astype(np.uint8).tobytes()
    else:
        data = values.astype({1: f"<u{bits // 8}", 2: f"<i{bits // 8}", 3: "<f4"}[kind]).tobytes()
    place = 8 + 2 + 12 * 10 + 4
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, photometric),
        (273, 4, place),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, len(data)),
        (339, 3, kind),
    ]
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    for tag, size, value in tags:
        head += struct.pack("<HHI", tag, size, 1)
        head += struct.pack("<HH", value, 0) if size == 3 else struct.pack("<I", value)
    return head + struct.pack("<I", 0) + data


def tiff_of_planes(values):
    """A 16-bit TIFF of three planes [3, h, w], one after the other (planar configuration)."""
    _, height, width = values.shape
    where, size = 8 + 2 + 12 * 10 + 4, 2 * height * width
    lists = struct.pack(
        "<3H3I3I", 16, 16, 16, *(where + 30 + size * plane for plane in range(3)), *[size] * 3
    )
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, where),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 3, where + 6),
        (277, 3, 1, 3),
        (278, 4, 1, height),
        (279, 4, 3, where + 18),
        (284, 3, 1, 2),
    ]
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    for tag, kind, count, value in tags:
        head += struct.pack("<HHI", tag, kind, count)
        head += (
            struct.pack("<HH", value, 0) if kind == 3 and count == 1 else struct.pack("<I", value)
        )
    return head + struct.pack("<I", 0) + lists + values.astype("<u2").tobytes()


def fits(values, **cards):
    from astropy.io import fits as astropy_fits

    part = astropy_fits.PrimaryHDU(values)
    part.header.update(cards)
    stream = io.BytesIO()
    part.writeto(stream)
    return stream.getvalue()


def dicom(values, **elements):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    found, found.file_meta = Dataset(), FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = CTImageStorage
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = generate_uid(
        entropy_srcs=["a"]
    )
    found.Rows, found.Columns = values.shape
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.BitsAllocated = found.BitsStored = 8 * values.dtype.itemsize
    found.HighBit, found.PixelRepresentation = found.BitsStored - 1, int(values.dtype.kind == "i")
    found.PixelData = values.tobytes()
    for name, value in elements.items():
        setattr(found, name, value)
    stream = io.BytesIO()
    found.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def whole():
    """One well-formed file of each kind, by name."""
    grey, rgb = Image.fromarray(noise((40, 48))), Image.fromarray(noise((40, 48, 3)))
    deep = Image.fromarray(noise((40, 48), 65536))
    ones = Image.fromarray(noise((40, 48), 2) * 255).convert("1")
    return {
        "grey.png": saved(grey, "PNG"),
        "rgb.png": saved(rgb, "PNG"),
        "deep.png": saved(deep, "PNG"),
        "one.png": saved(ones, "PNG"),
        "palette.png": saved(rgb.quantize(200), "PNG"),
        "grey.jpg": saved(grey, "JPEG"),
        "rgb.jpeg": saved(rgb, "JPEG"),
        "progressive.jpg": saved(rgb, "JPEG", progressive=True),
        "cmyk.jpg": saved(rgb.convert("CMYK"), "JPEG"),
        "raw.tif": saved(grey, "TIFF"),
        "lzw.tiff": saved(rgb, "TIFF", compression="tiff_lzw"),
        "deflate.tif": saved(deep, "TIFF", compression="tiff_deflate"),
        "grey.bmp": saved(grey, "BMP"),
        "rgb.bmp": saved(rgb, "BMP"),
        "a.fits": fits(noise((40, 48), 65536).astype(np.float32)),
        "a.dcm": dicom(noise((40, 48), 65536)),
    }


def cut_short():
    """Every kind of file, cut at many places."""
    for name, data in whole().items():
        for percent in range(0, 90, 6):
            yield f"cut_{percent:02}_{name}", data[: len(data) * percent // 100]


def mistaken():
    """Files that are not what their names say."""
    for name, data in whole().items():
        yield f"zeroed_{name}", b"\0" * 200 + data[200:]
        yield f"zeros_{name}", b"\0" * 5000
        yield f"random_{name}", noise(5000, seed=len(name)).tobytes()
        yield f"text_{name}", b"<html>404 Not Found</html>\n" * 50
        magic = MAGIC.get(name.rpartition(".")[2][:3].replace("jpe", "jpg"), b"SIMPLE")
        yield f"magic_{name}", magic + noise(3000, seed=1).tobytes()
    yield "gif.png", saved(Image.fromarray(noise((20, 20))), "GIF")
    yield "gzip.fits", b"\x1f\x8b" + noise(400).tobytes()


def bombs():
    """Headers that claim far more than the file holds, or that unpack to it."""
    zeros = zlib.compressobj(9)
    packed = (
        b"".join(zeros.compress(b"\0" * (1 << 20)) for _ in range(300)) + zeros.flush()
    )  # 300 MB in 0.3
    for side in (10_000, 30_000, 60_000, 2**31 - 1):
        yield f"bomb_{side}.png", png(side, side, 8, 2, packed[:4000])
        yield f"bomb_{side}.tif", tiff(side, side, claimed=2**32 - 1)
        yield (
            f"bomb_{side}.bmp",
            b"BM"
            + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0),
        )
    yield "bomb_rows.png", png(15_000, 20_000, 8, 0, packed)
    yield "bomb_wide.png", png(2**31 - 1, 1, 8, 0, packed[:4000])
    yield "bomb_none.png", png(0, 0, 8, 0, packed[:4000])
    yield (
        "bomb_text.png",
        png(8, 8, 8, 0, zlib.compress(b"\0" * 72), chunk(b"zTXt", b"a\0\0" + packed)),
    )
    yield (
        "bomb_65500.jpg",
        b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xdc\xff\xdc\x01\x01\x11\x00" + b"\xff\xda" + b"\0" * 99,
    )
    yield "bomb_strips.tif", tiff(8000, 8000, claimed=2**32 - 1)
    yield "bomb_bits.tif", tiff(40, 40, bits=(8,) * 900)
    steps = saved(Image.fromarray(noise((40, 48))), "JPEG", progressive=True)
    yield "bomb_scans.jpg", steps[:-2] + steps[steps.rindex(b"\xff\xda") : -2] * 5000 + steps[-2:]
    head = fits(np.zeros((4, 4), np.float32))
    yield "bomb_header.fits", head[:240].ljust(20 << 20)
    yield (
        "bomb.fits",
        head.replace(b"NAXIS1  =                    4", b"NAXIS1  =           2000000000"),
    )
    yield (
        "bomb_short.fits",
        head.replace(b"NAXIS1  =                    4", b"NAXIS1  =               800000"),
    )
    small = np.zeros((8, 8), np.uint16)
    yield "bomb.dcm", dicom(small, Rows=65_000, Columns=65_000)
    yield "bomb_short.dcm", dicom(small, Rows=8_000, Columns=8_000)
    yield "bomb_frames.dcm", dicom(small, NumberOfFrames=2_000_000_000)
    yield (
        "deflated.dcm",
        dicom(small).replace(b"1.2.840.10008.1.2.1\0\x02", b"1.2.840.10008.1.2.1.99\x02"),
    )


def odd():
    """Pictures that are refused for what they hold, each for a reason of its own."""
    pages = [Image.fromarray(noise((20, 20), seed=n)) for n in range(3)]
    yield "pages.tif", saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    yield "moving.png", saved(pages[0], "PNG", save_all=True, append_images=pages[1:])
    yield "moving.gif", saved(pages[0], "GIF", save_all=True, append_images=pages[1:])
    yield "picture.webp", saved(pages[0].convert("RGB"), "WEBP")
    yield "nan.tif", saved(Image.fromarray(np.full((20, 20), np.nan, np.float32)), "TIFF")
    yield "nan.fits", fits(np.full((20, 20), np.nan, np.float32))
    yield "cube.fits", fits(np.zeros((3, 20, 20), np.float32))
    yield "grey_alpha.png", png_sixteen(noise((20, 20, 2), 65536))
    yield (
        "colour.dcm",
        dicom(np.zeros((8, 8), np.uint8), SamplesPerPixel=3, PhotometricInterpretation="RGB"),
    )


def flipped():
    """Files with a few bytes changed: whether they can be read is for the decoder to say."""
    draws = np.random.Generator(np.random.Philox(7))
    for name, data in whole().items():
        for number in range(4):
            values = bytearray(data)
            for place in draws.integers(0, len(values), 12):
                values[place] = int(draws.integers(0, 256))
            yield f"flipped_{number}_{name}", bytes(values)
