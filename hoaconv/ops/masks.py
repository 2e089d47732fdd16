"""Ops that make masks, and ops that keep them: uint8, 0 and 1."""

from typing import Any

from hoaconv.engine.contract import Fold
from hoaconv.ops.cropping import Crop
from hoaconv.ops.elementwise import BITWISE, COMPARING, WithNumber, WithScalar, WithVolume
from hoaconv.ops.geometry import Flip, Rotate90, TransposeXY
from hoaconv.ops.morphology import Close, Dilate, Erode, Open
from hoaconv.ops.objects import FillHoles, RemoveSmall
from hoaconv.ops.ordinal import Median
from hoaconv.ops.pointwise import Between, Threshold
from hoaconv.ops.rank import Max, Min
from hoaconv.ops.repeated import Repeat
from hoaconv.ops.transposition import Transpose

__all__ = ["keeps_masks", "makes_mask"]

_MAKING = (Threshold, Between, RemoveSmall, FillHoles)
_KEEPING = (
    *(Crop, Flip, Rotate90, Transpose, TransposeXY, Repeat, Fold),
    *(Dilate, Erode, Open, Close, Max, Median, Min),
)


def makes_mask(op: Any) -> bool:
    """Return whether an op makes a mask of any volume."""
    compares = isinstance(op, WithNumber | WithScalar | WithVolume) and op.name in COMPARING
    return compares or isinstance(op, _MAKING)


def keeps_masks(op: Any) -> bool:
    """Return whether an op makes a mask of masks."""
    if isinstance(op, WithNumber):
        return op.name in BITWISE and op.number in (0, 1)
    if getattr(op, "mode", "") == "constant" and op.cval not in (0, 1):
        return False
    if isinstance(op, Crop) and op.fill not in ("none", 0, 1):
        return False
    return isinstance(op, _KEEPING) or (isinstance(op, WithVolume) and op.name in BITWISE)
