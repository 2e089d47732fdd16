"""A volume in Neuroglancer's precomputed format to write, with its options.

This module imports no kernels, so that the help of the command line appears at once.
"""

from dataclasses import dataclass
from typing import ClassVar

from hoaconv.job.block_folders import BlockFolder
from hoaconv.job.declared import one_of, option

__all__ = ["Precomputed"]


@dataclass(frozen=True)
class Precomputed(BlockFolder):
    """A volume of Neuroglancer's to write: ``volume | Precomputed("brain")`` is a job.

    It has one scale and one channel of uint8, uint16, uint32, uint64 or float32. The voxel size is
    told in nanometer. The origin is told where it is a whole number of voxels.

    Parameters
    ----------
    path
        The folder to make. Its file ``info`` is written last.
    chunks
        Shape of a chunk in voxels, one number or (z, y, x); by default 64. Chunks of zeros alone
        aren't stored.
    encoding
        ``raw``; or of uint8 ``png``, or ``jpeg``, which doesn't keep the voxels exactly.
    overwrite
        If True, a volume that hoaconv has made at `path` is replaced.

    Raises
    ------
    SpellingError
        If an option doesn't take its value.

    Examples
    --------
    >>> volume = hc.open("slices/", voxel_size=2)
    >>> report = (volume | hc.Precomputed("brain", chunks=8)).run()
    >>> hc.open("precomputed://brain")
    Volume(8 x 16 x 16 uint16, 2 micrometer)
    """

    encoding: str = option(
        one_of("encoding", "raw", "jpeg", "png"),
        "encoding of precomputed chunks: raw, or of uint8 png, or jpeg, which is lossy",
        "Output",
        "NAME",
        "raw",
    )

    holds: ClassVar[tuple[str, str]] = ("hoaconv.io.precomputed_sink", "PRECOMPUTED")

    @property
    def what(self) -> str:
        """The kind of output, in words."""
        return "precomputed volume"
