"""70,000 characters of old cursive Japanese in ten classes, 28 x 28 grey (Clanuwat et al., 2018).

T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha: Deep learning for classical
Japanese literature, arXiv:1812.01718, 2018. Kuzushiji-MNIST; created by ROIS-DS Center for Open
Data in the Humanities from the Kuzushiji dataset of the National Institute of Japanese Literature
(doi:10.20676/00000341).

Files: train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz,
t10k-labels-idx1-ubyte.gz.
"""

from __future__ import annotations

from typing import ClassVar

from anomalist.datasets._base import DatasetConfig, Status
from anomalist.datasets._download import mnist_like, official
from anomalist.datasets._download.official import Official
from anomalist.images import Dataset

__all__ = ["Kmnist"]

FILES = Official(
    {
        "t10k-labels-idx1-ubyte.gz": "md5:7320c461ea6c1c855c0b718fb2a4b134",
        "train-labels-idx1-ubyte.gz": "md5:e144d726b3acfaa3e44228e80efcd344",
        "t10k-images-idx3-ubyte.gz": "md5:5c965bf0a639b31b8f53240b1b52f4d7",
        "train-images-idx3-ubyte.gz": "md5:bdb82020997e1d708af4cf47b453dcf7",
    },
    ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
)
KINDS = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


class Kmnist(DatasetConfig):
    """Kuzushiji-MNIST: 60,000 training and 10,000 test images, uint8 ``[N, 1, 28, 28]``."""

    licence: ClassVar[str] = "CC BY-SA 4.0"
    size: ClassVar[str] = "70,000 images"
    shape: ClassVar[str] = "1 x 28 x 28"
    home: ClassVar[str] = "http://codh.rois.ac.jp/kmnist/"

    def load(self) -> Dataset:
        """Return Kuzushiji-MNIST; the first call downloads 21 MB.

        Raises:
            InputError: the files are missing and cannot be downloaded.
        """
        return mnist_like.load(self.name, FILES, KINDS)

    def status(self) -> Status:
        """Return "ready" if the four files are in the data folder, else "fetchable"."""
        return official.status(self.name, FILES)
