"""The planes of a TIFF file along z, out of those of all channels and times."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.colour import Pick

__all__ = ["taken_planes"]


def taken_planes(
    file: Path, lead: Sequence[tuple[str, int]], pick: Pick
) -> tuple[list[int], tuple[str, ...]]:
    """Return the numbers of the planes along z of one channel and time, and notes.

    Parameters
    ----------
    lead
        The axes before y and x with their lengths, such as T, C, Z; planes are counted along the
        last one first.

    Raises
    ------
    SourceError
        If there are several channels or times, of which none is chosen, or two axes that may be z.
    SpellingError
        If there is no such channel or time.
    """
    numbers = np.arange(int(np.prod([n for _, n in lead]))).reshape([n for _, n in lead])
    long = [axis for axis, n in lead if n > 1]
    others = [axis for axis in long if axis not in "TC"]
    along = "T" if "T" in long and not others and pick.time is None else None
    index: list[int | slice] = []
    for axis, n in lead:
        chosen = {"C": pick.channel, "T": pick.time}.get(axis)
        if axis in "TC" and axis != along:
            index.append(_chosen(file, lead, axis, n, chosen))
        else:
            index.append(slice(None) if n > 1 else 0)
    if len(others) > 1:
        raise SourceError(f"{file} has the axes {_told(lead)}; hoaconv takes one stack of planes")
    notes = f"{file.name} counts {dict(lead).get('T')} points in time; they were taken as planes "
    return numbers[tuple(index)].reshape(-1).tolist(), (notes + "along z",) if along else ()


def _chosen(
    file: Path, lead: Sequence[tuple[str, int]], axis: str, n: int, chosen: int | None
) -> int:
    name = {"C": "channel", "T": "time"}[axis]
    if chosen is None and n > 1:
        planes = "; if they are planes, write the file again with axes ZYX" if axis == "C" else ""
        raise SourceError(
            f"{file} has {n} {name}s (axes {_told(lead)}); take one, as in `{name}=0`{planes}"
        )
    if (chosen or 0) >= n:
        raise SpellingError(f"{file} has no {name} {chosen}: it has {n}, counted from 0")
    return chosen or 0


def _told(lead: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{axis} {n}" for axis, n in lead)
