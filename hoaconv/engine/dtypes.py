"""Names of the dtypes that voxels may have; without numpy, so that a command's help is fast."""

__all__ = ["DTYPE_NAMES", "WIDE_NAMES"]

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
"""Dtypes whose every value float64 holds: all ops take them."""

WIDE_NAMES = ("uint64", "int64")
"""Dtypes with values that float64 rounds, such as labels: parts take them that keep them exact."""
