"""Writers of slice files: JP2 as in the Human Organ Atlas, or TIFF."""

import os
import struct
from collections.abc import Callable
from fractions import Fraction
from math import floor, log10
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from hoaconv.engine.contract import Source
from hoaconv.engine.pool import in_threads
from hoaconv.engine.spec import Plane
from hoaconv.errors import PlanError

__all__ = ["with_resolution", "write_jp2_stack", "write_tiff_stack"]

_TRIED = 2048  # edge of the part of a plane that is coded to find the quality for a ratio
_RESOLUTIONS = 6


def write_jp2_stack(
    source: Source,
    folder: str | os.PathLike[str],
    *,
    ratio: float = 10.0,
    prefix: str = "slice_",
    micrometer: tuple[float, float] | None = None,
    workers: int | None = None,
) -> list[Path]:
    """Write planes to `<prefix>%06d.jp2`, numbered from 0: irreversible, in one tile.

    Parameters
    ----------
    source
        Planes (y, x) of 8 or 16 bit integers.
    folder
        Folder of the files; it is made if it doesn't exist. Files of the same name are replaced.
    ratio
        Raw bytes per coded byte of the middle plane; approximate, since the codec takes a PSNR.
    prefix
        Start of the files' names.
    micrometer
        Voxel size (y, x) in micrometer for a resolution box; None for no such box.
    workers
        Threads; the default is the number of CPUs.

    Returns
    -------
    list of Path
        The files, in the order of planes.

    Raises
    ------
    PlanError
        If the dtype isn't one that JP2 holds.
    """
    if source.spec.dtype.kind == "f" or source.spec.dtype.itemsize > 2:
        raise PlanError(f"JP2 slices hold 8 or 16 bit integers, not {source.spec.dtype}")
    level = _level_for(_middle(source), ratio)

    def write(plane: Plane, file: Path) -> None:
        coded = _coded(plane, level)
        file.write_bytes(with_resolution(coded, *micrometer) if micrometer else coded)

    return _write_all(source, Path(folder), f"{prefix}{{:06d}}.jp2", write, workers)


def write_tiff_stack(
    source: Source,
    folder: str | os.PathLike[str],
    *,
    compression: str | None = None,
    prefix: str = "slice_",
    workers: int | None = None,
) -> list[Path]:
    """Write planes to `<prefix>%06d.tif`, numbered from 0; return the files.

    `compression` is a name that tifffile knows; None for none. Existing files are replaced.
    """

    def write(plane: Plane, file: Path) -> None:
        tifffile.imwrite(file, plane, compression=compression, photometric="minisblack")

    return _write_all(source, Path(folder), f"{prefix}{{:06d}}.tif", write, workers)


def with_resolution(coded: bytes, micrometer_y: float, micrometer_x: float) -> bytes:
    """Return a JP2 file with a capture resolution box added (ISO/IEC 15444-1, I.5.3.7).

    Raises
    ------
    ValueError
        If `coded` isn't a JP2 file.
    """
    rates = [_rate(edge) for edge in (micrometer_y, micrometer_x)]
    pairs = [part for fraction, _ in rates for part in fraction]
    resc = struct.pack(">I4s4H2b", 18, b"resc", *pairs, *(power for _, power in rates))
    box = struct.pack(">I4s", 8 + len(resc), b"res ") + resc
    start = coded.find(b"jp2h") - 4
    if start < 0:
        raise ValueError("not a JP2 file: it has no jp2h box")
    length = int.from_bytes(coded[start : start + 4], "big")
    grown = (length + len(box)).to_bytes(4, "big")
    end = start + length
    return coded[:start] + grown + coded[start + 4 : end] + box + coded[end:]


def _rate(micrometer: float) -> tuple[tuple[int, int], int]:
    """Return the points per metre as a fraction of two 16-bit integers and a power of ten."""
    rate = Fraction(10**6) / Fraction(micrometer)
    power = floor(log10(rate))
    mantissa = rate / Fraction(10) ** power
    near = mantissa.limit_denominator(floor(65500 / mantissa))
    return (near.numerator, near.denominator), power


def _middle(source: Source) -> Plane:
    plane = np.empty(source.spec.plane_shape, source.spec.dtype)
    source.read(source.spec.planes // 2, plane)
    y, x = (max(0, (n - _TRIED) // 2) for n in plane.shape)
    return np.ascontiguousarray(plane[y : y + _TRIED, x : x + _TRIED])


def _level_for(plane: Plane, ratio: float) -> float:
    """Return the PSNR in dB at which `plane` takes about its bytes / `ratio`, by bisection."""
    low, high = 10.0, 120.0
    for _ in range(9):
        level = (low + high) / 2
        if plane.nbytes > ratio * len(_coded(plane, level)):
            low = level
        else:
            high = level
    return low


def _coded(plane: Plane, level: float) -> bytes:
    # A code block needs a few voxels, so small planes can't be halved six times.
    most = max(1, min(plane.shape).bit_length() - 2)
    coded: Any = imagecodecs.jpeg2k_encode(
        plane,
        level=level,  # type: ignore[arg-type]  # the stub says int, the codec takes tenths too
        reversible=False,
        codecformat="jp2",
        resolutions=min(_RESOLUTIONS, most),
        numthreads=1,
    )
    return bytes(coded)


def _write_all(
    source: Source,
    folder: Path,
    name: str,
    write: Callable[[Plane, Path], None],
    workers: int | None,
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    spec = source.spec

    def work(z: int) -> Path:
        plane = np.empty(spec.plane_shape, spec.dtype)
        source.read(z, plane)
        file = folder / name.format(z)
        write(plane, file)
        return file

    return in_threads("write", work, range(spec.planes), workers or os.cpu_count() or 1)
