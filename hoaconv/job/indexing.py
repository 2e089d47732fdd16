"""Indices of a volume, as NumPy has them."""

from typing import Any

import numpy as np

__all__ = ["box_of", "indices_of", "planes_of"]


def indices_of(key: Any, shape: tuple[int, int, int]) -> tuple[Any, Any, Any]:
    """Return the indices along z, y and x.

    Raises
    ------
    IndexError
        If there are too many, one is outside, or is neither a whole number, a slice nor ``...``.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    if any(hasattr(part, "shape") and part.shape for part in parts):
        raise IndexError(
            "a volume takes no arrays as indices: compute() it first, or choose voxels by mask()"
        )
    if parts.count(Ellipsis) > 1 or len([p for p in parts if p is not Ellipsis]) > len(shape):
        raise IndexError(f"too many indices for a volume with 3 axes: {key!r}")
    at = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
    given = [p for p in parts if p is not Ellipsis]
    whole = [slice(None)] * (3 - len(given))
    z, y, x = given[:at] + whole + given[at:]
    for axis, (index, length) in enumerate(zip((z, y, x), shape, strict=True)):
        if isinstance(index, slice):
            continue
        if not isinstance(index, int | np.integer) or isinstance(index, bool):
            raise IndexError(f"a volume takes whole numbers, slices and ..., not {index!r}")
        if not -length <= index < length:
            raise IndexError(f"index {index} is outside axis {'zyx'[axis]} of length {length}")
    return z, y, x


def planes_of(index: Any, length: int) -> tuple[tuple[int, ...], Any]:
    """Return the planes that an index takes, in ascending order, and the index of them alone.

    Examples
    --------
    >>> planes_of(-1, 10), planes_of(slice(2, 8, 3), 10), planes_of(slice(None, None, -4), 10)
    (((9,), 0), ((2, 5), slice(None, None, None)), ((1, 5, 9), slice(None, None, -1)))
    """
    taken = range(length)[index]
    if isinstance(taken, int):
        return (taken,), 0
    return tuple(sorted(taken)), slice(None, None, -1 if taken.step < 0 else None)


def box_of(index: Any, length: int) -> tuple[range, Any]:
    """Return the range of voxels along an axis that an index spans, and the index in this range.

    Examples
    --------
    >>> box_of(-1, 10), box_of(slice(2, 8, 3), 10), box_of(slice(None, None, -4), 10)
    ((range(9, 10), 0), (range(2, 6), slice(0, None, 3)), (range(1, 10), slice(8, None, -4)))
    """
    taken = range(length)[index]
    if isinstance(taken, int):
        return range(taken, taken + 1), 0
    if not taken:
        return range(0), slice(0)
    first = min(taken)
    return range(first, max(taken) + 1), slice(taken[0] - first, None, taken.step)
