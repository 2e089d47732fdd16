"""Numeric work on arrays: numba functions, single-threaded, without the GIL."""
