"""Ops of your own: a function or a class below @op is a word for --ops, and in the help.

    hoaconv ops local-contrast --ops-module examples/your_own_op.py
    hoaconv stack-to-omezarr slices/ out.zarr \
        --ops-module examples/your_own_op.py --ops "difference | local-contrast 3 gain=2"
"""

from dataclasses import replace
from typing import Annotated

import numpy as np

from hoaconv import op
from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.ops.kinds import NUMBER, WHOLE
from hoaconv.ops.parameters import Declared, param


# A function takes a block (z, y, x) with the voxels around it, and returns one of the same shape.
@op("difference", depth=(1, 0, 0), dtype="float32")
def difference(block: Slab, scale: Annotated[float, "factor of the result"] = 1.0) -> Slab:
    """Compute the central difference along z: float32."""
    near = np.pad(block.astype("float32"), ((1, 1), (0, 0), (0, 0)), mode="edge")
    return (near[2:] - near[:-2]) * np.float32(scale / 2)


# A class says itself how far it looks, what it makes, what it allocates, and how it computes.
@op("local-contrast", example="local-contrast 3")
class LocalContrast(Declared, Op):
    """Subtract the mean of the neighbours along z: float32."""

    radius: int = param(WHOLE, "neighbours on each side")
    gain: float = param(NUMBER, "factor of the result", default=1.0)

    @property
    def halo(self) -> tuple[int, int, int]:
        return (self.radius, 0, 0)  # planes before and after, where the volume has them

    def infer(self, spec: Spec) -> Spec:
        return replace(spec, dtype=np.dtype("float32"))

    def work(self, spec: Spec) -> int:
        return 2 * 4 * spec.shape[1] * spec.shape[2]  # two planes of float32

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        depth, rows, columns = core
        for z, plane in zip(range(*depth.indices(len(block))), out, strict=True):
            near = block[max(0, z - self.radius) : z + self.radius + 1, rows, columns]
            mean = near.mean(axis=0, dtype=np.float32)
            np.subtract(block[z, rows, columns], mean, out=plane, casting="unsafe")
            np.multiply(plane, np.float32(self.gain), out=plane)
