"""An op of your own: declared once, it is a word for --ops, and in the help.

    hoaconv ops local-contrast --ops-module examples/your_own_op.py
    hoaconv stack-to-omezarr slices/ out.zarr \
        --ops-module examples/your_own_op.py --ops "local-contrast 3 gain=2"
"""

from dataclasses import replace

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.ops.declare import op
from hoaconv.ops.kinds import NUMBER, WHOLE
from hoaconv.ops.parameters import Declared, param


@op("local-contrast", example="local-contrast 3")
class LocalContrast(Declared, Op):
    """How far a voxel lies above the mean of its neighbours along z."""

    radius: int = param(WHOLE, "neighbours on each side")
    gain: float = param(NUMBER, "what the difference is multiplied with", default=1.0)

    @property
    def halo(self) -> tuple[int, int, int]:
        return (self.radius, 0, 0)  # what the engine adds to each block where the volume has it

    def infer(self, spec: Spec) -> Spec:
        return replace(spec, dtype=np.dtype("float32"))

    def work(self, spec: Spec) -> int:
        return 4 * spec.plane_bytes // spec.dtype.itemsize * 2  # two float32 planes of a band

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        depth, rows, columns = core
        for z, plane in zip(range(depth.start, depth.stop), out, strict=True):
            near = block[max(0, z - self.radius) : z + self.radius + 1, rows, columns]
            mean = near.mean(axis=0, dtype=np.float32)
            np.subtract(block[z, rows, columns], mean, out=plane, casting="unsafe")
            np.multiply(plane, np.float32(self.gain), out=plane)
