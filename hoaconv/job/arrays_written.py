"""Plain zarr arrays of a job: their sinks."""

from hoaconv.io.compressor import Compressor
from hoaconv.io.url import as_path
from hoaconv.job.making import Making
from hoaconv.job.zarr_output import Zarr
from hoaconv.pyramid.array_sink import ZarrSink

__all__ = ["array_sink"]


def array_sink(output: Zarr, making: Making) -> ZarrSink:
    """Return the sink that writes a plain array."""
    chunks, shards = output.grid()
    return ZarrSink(
        path=as_path(output.path),
        overwrite=output.overwrite,
        scratch=making.scratch,
        chunks=chunks,
        shards=shards,
        compressor=Compressor.parse(output.compressor),
        zarr_format=int(output.zarr_format),
        attributes={"hoaconv": making.provenance(output)},
        leading=making.leading,
        store=making.store(as_path(output.path), overwrite=output.overwrite),
    )
