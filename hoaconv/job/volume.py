"""A volume as a value: where its voxels come from, and what is done to them.

Nothing is decoded by building one. Ops are added with ``|``, by methods, or by Python's operators;
`Volume.compute` and slicing run a sweep and give a NumPy array.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, overload

import numpy as np

from hoaconv.engine.contract import Fold, Join, Op, Resample, Scan, Source, Zip
from hoaconv.engine.plan import Plan
from hoaconv.io.zarr_volume import ZarrVolume
from hoaconv.job.chain import behind, open_operands, spec_at
from hoaconv.job.html import rows_of, table
from hoaconv.job.indexing import box_of, indices_of
from hoaconv.job.job import Job
from hoaconv.job.measured import Measured
from hoaconv.job.methods import method_of, names
from hoaconv.job.operators import Comparison
from hoaconv.job.options import OmeZarr, Running, Values
from hoaconv.job.planned import Planned
from hoaconv.job.reductions import Reducible
from hoaconv.job.scalar import Scalar, is_number
from hoaconv.job.statistics import measure
from hoaconv.job.statistics_report import Statistics
from hoaconv.job.target import Branch, InMemory
from hoaconv.ops import Crop
from hoaconv.ops.catalogue import lookup
from hoaconv.ops.elementwise import WithNumber, WithVolume
from hoaconv.ops.kinds import exact_number
from hoaconv.ops.overlap import MapOverlap
from hoaconv.ops.parameters import Subject
from hoaconv.ops.spelling import parse_ops

__all__ = ["Volume"]

Step = Op | Resample | Scan | Zip | Fold


@dataclass(frozen=True)
class Volume(Reducible, Comparison["Volume"], Subject):
    """A 3-D volume that is computed when it is asked for; axes are z, y, x.

    Made by `hoaconv.open`. A volume is a value: ``volume | op`` gives another one.

    Examples
    --------
    >>> import numpy as np
    >>> import hoaconv
    >>> volume = hoaconv.open(np.arange(24, dtype="uint8").reshape(2, 3, 4))
    >>> volume
    Volume(2 x 3 x 4 uint8)
    >>> (volume | "threshold 11").compute().sum(), volume[1, 2, ::3].tolist()
    (np.uint64(12), [20, 23])
    >>> volume.add(1).max(3).shape
    (2, 3, 4)
    """

    __repr__ = Planned.__repr__

    @property
    def levels(self) -> tuple["Volume", ...]:
        """Volumes of all levels of an OME-Zarr image, level 0 first; of anything else itself alone.

        Each has its own voxel size and origin. Headers are read, no voxel is decoded. Behind an op,
        or of some of the planes, there is no other level.

        Raises
        ------
        SourceError
            If a level can't be opened.
        """
        (end,) = self.plan.ends
        found = end.part.levels if isinstance(end.part, ZarrVolume) else ()
        own = (
            self if level is end.part else Volume(Plan.read(level), level.spec) for level in found
        )
        return tuple(own) or (self,)

    def _repr_html_(self) -> str:
        return table(rows_of(self))

    @overload
    def __or__(self, step: OmeZarr) -> Job: ...

    @overload
    def __or__(self, step: Any) -> "Volume": ...

    def __or__(self, step: Any) -> Any:
        """Go on with an op, or ops in one text; of two volumes, the bitwise or.

        With an `OmeZarr` it makes the job that writes the volume.

        Raises
        ------
        SpellingError
            For a text that isn't understood, or something that is no op.
        PlanError
            If an op can't take what it gets.
        """
        if isinstance(step, Volume):
            return self._with(step, "bitwise_or")
        if isinstance(step, OmeZarr):
            return Job.of(self, step)
        made: Volume = self
        for one in parse_ops(step) if isinstance(step, str) else (step,):
            made = made._then(one)
        return made

    def _then(self, step: Any) -> "Volume":
        plan = behind(self.plan, (step,), open_operands([(step,)]))
        return replace(self, plan=plan, spec=spec_at(plan))

    def applied(self, step: Any) -> Any:
        """Return what an op makes of the volume, or, of a fold, what it measures.

        ``volume | fold`` only lets the planes flow through the fold, for a report to tell.
        """
        return Measured(self, step) if isinstance(step, Fold) else self | step

    def _filtered(self, word: str, values: Sequence[Any], named: dict[str, Any]) -> "Volume":
        step: Step = cast(Any, lookup(word))(*values, **named)
        return self | step

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Ops as methods: ``volume.gaussian(1.5)``; ``-`` in a word is ``_``."""
        found = None if name.startswith("_") else method_of(self, name)
        if found is None:
            raise AttributeError(f"a volume has no attribute {name!r}, and there is no such op")
        return found

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *names()]

    def map_overlap(
        self,
        function: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]],
        depth: int | tuple[int, int, int] = 0,
        dtype: Any = None,
    ) -> "Volume":
        """Apply a function to overlapping blocks, as ``dask.array.map_overlap`` does.

        Parameters
        ----------
        function
            Gets a block (z, y, x) with its overlap, and returns an array of the same shape. At
            the volume's ends there is no overlap and nothing is added. It is called from several
            threads, with blocks of any size, so a voxel of the result must depend only on voxels
            that lie within `depth`.
        depth
            Overlap in voxels, one number or (z, y, x).
        dtype
            Of the result; by default that of the volume.

        Raises
        ------
        SpellingError
            If depth is no number of voxels.
        """
        return self | MapOverlap.of(function, depth, dtype)

    def compute(
        self, *, budget: str | int | None = None, workers: int | None = None
    ) -> np.ndarray[Any, Any]:
        """Compute all voxels in one sweep, and return them as a NumPy array (z, y, x).

        Parameters
        ----------
        budget
            Memory that the process may hold, such as ``"4GiB"``, the result included; by default
            60 % of what is free.
        workers
            Threads; by default all CPUs of this process.

        Raises
        ------
        BudgetError
            If the result, or what computing it takes, doesn't fit the budget.
        SourceError
            If a voxel can't be read.
        """
        job = Job((Branch("array", self, InMemory()),))
        computed: np.ndarray[Any, Any] = job.run(budget=budget, workers=workers)["array"]
        return computed

    def stats(
        self,
        *,
        sample: int | None = None,
        budget: str | int | None = None,
        workers: int | None = None,
    ) -> Statistics:
        """Measure the volume in one sweep: range, mean, percentiles, thresholds, histogram.

        Parameters
        ----------
        sample
            Slices to measure, drawn at random along z; by default all.
        budget, workers
            As of `compute`.

        Returns
        -------
        Statistics
            ``.mean``, ``.std``, ``.p50``, ``.otsu`` and so on are its numbers.

        Raises
        ------
        SpellingError
            If an op of the volume measures itself.
        BudgetError
            If the sweep doesn't fit the budget.
        SourceError
            If a voxel can't be read.
        """
        running = Running(budget=budget, workers=workers)
        return measure(self, sample=Values(sample=sample).sample, running=running)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        computed = self.compute()
        return computed if dtype is None else np.asarray(computed, dtype)

    def __getitem__(self, key: Any) -> np.ndarray[Any, Any]:
        """Return some voxels as a NumPy array; no more planes are decoded than they need.

        Takes whole numbers, slices and ``...``, as NumPy does.
        """
        indices = indices_of(key, self.shape)
        boxes = [box_of(index, n) for index, n in zip(indices, self.shape, strict=True)]
        if not all(box for box, _ in boxes):
            return np.asarray(np.empty(self.shape, self.dtype)[indices])
        (planes, z), (rows, y), (columns, x) = boxes
        narrowed, before = self._narrowed(planes.start, planes.stop)
        depth = (before, before + len(planes))
        box = Crop((depth, (rows.start, rows.stop), (columns.start, columns.stop)))
        return np.asarray((narrowed | box).compute()[z, y, x])

    def _narrowed(self, start: int, stop: int) -> tuple["Volume", int]:
        """The volume of some planes with what ops in between need, and how many come before them.

        Where an op sees the whole volume, or makes other planes, nothing is left out.
        """
        nodes = self.plan.nodes()
        source, ops = nodes[0].part, [node.part for node in nodes[1:]]
        simple = isinstance(source, Source) and all(isinstance(o, Op) and not o.needs for o in ops)
        if not simple:
            return self, start
        reach = sum(op.halo[0] for op in ops if isinstance(op, Op))
        first, last = max(0, start - reach), min(self.shape[0], stop + reach)
        plan = Plan.read(cast(Source, source).choose(range(first, last)))
        for op in ops:
            plan |= cast(Op, op)
        spec = replace(self.spec, shape=(last - first, *self.spec.plane_shape))
        return replace(self, plan=plan, spec=spec), start - first

    def _with(self, other: Any, name: str, *, swapped: bool = False) -> "Volume":
        """Combine with a number, a scalar or another volume by a NumPy function."""
        if isinstance(other, Volume):
            join = WithVolume(name)
            spec = join.infer(self.spec, other.spec)
            return replace(self, plan=(self.plan & other.plan) | cast(Join, join), spec=spec)
        if isinstance(other, Scalar):
            plan, spec = other.informs(self, name, swapped=swapped)
            return replace(self, plan=plan, spec=spec)
        if not is_number(other):
            return NotImplemented  # type: ignore[no-any-return] # Python then asks the other operand
        return self | WithNumber(name, exact_number(other), swapped)

    def __and__(self, other: Any) -> "Volume":
        return self._with(other, "bitwise_and") if isinstance(other, Volume) else NotImplemented

    def __xor__(self, other: Any) -> "Volume":
        return self._with(other, "bitwise_xor") if isinstance(other, Volume) else NotImplemented
