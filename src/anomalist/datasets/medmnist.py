"""Twelve sets of medical images, 28 x 28: X-rays, microscopy and more (Yang et al., 2023).

J. Yang, R. Shi, D. Wei, Z. Liu, L. Zhao, B. Ke, H. Pfister, B. Ni: MedMNIST v2, a large-scale
lightweight benchmark for 2D and 3D biomedical image classification, Scientific Data 10:41, 2023.
Addresses, MD5, classes and licences are those published by its authors (package medmnist 3.0.2,
info.py).

The training split contains the published training and validation images, because each task holds
out its own images. In chestmnist an image may show several findings; "no finding" and "several
findings" are separate classes.

File: SET.npz, where SET is the set's name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.console import announce
from anomalist.core.errors import InputError
from anomalist.core.npy import Readers, check_bytes, read_npz
from anomalist.datasets._base import DatasetConfig, Status
from anomalist.datasets._download import official
from anomalist.datasets._download.official import Official, ensure, wrong
from anomalist.images import Dataset, ImageSet

__all__ = ["Medmnist"]

MIRRORS = ("https://zenodo.org/records/10519652/files/",)

Set = Literal[
    "bloodmnist",
    "breastmnist",
    "chestmnist",
    "dermamnist",
    "octmnist",
    "organamnist",
    "organcmnist",
    "organsmnist",
    "pathmnist",
    "pneumoniamnist",
    "retinamnist",
    "tissuemnist",
]
ORGANS = (
    *("bladder", "femur-left", "femur-right", "heart", "kidney-left", "kidney-right"),
    *("liver", "lung-left", "lung-right", "pancreas", "spleen"),
)
FINDINGS = (
    *(
        "atelectasis",
        "cardiomegaly",
        "effusion",
        "infiltration",
        "mass",
        "nodule",
        "pneumonia",
        "pneumothorax",
    ),
    *("consolidation", "edema", "emphysema", "fibrosis", "pleural", "hernia"),
)


class _Facts(NamedTuple):
    md5: str
    channels: int
    class_names: tuple[str, ...]


FACTS: dict[Set, _Facts] = {
    "bloodmnist": _Facts(
        "7053d0359d879ad8a5505303e11de1dc",
        3,
        (
            *("basophil", "eosinophil", "erythroblast"),
            "immature granulocytes (myelocytes, metamyelocytes and promyelocytes)",
            *("lymphocyte", "monocyte", "neutrophil", "platelet"),
        ),
    ),
    "breastmnist": _Facts("750601b1f35ba3300ea97c75c52ff8f6", 1, ("malignant", "normal, benign")),
    "chestmnist": _Facts(
        "02c8a6516a18b556561a56cbdd36c4a8", 1, ("no finding", *FINDINGS, "several findings")
    ),
    "dermamnist": _Facts(
        "0744692d530f8e62ec473284d019b0c7",
        3,
        (
            *("actinic keratoses and intraepithelial carcinoma", "basal cell carcinoma"),
            *(
                "benign keratosis-like lesions",
                "dermatofibroma",
                "melanoma",
                "melanocytic nevi",
                "vascular lesions",
            ),
        ),
    ),
    "octmnist": _Facts(
        "c68d92d5b585d8d81f7112f81e2d0842",
        1,
        ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
    ),
    "organamnist": _Facts("68e3f8846a6bd62f0c9bf841c0d9eacc", 1, ORGANS),
    "organcmnist": _Facts("b9ceb9546e10131b32923c5bbeaea2b1", 1, ORGANS),
    "organsmnist": _Facts("9ab87b696fb54e2a387ebe992d6ed5f1", 1, ORGANS),
    "pathmnist": _Facts(
        "a8b06965200029087d5bd730944a56c1",
        3,
        (
            *(
                "adipose",
                "background",
                "debris",
                "lymphocytes",
                "mucus",
                "smooth muscle",
                "normal colon mucosa",
            ),
            *("cancer-associated stroma", "colorectal adenocarcinoma epithelium"),
        ),
    ),
    "pneumoniamnist": _Facts("28209eda62fecd6e6a2d98b1501bb15f", 1, ("normal", "pneumonia")),
    "retinamnist": _Facts("bd4c0672f1bba3e3a89f0e4e876791e4", 3, ("0", "1", "2", "3", "4")),
    "tissuemnist": _Facts(
        "ebe78ee8b05294063de985d821c1c34b",
        1,
        (
            *(
                "collecting duct, connecting tubule",
                "distal convoluted tubule",
                "glomerular endothelial cells",
            ),
            *(
                "interstitial endothelial cells",
                "leukocytes",
                "podocytes",
                "proximal tubule segments",
            ),
            "thick ascending limb",
        ),
    ),
}


class Medmnist(DatasetConfig):
    """One set of MedMNIST v2, uint8 ``[N, C, 28, 28]`` with C = 1 or 3; classes as published.

    The task defines which classes are normal.
    """

    licence: ClassVar[str] = "CC BY 4.0 (dermamnist: CC BY-NC 4.0)"
    size: ClassVar[str] = "780 to 236,386 images"
    shape: ClassVar[str] = "1 or 3 x 28 x 28"
    home: ClassVar[str] = "https://medmnist.com"

    set: Set = Field("pneumoniamnist", description=f"name of the set: {', '.join(get_args(Set))}")
    path: Path | None = Field(
        None,
        description="a .npz file of that set to read instead of the official one, also at other "
        "image sizes",
    )

    def load(self) -> Dataset:
        """Return the set; the first call downloads 0.6 to 126 MB.

        Raises:
            InputError: the file is missing and cannot be downloaded, or ``path`` is not a file of
                this set.
        """
        if self.path is None:
            folder, source = ensure("medmnist", self._official)
            file = folder / f"{self.set}.npz"
        else:
            file, source = self._given(self.path)
        facts = FACTS[self.set]
        readers = _readers(file)
        train, test = (
            _image_set(file, readers, parts, facts) for parts in (("train", "val"), ("test",))
        )
        return Dataset(str(self), train, test, source)

    def status(self) -> Status:
        """Return "ready" if the file is in the data folder or at ``path``."""
        if self.path is None:
            return official.status("medmnist", self._official)
        return Status("ready" if self.path.is_file() else "manual", str(self.path))

    @property
    def _official(self) -> Official:
        return Official(
            {f"{self.set}.npz": f"md5:{FACTS[self.set].md5}"}, MIRRORS, probe_seconds=300
        )

    def _given(self, path: Path) -> tuple[Path, str]:
        """Return the user's file, and a note on whether it is the official one."""
        others = [name for name in get_args(Set) if name in path.name and name != self.set]
        if others and self.set not in path.name:
            raise InputError(
                f"medmnist.path: {path} is named like {others[0]}, but medmnist.set is {self.set}; "
                "change one of them"
            )
        if not path.is_file():
            raise InputError(f"medmnist.path: there is no file {path}")
        if wrong(path, f"md5:{FACTS[self.set].md5}") is None:
            return path, f"{path}, the official file"
        announce(f"{path} is not the official {self.set}.npz: its MD5 differs")
        return path, f"{path}, not the official file (different MD5)"


