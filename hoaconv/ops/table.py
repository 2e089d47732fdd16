"""Ops that replace each voxel through a table by its value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from os import fspath
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Fold, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import PlanError
from hoaconv.kernels.histogram import bin_values, is_exact
from hoaconv.kernels.lookup import apply_table, pattern_values, tabulate, tabulate_bytes
from hoaconv.kernels.types import Vector
from hoaconv.ops.declare import DTYPE, Declared, Kind, param, register
from hoaconv.ops.measure import Counting, Counts

__all__ = ["Equalization", "Equalize", "Lut", "Mapped", "file_of", "unreadable"]

_TAKEN = (np.dtype(np.uint8), np.dtype(np.uint16))


def file_of(*suffixes: str) -> Kind:
    """The name of a file that ends in one of some suffixes."""

    def accept(value: Any) -> str:
        try:
            name = fspath(value)
        except TypeError:
            name = ""
        if not str(name).endswith(suffixes) or set(name) & set(" \t\n|="):
            raise ValueError(f"the name of a {' or '.join(suffixes)} file, without spaces, | and =")
        return str(name)

    return Kind("file", accept, str)


def _dtype_or_same(value: Any) -> str:
    if value == "same":
        return "same"
    try:
        return str(DTYPE.accept(value))
    except ValueError as expected:
        raise ValueError(f"same, or {expected}") from None


FILE = file_of(".npy", ".txt")
DTYPE_OR_SAME = Kind("dtype or same", _dtype_or_same, str)


@register("lut table.npy")
@dataclass(frozen=True)
class Lut(Declared, Op):
    """Replace each voxel v of uint8 or uint16 by entry v of a table.

    Voxels beyond the table's end get its last entry. Entries are rounded half to even and
    saturated; NaN becomes 0 in an integer. The file is read once, when the plan is checked.
    """

    word: ClassVar[str] = "lut"

    file: str = param(FILE, "a row of numbers: .npy, or .txt with white space between them")
    dtype: str = param(DTYPE_OR_SAME, "dtype of the result", "same")

    @cached_property
    def _tables(self) -> Mapping[np.dtype[Any], Vector]:
        """The whole table for each dtype that is taken."""
        entries = _read(Path(self.file))

        def change(real: Slab) -> None:
            real[:] = entries[np.minimum(real.astype(np.intp), entries.size - 1)]

        return {taken: tabulate(change, taken, self._given(taken)) for taken in _TAKEN}

    def _given(self, taken: np.dtype[Any]) -> np.dtype[Any]:
        return taken if self.dtype == "same" else np.dtype(self.dtype)

    def infer(self, spec: Spec) -> Spec:
        """The same shape in the result's dtype, if the file holds a table."""
        if spec.dtype not in _TAKEN:
            raise PlanError(f"lut takes uint8 and uint16, not {spec.dtype}; cast or rescale first")
        return replace(spec, dtype=self._tables[spec.dtype].dtype)

    def work(self, spec: Spec) -> int:  # noqa: ARG002 - both are read together
        """The tables."""
        return sum(tabulate_bytes(taken, self._given(taken)) for taken in _TAKEN)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the entries of ``block[core]`` into `out`."""
        apply_table(block[core], out, self._tables[block.dtype])


def unreadable(word: str, file: Path, what: str, error: Exception) -> PlanError:
    """For a file of an op's that isn't what it should be."""
    reason = getattr(error, "strerror", None) or error
    return PlanError(f"{word}: {file} can't be read as {what}: {reason}")


def _read(file: Path) -> Vector:
    """The numbers in a file, as float64."""
    try:
        if file.suffix == ".npy":
            found = np.load(file, allow_pickle=False)
        else:
            found = np.array([float(word) for word in file.read_text(encoding="utf-8").split()])
    except (OSError, ValueError) as error:
        raise unreadable("lut", file, "a table", error) from error
    if found.ndim != 1 or found.size == 0 or found.dtype.kind not in "uif":
        raise PlanError(
            f"lut: {file} should hold a row of numbers, not {found.shape} {found.dtype}"
        )
    return np.asarray(found, np.float64)


@dataclass(frozen=True)
class Equalization(Counting):
    """Finds what makes the grey values of a volume evenly common."""

    word: ClassVar[str] = "equalization"

    def finish(self, state: Counts) -> Mapping[str, Any]:
        """The dtype, and the new value of each of its values, least first."""
        ranks = np.cumsum(state.histogram).astype(np.float64)
        first = ranks[np.flatnonzero(ranks)[0]]
        values = bin_values(state.dtype).astype(np.float64)
        if first < ranks[-1]:  # else there is one grey value
            spread = (ranks - first) / (ranks[-1] - first) * (values[-1] - values[0]) + values[0]
            values = np.rint(spread.clip(values[0]))
        return {"dtype": str(state.dtype), "table": values.astype(int).tolist()}


@register("equalize")
@dataclass(frozen=True)
class Equalize(Declared, Op):
    """Equalize the histogram of the whole volume; the dtype stays.

    A voxel becomes its rank among all voxels, spread over the dtype's range: the least voxel its
    least value, the greatest its greatest. The dtype stays; it must have up to 16 bits, so that
    each value is counted. A volume of one grey value stays as it is.
    """

    word: ClassVar[str] = "equalize"

    @property
    def needs(self) -> Fold:
        """What counts the voxels."""
        return Equalization()

    def settle(self, found: Mapping[str, Any]) -> Op:
        """The table that was found, as an op."""
        dtype = np.dtype(found["dtype"])
        places = pattern_values(dtype).astype(np.intp) - np.iinfo(dtype).min
        return Mapped(self.word, str(dtype), np.array(found["table"], dtype)[places].tobytes())

    def infer(self, spec: Spec) -> Spec:
        """The same."""
        if not is_exact(spec.dtype):
            raise PlanError(
                f"equalize takes integers of up to 16 bits, not {spec.dtype}: rescale first, as in "
                "rescale p0.1 p99.9 uint16"
            )
        return spec

    def apply(self, block: Slab, core: Core, out: Slab) -> None:  # noqa: ARG002 - the contract's
        """Not before it is settled."""
        raise RuntimeError("'equalize' can't be applied before it is settled: what is its table?")

    def warm(self, spec: Spec) -> None:
        """Compile the kernel, which any table takes."""
        Mapped(self.word, str(spec.dtype), pattern_values(spec.dtype).tobytes()).warm(spec)


@dataclass(frozen=True)
class Mapped(Op):
    """Replace each value of an integer dtype of up to 16 bits by another of the same dtype.

    Parameters
    ----------
    text
        What it is called.
    dtype
        Of the voxels and the table.
    table
        Bytes of the new values, in the order of `hoaconv.kernels.lookup.pattern_values`.
    """

    word: ClassVar[str] = "mapped"

    text: str
    dtype: str
    table: bytes

    def infer(self, spec: Spec) -> Spec:
        """The same, if the table is for its dtype."""
        if spec.dtype != self.dtype:
            raise PlanError(f"the table of {self.text} is for {self.dtype}, not {spec.dtype}")
        return spec

    @cached_property
    def _entries(self) -> Vector:
        return np.frombuffer(self.table, self.dtype).copy()  # kernels want it to be writable

    def work(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """The table, as an array."""
        return len(self.table)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the new values of ``block[core]`` into `out`."""
        apply_table(block[core], out, self._entries)

    def __str__(self) -> str:
        return self.text
