"""Ops as methods of volumes and as functions, with the docstrings and signatures of the ops."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, Protocol

from hoaconv.engine.contract import Fold, Resample
from hoaconv.job.reductions import Reducible
from hoaconv.ops.catalogue import catalogue, lookup
from hoaconv.ops.docstring import with_rows

__all__ = ["REDUCTIONS", "documented", "method", "names"]

REDUCTIONS = ("li", "max", "mean", "min", "moments", "otsu", "percentile", "std", "sum")
"""Methods that reduce a volume; four of them are ops too."""

SELF = Parameter("self", Parameter.POSITIONAL_ONLY)
SOURCE = "source\n    A volume, or what `hoaconv.open` opens as one: a path, or an array (z, y, x)."
UNREADABLE = "SourceError\n    If `source` can't be opened as a volume."


class Applies(Protocol):
    """A volume that applies ops."""

    def applied(self, step: Any) -> Any:
        """Return what an op or fold makes of it."""


def names() -> tuple[str, ...]:
    """Return the names of all functions of a volume: ops, folds, reductions and thresholds."""
    words = {word.replace("-", "_") for word in catalogue()}
    return tuple(sorted(words | set(REDUCTIONS)))


def method(name: str) -> Callable[..., Any] | None:
    """Return the function of a volume that applies the op of a name; None if there is no such op.

    In a name ``_`` stands for the ``-`` of a word.
    """
    word = name.replace("_", "-")
    if word not in catalogue():
        return None

    def apply(volume: Applies, /, *values: Any, **named: Any) -> Any:
        return volume.applied(lookup(word)(*values, **named))

    return documented(apply, name, SELF)


def documented(function: Callable[..., Any], name: str, first: Parameter) -> Callable[..., Any]:
    """Give a function the name, docstring and signature of an op or of a reduction.

    `first` is the parameter of the volume; the docstring explains it if it is named ``source``.
    """
    function.__name__ = function.__qualname__ = name
    if name in REDUCTIONS:
        reduction = getattr(Reducible, name)
        text, own = reduction.__doc__, signature(reduction)
        parameters = list(own.parameters.values())[1:]
    else:
        op = lookup(name.replace("_", "-"))
        made, meaning = _made(op)
        text = with_rows(op.__doc__, {"Returns": [f"{made}\n    {meaning}"]})
        own = signature(op).replace(return_annotation=made)
        parameters = list(own.parameters.values())
    if first.name == "source":
        text = with_rows(text, {"Parameters": [SOURCE], "Raises": [UNREADABLE]})
    function.__doc__ = text
    function.__signature__ = own.replace(parameters=[first, *parameters])  # type: ignore[attr-defined]
    return function


def _made(op: type[Any]) -> tuple[str, str]:
    """Return the type of what an op makes of a volume, and its meaning."""
    if issubclass(op, Fold):
        return "Measured", "The measurement; `Measured.compute` makes it."
    shape = "" if issubclass(op, Resample) else " of the same shape"
    return "Volume", f"A volume{shape}; `Volume.compute` computes its voxels."
