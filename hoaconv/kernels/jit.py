"""The compile options that all kernels share."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

__all__ = ["inlined", "kernel"]

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a function when it is first called, and keep it on disk; it runs without the GIL."""
    return cast(Function, njit(nogil=True, cache=True, error_model="numpy")(function))


def inlined(function: Function) -> Function:
    """Compile a function into each kernel that calls it, which saves the cost of calls."""
    return cast(Function, njit(inline="always")(function))
