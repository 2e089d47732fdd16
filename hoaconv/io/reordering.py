"""Copies of boxes whose axes lie in memory in another order than those of the result."""

from hoaconv.engine.spec import Slab

__all__ = ["copy_reordered"]

_COLUMNS = 64
"""Columns that are copied together, so that the cache holds their lines until they are used up."""


def copy_reordered(part: Slab, out: Slab) -> None:
    """Copy a box (z, y, x), of which any axis may be the one that lies along memory.

    NumPy alone takes up to seven times as long: it goes along rows of `out` that are longer than
    the cache.

    Parameters
    ----------
    part, out
        Arrays (z, y, x) of one shape; the last axis of `out` lies along memory.
    """
    fastest = min(range(3), key=lambda axis: (abs(part.strides[axis]), -axis))
    if fastest == 2:
        out[...] = part
        return
    across = 1 - fastest  # the other axis of z and y: each of its indices is a matrix
    for i in range(out.shape[across]):
        one = out[i] if across == 0 else out[:, i]
        other = part[i] if across == 0 else part[:, i]
        for x in range(0, one.shape[1], _COLUMNS):
            one[:, x : x + _COLUMNS] = other[:, x : x + _COLUMNS]
