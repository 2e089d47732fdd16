"""Shape, dtype and geometry of the planes that flow between two stages."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from hoaconv.engine.dtypes import DTYPE_NAMES, WIDE_NAMES
from hoaconv.engine.geometry import NOWHERE, Geometry
from hoaconv.errors import PlanError

__all__ = ["DTYPES", "KNOWN", "WIDE", "Plane", "Slab", "Spec"]

Plane = np.ndarray[tuple[int, int], np.dtype[Any]]
"""One decoded 2-D array (y, x)."""

Slab = np.ndarray[tuple[int, int, int], np.dtype[Any]]
"""Consecutive planes in memory (z, y, x)."""

DTYPES = tuple(map(np.dtype, DTYPE_NAMES))
"""The dtypes that all ops take; always in the machine's byte order."""

WIDE = tuple(map(np.dtype, WIDE_NAMES))
"""Integers of 64 bits: `hoaconv.engine.part.Part.takes_wide` says which parts take them."""

KNOWN = DTYPES + WIDE
"""All dtypes that may flow."""


@dataclass(frozen=True)
class Spec:
    """Shape (z, y, x), dtype and geometry of a volume that streams by, plane after plane.

    Raises
    ------
    PlanError
        If an axis is empty or the dtype isn't one of `KNOWN`.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    geometry: Geometry = NOWHERE

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", np.dtype(self.dtype).newbyteorder("="))
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise PlanError(f"a volume needs at least one voxel along z, y and x, not {self.shape}")
        if self.dtype not in KNOWN:
            known = ", ".join(str(d) for d in KNOWN)
            raise PlanError(f"volumes of {self.dtype} can't be handled; the dtypes are {known}")

    @property
    def planes(self) -> int:
        """Number of planes."""
        return self.shape[0]

    @property
    def plane_shape(self) -> tuple[int, int]:
        """(y, x)."""
        return self.shape[1:]

    @property
    def plane_bytes(self) -> int:
        """Bytes of one plane."""
        return prod(self.plane_shape) * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of the whole volume."""
        return self.planes * self.plane_bytes

    def __str__(self) -> str:
        return f"{' x '.join(map(str, self.shape))} {self.dtype}"
