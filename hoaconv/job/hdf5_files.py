"""HDF5 files of a job: their sinks."""

from pathlib import Path

from hoaconv.io.compressor import Compressor
from hoaconv.io.hdf5_file import check_library
from hoaconv.io.hdf5_sink import Hdf5Sink
from hoaconv.job.hdf5 import Hdf5
from hoaconv.job.making import Making, check_one_volume

__all__ = ["hdf5_sink"]


def hdf5_sink(output: Hdf5, making: Making) -> Hdf5Sink:
    """Return the sink that writes an HDF5 file.

    Raises
    ------
    StoreError
        If a library is missing with which it is written.
    PlanError
        If the source has several times or channels.
    """
    check_one_volume(output, making)
    compressor = Compressor.parse(output.compressor)
    check_library(Path(output.path), compressor)
    return Hdf5Sink(
        path=Path(output.path),
        dataset=output.dataset,
        chunks=output.chunk,
        compressor=compressor,
        overwrite=output.overwrite,
        provenance=making.provenance(output),
    )
