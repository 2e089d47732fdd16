"""The fold that finds the labels that occur, of which the smallest are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Fold
from hoaconv.engine.spec import Plane, Spec

__all__ = ["MOST", "Distinct"]

MOST = 1024
"""Labels that get a color in the metadata, at most: the smallest ones."""

Values = np.ndarray[Any, np.dtype[Any]]


@dataclass
class _Seen:
    """Values that were seen, ascending, 0 left out: the `MOST` smallest."""

    values: Values = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class Distinct(Fold):
    """The distinct values other than 0, ascending; the `MOST` smallest of them.

    Which these are doesn't depend on the order in which planes come: the smallest of all are among
    the smallest of each part.
    """

    word: ClassVar[str] = "distinct values"
    takes_wide: ClassVar[bool] = True

    def init(self, spec: Spec) -> _Seen:
        """Return a state that has seen nothing."""
        return _Seen(np.empty(0, spec.dtype))

    def step(self, state: _Seen, block: Plane, z: int = 0, y: int = 0) -> None:  # noqa: ARG002
        """Take in some rows: of voxels alike along x, only the first is sorted."""
        for row in block:
            begins = np.flatnonzero(row[1:] != row[:-1]) + 1
            state.values = _least(state.values, row[:1], row[begins])

    def merge(self, one: _Seen, other: _Seen) -> _Seen:
        """Return the state that has seen what both have seen."""
        return _Seen(_least(one.values, other.values))

    def finish(self, state: _Seen) -> Mapping[str, Any]:
        """Return the values."""
        return {"values": state.values.tolist()}

    def state_bytes(self, spec: Spec) -> int:
        """Return the bytes of the values, and of the rows in which they are looked for."""
        return 4 * MOST * spec.dtype.itemsize + spec.shape[2] * (9 + 4 * spec.dtype.itemsize)


def _least(*parts: Values) -> Values:
    """Return the smallest distinct values of some arrays, 0 left out."""
    found: Values = np.unique(np.concatenate(parts))
    least: Values = found[found != 0][:MOST]
    return least