def _readers(file: Path) -> Readers:
    try:
        return read_npz(file)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None


def _image_set(
    file: Path,
    readers: Readers,
    parts: tuple[str, ...],
    facts: _Facts,
) -> ImageSet:
    images_by_part = {part: _images(file, readers, part, facts.channels) for part in parts}
    for part, images in images_by_part.items():
        if images.shape[1:] != (shape := images_by_part[parts[0]].shape[1:]):
            size, first = (" x ".join(map(str, sides)) for sides in (images.shape[2:], shape[1:]))
            raise InputError(f"{file}: {part}_images are {size}, {parts[0]}_images are {first}")
    images = np.concatenate(list(images_by_part.values()))
    labels = np.concatenate([_labels(file, readers, part, facts.class_names) for part in parts])
    return ImageSet(images, labels, facts.class_names)


def _images(
    file: Path,
    readers: Readers,
    part: str,
    channels: int,
) -> NDArray[np.uint8]:
    images = _read(file, readers, f"{part}_images")
    good = images.ndim == 3 if channels == 1 else images.ndim == 4 and images.shape[3] == channels
    if images.dtype != np.uint8 or not good or images.size == 0:
        wanted = "[N, H, W]" if channels == 1 else f"[N, H, W, {channels}]"
        got = f"{images.dtype} {list(images.shape)}"
        raise InputError(
            f"{file}: {part}_images of this set must be uint8 {wanted}, got {got}; see medmnist.set"
        )
    check_bytes(images.size, f"{file}: {part}_images")
    return images[:, None] if channels == 1 else np.moveaxis(images, 3, 1)


def _labels(
    file: Path,
    readers: Readers,
    part: str,
    class_names: tuple[str, ...],
) -> NDArray[np.int64]:
    labels = _read(file, readers, f"{part}_labels")
    columns = len(FINDINGS) if len(class_names) == len(FINDINGS) + 2 else 1
    if labels.dtype.kind not in "iu" or labels.ndim != 2 or labels.shape[1] != columns:
        got = f"{labels.dtype} {list(labels.shape)}"
        raise InputError(
            f"{file}: {part}_labels of this set must be integers [N, {columns}], got {got}; see "
            "medmnist.set"
        )
    if columns == 1:
        return labels[:, 0].astype(np.int64)
    count = (labels > 0).sum(axis=1)
    return np.where(count > 1, columns + 1, np.where(count == 1, 1 + labels.argmax(axis=1), 0))


def _read(file: Path, readers: Readers, name: str) -> NDArray[Any]:
    if name not in readers:
        raise InputError(
            f"{file} is no MedMNIST file: it has no array {name!r}, only {', '.join(readers)}"
        )
    return readers[name]()
