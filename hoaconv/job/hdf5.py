"""An HDF5 file to write, with its options.

This module imports no kernels, so that the help of the command line appears at once.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from hoaconv.errors import SpellingError, StoreError
from hoaconv.io.file_claim import check_file_free
from hoaconv.job.declared import COMPRESSOR, FLAG, NAME, option, triple_of
from hoaconv.job.output import Output
from hoaconv.job.paths import check_path

__all__ = ["Hdf5"]

CHUNKS = (64, 64, 64)
SUFFIXES = (".h5", ".hdf5", ".hdf", ".nx", ".nxs")
_DATASET = re.compile(r"/?[^/.\s][^/]*(/[^/.\s][^/]*)*")
_AXES = ("z", "y", "x")


@dataclass(frozen=True)
class Hdf5(Output):
    """An HDF5 file to write: ``volume | Hdf5("brain.h5")`` is a job.

    Parameters
    ----------
    path
        The file to make, such as ``brain.h5``. It gets its name when it is whole.
    dataset
        Path of the dataset in the file. The group that holds it becomes an NXdata of NeXus, with
        the positions of the voxels along each axis, so that viewers find and scale it.
    chunks
        Shape of a chunk in voxels, one number or (z, y, x); by default 64.
    compressor
        ``gzip:4``, which every HDF5 library reads, or ``none``; ``blosc-zstd:1:shuffle``, ``lz4``
        or ``zstd:3``, which are faster, but for which readers need hdf5plugin. Bytes are shuffled
        before gzip.
    overwrite
        If True, a file at `path` is replaced when the new one is whole.

    Raises
    ------
    SpellingError
        If an option doesn't take its value.

    Examples
    --------
    >>> volume = hc.open("slices/", voxel_size=2)
    >>> report = (volume | hc.Hdf5("brain.h5", chunks=8)).run()
    >>> hc.open("brain.h5")
    Volume(8 x 16 x 16 uint16, 2 micrometer)
    """

    dataset: str = option(
        NAME, "path of the dataset in the file", "Output", "PATH", "/entry/data/data"
    )
    chunks: int | tuple[int, int, int] | str | None = option(
        triple_of("chunks"), "chunk shape, one number or z,y,x; default 64", "Output"
    )
    compressor: str = option(
        COMPRESSOR,
        "compressor: gzip:4, blosc-zstd:1:shuffle, lz4, zstd:3 or none",
        "Output",
        "NAME",
        "gzip:4",
    )
    overwrite: bool = option(
        FLAG, "replace DST if it is there, when the new file is whole", "Output", "", False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = self.dataset.strip("/").split("/")
        if not _DATASET.fullmatch(self.dataset) or (len(parts) > 1 and parts[-1] in _AXES):
            raise SpellingError(
                f"dataset {self.dataset!r} is no path in an HDF5 file; write it like /entry/data"
            )

    @property
    def what(self) -> str:
        """The kind of output, in words."""
        return "HDF5 file"

    @property
    def place(self) -> str:
        """The kind of place that `path` names."""
        return "a file"

    @property
    def chunk(self) -> tuple[int, int, int]:
        """Shape of a chunk (z, y, x)."""
        return cast("tuple[int, int, int] | None", self.chunks) or CHUNKS

    def check_name(self) -> None:
        """Raise an error if no HDF5 file can have this path; see `Output.check_name`."""
        check_path(self.path)
        path = Path(self.path)
        if path.suffix.lower() not in SUFFIXES:
            raise StoreError(
                f"{path} doesn't have the suffix of an HDF5 file; name it {path.stem or 'a'}.h5"
            )

    def check_free(self) -> None:
        """Raise StoreError if what is there is in the way; change nothing."""
        check_file_free(Path(self.path), overwrite=self.overwrite)
