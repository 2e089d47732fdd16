"""Methods of a volume that reduce it to one number, or along axes."""

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

__all__ = ["Reducible"]

Axes = str | tuple[str, ...]
Size = int | tuple[int, int, int]


class Reducible(Planned):
    """A volume that can be reduced.

    Most methods take the names of axes and return a measurement along these axes; without axes they
    return a scalar of the whole volume. Nothing is computed yet. `hoaconv.ops.reductions.Reduction`
    and `hoaconv.ops.totals.Totals` say how exact the results are.
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
        """Return the minimum along axes, or of all voxels; with a size, apply `min`.

        Parameters
        ----------
        axis
            Names of the axes to reduce, such as ``"z"`` or ``("y", "x")``; by default all. A size
            in voxels, such as 3 or (1, 3, 3), applies the op `min` instead, which is a filter.
        options, named
            The other parameters of the op `min`.

        Returns
        -------
        Scalar, Measured or Volume
            A scalar of the whole volume; or what is left along the other axes, a plane or a
            profile, of the volume's dtype; or the filtered volume. Nothing is computed yet.

        Raises
        ------
        SpellingError
            If `axis` names no axis, or an axis twice, or the op doesn't take a value.

        Examples
        --------
        >>> volume = hc.open(np.array([[[5, 2]], [[3, 4]]], "uint8"))
        >>> volume.min("z").compute(), volume.min().compute()
        (array([[3, 2]], dtype=uint8), 2)
        """
        return self._reduced("min", axis, *options, **named)

    @overload
    def max(self, axis: None = None) -> Scalar: ...
    @overload
    def max(self, axis: Axes) -> Measured: ...
    @overload
    def max(self, axis: Size, *options: Any, **named: Any) -> Self: ...
    def max(self, axis: Axes | Size | None = None, *options: Any, **named: Any) -> Any:
        """Return the maximum along axes, or of all voxels; with a size, apply `max`.

        Parameters
        ----------
        axis
            Names of the axes to reduce, such as ``"z"`` or ``("y", "x")``; by default all. A size
            in voxels, such as 3 or (1, 3, 3), applies the op `max` instead, which is a filter.
        options, named
            The other parameters of the op `max`.

        Returns
        -------
        Scalar, Measured or Volume
            A scalar of the whole volume; or what is left along the other axes, a plane or a
            profile, of the volume's dtype; or the filtered volume. Nothing is computed yet.

        Raises
        ------
        SpellingError
            If `axis` names no axis, or an axis twice, or the op doesn't take a value.

        Examples
        --------
        >>> volume = hc.open(np.array([[[5, 2]], [[3, 4]]], "uint8"))
        >>> volume.max(("y", "x")).compute(), volume.max((1, 1, 2)).compute().tolist()
        (array([5, 4], dtype=uint8), [[[5, 5]], [[3, 4]]])
        """
        return self._reduced("max", axis, *options, **named)

    @overload
    def std(self, axis: None = None) -> Scalar: ...
    @overload
    def std(self, axis: Axes) -> Measured: ...
    @overload
    def std(self, axis: Size, *options: Any, **named: Any) -> Self: ...
    def std(self, axis: Axes | Size | None = None, *options: Any, **named: Any) -> Any:
        """Return the standard deviation along axes, or of all voxels; with a size, apply `std`.

        Parameters
        ----------
        axis
            Names of the axes to reduce, such as ``"z"`` or ``("y", "x")``; by default all. A size
            in voxels, such as 3 or (1, 3, 3), applies the op `std` instead, which is a filter.
        options, named
            The other parameters of the op `std`.

        Returns
        -------
        Scalar, Measured or Volume
            A scalar of the whole volume; or what is left along the other axes, a plane or a
            profile, of float64; or the filtered volume. Nothing is computed yet.

        Raises
        ------
        SpellingError
            If `axis` names no axis, or an axis twice, or the op doesn't take a value.

        Examples
        --------
        >>> volume = hc.open(np.array([[[5, 2]], [[3, 4]]], "uint8"))
        >>> volume.std("z").compute(), round(float(volume.std()), 3)
        (array([[1., 1.]]), 1.118)
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
            Names of the axes to reduce, such as ``"z"`` or ``("y", "x")``; by default all.
        options, named
            Not used. NumPy's function passes None for the arguments that it adds, as in
            ``numpy.mean(volume)``; any other value is an error.

        Returns
        -------
        Scalar or Measured
            A scalar of the whole volume; or what is left along the other axes, a plane or a
            profile, of float64. Nothing is computed yet.

        Raises
        ------
        SpellingError
            If `axis` names no axis, or an axis twice, or another argument has a value.

        Examples
        --------
        >>> volume = hc.open(np.array([[[5, 2]], [[3, 4]]], "uint8"))
        >>> volume.mean("z").compute(), volume.mean().compute()
        (array([[4., 3.]]), 3.5)
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
            Names of the axes to reduce, such as ``"z"`` or ``("y", "x")``; by default all.
        options, named
            Not used. NumPy's function passes None for the arguments that it adds, as in
            ``numpy.sum(volume)``; any other value is an error.

        Returns
        -------
        Scalar or Measured
            A scalar of the whole volume; or what is left along the other axes, a plane or a
            profile, of int64 or uint64 for integers, float64 for floats. Nothing is computed yet.

        Raises
        ------
        SpellingError
            If `axis` names no axis, or an axis twice, or another argument has a value.

        Examples
        --------
        >>> volume = hc.open(np.array([[[5, 2]], [[3, 4]]], "uint8"))
        >>> volume.sum(("y", "x")).compute(), volume.sum().compute()
        (array([7, 7], dtype=uint64), 14)
        """
        return self._reduced("sum", axis, *options, **named)

    @overload
    def percentile(self, percentile: float) -> Scalar: ...
    @overload
    def percentile(self, percentile: float, size: Size, *options: Any, **named: Any) -> Self: ...
    def percentile(self, percentile: float, *options: Any, **named: Any) -> Any:
        """Return a percentile of all voxels; with a size, apply the op `percentile`.

        The percentile is a voxel's value, without interpolation: the least value that at least so
        many per cent of the voxels don't exceed. It is exact for integers of up to 16 bits; for
        other dtypes its relative error is less than 1/128. NaN is left out.

        Parameters
        ----------
        percentile
            A number in 0..100.
        options, named
            A size in voxels and the other parameters of the op `percentile`, which is a filter.

        Returns
        -------
        Scalar or Volume
            A scalar of the whole volume, or the filtered volume. Nothing is computed yet.

        Raises
        ------
        SpellingError
            If `percentile` is no number in 0..100, or the op doesn't take a value.

        Examples
        --------
        >>> volume = hc.open(np.array([[[5, 2, 3, 4]]], "uint8"))
        >>> volume.percentile(50).compute(), volume.percentile(0, (1, 1, 2)).compute().tolist()
        (3, [[[5, 2, 2, 3]]])
        """
        if options or named:
            return self._filtered("percentile", (percentile, *options), named)
        word = _percentile(percentile)
        return Scalar.of(self, GreyValues((word,)), word)

    def otsu(self) -> Scalar:
        """Return Otsu's threshold, which has the greatest variance between two classes.

        The threshold is the greatest value of the dark class. It is found in the histogram of all
        voxels, which is exact for integers of up to 16 bits; of other dtypes the first 8
        significant bits of each voxel count. NaN is left out.

        Returns
        -------
        Scalar
            The threshold as a grey value. Nothing is computed yet.

        References
        ----------
        N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
        Systems, Man, and Cybernetics 9 (1979), 62-66, equation 18.

        Examples
        --------
        >>> volume = hc.open(np.array([[[1, 2, 3, 90, 91, 92]]], "uint8"))
        >>> volume.otsu().compute(), (volume > volume.otsu()).compute().tolist()
        (3, [[[0, 0, 0, 1, 1, 1]]])
        """
        return Scalar.of(self, GreyValues(("otsu",)), "otsu")

    def li(self) -> Scalar:
        """Return Li's threshold, which has the least cross entropy between volume and mask.

        It isn't the value of a voxel in general. Dtypes and NaN are treated as by `otsu`.

        Returns
        -------
        Scalar
            The threshold as a grey value. Nothing is computed yet.

        References
        ----------
        C. H. Li and P. K. S. Tam, "An iterative algorithm for minimum cross entropy thresholding",
        Pattern Recognition Letters 19 (1998), 771-776.

        Examples
        --------
        >>> volume = hc.open(np.array([[[1, 2, 3, 90, 91, 92]]], "uint8"))
        >>> volume.li().compute(), (volume > volume.li()).compute().tolist()
        (20, [[[0, 0, 0, 1, 1, 1]]])
        """
        return Scalar.of(self, GreyValues(("li",)), "li")

    def moments(self) -> Scalar:
        """Return Tsai's threshold, which preserves the first three moments of the grey values.

        Dtypes and NaN are treated as by `otsu`.

        Returns
        -------
        Scalar
            The threshold as a grey value. Nothing is computed yet.

        References
        ----------
        W.-H. Tsai, "Moment-preserving thresholding: a new approach", Computer Vision, Graphics, and
        Image Processing 29 (1985), 377-393.

        Examples
        --------
        >>> volume = hc.open(np.array([[[1, 2, 3, 90, 91, 92]]], "uint8"))
        >>> volume.moments().compute()
        3
        """
        return Scalar.of(self, GreyValues(("moments",)), "moments")

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
