"""The axes before z of an output, and which of its volumes is written."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod

__all__ = ["Leading"]


@dataclass(frozen=True)
class Leading:
    """One volume of those that lie along times and channels.

    Attributes
    ----------
    axes
        The axes before z, in NGFF's order: ``t``, ``c`` or ``tc``; empty where there are none.
    shape
        Number of times and channels.
    index
        The time and channel of this volume.
    steps
        Step and unit of each axis, such as half a second; by default 1, without a unit.
    """

    axes: str = ""
    shape: tuple[int, ...] = ()
    index: tuple[int, ...] = ()
    steps: tuple[tuple[float, str], ...] = ()

    @property
    def scale(self) -> tuple[float, ...]:
        """Step along each axis."""
        return tuple(step for step, _ in self.steps) or (1.0,) * len(self.axes)

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each axis; empty where it has none."""
        return tuple(unit for _, unit in self.steps) or ("",) * len(self.axes)

    @property
    def count(self) -> int:
        """Number of all volumes."""
        return prod(self.shape)

    @property
    def is_last(self) -> bool:
        """True for the volume that is written last."""
        return all(i + 1 == n for i, n in zip(self.index, self.shape, strict=True))

    @property
    def channel(self) -> int:
        """Number of the channel; 0 where there is no axis of channels."""
        return dict(zip(self.axes, self.index, strict=True)).get("c", 0)

    @property
    def channels(self) -> int:
        """Number of channels; 1 where there is no axis of channels."""
        return dict(zip(self.axes, self.shape, strict=True)).get("c", 1)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all axes, those of space too."""
        return (*self.axes, "z", "y", "x")

    @property
    def told(self) -> str:
        """The number of times and channels in words."""
        words = {"t": "time", "c": "channel"}
        pairs = zip(self.axes, self.shape, strict=True)
        return " of ".join(f"{n} {words[axis]}{'s' * (n > 1)}" for axis, n in pairs)

    @property
    def choice(self) -> str:
        """Advice for where there may be one volume alone."""
        words = {"t": "time", "c": "channel"}
        return f"take one, as in {' and '.join(f'`{words[axis]}=0`' for axis in self.axes)}"

    def all(self) -> Iterator["Leading"]:
        """Yield all volumes, in the order in which they are written."""
        for index in product(*map(range, self.shape)):
            yield replace(self, index=index)

    def __str__(self) -> str:
        return ", ".join(f"{axis} {i}" for axis, i in zip(self.axes, self.index, strict=True))
