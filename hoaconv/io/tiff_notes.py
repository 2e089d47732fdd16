"""Notes on the slices of a stack that are TIFF pages."""

from collections.abc import Iterator, Sequence

from hoaconv.errors import SourceError
from hoaconv.io.slices import StoredSlice
from hoaconv.io.tiff import TiffSlice

__all__ = ["tiff_notes"]


def tiff_notes(slices: Sequence[StoredSlice]) -> Iterator[str]:
    """Give notes on slices that are stored as bits, or say that 0 is white.

    Raises
    ------
    SourceError
        If some slices alone are stored as bits: 1 then means another thing than in the others.
    """
    bits = [one for one in slices if isinstance(one, TiffSlice) and one.bits]
    if bits and len(bits) < len(slices):
        raise SourceError(
            f"{len(bits)} of {len(slices)} slices have 1-bit voxels, {bits[0].label} the first; "
            "all slices of a stack must agree: move the odd ones away"
        )
    if bits:
        yield "the slices have 1-bit voxels; they are read as uint8, 0 and 1"
    yield from _white_notes(slices)


def _white_notes(slices: Sequence[StoredSlice]) -> tuple[str, ...]:
    """Return notes on slices that say that 0 is white: all of them, or some."""
    white = [one for one in slices if isinstance(one, TiffSlice) and one.white]
    if not white:
        return ()
    if len(white) == len(slices):
        return ("the slices say that 0 is white; their values were kept as they are stored",)
    return (
        f"{len(white)} of {len(slices)} slices say that 0 is white, {white[0].label} the first, "
        "the others that 0 is black; their values were kept as they are stored: check whether "
        "some are inverted",
    )
