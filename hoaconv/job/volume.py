"""A volume as a value: the source of its voxels, and the ops that change them.

Building a volume decodes nothing. Ops are added by ``|``, by methods, or by Python's operators.
`Volume.compute` and slicing run a sweep, and return a NumPy array.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import MethodType
from typing import Any, cast, overload

import numpy as np

from hoaconv.engine.contract import Fold, Op, Resample, Scan, Sink, Zip
from hoaconv.engine.plan import Plan
from hoaconv.errors import PlanError
from hoaconv.io.array_volume import ArrayVolume
from hoaconv.job.chain import behind, open_operands, spec_at
from hoaconv.job.excerpt import excerpt
from hoaconv.job.html import rows_of, table
from hoaconv.job.indexing import box_of, indices_of, planes_of
from hoaconv.job.job import Job
from hoaconv.job.masks import gives_mask
from hoaconv.job.measured import Measured
from hoaconv.job.methods import method, names
from hoaconv.job.operands import combined
from hoaconv.job.operators import Comparison
from hoaconv.job.options import Running, Values
from hoaconv.job.output import Output
from hoaconv.job.planned import Planned
from hoaconv.job.reductions import Reducible
from hoaconv.job.statistics import measure
from hoaconv.job.statistics_report import Statistics
from hoaconv.job.target import Branch, InMemory
from hoaconv.ops import Crop
from hoaconv.ops.arithmetic import Abs
from hoaconv.ops.beside import Subject, is_array
from hoaconv.ops.catalogue import lookup
from hoaconv.ops.elementwise import WithNumber
from hoaconv.ops.overlap import MapOverlap
from hoaconv.ops.parameters import Declared
from hoaconv.ops.spelling import parse_op, parse_ops

__all__ = ["Volume"]

Step = Op | Resample | Scan | Zip | Fold


@dataclass(frozen=True, eq=False)
class Volume(Reducible, Comparison["Volume"], Subject):
    """A 3-D volume that is computed when it is asked for; the axes are z, y, x.

    `hoaconv.open` makes it. A volume is a value: ``volume | op`` is another volume. Every op of
    `hoaconv.ops` is a method too.

    Attributes
    ----------
    plan
        The source and the ops.
    spec
        Shape, dtype and geometry of the result.
    notes
        Remarks of the readers of the source, for the user.

    Examples
    --------
    >>> volume = hc.open(np.arange(24, dtype="uint8").reshape(2, 3, 4))
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
        """Volumes of all levels of an OME-Zarr image, level 0 first.

        Each has its own voxel size and origin. Headers are read, no voxel is decoded. Any other
        volume has one level, itself; so has a volume behind an op, or of a part of the planes.

        Raises
        ------
        SourceError
            If a level can't be opened.
        """
        (end,) = self.plan.ends
        found = end.part.levels if isinstance(end.part, ArrayVolume) else ()
        own = (
            self if level is end.part else Volume(Plan.read(level), level.spec) for level in found
        )
        return tuple(own) or (self,)

    def _repr_html_(self) -> str:
        return table(rows_of(self))

    @overload
    def __or__(self, step: Output | Sink) -> Job: ...

    @overload
    def __or__(self, step: Any) -> "Volume": ...

    def __or__(self, step: Any) -> Any:
        """Return the volume behind an op, or behind the ops of a text.

        With an `OmeZarr` or another output, or a sink of the engine, return the job that writes the
        volume; with another volume, the bitwise or.

        Raises
        ------
        SpellingError
            If a text isn't understood, or `step` is no op.
        PlanError
            If an op can't be applied to its input.
        """
        if isinstance(step, Volume | bool | np.bool_) or is_array(step):
            return self._with(step, "bitwise_or")
        if isinstance(step, Output | Sink):
            return Job.of(self, step)
        if isinstance(step, type) and issubclass(step, Declared):
            return self | parse_op(step.word)  # if its parameters have defaults
        made: Volume = self
        for one in parse_ops(step) if isinstance(step, str) else (step,):
            made = made._then(one)
        return made

    def _then(self, step: Any) -> "Volume":
        plan = behind(self.plan, (step,), open_operands([(step,)]))
        return replace(self, plan=plan, spec=spec_at(plan))

    def applied(self, step: Any) -> Any:
        """Return the volume behind an op, or the measurement of a fold.

        ``volume | fold`` differs: it is the volume itself, which the fold measures on the way.
        """
        return Measured(self, step) if isinstance(step, Fold) else self | step

    def _filtered(self, word: str, values: Sequence[Any], named: dict[str, Any]) -> "Volume":
        step: Step = cast(Any, lookup(word))(*values, **named)
        return self | step

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the method of an op that was declared later; ``_`` stands for ``-``."""
        found = None if name.startswith("_") else method(name)
        if found is None:
            near = [] if name.startswith("_") else get_close_matches(name, dir(self), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise AttributeError(
                f"a volume has no attribute {name!r}, and there is no such op{hint}"
            )
        return MethodType(found, self)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *names()]

    def map_overlap(
        self,
        function: "Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]",
        depth: "int | tuple[int, int, int] | Mapping[int, int]" = 0,
        dtype: Any = None,
    ) -> "Volume":
        """Apply a function to overlapping blocks, as ``dask.array.map_overlap`` does.

        Parameters
        ----------
        function
            A function that takes a block (z, y, x) with its overlap, and returns an array of the
            same shape. At the volume's ends there is no overlap, and nothing is added. Several
            threads call it, with blocks of any size, so a voxel of the result must depend only on
            voxels within `depth`.
        depth
            Overlap on each side in voxels, one number or (z, y, x), or numbers by axes, as in
            ``{0: 1}``.
        dtype
            Dtype of the result; by default that of the volume.

        Returns
        -------
        Volume
            A volume of the same shape. Nothing is computed yet.

        Raises
        ------
        SpellingError
            If `depth` is no number of voxels.

        Examples
        --------
        >>> def difference(block):
        ...     return np.diff(block, axis=0, prepend=block[:1])
        >>> hc.open("slices/").map_overlap(difference, depth=(1, 0, 0))[:3, 0, 0]
        array([  0, 100, 100], dtype=uint16)
        """
        return self | MapOverlap.of(function, depth, dtype)

    def map_blocks(
        self, function: "Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]", dtype: Any = None
    ) -> "Volume":
        """Apply a function to blocks without overlap: `map_overlap` with a depth of 0.

        Parameters
        ----------
        function
            A function that takes a block (z, y, x) of any size, and returns an array of the same
            shape. Each voxel of the result must depend only on the same voxel of the block.
        dtype
            Dtype of the result; by default that of the volume.

        Returns
        -------
        Volume
            A volume of the same shape. Nothing is computed yet.

        Examples
        --------
        >>> hc.open("slices/").map_blocks(np.sqrt, dtype="float32")[1, 0, :2]
        array([10.      , 10.049875], dtype=float32)
        """
        return self.map_overlap(function, 0, dtype)

    def compute(
        self, budget: str | int | None = None, *, workers: int | None = None
    ) -> np.ndarray[Any, Any]:
        """Compute all voxels in one sweep, and return them as a NumPy array (z, y, x).

        Parameters
        ----------
        budget
            Memory that the process may hold, the result included, in bytes or as text such as
            ``"8GiB"``. By default 60 % of the free memory.
        workers
            Number of threads; by default one for each CPU of this process.

        Returns
        -------
        ndarray
            Voxels (z, y, x) of the volume's dtype.

        Raises
        ------
        BudgetError
            If the result and the memory to compute it don't fit the budget.
        SourceError
            If a voxel can't be read.

        Examples
        --------
        >>> mask = (hc.open("slices/") >= 400).compute(budget="1GiB", workers=1)
        >>> mask.shape, mask.dtype, mask.mean().item()
        ((8, 16, 16), dtype('uint8'), 0.5)
        """
        job = Job((Branch("array", self, InMemory()),))
        computed: np.ndarray[Any, Any] = job.run(budget=budget, workers=workers)["array"]
        return computed

    def stats(
        self,
        *,
        sample: int | None = None,
        budget: int | str | None = None,
        workers: int | None = None,
    ) -> Statistics:
        """Measure the volume in one sweep: range, mean, percentiles, thresholds, histogram.

        Parameters
        ----------
        sample
            Number of slices to measure, drawn at random along z; by default all.
        budget
            Memory that the process may hold, in bytes or as text such as ``"8GiB"``. By default
            60 % of the free memory.
        workers
            Number of threads; by default one for each CPU of this process.

        Returns
        -------
        Statistics
            Its numbers are ``.mean``, ``.std``, ``.p50``, ``.otsu`` and others.

        Raises
        ------
        SpellingError
            If an op of the volume is a measurement.
        BudgetError
            If the sweep doesn't fit the budget.
        SourceError
            If a voxel can't be read.

        Examples
        --------
        >>> found = (hc.open("slices/") | "gaussian 1").stats(sample=4)
        >>> found.slices_measured, sorted(found.percentiles)[:2]
        (4, ['p0.5', 'p1'])
        """
        running = Running(budget=budget, workers=workers)
        return measure(self, sample=Values(sample=sample).sample, running=running)

    def __copy__(self) -> "Volume":
        return self  # it never changes

    def __deepcopy__(self, memo: Any) -> "Volume":
        return self

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        computed = self.compute()
        return computed if dtype is None else np.asarray(computed, dtype)

    def __getitem__(self, key: Any) -> np.ndarray[Any, Any]:
        """Return some voxels as a NumPy array; only the planes that they need are decoded.

        `key` has whole numbers, slices and ``...``, as in NumPy. If the volume depends on a number
        of a whole volume, such as Otsu's threshold, each call reads that volume.
        """
        indices = indices_of(key, self.shape)
        planes, z = planes_of(indices[0], self.shape[0])
        (rows, y), (columns, x) = map(box_of, indices[1:], self.shape[1:])
        if not (planes and rows and columns):
            return np.array(np.broadcast_to(np.empty((), self.dtype), self.shape)[indices])
        plan = excerpt(self.plan, planes)
        box = Crop(((0, None), (rows.start, rows.stop), (columns.start, columns.stop)))
        narrowed = replace(self, plan=plan, spec=spec_at(plan)) | box
        return np.asarray(narrowed.compute()[z, y, x])

    def _with(self, other: Any, name: str, *, swapped: bool = False) -> "Volume":
        """Combine with a number, a scalar, another volume or an array by a NumPy function."""
        made = combined(self, other, name, swapped=swapped)
        if made is None:
            return NotImplemented  # type: ignore[no-any-return] # Python then asks the other operand
        plan, spec = made
        return replace(self, plan=plan, spec=spec)

    def __ror__(self, other: Any) -> "Volume":
        return self._with(other, "bitwise_or", swapped=True)

    def __neg__(self) -> "Volume":
        if self.dtype.kind == "u":
            raise PlanError(
                f"-volume would be 0 everywhere, since {self.dtype} has no negative values: write "
                "-volume.cast('float32')"
            )
        return self | WithNumber("multiply", -1.0)

    def __abs__(self) -> "Volume":
        return self | Abs()

    def __invert__(self) -> "Volume":
        """Return the voxels that a mask leaves out, as a mask."""
        if not gives_mask(self.plan):
            raise PlanError(
                "~ takes a mask, such as volume > 5; volume == 0 makes one of a volume whose mask "
                "isn't known to be one, and volume.invert() inverts brightness"
            )
        return self | WithNumber("bitwise_xor", 1.0)


for _name in names():
    if not hasattr(Volume, _name):  # a method of its own, such as `Volume.stats`, stays
        setattr(Volume, _name, method(_name))
