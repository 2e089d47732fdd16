"""Ops as functions of whatever can be opened as a volume."""

from collections.abc import Callable
from inspect import Parameter
from typing import Any

from hoaconv.job.methods import REDUCTIONS, documented, method_of, names
from hoaconv.job.opening import open

__all__ = ["function"]

_SOURCE = Parameter("source", Parameter.POSITIONAL_ONLY)


def function(name: str) -> Callable[..., Any]:
    """Return the function that opens its first argument and calls the method `name` of the volume.

    Raises
    ------
    AttributeError
        If a volume has no such op.

    Examples
    --------
    >>> import numpy as np
    >>> function("gaussian")(np.ones((4, 5, 6), "uint8"), 1.5)
    Volume(4 x 5 x 6 uint8: gaussian 1.5)
    """
    if name not in names():
        raise AttributeError(f"module 'hoaconv.ops' has no attribute {name!r}")

    def apply(source: Any, /, *values: Any, **named: Any) -> Any:
        volume = open(source)
        method = None if name in REDUCTIONS else method_of(volume, name)
        return (method or getattr(volume, name))(*values, **named)

    return documented(apply, name, _SOURCE)
