"""A synthetic volume, computed plane by plane, for demos, tests and benchmarks."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from hoaconv.engine.contract import Source
from hoaconv.engine.spec import Plane, Spec
from hoaconv.errors import PlanError

__all__ = ["Phantom"]

_BODIES = 24
_ROWS = 64  # rows computed at once, few enough to stay in the cache as float32
_NOISE = 0.01
_WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}

Row = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Phantom(Source):
    """Ellipsoids, shells and tubes of different grey in noisy tissue; voxels around it are 0.

    Each plane is computed from its z alone, so any thread can read planes in any order, and
    the same `seed` gives the same voxels.

    Parameters
    ----------
    shape
        Voxels (z, y, x).
    dtype
        uint8, uint16 or float32 (0 to 1).
    seed
        Seed of the random bodies and the noise.

    Raises
    ------
    PlanError
        If the shape is empty or the dtype is another.
    """

    shape: tuple[int, int, int]
    dtype: DTypeLike = np.uint16
    seed: int = 0
    _bodies: tuple["_Body", ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if np.dtype(self.dtype).name not in _WHITE:
            raise PlanError(f"a phantom is made of {', '.join(_WHITE)}, not {np.dtype(self.dtype)}")
        rng = np.random.default_rng(self.seed)
        object.__setattr__(self, "_bodies", tuple(_body(rng) for _ in range(_BODIES)))

    @property
    def spec(self) -> Spec:
        """Shape and dtype of all planes."""
        return Spec(self.shape, np.dtype(self.dtype))

    @property
    def stored_bytes(self) -> int:
        """Zero bytes: nothing is stored."""
        return 0

    def scratch(self) -> int:
        """Return the bytes of the float32 rows that one worker holds while it computes a plane."""
        return 4 * 4 * _ROWS * self.shape[2] + (1 << 16)

    def read(self, z: int, out: Plane) -> None:
        """Compute plane `z` into `out` (y, x)."""
        rng = np.random.Generator(np.random.SFC64([self.seed, z]))
        white = np.float32(_WHITE[out.dtype.name])
        at = np.float32((2 * z + 1) / self.shape[0] - 1)
        y, x = (_centres(n) for n in self.shape[1:])
        for top in range(0, out.shape[0], _ROWS):
            rows = slice(top, top + _ROWS)
            grey = self._rows(at, y[rows, None], x, rng)
            grey *= white
            out[rows] = grey if out.dtype.kind == "f" else np.rint(grey, out=grey)

    def _rows(self, z: np.float32, y: Row, x: Row, rng: np.random.Generator) -> Row:
        """Return grey values from 0 to 1 of some rows; coordinates are -1 to 1 along each axis."""
        grey = rng.standard_normal((len(y), len(x)), dtype=np.float32)
        grey *= _NOISE
        grey += 0.3 + 0.03 * np.sin(40 * y + 9 * z)
        grey += 0.03 * np.sin(33 * x - 7 * z)
        for body in self._bodies:
            body.add(grey, z, y, x)
        np.clip(grey, 1 / 255, 1, out=grey)
        grey[y * y + x * x >= 1] = 0
        return grey


@dataclass(frozen=True)
class _Body:
    """An ellipsoid; `hollow` is the share of its radius that is empty."""

    centre: tuple[float, float, float]
    radius: tuple[float, float, float]
    grey: float
    hollow: float

    def add(self, grey: Row, z: np.float32, y: Row, x: Row) -> None:
        """Add this body's grey to its voxels; compute only the box around it."""
        dz = ((z - self.centre[0]) / self.radius[0]) ** 2
        dy = ((y - self.centre[1]) / self.radius[1]) ** 2
        dx = ((x - self.centre[2]) / self.radius[2]) ** 2
        rows, columns = np.flatnonzero(dy < 1 - dz), np.flatnonzero(dx < 1 - dz)
        if rows.size and columns.size:
            box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            far = dy[box[0]] + dx[box[1]] + dz
            grey[box] += np.float32(self.grey) * ((far < 1) & (far >= self.hollow**2))


def _body(rng: np.random.Generator) -> _Body:
    """Return a random ellipsoid in the tissue; a third are shells, a third are long along z."""
    kind = rng.integers(3)
    reach, angle = rng.uniform(0, 0.75), rng.uniform(0, 2 * np.pi)
    radius = rng.uniform(0.05, 0.3, 3) * ((6, 0.5, 0.5) if kind == 2 else (1, 1, 1))
    return _Body(
        centre=(rng.uniform(-0.9, 0.9), reach * np.sin(angle), reach * np.cos(angle)),
        radius=(radius[0], radius[1], radius[2]),
        grey=rng.choice([-0.15, 0.15, 0.3, 0.5]),
        hollow=rng.uniform(0.7, 0.9) if kind == 1 else 0.0,
    )


def _centres(count: int) -> Row:
    """Return the centres of `count` voxels on an axis from -1 to 1, as float32."""
    return ((2 * np.arange(count, dtype=np.float32) + 1) / np.float32(count) - 1).astype(np.float32)
