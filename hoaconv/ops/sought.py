"""Ops that need a number which only the whole volume can tell, and the fold that finds it."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import floor, isfinite
from typing import Any, ClassVar, Self

from hoaconv.engine.contract import Core, Fold, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.kernels.histogram import is_exact
from hoaconv.ops.measure import Counting, Counts, percentile, plain
from hoaconv.ops.parameters import Declared
from hoaconv.ops.thresholds import METHODS, li_level

__all__ = ["CONSTANT", "GreyValues", "Sought"]

CONSTANT = "constant"
"""Stands among the values that were found where all voxels but NaN have one finite value."""


@dataclass(frozen=True)
class GreyValues(Counting):
    """Finds grey values in the counts of all voxels.

    Exact for integers of up to 16 bits. For other dtypes a percentile errs by less than 1/128 of
    itself, and a threshold is that of the volume with each voxel, as float32, cut to its first 8
    significant bits. NaN is left out, and by thresholds infinities too.

    Parameters
    ----------
    words
        ``p0`` to ``p100`` for percentiles, or methods of `hoaconv.ops.thresholds`.
    """

    word: ClassVar[str] = "grey values"

    words: tuple[str, ...]

    def finish(self, state: Counts) -> Mapping[str, Any]:
        """The value of each word. Raises PlanError if no voxel has one."""
        if state.number == 0:
            raise PlanError(f"{' and '.join(self.words)} can't be found: every voxel is NaN")
        found = {word: plain(_find(word, state)) for word in self.words}
        return found | ({CONSTANT: 1} if _is_constant(state) else {})

    def __str__(self) -> str:
        return f"find {' '.join(self.words)}"


def _is_constant(state: Counts) -> bool:
    """Whether all voxels but NaN have one finite value: exactly, also where bins are wide."""
    if is_exact(state.dtype):
        return int((state.histogram > 0).sum()) == 1
    least, greatest = state.extremes
    return bool(least == greatest and isfinite(least))


def _find(word: str, state: Counts) -> float:
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
    least, greatest = map(float, state.extremes)
    return min(max(end, least), greatest)  # the last bin may go on beyond the last voxel


class Sought(Declared, Op):
    """An op some of whose numbers may be words, which the whole volume gives a value.

    `sought` names these parameters. Until they are settled the op can't be applied.
    """

    sought: ClassVar[tuple[str, ...]]

    @property
    def _words(self) -> dict[str, str]:
        """The words that still stand for numbers, by parameter."""
        values = {name: getattr(self, name) for name in self.sought}
        return {name: value for name, value in values.items() if isinstance(value, str)}

    @property
    def needs(self) -> Fold | None:
        """What finds the values of the words, if there are any."""
        words = tuple(dict.fromkeys(self._words.values()))
        return self.finder(words) if words else None

    def finder(self, words: tuple[str, ...]) -> Fold:
        """The fold whose value has a number for each word."""
        return GreyValues(words)

    def settle(self, found: Mapping[str, Any]) -> Self:
        """The op with numbers for words.

        Raises
        ------
        PlanError
            If it can't be done with what was found.
        """
        words = self._words
        missing = [word for word in words.values() if found[word] is None]
        if missing:
            raise PlanError(
                f"'{self}' needs the volume's {' and '.join(missing)}, and no voxel of the volume "
                "is a finite number; look at the source, or give numbers"
            )
        try:
            return replace(self, **{name: found[word] for name, word in words.items()})
        except SpellingError as reason:
            told = ", ".join(f"{word} {found[word]}" for word in words.values())
            raise PlanError(f"'{self}' can't be done, since the volume has {told}: {reason}") from (
                reason
            )

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the result for ``block[core]`` into `out`."""
        if self._words:
            words = " and ".join(self._words.values())
            raise RuntimeError(f"'{self}' can't be applied before it is settled: what is {words}?")
        self.write(block[core], out)

    @abstractmethod
    def write(self, voxels: Slab, out: Slab) -> None:
        """Write the result for `voxels` into `out`, all numbers being known."""

    def warm(self, spec: Spec) -> None:
        """Compile the kernels; which numbers there will be makes no difference."""
        settled = replace(self, **{name: float(i) for i, name in enumerate(self.sought)})
        super(Sought, settled).warm(spec)
