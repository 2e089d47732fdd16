"""Notes on chains of ops that are probably mistakes; a note never stops a run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hoaconv.engine.contract import Fold, Step
from hoaconv.kernels.rounding import is_wide
from hoaconv.ops.deferred import CONSTANT
from hoaconv.ops.masks import makes_mask
from hoaconv.ops.objects import FillHoles, RemoveSmall
from hoaconv.ops.pointwise import Normalize, Rescale
from hoaconv.ops.sampling import Resize

__all__ = ["advice", "constant_notes"]

LARGE = 8.0
"""A larger factor is probably a length that was taken for a factor."""


def advice(
    ops: Sequence[Step], method: str | None, dtype: np.dtype[Any], *, is_mask: bool
) -> Iterator[str]:
    """Give notes on a chain whose result of `dtype`, maybe a mask, is downsampled by `method`.

    `method` is None where nothing is downsampled.
    """
    changing = [op for op in ops if not isinstance(op, Fold)]
    if changing and is_mask and method == "mean":
        yield (
            f"'{changing[-1]}' makes a mask, and `downsample=\"mean\"` averages it: thin parts "
            'vanish from level 1 on; `downsample="mode"` keeps 0 and 1, and so does a label image'
        )
    if is_wide(dtype) and method == "mean":
        yield (
            f'the voxels are {dtype}, which is mostly used for labels, and `downsample="mean"` '
            'averages them; `downsample="mode"` keeps labels'
        )
    for i, op in enumerate(changing):
        made = any(makes_mask(before) for before in changing[:i])
        if isinstance(op, RemoveSmall | FillHoles) and not made:
            yield (
                f"'{op}' takes every voxel that isn't 0 for an object, and no threshold stands "
                "before it; of grey values the result may be 1 everywhere"
            )
        if isinstance(op, Resize) and max(op.factor) > LARGE:
            yield (
                f"'{op}' makes {max(op.factor):g} times as many voxels along an axis: resize "
                "takes factors, not lengths"
            )


def constant_notes(
    found: Mapping[str, Mapping[str, Any]], ops: Mapping[str, Step]
) -> Iterator[str]:
    """Give a note for each op whose window has no width, as the volume has one value.

    Parameters
    ----------
    found, ops
        Values that were found, and the ops that needed them, by the chain up to each.
    """
    for chain, values in found.items():
        if chain in ops and _is_flat(ops[chain], values):
            yield f"'{chain}' gives 0 everywhere, since all voxels that count have one value"


def _is_flat(op: Step, values: Mapping[str, Any]) -> bool:
    if isinstance(op, Rescale):
        lo, hi = (values.get(str(end), end) for end in (op.lo, op.hi))
        return bool(lo == hi) and CONSTANT in values
    return isinstance(op, Normalize) and values.get("std") == 0
