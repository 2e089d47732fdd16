"""Numeric work on arrays: numba functions, single-threaded, without the GIL."""

from hoaconv.kernels.cache import place

TEMPORARY = place()
"""The folder in which compiled kernels are kept for this process alone; None where they stay."""
