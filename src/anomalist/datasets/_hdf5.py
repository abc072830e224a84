"""Reader of HDF5 files, through h5py (an extra): contiguous arrays are memory-mapped."""

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
    """Return a reader for each array of an HDF5 file, by its path; arrays are read when asked for.

    Links to other files are not followed. The readers raise InputError where an array cannot be
    read, or would take more memory than :data:`~anomalist.core.npy.MOST_BYTES`.

    Raises:
        InputError: it is not an HDF5 file, or h5py is not installed.
        OSError: it cannot be read.
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
        raise InputError(
            f"{path} is not an HDF5 file, or a damaged one: {str(error)[:120]}"
        ) from None
    return {name: partial(_read, path, name) for name in names}


def _read(path: Path, name: str) -> NDArray[Any]:
    import h5py

    what = f"{path}: {name}"
    try:
        with h5py.File(path, "r") as opened:
            array = opened[name]
            if array.dtype.hasobject or array.dtype.names is not None or array.shape is None:
                raise InputError(
                    f"{what} holds no plain numbers, truth values or text of a fixed length"
                )
            if array.external or array.is_virtual:
                raise InputError(f"{what} lies in other files; copy it into this one")
            size = math.prod(array.shape) * array.dtype.itemsize
            start = array.id.get_offset()  # None where it is in pieces, packed, or not written
            if start is not None and array.id.get_storage_size() == size and size:
                return np.memmap(path, array.dtype, "r", start, array.shape)
            check_bytes(size, what)
            values: NDArray[Any] = array[...]
            return values
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{what} is damaged: {str(error)[:120]}") from None
