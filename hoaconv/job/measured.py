"""A measurement of a volume as a value: it is computed when it is asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hoaconv.engine.contract import Fold
from hoaconv.engine.spec import Plane
from hoaconv.job.html import table
from hoaconv.job.measuring import measured_together
from hoaconv.job.planned import Planned
from hoaconv.job.recipe import ByRecipe
from hoaconv.ops.projections import Projection
from hoaconv.ops.reductions import Reduction

__all__ = ["Measured", "Values", "presented"]


@dataclass(frozen=True, eq=False)
class Measured(ByRecipe):
    """A volume and the fold that measures it.

    Functions such as `hoaconv.ops.stats` and methods such as ``volume.max("z")`` make it.

    Attributes
    ----------
    volume
        The volume; none of its voxels is computed yet.
    fold
        The fold that measures its planes.

    Examples
    --------
    >>> volume = hc.open(np.arange(24, dtype="uint8").reshape(2, 3, 4))
    >>> volume.max("z")
    Measured(max along z of 2 x 3 x 4 uint8)
    >>> volume.sum(("y", "x")).compute().tolist(), ops.stats(volume).compute().mean
    ([66, 210], 11.5)
    """

    volume: Planned
    fold: Fold

    @property
    def recipe(self) -> tuple[Any, ...]:
        """The volume's recipe and the fold."""
        return (self.volume.recipe, self.fold)

    __hash__ = ByRecipe.__hash__

    def __eq__(self, other: object) -> bool:
        """Return whether both measure the same of the same. Raises TypeError for other values."""
        if not isinstance(other, Measured):
            raise TypeError(f"{self!r} isn't computed yet: compare what compute() returns")
        return super().__eq__(other)

    def __bool__(self) -> bool:
        raise ValueError(f"{self!r} isn't computed yet: test what compute() returns")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that `compute` returns. Raises AttributeError if it returns none."""
        if isinstance(self.fold, Reduction):
            return self.fold.shape(self.volume.spec)
        return self._projection.shape(self.volume.spec)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the array that `compute` returns. Raises AttributeError if it returns none."""
        fold = self.fold if isinstance(self.fold, Reduction) else self._projection
        return fold.dtype(self.volume.spec)

    @property
    def _projection(self) -> Projection:
        if not isinstance(self.fold, Projection):
            raise AttributeError(f"'{self.fold}' makes several values, no array; see compute()")
        return self.fold

    def compute(self, budget: str | int | None = None, *, workers: int | None = None) -> Any:
        """Measure the volume in one sweep.

        Parameters
        ----------
        budget
            Memory that the process may hold, in bytes or as text such as ``"8GiB"``. By default
            60 % of the free memory.
        workers
            Number of threads; by default one for each CPU of this process.

        Returns
        -------
        ndarray or Values
            An array along the axes that are left, for a reduction or a projection; otherwise the
            values of the measurement.

        Raises
        ------
        BudgetError
            If the sweep doesn't fit the budget.
        SourceError
            If a voxel can't be read.

        Examples
        --------
        >>> hc.open("slices/").mean(("y", "x")).compute()[:3]
        array([  7.5, 107.5, 207.5])
        >>> ops.profile("slices/").compute(workers=1).mean[:3]
        array([  7.5, 107.5, 207.5])
        """
        ((value, picture),) = measured_together([(self.volume, self.fold)], budget, workers)
        return presented(self.fold, value, picture)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if not self.fold.draws:
            raise TypeError(f"'{self.fold}' makes several values, no array; take one of compute()")
        return np.asarray(self.compute(), dtype)

    def __repr__(self) -> str:
        return f"Measured({self.fold} of {self.volume.summary})"

    def _repr_html_(self) -> str:
        return table({"measures": str(self.fold), "of": self.volume.summary})


class Values(Mapping[str, Any]):
    """The values of a measurement, as attributes and as items; lists are NumPy arrays.

    A value is None, or NaN in an array, if no voxel has it.

    Parameters
    ----------
    values
        The values by their names.

    Examples
    --------
    >>> values = Values({"mean": 2.5, "percentiles": {"50": 2}})
    >>> values.mean, values["mean"], values.percentiles["50"]
    (2.5, 2.5, 2)
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name: _taken(value) for name, value in values.items()}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._values:
            raise AttributeError(f"there is no value {name!r}; there are {', '.join(self)}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name for name in self if name.isidentifier())]

    def __repr__(self) -> str:
        return f"Values({', '.join(f'{name}={_short(value)}' for name, value in self.items())})"

    def _repr_html_(self) -> str:
        return table({name: _short(value) for name, value in self.items()})


def presented(fold: Fold, value: Mapping[str, Any], picture: Plane | None) -> Any:
    """Return the result that the user gets for what a fold has found in a run.

    Parameters
    ----------
    fold
        The fold.
    value
        Its value, as in `hoaconv.engine.run.Outcome.folds`.
    picture : (y, x) array or None
        Its picture, as in ``Outcome.drawn``.
    """
    if picture is None:
        return Values(value)
    return picture.reshape(value["shape"]) if isinstance(fold, Reduction) else picture


def _taken(value: Any) -> Any:
    """Return a value of JSON as Python's: infinities are words there, and arrays are lists."""
    if isinstance(value, Mapping):
        return Values(value)
    if isinstance(value, list):
        numbers = [np.nan if number is None else _taken(number) for number in value]
        return np.array(numbers, None if numbers else float)
    return float(value) if value in ("Infinity", "-Infinity", "NaN") else value


def _short(value: Any) -> str:
    return f"{value.size} numbers" if isinstance(value, np.ndarray) else repr(value)
