"""Ops that lower the precision of voxels, so that they take less space."""

from typing import ClassVar

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import PlanError
from hoaconv.kernels.quantize import most_bits, quantize
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import WHOLE
from hoaconv.ops.parameters import Declared, param

__all__ = ["Quantize"]


@op("quantize", example="quantize 2")
class Quantize(Declared, Op):
    """Round away the N lowest bits of voxels, which are noise, so that chunks get smaller.

    An integer becomes the nearest multiple of 2^N, a voxel between two of them the one whose
    quotient by 2^N is even: the error is at most 2^(N-1). Where that multiple is beyond the dtype,
    the result is the dtype's greatest value. Of a float the last N bits of the mantissa are rounded
    alike (23 bits of float32, 52 of float64): the error is at most 2^(N-1) units in the last place.
    NaN and infinities stay. Rounding twice gives the same as once. `docs/performance.md` says what
    it gains.

    Raises
    ------
    PlanError
        If so few bits would stay that nothing is left to see: 8 bits allow N up to 6.

    Examples
    --------
    >>> ops.quantize(np.array([[[1, 2, 3, 6, 10, 255]]], "uint8"), 2).compute()
    array([[[  0,   0,   4,   8,   8, 255]]], dtype=uint8)
    """

    takes_wide: ClassVar[bool] = True

    bits: int = param(WHOLE, "bits to round away")

    def infer(self, spec: Spec) -> Spec:
        """Return the spec of the input. Raises PlanError if too few bits would stay."""
        if not 1 <= self.bits <= most_bits(spec.dtype):
            raise PlanError(
                f"quantize: 1 to {most_bits(spec.dtype)} bits of {spec.dtype} can be rounded away, "
                f"not {self.bits}"
            )
        return spec

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Round ``block[core]`` into `out`."""
        quantize(block[core], out, self.bits)
