"""Ops that replace each voxel by the entry of a table at its value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hoaconv.engine.contract import Core, Fold, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.kernels.histogram import bin_values, is_exact
from hoaconv.kernels.lookup import apply_table, pattern_values, tabulate, tabulate_bytes
from hoaconv.kernels.types import Vector
from hoaconv.ops.declare import op
from hoaconv.ops.files import FromFile, Numbers, file_of, unreadable
from hoaconv.ops.kinds import DTYPE, or_word
from hoaconv.ops.measure import Counting, Counts
from hoaconv.ops.parameters import Declared, param

__all__ = ["Equalization", "Equalize", "Lut", "Mapped"]

_TAKEN = (np.dtype(np.uint8), np.dtype(np.uint16))
_MOST_ENTRIES = 1 << 16


FILE = file_of(".npy", ".txt")
DTYPE_OR_SAME = or_word(DTYPE, "same", "dtype or same")


@op("lut", example="lut table.npy")
class Lut(FromFile):
    """Replace each voxel v of uint8 or uint16 by entry v of a table (lookup table).

    A voxel beyond the end of the table gets its last entry. In an integer dtype, entries are
    rounded half to even and saturated, and NaN becomes 0. The file is read once, when the op is
    added to a chain.

    Raises
    ------
    PlanError
        If the volume is neither uint8 nor uint16.

    Examples
    --------
    >>> np.save("table.npy", [0, 10, 20])
    >>> ops.lut(np.array([[[0, 1, 2, 7]]], "uint8"), "table.npy").compute()
    array([[[ 0, 10, 20, 20]]], dtype=uint8)
    """

    file: str = param(FILE, "a row of numbers: .npy, or .txt with white space between them")
    dtype: str = param(DTYPE_OR_SAME, "dtype of the result", default="same")

    @cached_property
    def _tables(self) -> Mapping[np.dtype[Any], Vector]:
        """The whole table for each dtype that is taken."""
        entries = self.content.array

        def change(real: Slab) -> None:
            real[:] = entries[np.minimum(real.astype(np.intp), entries.size - 1)]

        return {taken: tabulate(change, taken, self._given(taken)) for taken in _TAKEN}

    def _given(self, taken: np.dtype[Any]) -> np.dtype[Any]:
        return taken if self.dtype == "same" else np.dtype(self.dtype)

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape in the result's dtype. Raises PlanError for other dtypes."""
        if spec.dtype not in _TAKEN:
            raise PlanError(f"lut takes uint8 and uint16, not {spec.dtype}; cast or rescale first")
        return replace(spec, dtype=self._given(spec.dtype))

    def work(self, spec: Spec) -> int:  # noqa: ARG002 - both are read together
        """Return the bytes of the tables, and of their entries."""
        tables = sum(tabulate_bytes(taken, self._given(taken)) for taken in _TAKEN)
        return tables + 8 * _MOST_ENTRIES

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the entries of ``block[core]`` into `out`."""
        apply_table(block[core], out, self._tables[block.dtype])

    def read(self) -> Numbers:
        """Read the entries, as many as a voxel can have values."""
        file: Any = self.file
        found = file.array if isinstance(file, Numbers) else _loaded(Path(file))
        if found.ndim != 1 or found.size == 0 or found.dtype.kind not in "uif":
            raise SpellingError(
                f"lut: {file} should hold a row of numbers, not {found.shape} {found.dtype}"
            )
        return Numbers.of(found[:_MOST_ENTRIES])


def _loaded(file: Path) -> np.ndarray[Any, Any]:
    try:
        if file.suffix == ".npy":
            return np.asarray(np.load(file, allow_pickle=False))
        return np.array([float(word) for word in file.read_text(encoding="utf-8").split()])
    except (OSError, ValueError) as error:
        raise unreadable("lut", file, "a table", error) from error


@dataclass(frozen=True)
class Equalization(Counting):
    """The fold that computes the table of a histogram equalisation."""

    word: ClassVar[str] = "equalization"

    def finish(self, state: Counts) -> Mapping[str, Any]:
        """Return the dtype, and the new value of each of its values in ascending order."""
        ranks = np.cumsum(state.histogram).astype(np.float64)
        first = ranks[np.flatnonzero(ranks)[0]]
        values = bin_values(state.dtype).astype(np.float64)
        if first < ranks[-1]:  # else there is one grey value
            spread = (ranks - first) / (ranks[-1] - first) * (values[-1] - values[0]) + values[0]
            values = np.rint(spread.clip(values[0]))
        return {"dtype": str(state.dtype), "table": values.astype(int).tolist()}


@op("equalize")
class Equalize(Declared, Op):
    """Equalize the histogram of the whole volume (histogram equalisation); the dtype stays.

    A voxel becomes its rank among all voxels, scaled to the dtype's range: the least voxel becomes
    the least value, the greatest voxel the greatest. The op takes integers of up to 16 bits, whose
    values are counted exactly. If all voxels have one value, they stay.

    Raises
    ------
    PlanError
        If the volume isn't of integers of up to 16 bits.

    Examples
    --------
    >>> ops.equalize(np.array([[[10, 20, 30]]], "uint8")).compute()
    array([[[  0, 128, 255]]], dtype=uint8)
    """

    @property
    def needs(self) -> Fold:
        """The fold that counts the voxels."""
        return Equalization()

    def settle(self, found: Mapping[str, Any]) -> Op:
        """Return the op that applies the table."""
        dtype = np.dtype(found["dtype"])
        places = pattern_values(dtype).astype(np.intp) - np.iinfo(dtype).min
        return Mapped(self.word, str(dtype), np.array(found["table"], dtype)[places].tobytes())

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the input. Raises PlanError for a dtype of more than 16 bits."""
        if not is_exact(spec.dtype):
            raise PlanError(
                f"equalize takes integers of up to 16 bits, not {spec.dtype}: rescale first, as in "
                "rescale p0.1 p99.9 uint16"
            )
        return spec

    def apply(self, block: Slab, core: Core, out: Slab) -> None:  # noqa: ARG002 - the contract's
        """Raise RuntimeError: the table must be computed first."""
        raise RuntimeError("'equalize' can't be applied before the volume's table is known")

    def warm(self, spec: Spec) -> None:
        """Compile the kernel, which is the same for any table."""
        Mapped(self.word, str(spec.dtype), pattern_values(spec.dtype).tobytes()).warm(spec)


@dataclass(frozen=True)
class Mapped(Op):
    """Replace each value of an integer dtype of up to 16 bits by another of the same dtype.

    Parameters
    ----------
    text
        Spelling of the op that it stands for.
    dtype
        Dtype of the voxels and the table.
    table
        Bytes of the new values, in the order of `hoaconv.kernels.lookup.pattern_values`.
    """

    word: ClassVar[str] = "mapped"

    text: str
    dtype: str
    table: bytes

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the input. Raises PlanError if the table is for another dtype."""
        if spec.dtype != self.dtype:
            raise PlanError(f"the table of {self.text} is for {self.dtype}, not {spec.dtype}")
        return spec

    @cached_property
    def _entries(self) -> Vector:
        return np.frombuffer(self.table, self.dtype).copy()  # kernels want it to be writable

    def work(self, spec: Spec) -> int:  # noqa: ARG002 - the parameter is the contract
        """Return the bytes of the table as an array."""
        return len(self.table)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the new values of ``block[core]`` into `out`."""
        apply_table(block[core], out, self._entries)

    def __str__(self) -> str:
        return self.text
