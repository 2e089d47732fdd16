"""Names of the dtypes that voxels may have; without numpy, so that a command's help is fast."""

__all__ = ["DTYPE_NAMES"]

DTYPE_NAMES = (
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "float32",
    "float64",
)
