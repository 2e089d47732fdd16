"""Stacks of a job: the sinks of folders of slices, and of TIFF files of many pages."""

from pathlib import Path
from typing import cast

from hoaconv.io.jp2_encoder import Jp2Encoder
from hoaconv.io.output import OutputSink
from hoaconv.io.pages_sink import PagesSink
from hoaconv.io.plane_encoder import PlaneEncoder
from hoaconv.io.png_encoder import PngEncoder
from hoaconv.io.slices_sink import SlicesSink
from hoaconv.io.tiff_encoder import TiffEncoder
from hoaconv.job.making import Making
from hoaconv.job.stack import RESOLUTIONS, Stack

__all__ = ["stack_sink"]


def stack_sink(output: Stack, making: Making) -> OutputSink:
    """Return the sink that writes a stack."""
    path, overwrite = Path(output.path), output.overwrite
    if output.is_file:
        name = getattr(making.source, "image_name", None) or output.title
        return PagesSink(path, _tiff(output), overwrite, output.is_ome, name)
    return SlicesSink(path, _encoder(output), output.names(), overwrite)


def _encoder(output: Stack) -> PlaneEncoder:
    if output.slice_format == "jp2":
        return Jp2Encoder(output.ratio, output.resolutions or RESOLUTIONS, _tile(output))
    return PngEncoder(output.coding[1]) if output.slice_format == "png" else _tiff(output)


def _tiff(output: Stack) -> TiffEncoder:
    return TiffEncoder(*output.coding, tile=_tile(output), strip=output.strip)


def _tile(output: Stack) -> tuple[int, int] | None:
    return cast("tuple[int, int] | None", output.tile)
