"""An HDF5 file that is written: one dataset, marked as NeXus says, with the size of its voxels.

``@default`` and ``@signal`` lead to the dataset (https://manual.nexusformat.org), the axes have the
positions of the voxels, and ``element_size_um`` is what ilastik and Fiji look for.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from hoaconv.engine.spec import Spec
from hoaconv.errors import StoreError
from hoaconv.io.compressor import Compressor
from hoaconv.io.hdf5_chunks import filter_options
from hoaconv.io.voxel_size import in_micrometer, in_unit, unit_name

__all__ = ["Hdf5File", "check_library"]

_AXES = "zyx"
_MOST = 60_000
"""Bytes of an attribute, at most, some less than HDF5 allows."""


def check_library(path: Path, compressor: Compressor) -> None:
    """Raise an error if a library is missing with which a file is written.

    Raises
    ------
    StoreError
        If h5py or, for its codecs, hdf5plugin is missing.
    """
    needed = ["h5py", *(["hdf5plugin"] if compressor.codec in ("blosc", "zstd") else [])]
    for name in needed:
        try:
            import_module(name)
        except ImportError as error:
            other = ', or take `compressor="gzip:4"`' if name == "hdf5plugin" else ""
            raise StoreError(
                f"{path} needs {name}, which can't be imported ({error}): "
                f'pip install "hoaconv[hdf5]"{other}'
            ) from error


class Hdf5File:
    """A new HDF5 file with one chunked dataset, whose chunks come packed.

    Parameters
    ----------
    path
        The file to make.
    dataset
        Path of the dataset in it.
    spec
        Shape, dtype and geometry.
    chunk
        Shape of a chunk.
    compressor
        How chunks are packed.
    provenance
        What the file tells of its making.
    """

    def __init__(
        self,
        path: Path,
        dataset: str,
        spec: Spec,
        chunk: tuple[int, int, int],
        compressor: Compressor,
        provenance: Mapping[str, Any],
    ) -> None:
        check_library(path, compressor)
        self._file: Any = import_module("h5py").File(path, "w", rdcc_nbytes=0)
        self._dataset = self._file.create_dataset(
            dataset,
            spec.shape,
            spec.dtype,
            chunks=chunk,
            track_times=False,
            **filter_options(compressor),
        )
        *groups, name = dataset.strip("/").split("/")
        self._mark(groups, name)
        self._tell_size(spec)
        told = json.dumps(dict(provenance))
        if len(told.encode()) <= _MOST:
            self._dataset.attrs["hoaconv"] = told

    def write(self, corner: tuple[int, int, int], chunk: bytes) -> None:
        """Write a packed chunk that begins at these voxels."""
        self._dataset.id.write_direct_chunk(corner, chunk)

    def close(self) -> None:
        """Write what is left, and close the file."""
        self._file.close()

    def _mark(self, groups: Sequence[str], name: str) -> None:
        """Have ``@default`` and ``@signal`` lead to the dataset."""
        self._file.attrs["NX_class"] = "NXroot"
        group = self._file
        for depth, below in enumerate(groups):
            group.attrs["default"] = below
            group = group[below]
            last = depth + 1 == len(groups)
            group.attrs["NX_class"] = (
                "NXdata" if last else "NXentry" if not depth else "NXcollection"
            )
        if groups:
            group.attrs["signal"] = name
        for axis, letter in enumerate(_AXES):
            self._dataset.dims[axis].label = letter

    def _tell_size(self, spec: Spec) -> None:
        """Write the size of voxels, and their positions where a group holds the dataset alone."""
        edges, unit = in_micrometer(spec.geometry), unit_name(spec.geometry.unit or "")
        group = self._dataset.parent
        in_group = group.name != "/"
        if in_group:
            told = [letter if edges else "." for letter in _AXES]
            group.attrs["axes"] = np.array(told, dtype=object)
        if edges is None or unit is None:
            return
        self._dataset.attrs["element_size_um"] = edges
        if not in_group:
            return
        for axis, letter in enumerate(_AXES):
            origin = in_unit(spec.geometry.origin[axis], unit, "micrometer")
            group[letter] = origin + np.arange(spec.shape[axis]) * edges[axis]
            group[letter].attrs["units"] = "um"
