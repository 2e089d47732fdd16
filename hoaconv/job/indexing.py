"""Indices of a volume, as NumPy has them."""

from typing import Any

import numpy as np

__all__ = ["indices_of"]


def indices_of(key: Any, shape: tuple[int, int, int]) -> tuple[Any, Any, Any]:
    """Return the indices along z, y and x.

    Raises
    ------
    IndexError
        If there are too many, one is outside, or is neither a whole number, a slice nor ``...``.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
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
