"""A trial of stages on a few planes: what it has found so far, and how it stays short and small.

Planes are cut to their first rows, and what takes long is tried on a piece. Whole are only the
slices that are decoded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from hoaconv.engine import stop
from hoaconv.engine.spec import Plane, Spec
from hoaconv.engine.stages.stage import Place

__all__ = [
    "LEAST_COLUMNS",
    "LONG",
    "PLANE_BYTES",
    "WHOLE_BYTES",
    "TooLargeError",
    "Trial",
    "Tried",
    "fits",
    "in_steps",
    "rows_of",
    "timed",
    "whole",
]

PLANE_BYTES = 1 << 26
"""Bytes that a plane, or a block, may take; a larger one is cut."""

WHOLE_BYTES = 4 * PLANE_BYTES
"""Bytes of a plane that has to be whole, for a resample that makes other planes of it."""

LONG = 3.0
"""Seconds: a trial that would take longer is made of a sixteenth."""

LEAST_COLUMNS = 256

Tried = tuple[float, Plane]
"""Seconds of one thread for a plane, and such a plane, or its first rows."""


class TooLargeError(Exception):
    """A trial would hold too much."""


@dataclass
class Trial:
    """Results of the trial so far.

    Attributes
    ----------
    workers, ahead
        Threads, and planes that the sweep at hand decodes ahead.
    sweep
        Number of the sweep at hand.
    found
        Values that the trial's folds have found, by what they look for.
    decoded
        By the source's identity: each is decoded once.
    held
        What waits in scratch, by the stage that made it.
    """

    workers: int
    ahead: int = 1
    sweep: int = 0
    found: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    decoded: dict[int, Tried] = field(default_factory=dict)
    held: dict[Place, Tried] = field(default_factory=dict)


def in_steps(size: int, least: int, trial: Callable[[int], Tried]) -> Tried:
    """Return the seconds for `size` rows or columns: of all, or of a sixteenth if it is long.

    The plane is what was made; it may be less than was asked for.
    """
    few = min(size, max(least, size // 16))
    if few < size:
        seconds, made = trial(few)
        stop.raise_if_asked()
        if seconds * size / few > LONG:
            return seconds * size / few, made
    return trial(size)


def fits(nbytes: int) -> bool:
    """Return whether a trial may hold a block and what an op allocates for it."""
    return nbytes <= 2 * PLANE_BYTES


def rows_of(spec: Spec) -> int:
    """Return the rows of a plane that a trial has memory for."""
    rows = PLANE_BYTES // (spec.shape[2] * spec.dtype.itemsize)
    if rows < 1:
        raise TooLargeError
    return min(rows, spec.plane_shape[0])


def whole(plane: Plane, spec: Spec) -> Plane:
    """Return a plane of which only the first rows are there, made whole by repeating them."""
    if plane.shape == spec.plane_shape:
        return plane
    if spec.plane_bytes > WHOLE_BYTES:
        raise TooLargeError
    return np.resize(plane, spec.plane_shape)


def timed(shape: tuple[int, int], dtype: np.dtype[Any], make: Callable[[Plane], object]) -> Tried:
    """Return the seconds that it takes to make a plane, and the plane."""
    out = np.zeros(shape, dtype)
    start = perf_counter()
    make(out)
    return perf_counter() - start, out
