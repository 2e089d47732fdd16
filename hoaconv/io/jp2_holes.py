"""Holes in coded slices: zeros where a copy left something out, which decoders take in silence.

Only holes of more than 2048 zeros are found, as those of lost disk blocks are. Coded tissue, noise
and smooth planes hold 6 zeros in a row at most, but a sound plane of many values with fine stripes
in a part of it reached 1501 (of 4200 codestreams of OpenJPEG, lossless and lossy), so a lower limit
would refuse sound slices. A hole of 2000 zeros may change a fifth of a small slice's voxels.
"""

import numpy as np

from hoaconv.engine.spec import Plane
from hoaconv.errors import SourceError

__all__ = ["check_holes"]

_PATTERN = 16


def check_holes(
    label: str, coded: bytes, span: tuple[int, int], zeros: int | None, plane: Plane
) -> None:
    """Refuse coded data in which more zeros follow each other than a coder gives.

    Parameters
    ----------
    label
        What an error calls the slice.
    coded, span
        The file, and where its coded data begin and end; what lies behind may be anything.
    zeros
        See `hoaconv.io.codestream.Codestream.longest_zeros`.
    plane
        What was decoded. A pattern of a few values may be coded as any number of zeros.

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
    """Whether it is a pattern, by some 64 of its rows."""
    return len(np.unique(plane[:: max(1, len(plane) // 64)])) <= _PATTERN
