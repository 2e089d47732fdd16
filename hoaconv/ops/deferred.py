"""Ops with parameters that a value of the whole volume replaces, such as a percentile."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, isfinite
from typing import Any, ClassVar

from hoaconv.engine.contract import Core, Fold, Op
from hoaconv.engine.spec import Slab
from hoaconv.errors import PlanError
from hoaconv.kernels.histogram import is_exact
from hoaconv.ops.measure import Counting, Counts, percentile, plain
from hoaconv.ops.thresholds import METHODS, li_level
from hoaconv.ops.waiting import Waiting

__all__ = ["CONSTANT", "Deferred", "GreyValues"]

CONSTANT = "constant"
"""Key among the values of a volume whose voxels, NaN aside, have one finite value."""


@dataclass(frozen=True)
class GreyValues(Counting):
    """A fold that computes grey values, such as thresholds, from the histogram of a volume.

    Exact for integers of up to 16 bits. For other dtypes a percentile has a relative error of less
    than 1/128, and a threshold is that of the voxels as float32, cut to their first 8 significant
    bits. NaN is left out; thresholds leave out infinities too.

    Parameters
    ----------
    words
        ``p0`` to ``p100`` for percentiles, or methods of `hoaconv.ops.thresholds`.
    """

    word: ClassVar[str] = "grey values"

    words: tuple[str, ...]

    def finish(self, state: Counts) -> Mapping[str, Any]:
        """Return the value of each word. Raises PlanError if every voxel is NaN."""
        if state.number == 0:
            raise PlanError(f"{' and '.join(self.words)} can't be found: every voxel is NaN")
        found = {word: plain(_value(word, state)) for word in self.words}
        return found | ({CONSTANT: 1} if _is_constant(state) else {})

    def __str__(self) -> str:
        return f"find {' '.join(self.words)}"


def _is_constant(state: Counts) -> bool:
    """Return True if all voxels but NaN have one finite value: exact, also for wide bins."""
    if is_exact(state.dtype):
        return int((state.histogram > 0).sum()) == 1
    least, greatest = state.extremes
    return bool(least == greatest and isfinite(least))


def _value(word: str, state: Counts) -> float:
    if word not in METHODS:
        return percentile(state, float(word.removeprefix("p")))
    values, counts, ends = state.occurring
    if values.size == 0:
        raise PlanError(f"{word} can't be found: no voxel is finite")
    if word == "li" and values.size > 1 and is_exact(state.dtype):  # of bins only the division
        return float(floor(li_level(values, counts)))  # is known
    end = float(ends[METHODS[word](values, counts) if values.size > 1 else 0])
    if is_exact(state.dtype):
        return end
    least, greatest = state.edges
    return min(max(end, least), greatest)  # the last bin may go on beyond the last voxel


class Deferred(Waiting):
    """An op with parameters that are numbers, or words for values of the whole volume.

    `deferred` names these parameters. A sweep computes the values first; `settle` puts them in
    place of the words. Before, the op can't be applied.
    """

    @property
    def _words(self) -> dict[str, str]:
        """The words that still stand for numbers, by parameter."""
        values = {name: getattr(self, name) for name in self.deferred}
        return {name: value for name, value in values.items() if isinstance(value, str)}

    @property
    def needs(self) -> Fold | None:
        """The fold that computes the values of the words; None if there are no words."""
        words = tuple(dict.fromkeys(self._words.values()))
        return self.fold_for(words) if words else None

    def fold_for(self, words: tuple[str, ...]) -> Fold:
        """Return the fold whose value has a number for each word."""
        return GreyValues(words)

    @property
    def waits(self) -> bool:
        """True if a number isn't known yet."""
        return bool(self._words or self.unknown or self.terms)

    def settle(self, *found: Mapping[str, Any]) -> Op:
        """Return the op with numbers in place of words, or of terms.

        Raises
        ------
        PlanError
            If a value is missing, or the op can't take it.
        """
        if self.terms:
            return super().settle(*found)
        return self._with_words(found[0])

    def _with_words(self, found: Mapping[str, Any]) -> Op:
        words = self._words
        missing = [word for word in words.values() if found[word] is None]
        if missing:
            raise PlanError(
                f"'{self}' needs the volume's {' and '.join(missing)}, and no voxel of the volume "
                "is a finite number; look at the source, or give numbers"
            )
        return self._settled({name: found[word] for name, word in words.items()})

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the result for ``block[core]`` into `out`."""
        if self._words:
            words = " and ".join(self._words.values())
            raise RuntimeError(f"'{self}' can't be applied before the volume's {words} is known")
        self.write(block[core], out)

    @abstractmethod
    def write(self, voxels: Slab, out: Slab) -> None:
        """Write the result for `voxels` into `out`; all parameters are numbers."""
