"""Ops as functions of whatever can be opened as a volume."""

from collections.abc import Callable
from inspect import Parameter
from typing import Any

from hoaconv.job.methods import REDUCTIONS, documented, method
from hoaconv.job.opening import open
from hoaconv.job.volume import Volume

__all__ = ["function"]

_SOURCE = Parameter("source", Parameter.POSITIONAL_ONLY)


def function(name: str) -> Callable[..., Any]:
    """Return the function that opens its first argument and applies an op or reduction to it.

    Raises
    ------
    AttributeError
        If a volume has no such op.

    Examples
    --------
    >>> function("gaussian")(np.ones((4, 5, 6), "uint8"), 1.5)
    Volume(4 x 5 x 6 uint8: gaussian 1.5)
    """
    found = getattr(Volume, name) if name in REDUCTIONS else method(name)
    if found is None:
        raise AttributeError(f"module 'hoaconv.ops' has no attribute {name!r}")

    def apply(source: Any, /, *values: Any, **named: Any) -> Any:
        return found(open(source), *values, **named)

    return documented(apply, name, _SOURCE)
