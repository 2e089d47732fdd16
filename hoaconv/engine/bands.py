"""Bands: the rows of a plane that one worker handles."""

__all__ = ["bands"]


def bands(rows: int, size: int) -> tuple[slice, ...]:
    """Return the rows of a plane, cut into bands of `size` rows; the last one may be smaller.

    Examples
    --------
    >>> bands(5, 2)
    (slice(0, 2, None), slice(2, 4, None), slice(4, 5, None))
    """
    return tuple(slice(y, min(y + size, rows)) for y in range(0, rows, size))
