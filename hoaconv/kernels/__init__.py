"""Numerical kernels: numba functions on numpy arrays, single-threaded, without the GIL.

These conventions hold in all modules:

- Shapes, indices, sizes and radii are in the order (z, y, x).
- The voxels of a row are contiguous in memory. Rows and planes may lie any distance apart, so an
  array may be a part of a larger one.
- A filter takes a `block` (z, y, x) and the part of it to compute, `core`. Along z and y the block
  extends beyond the core by the radius of the filter, or less where the volume ends; along x it
  spans whole rows. `mode` and `cval` define the voxels beyond the ends of the volume, as in
  scipy.ndimage. `out` has the shape of the core.
- Each voxel is computed by the same operations in the same order for every partition of the volume
  into blocks, so that the partition does not change the bits of the result.
- `<kernel>_bytes` returns an upper bound of the bytes that `<kernel>` allocates.
"""

from hoaconv.kernels.cache import place

TEMPORARY = place()
"""The temporary folder of this process's compiled kernels; None if they are kept elsewhere."""
