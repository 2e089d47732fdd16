"""Folders of blocks of a job: their sinks."""

from pathlib import Path

from hoaconv.io.compressor import Compressor
from hoaconv.io.n5_sink import N5Sink
from hoaconv.io.precomputed_sink import PrecomputedSink
from hoaconv.job.making import Making, check_one_volume
from hoaconv.job.n5 import N5
from hoaconv.job.precomputed import Precomputed

__all__ = ["n5_sink", "precomputed_sink"]


def n5_sink(output: N5, making: Making) -> N5Sink:
    """Return the sink that writes an N5 image.

    Raises
    ------
    PlanError
        If the source has several times or channels.
    """
    check_one_volume(output, making)
    path = Path(output.path)
    return N5Sink(
        path=path,
        chunks=output.chunk,
        overwrite=output.overwrite,
        packing=Compressor.parse(output.compressor),
        name=getattr(making.source, "image_name", None) or path.stem,
        provenance=making.provenance(output),
    )


def precomputed_sink(output: Precomputed, making: Making) -> PrecomputedSink:
    """Return the sink that writes a precomputed volume.

    Raises
    ------
    PlanError
        If the source has several times or channels.
    """
    check_one_volume(output, making)
    return PrecomputedSink(
        path=Path(output.path),
        chunks=output.chunk,
        overwrite=output.overwrite,
        image=output.encoding,
    )
