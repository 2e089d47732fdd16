"""An N5 image to write, with its options.

This module imports no kernels, so that the help of the command line appears at once.
"""

from dataclasses import dataclass
from typing import ClassVar

from hoaconv.job.block_folders import BlockFolder
from hoaconv.job.declared import COMPRESSOR, option

__all__ = ["N5"]


@dataclass(frozen=True)
class N5(BlockFolder):
    """An N5 image to write: ``volume | N5("brain.n5")`` is a job.

    It is a group with one level, s0. Voxel size, unit and origin are told as N5 Viewer,
    Neuroglancer, BigDataViewer and COSEM's tools read them.

    Parameters
    ----------
    path
        The folder to make, such as ``brain.n5``. The metadata of its root are written last.
    chunks
        Shape of a block in voxels, one number or (z, y, x); by default 64. Blocks of zeros alone
        aren't stored.
    compressor
        ``gzip:5``, which every reader of N5 knows, ``blosc-zstd:1:shuffle``, ``lz4`` or ``zstd:3``,
        which are faster, or ``none``.
    overwrite
        If True, an N5 image that exists at `path` is replaced.

    Raises
    ------
    SpellingError
        If an option doesn't take its value.

    Examples
    --------
    >>> volume = hc.open("slices/", voxel_size=2)
    >>> report = (volume | hc.N5("brain.n5", chunks=8)).run()
    >>> hc.open("brain.n5")
    Volume(8 x 16 x 16 uint16, 2 micrometer)
    """

    compressor: str = option(
        COMPRESSOR,
        "compressor: gzip:5, blosc-zstd:1:shuffle, lz4, zstd:3 or none",
        "Output",
        "NAME",
        "gzip:5",
    )

    suffix: ClassVar[str] = ".n5"
    holds: ClassVar[tuple[str, str]] = ("hoaconv.io.n5_sink", "N5")

    @property
    def what(self) -> str:
        """The kind of output, in words."""
        return "N5 image"
