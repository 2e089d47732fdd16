"""Holes in coded slices: zeros where a copy lacks data, which decoders accept without an error.

Only holes of more than 2048 zeros are found; holes from lost disk blocks are larger. Coded tissue,
noise and smooth planes hold runs of 6 zeros at most. But an undamaged plane of many values, with
fine stripes in a part of it, had a run of 1501 (among 4200 codestreams of OpenJPEG, lossless and
lossy), so a lower limit would refuse undamaged slices. A hole of 2000 zeros may change a fifth of
the voxels of a small slice.
"""

import numpy as np

from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError

__all__ = ["check_holes"]

_PATTERN = 16


def check_holes(
    label: str, coded: bytes, span: tuple[int, int], zeros: int | None, plane: Plane
) -> None:
    """Raise an error if coded data hold a longer run of zeros than a coder writes.

    Parameters
    ----------
    label
        Name of the slice in an error message.
    coded, span
        Bytes of the file, and the byte offsets of its coded data; other bytes are not checked.
    zeros
        See `hoaconv.io.codestream.Codestream.longest_zeros`.
    plane
        The decoded plane (y, x). A pattern of a few values may be coded as any number of zeros.

    Raises
    ------
    SourceError
        If there is a hole.
    """
    begin, end = span
    if zeros is None or zeros >= end - begin:
        return
    hole = coded.find(bytes(zeros + 1), begin, end)
    if hole >= 0 and not _has_few_values(plane):
        raise SourceError(
            f"{label} is damaged: from byte {hole} there are more zeros than coded data hold, as "
            "where a copy left a hole; copy it again"
        )


def _has_few_values(plane: Plane) -> bool:
    """Return True if about 64 rows of the plane hold at most `_PATTERN` values."""
    return len(np.unique(plane[:: max(1, len(plane) // 64)])) <= _PATTERN
