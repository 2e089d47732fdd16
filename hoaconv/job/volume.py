"""A volume as a value: where its voxels come from, and what is done to them.

Nothing is decoded by building one. Ops are added with ``|``, by methods, or by Python's operators;
`Volume.compute` and slicing run a sweep and give a NumPy array.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from hoaconv.chains import chained, open_others, teller, warm_up
from hoaconv.engine import machine
from hoaconv.engine.contract import Fold, Join, Op, Resample, Scan, Source, Zip
from hoaconv.engine.geometry import Geometry, Lengths
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import Spec
from hoaconv.errors import SpellingError
from hoaconv.job.arrays import ArraySink
from hoaconv.job.indexing import box_of, indices_of
from hoaconv.ops import Crop
from hoaconv.ops.catalogue import catalogue, lookup
from hoaconv.ops.elementwise import WithNumber, WithVolume
from hoaconv.ops.overlap import MapOverlap
from hoaconv.ops.spelling import parse_ops
from hoaconv.options import take_budget, take_workers
from hoaconv.report import Watcher

__all__ = ["Volume"]

Step = Op | Resample | Scan | Zip | Fold


@dataclass(frozen=True)
class Volume:
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

    plan: Plan
    spec: Spec
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        return self.spec.shape

    @property
    def ndim(self) -> int:
        """3."""
        return 3

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a voxel."""
        return self.spec.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels, decoded."""
        return self.spec.nbytes

    @property
    def geometry(self) -> Geometry:
        """Size and place of the voxels, and where that comes from."""
        return self.spec.geometry

    @property
    def voxel_size(self) -> Lengths | None:
        """Edge of a voxel (z, y, x), in `unit`; None where it is unknown."""
        return self.geometry.voxel_size

    @property
    def unit(self) -> str | None:
        """Unit of `voxel_size`, such as ``micrometer``; None where it is unknown."""
        return self.geometry.unit

    @property
    def origin(self) -> Lengths:
        """Centre of the first voxel (z, y, x), in `unit`."""
        return self.geometry.origin

    def __repr__(self) -> str:
        return f"Volume({self._told()})"

    def _told(self) -> str:
        words = [str(self.spec)]
        if self.voxel_size:
            edges = [f"{edge:g}" for edge in self.voxel_size]
            words.append(f"{edges[0] if len(set(edges)) == 1 else ' x '.join(edges)} {self.unit}")
        chain = [str(node.part) for node in self.plan.nodes() if not isinstance(node.part, Source)]
        return ", ".join(words) + (f": {' | '.join(chain)}" if chain else "")

    def _repr_html_(self) -> str:
        size = " &times; ".join(f"{e:g}" for e in self.voxel_size) if self.voxel_size else "unknown"
        rows = {
            "shape (z, y, x)": " &times; ".join(map(str, self.shape)),
            "dtype": str(self.dtype),
            "voxel size": f"{size} {self.unit or ''} ({self.geometry.told_by})",
            "in memory": f"{self.nbytes / 1e6:.3g} MB",
            "from": _escaped(str(self.plan)),
        }
        cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows.items())
        return f"<table>{cells}</table>"

    def __or__(self, step: "Volume | Step | str | Any") -> "Volume":
        """Go on with an op, or ops in one text; of two volumes, the bitwise or.

        Raises
        ------
        SpellingError
            For a text that isn't understood, or something that is no op.
        PlanError
            If an op can't take what it gets.
        """
        if isinstance(step, Volume):
            return self._with(step, "bitwise_or")
        made = self
        for one in parse_ops(step) if isinstance(step, str) else (step,):
            made = made._then(one)
        return made

    def _then(self, step: Any) -> "Volume":
        if isinstance(step, Zip) and step.others:
            others = open_others([(step,)])
            spec = step.infer(self.spec)
            return replace(self, plan=chained(self.plan, (step,), others), spec=spec)
        if isinstance(step, Fold):
            return replace(self, plan=self.plan | step)
        if not isinstance(step, Op | Resample | Scan | Zip):
            raise SpellingError(
                f"{step!r} is no op; write one such as hoaconv.ops.Gaussian(1.5), a text such as "
                "'gaussian 1.5', or give a function to map_overlap"
            )
        part = step.resolved() if isinstance(step, Op) else cast(Op, step)  # files are read here
        return replace(self, plan=self.plan | part, spec=part.infer(self.spec))

    def __getattr__(self, name: str) -> Callable[..., "Volume"]:
        """Ops as methods: ``volume.gaussian(1.5)``; ``-`` in a word is ``_``."""
        word = name.replace("_", "-")
        if name.startswith("_") or word not in catalogue():
            raise AttributeError(f"a volume has no attribute {name!r}, and there is no such op")

        def add(*values: Any, **named: Any) -> Volume:
            step: Step = cast(Any, lookup(word))(*values, **named)
            return self | step

        add.__name__, add.__doc__ = name, lookup(word).__doc__
        return add

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(word.replace("-", "_") for word in catalogue())]

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
        machine.share_malloc_arena()  # before any thread begins: an arena, once made, stays
        threads, watcher, sink = take_workers(workers), _Warner(), ArraySink()
        machine.begin(threads)
        plan = self.plan | sink
        warm_up(plan, watcher)
        made = schedule(plan, Limits(take_budget(budget), threads))
        with teller(watcher, self.spec, made) as tell:
            run(made, tell)
        return sink.array

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
        ends = (range(before, before + len(planes)), rows, columns)
        box = Crop(",".join(f"{end.start}:{end.stop}" for end in ends))
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
        """Combine with a number or another volume by a NumPy function."""
        if isinstance(other, Volume):
            join = WithVolume(name)
            spec = join.infer(self.spec, other.spec)
            return replace(self, plan=(self.plan & other.plan) | cast(Join, join), spec=spec)
        if not isinstance(other, int | float | np.number) or not np.isfinite(other):
            return NotImplemented  # type: ignore[no-any-return] # Python then asks the other operand
        return self | WithNumber(name, float(other), swapped)

    def __add__(self, other: Any) -> "Volume":
        return self._with(other, "add")

    def __radd__(self, other: Any) -> "Volume":
        return self._with(other, "add")

    def __sub__(self, other: Any) -> "Volume":
        return self._with(other, "subtract")

    def __rsub__(self, other: Any) -> "Volume":
        return self._with(other, "subtract", swapped=True)

    def __mul__(self, other: Any) -> "Volume":
        return self._with(other, "multiply")

    def __rmul__(self, other: Any) -> "Volume":
        return self._with(other, "multiply")

    def __truediv__(self, other: Any) -> "Volume":
        return self._with(other, "divide")

    def __rtruediv__(self, other: Any) -> "Volume":
        return self._with(other, "divide", swapped=True)

    def __gt__(self, other: Any) -> "Volume":
        return self._with(other, "greater")

    def __ge__(self, other: Any) -> "Volume":
        return self._with(other, "greater_equal")

    def __lt__(self, other: Any) -> "Volume":
        return self._with(other, "less")

    def __le__(self, other: Any) -> "Volume":
        return self._with(other, "less_equal")

    def __and__(self, other: Any) -> "Volume":
        return self._with(other, "bitwise_and") if isinstance(other, Volume) else NotImplemented

    def __xor__(self, other: Any) -> "Volume":
        return self._with(other, "bitwise_xor") if isinstance(other, Volume) else NotImplemented

    __array_ufunc__ = None
    """NumPy leaves operators of its arrays with a volume to the volume."""


class _Warner(Watcher):
    """Tells notes as Python's warnings."""

    def note(self, text: str) -> None:
        warnings.warn(text, stacklevel=2)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
