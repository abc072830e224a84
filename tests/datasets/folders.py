"""Folders of images for the tests of the data set folder."""

import numpy as np
from PIL import Image

from anomalist.core.data_home import data_folder
from anomalist.image_files import cache as _folder_cache
from picture_files import noise, saved


def put(path, values=None, kind="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(noise((20, 24), seed=hash_of(path.name)) if values is None else values)
    path.write_bytes(saved(image, kind))


def hash_of(name):
    return sum(name.encode("utf-8", "surrogateescape"))


def mask_at(row):
    mask = np.zeros((20, 24), np.uint8)
    mask[row : row + 4] = 255
    return mask


def cached():
    return sorted(path.name for path in data_folder("folder").iterdir() if path.is_dir())


def refuse_to_decode(monkeypatch):
    def fail(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(_folder_cache, "_decode", fail)
