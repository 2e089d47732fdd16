"""Some planes of what a resample makes, from no more planes than these need."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from hoaconv.engine.contract import Resample
from hoaconv.engine.spec import Plane, Spec

__all__ = ["Excerpt", "Selection"]


@dataclass(frozen=True)
class Excerpt(Resample):
    """Some planes of the result of a resample, whose input lacks the planes that they don't need.

    Attributes
    ----------
    whole
        The resample of all planes.
    spec
        What it would take.
    results
        The planes of its result that are given, in ascending order.
    taken
        The planes of its input that there are, in ascending order.
    """

    word: ClassVar[str] = "excerpt"

    whole: Resample
    spec: Spec
    results: tuple[int, ...]
    taken: tuple[int, ...]

    @property
    def takes_wide(self) -> bool:  # type: ignore[override] # a fact of the class in most others
        """As of the whole."""
        return self.whole.takes_wide

    @classmethod
    def needed(cls, whole: Resample, spec: Spec, results: Sequence[int]) -> tuple[int, ...]:
        """Return the planes of the input that some planes of the result are made of; at least one.

        Parameters
        ----------
        whole
            The resample of all planes.
        spec
            What it takes.
        results
            Planes of its result.
        """
        reaches = [whole.reach(spec, z) for z in results]
        return tuple(sorted(set().union(*reaches))) or (0,)

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the planes that are given."""
        made = self.whole.infer(replace(self.spec, dtype=spec.dtype, geometry=spec.geometry))
        return replace(made, shape=(len(self.results), *made.plane_shape))

    def reach(self, spec: Spec, z: int) -> range:  # noqa: ARG002 - it is known
        """Return the places of the planes that are needed."""
        planes = self.whole.reach(self.spec, self.results[z])
        first = bisect_left(self.taken, planes.start)
        return range(first, first + len(planes))

    def work(self, spec: Spec) -> int:  # noqa: ARG002 - as above
        """Return the bytes that one call of `apply` allocates."""
        return self.whole.work(self.spec)

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:  # noqa: ARG002
        """Make some rows of plane `z`."""
        self.whole.apply(self.spec, self.results[z], planes, rows, out)

    def warm(self, spec: Spec) -> None:
        """Compile the resample's kernels."""
        self.whole.warm(spec)

    def __str__(self) -> str:
        return str(self.whole)


@dataclass(frozen=True)
class Selection(Resample):
    """Some planes of a volume, in ascending order.

    Attributes
    ----------
    places
        The planes that are kept.
    """

    word: ClassVar[str] = "selection"
    takes_wide: ClassVar[bool] = True

    places: tuple[int, ...]

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the planes that are kept."""
        return replace(spec, shape=(len(self.places), *spec.plane_shape))

    def reach(self, spec: Spec, z: int) -> range:  # noqa: ARG002 - for any input
        """Return the one plane."""
        return range(self.places[z], self.places[z] + 1)

    def apply(self, spec: Spec, z: int, planes: tuple[Plane, ...], rows: slice, out: Plane) -> None:  # noqa: ARG002
        """Copy rows of the plane."""
        out[...] = planes[0][rows]

    def __str__(self) -> str:
        return f"{len(self.places)} planes"
