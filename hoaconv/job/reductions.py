"""Methods of a volume that reduce it, to one number or along axes that are named."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self, overload

from hoaconv.errors import SpellingError
from hoaconv.job.measured import Measured
from hoaconv.job.planned import Planned
from hoaconv.job.scalar import Scalar
from hoaconv.ops.catalogue import catalogue
from hoaconv.ops.deferred import GreyValues
from hoaconv.ops.kinds import PERCENTAGES, spell_number
from hoaconv.ops.reductions import Reduction
from hoaconv.ops.totals import Totals

__all__ = ["Reducible", "threshold"]

Axes = str | tuple[str, ...]
Size = int | tuple[int, int, int]


class Reducible(Planned):
    """A volume that can be reduced.

    Each method takes names of axes, such as ``"z"`` or ``("y", "x")``, and returns what is measured
    along them; without axes it returns a scalar of the whole volume. Nothing is computed yet. See
    `hoaconv.ops.reductions.Reduction` and `hoaconv.ops.totals.Totals` for how exact they are.
    """

    @abstractmethod
    def _filtered(self, word: str, values: Sequence[Any], named: dict[str, Any]) -> Self:
        """Apply the op of a word."""

    @overload
    def min(self, axis: None = None) -> Scalar: ...
    @overload
    def min(self, axis: Axes) -> Measured: ...
    @overload
    def min(self, axis: Size, *options: Any, **named: Any) -> Self: ...
    def min(self, axis: Axes | Size | None = None, *options: Any, **named: Any) -> Any:
        """Return the minimum along axes, or of all voxels; with a size apply the op `min`.

        Parameters
        ----------
        axis
            Names of axes, such as ``"z"`` or ``("y", "x")``; without any the whole volume is
            reduced. A size in voxels applies the op `min`, a filter, which takes `options`.

        Returns
        -------
        Scalar, Measured or Volume
            A scalar of the whole volume; a plane (y, x), (z, x) or (z, y), or a profile, of
            the volume's dtype; or the filtered volume. Nothing is computed yet.
        """
        return self._reduced("min", axis, *options, **named)

    @overload
    def max(self, axis: None = None) -> Scalar: ...
    @overload
    def max(self, axis: Axes) -> Measured: ...
    @overload
    def max(self, axis: Size, *options: Any, **named: Any) -> Self: ...
    def max(self, axis: Axes | Size | None = None, *options: Any, **named: Any) -> Any:
        """Return the maximum along axes, or of all voxels; with a size apply the op `max`.

        Parameters
        ----------
        axis
            Names of axes, such as ``"z"`` or ``("y", "x")``; without any the whole volume is
            reduced. A size in voxels applies the op `max`, a filter, which takes `options`.

        Returns
        -------
        Scalar, Measured or Volume
            A scalar of the whole volume; a plane (y, x), (z, x) or (z, y), or a profile, of
            the volume's dtype; or the filtered volume. Nothing is computed yet.
        """
        return self._reduced("max", axis, *options, **named)

    @overload
    def std(self, axis: None = None) -> Scalar: ...
    @overload
    def std(self, axis: Axes) -> Measured: ...
    @overload
    def std(self, axis: Size, *options: Any, **named: Any) -> Self: ...
    def std(self, axis: Axes | Size | None = None, *options: Any, **named: Any) -> Any:
        """Return the standard deviation along axes, or of all voxels; with a size the op `std`.

        Parameters
        ----------
        axis
            Names of axes, such as ``"z"`` or ``("y", "x")``; without any the whole volume is
            reduced. A size in voxels applies the op `std`, a filter, which takes `options`.

        Returns
        -------
        Scalar, Measured or Volume
            A scalar of the whole volume; a plane (y, x), (z, x) or (z, y), or a profile, of
            float64; or the filtered volume. Nothing is computed yet.
        """
        return self._reduced("std", axis, *options, **named)

    @overload
    def mean(self, axis: None = None) -> Scalar: ...
    @overload
    def mean(self, axis: Axes) -> Measured: ...
    def mean(self, axis: Axes | None = None, *options: Any, **named: Any) -> Any:
        """Return the mean along axes, or of all voxels.

        Parameters
        ----------
        axis
            Names of axes, such as ``"z"`` or ``("y", "x")``; without any the whole volume is
            reduced.

        Returns
        -------
        Scalar or Measured
            A scalar of the whole volume; or a plane (y, x), (z, x) or (z, y), or a profile, of
            float64. Nothing is computed yet.
        """
        return self._reduced("mean", axis, *options, **named)

    @overload
    def sum(self, axis: None = None) -> Scalar: ...
    @overload
    def sum(self, axis: Axes) -> Measured: ...
    def sum(self, axis: Axes | None = None, *options: Any, **named: Any) -> Any:
        """Return the sum along axes, or of all voxels.

        Parameters
        ----------
        axis
            Names of axes, such as ``"z"`` or ``("y", "x")``; without any the whole volume is
            reduced.

        Returns
        -------
        Scalar or Measured
            A scalar of the whole volume; or a plane (y, x), (z, x) or (z, y), or a profile, of
            int64 or uint64 of integers,
            float64 of floats. Nothing is computed yet.
        """
        return self._reduced("sum", axis, *options, **named)

    @overload
    def percentile(self, percentile: float) -> Scalar: ...
    @overload
    def percentile(self, percentile: float, size: Size, *options: Any, **named: Any) -> Self: ...
    def percentile(self, percentile: float, *options: Any, **named: Any) -> Any:
        """Return a percentile of all voxels; with a size apply the op `percentile`.

        It is the least voxel that so many per cent of the voxels don't exceed: exactly so for
        integers of up to 16 bits, within 1/128 of itself otherwise. NaN is left out.

        Parameters
        ----------
        percentile
            A number in 0..100.
        options
            A size in voxels and the other parameters of the op `percentile`, a filter.

        Returns
        -------
        Scalar or Volume

        Raises
        ------
        SpellingError
            If `percentile` is no number in 0..100.
        """
        if options or named:
            return self._filtered("percentile", (percentile, *options), named)
        word = _percentile(percentile)
        return Scalar.of(self, GreyValues((word,)), word)

    def _reduced(self, method: str, axis: Any, *options: Any, **named: Any) -> Any:
        """Reduce by a method, or apply the op of that name.

        Raises
        ------
        SpellingError
            If there is no such axis, and no such op.
        """
        named = {name: v for name, v in named.items() if _NUMPYS.get(name, named) != v}
        filtered = method in catalogue()
        if _is_words(axis) and options:
            both = ", ".join(map(repr, (axis, *options)))
            raise SpellingError(f"{method} takes several axes as one: write {method}(({both}))")
        if isinstance(axis, int) and (axis < 2 or not filtered):
            asked = "axes by their names" + (", or a size of 2 or more" if filtered else "")
            raise SpellingError(
                f"{method} takes {asked}, not {axis}: to reduce along z write {method}('z')"
            )
        axes = None if options or named else "zyx" if axis is None else _axes(axis)
        if axes == "zyx":
            return Scalar.of(self, Totals(), method)
        if axes is not None:
            return Measured(self, Reduction(method, axes))
        if not filtered or _is_words(axis):
            raise SpellingError(
                f"{method} takes axes by their names z, y and x, each once, not {axis!r}"
            )
        return self._filtered(method, (*(() if axis is None else (axis,)), *options), named)


_NUMPYS = {"out": None, "dtype": None, "ddof": 0}
"""Arguments that NumPy's functions, such as ``numpy.max(volume)``, add to those that were given."""


def threshold(volume: Planned, method: str) -> Scalar:
    """Return the threshold that one of `hoaconv.ops.thresholds.METHODS` finds in a volume."""
    return Scalar.of(volume, GreyValues((method,)), method)


def _percentile(q: Any) -> str:
    """Return the word for a percentile. Raises SpellingError if `q` is no number in 0..100."""
    try:
        (number,) = PERCENTAGES.accept(q)
    except ValueError:
        raise SpellingError(f"a percentile is one number in 0..100, not {q!r}") from None
    return f"p{spell_number(number)}"


def _is_words(value: Any) -> bool:
    """Return whether a value is a word or several words, and so no size."""
    words = value if isinstance(value, tuple | list) else [value]
    return any(isinstance(word, str) and word.isalpha() for word in words)


def _axes(value: Any) -> str | None:
    """Return the axes in the order z, y, x; None where the value names none."""
    names = value.replace(",", "") if isinstance(value, str) else value
    if not isinstance(names, str | tuple | list) or not all(isinstance(n, str) for n in names):
        return None
    if not names or len(set(names)) < len(names) or not set(names) <= set("zyx"):
        return None
    return "".join(axis for axis in "zyx" if axis in names)
