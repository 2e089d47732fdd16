"""Arithmetic of pyramid levels: shapes, factors, where voxels lie. Integers in, integers out."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod, sqrt

from hoaconv.errors import SpellingError

__all__ = ["Level", "levels"]

Triple = tuple[int, int, int]
ISOTROPIC = sqrt(2)
"""An axis is halved once its voxel edge is within this ratio of the smallest."""


@dataclass(frozen=True)
class Level:
    """One level; everything is (z, y, x).

    Attributes
    ----------
    step
        Downsampling from the level before.
    factor
        Downsampling from level 0.
    """

    shape: Triple
    step: Triple
    factor: Triple


def levels(
    shape: Triple,
    chunks: Triple,
    voxel_size: tuple[float, float, float] = (1.0, 1.0, 1.0),
    factors: Triple | None = None,
    count: int | None = None,
    steps: Sequence[Triple] = (),
) -> tuple[Level, ...]:
    """Return the levels of a pyramid, level 0 first; shapes are rounded up.

    Without `factors` each axis is halved, but one with long voxels waits until the others
    have nearly caught up. Without `count`, levels are added until one fits into a chunk, along
    the axes that shrink.

    Parameters
    ----------
    steps
        The first steps of the pyramid, if these are known: `factors` and `voxel_size` decide on
        those that follow.

    Raises
    ------
    SpellingError
        If `count` asks for more than there are different levels, or `factors` shrink nothing.

    Examples
    --------
    >>> [level.shape for level in levels((100, 300, 301), (64, 64, 64))]
    [(100, 300, 301), (50, 150, 151), (25, 75, 76), (13, 38, 38)]
    """
    if factors is not None and (min(factors) < 1 or max(factors) < 2):
        raise SpellingError(f"factors {factors} shrink nothing; write 2 or 1,2,2")
    made = [Level(shape, (1, 1, 1), (1, 1, 1))]
    while len(made) <= len(steps) or not _done(made, chunks, factors, count):
        if made[-1].shape == (1, 1, 1):
            raise SpellingError(f"{count} levels are too many: level {len(made) - 1} is one voxel")
        known = steps[len(made) - 1] if len(made) <= len(steps) else None
        step = known or _step(made[-1], voxel_size, factors or (2, 2, 2), even=factors is not None)
        made.append(_next(made[-1], step))
    return tuple(made)


def _done(made: list[Level], chunks: Triple, factors: Triple | None, count: int | None) -> bool:
    """Return whether there are as many levels as asked for, or the smallest fits a chunk."""
    if count is not None:
        return len(made) >= count
    axes = zip(made[-1].shape, chunks, factors or (2, 2, 2), strict=True)
    return all(n <= c or n == 1 or f == 1 for n, c, f in axes)


def _next(level: Level, step: Triple) -> Level:
    z, y, x = (-(-n // s) for n, s in zip(level.shape, step, strict=True))
    fz, fy, fx = (f * s for f, s in zip(level.factor, step, strict=True))
    return Level((z, y, x), step, (fz, fy, fx))


def _step(
    level: Level, voxel_size: tuple[float, float, float], factors: Triple, *, even: bool
) -> Triple:
    """Return the factors of the axes that may shrink: longer than a voxel, and not coarser."""
    edges = [v * f for v, f in zip(voxel_size, level.factor, strict=True)]
    least = min(e for e, n in zip(edges, level.shape, strict=True) if n > 1)
    z, y, x = (
        f if n > 1 and (even or e <= ISOTROPIC * least) else 1
        for f, n, e in zip(factors, level.shape, edges, strict=True)
    )
    if prod((z, y, x)) == 1:
        raise SpellingError(f"factors {factors} can't shrink a level of shape {level.shape}")
    return z, y, x
