"""The form of arrays that are rechunked, as the options and the source tell."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.io.array_layout import Layout
from hoaconv.io.compressor import Compressor
from hoaconv.io.packing import Packing
from hoaconv.job.storage import Storage

__all__ = ["check_sides", "formed", "zarr_format_of"]

Sides = tuple[int, ...]

DEFAULT = Compressor.parse("blosc-zstd:1:shuffle")
"""The compressor where the format that is written hasn't the source's codecs."""


def zarr_format_of(storage: Storage, source: int) -> int:
    """Return the zarr format that is written, for a source of the format `source`."""
    return source if storage.ngff is None else 3 if storage.ngff == "0.5" else 2


def check_sides(storage: Storage, axes: Sequence[int], path: Path) -> None:
    """Raise SpellingError if more numbers are given than any array has axes.

    Parameters
    ----------
    axes
        Number of axes of each array.
    """
    for name in ("chunks", "shards"):
        sides = getattr(storage, name)
        if isinstance(sides, tuple) and len(sides) > max([1, *axes]):
            raise SpellingError(
                f"{name} {','.join(map(str, sides))} has {len(sides)} numbers, and {path} has "
                f"arrays of at most {max(axes)} axes"
            )


def formed(source: Layout, storage: Storage, path: Path, axes: Sequence[str | None] = ()) -> Layout:
    """Return the form of the array that is written for one that is there.

    Parameters
    ----------
    axes
        The names of its axes, if the store's metadata tell them; an array of zarr v2 that has none
        gets these in v3, where NGFF 0.5 wants them.

    Raises
    ------
    SpellingError
        If shards don't hold whole chunks, or the format that is written has none.
    """
    zarr_format = zarr_format_of(storage, source.zarr_format)
    asked = None if storage.chunks is None else _whole(storage.chunks, source.shape)
    chunks = source.chunks if asked is None else asked
    shards = _shards(source, storage, zarr_format, chunks, path)
    packing = _packing(source, storage, zarr_format, same_chunks=chunks == source.chunks)
    lacks = zarr_format > source.zarr_format and not source.names and len(axes) == len(chunks)
    names = tuple(axes) if lacks else source.names
    return replace(source, chunks=chunks, shards=shards, packing=packing, names=names)


def _packing(source: Layout, storage: Storage, zarr_format: int, *, same_chunks: bool) -> Packing:
    """Return the codecs: those asked for, or those of the source if they can be written."""
    if storage.compressor is None:
        kept = source.packing.to(zarr_format, DEFAULT)
        # tensorstore leaves the size out of zstd's frames, and readers of v2 may need it.
        lacks = zarr_format == 2 and kept.is_zstd and not same_chunks
        return Packing.of(DEFAULT, source.dtype, zarr_format) if lacks else kept
    compressor = Compressor.parse(storage.compressor)
    if zarr_format == 2 and compressor.codec == "zstd":
        raise SpellingError(
            "plain zstd in zarr v2 can't be read by every reader; write "
            '`compressor="blosc-zstd:1:shuffle"`, or take `ngff="0.5"`'
        )
    return Packing.of(compressor, source.dtype, zarr_format)


def _shards(
    source: Layout, storage: Storage, zarr_format: int, chunks: Sides, path: Path
) -> Sides | None:
    given: Any = storage.shards
    if zarr_format == 2:
        if given not in (None, "none"):
            raise SpellingError('NGFF 0.4 has no shards; drop `shards`, or take `ngff="0.5"`')
        return None
    if given is None:
        return source.shards if storage.chunks is None else None
    if given == "none":
        return None
    wanted = _sides(given, len(source.shape))
    if storage.chunks is not None:
        inner = _sides(storage.chunks, len(source.shape))
        if any(s % c for s, c in zip(wanted, inner, strict=True)):
            raise SpellingError(f"shards {wanted} don't hold whole chunks {inner}; write multiples")
    elif any(s % c for s, c in zip(wanted, chunks, strict=True)):
        covered = all(
            s % c == 0 or s >= n for s, c, n in zip(wanted, chunks, source.shape, strict=True)
        )
        if not covered:
            raise SpellingError(
                f"shards {wanted} don't hold whole chunks {chunks} of {path}; write multiples, or "
                "give `chunks` too"
            )
    pairs = zip(wanted, chunks, source.shape, strict=True)
    return tuple(min(-(-s // c) * c, -(-n // c) * c) for s, c, n in pairs)


def _whole(given: Sides, shape: Sides) -> Sides:
    """Return the sides along all axes, cut to the array's shape."""
    pairs = zip(_sides(given, len(shape)), shape, strict=True)
    return tuple(max(1, min(side, n)) for side, n in pairs)


def _sides(given: Sides, axes: int) -> Sides:
    """Return the sides along all axes: 1 along those before the ones that are given."""
    sides = given * min(3, axes) if len(given) == 1 else given
    return (*(1,) * (axes - len(sides)), *sides)[-axes:] if axes else ()
