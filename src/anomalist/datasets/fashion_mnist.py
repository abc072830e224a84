"""70,000 images of clothes in ten classes, 28 x 28 grey (Xiao, Rasul & Vollgraf, 2017).

H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine
learning algorithms, arXiv:1708.07747, 2017.

Files: train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz,
t10k-labels-idx1-ubyte.gz.
"""

from __future__ import annotations

from typing import ClassVar

from anomalist.datasets._base import DatasetConfig, Status
from anomalist.datasets._download import mnist_like, official
from anomalist.datasets._download.official import Official
from anomalist.images import Dataset

__all__ = ["FashionMnist"]

FILES = Official(
    {
        "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
        "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
        "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    },
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
)
KINDS = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


class FashionMnist(DatasetConfig):
    """Fashion-MNIST: 60,000 training and 10,000 test images, uint8 ``[N, 1, 28, 28]``."""

    licence: ClassVar[str] = "MIT"
    size: ClassVar[str] = "70,000 images"
    shape: ClassVar[str] = "1 x 28 x 28"
    home: ClassVar[str] = "https://github.com/zalandoresearch/fashion-mnist"

    def load(self) -> Dataset:
        """Return Fashion-MNIST; the first call downloads 31 MB.

        Raises:
            InputError: the files are missing and cannot be downloaded.
        """
        return mnist_like.load(self.name, FILES, KINDS)

    def status(self) -> Status:
        """Return "ready" if the four files are in the data folder, else "fetchable"."""
        return official.status(self.name, FILES)
