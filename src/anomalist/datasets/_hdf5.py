"""Reader of HDF5 files with h5py (an extra); contiguous arrays are memory-mapped."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.core.npy import Readers, check_bytes

__all__ = ["read_hdf5"]


def read_hdf5(path: Path) -> Readers:
    """Return a function that reads each array of an HDF5 file, by the array's path.

    Links to other files are not followed. The functions raise InputError if an array cannot be read
    or would take more memory than :data:`~anomalist.core.npy.MOST_BYTES`.

    Raises:
        InputError: the file is not HDF5, or h5py is not installed.
        OSError: the file cannot be read.
    """
    try:
        import h5py
    except ImportError:
        raise InputError(
            f"{path}: reading HDF5 needs h5py: pip install 'anomalist[hdf5]'"
        ) from None
    names: list[str] = []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            names.append(name)

    try:
        with h5py.File(path, "r") as opened:
            opened.visititems(note)  # which follows no link
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise InputError(f"{path} is not an HDF5 file, or is damaged: {str(error)[:120]}") from None
    return {name: partial(_read, path, name) for name in names}


def _read(path: Path, name: str) -> NDArray[Any]:
    import h5py

    what = f"{path}: {name}"
    try:
        with h5py.File(path, "r") as opened:
            array = opened[name]
            if array.dtype.hasobject or array.dtype.names is not None or array.shape is None:
                raise InputError(
                    f"{what} does not contain plain numbers, booleans or fixed-length text"
                )
            if array.external or array.is_virtual:
                raise InputError(f"{what} is stored in other files; copy it into this one")
            size = math.prod(array.shape) * array.dtype.itemsize
            start = array.id.get_offset()  # None if chunked, compressed or not written
            if start is not None and array.id.get_storage_size() == size and size:
                return np.memmap(path, array.dtype, "r", start, array.shape)
            check_bytes(size, what)
            values: NDArray[Any] = array[...]
            return values
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{what} is damaged: {str(error)[:120]}") from None
