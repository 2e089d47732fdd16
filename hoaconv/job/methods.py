"""Ops as methods of volumes and as functions, with the docstrings and signatures of the ops."""

from collections.abc import Callable
from inspect import Parameter, Signature, cleandoc, signature
from typing import Any, Protocol

from hoaconv.engine.contract import Fold
from hoaconv.job.reductions import Reducible, threshold
from hoaconv.job.scalar import Scalar
from hoaconv.ops.catalogue import catalogue, describe, lookup
from hoaconv.ops.thresholds import METHODS

__all__ = ["REDUCTIONS", "documented", "method_of", "names"]

REDUCTIONS = ("max", "mean", "min", "percentile", "std", "sum")
"""Methods that reduce a volume; three of them are ops too."""


class Applies(Protocol):
    """A volume that applies ops."""

    def applied(self, step: Any) -> Any:
        """Return what an op or fold makes of it."""


def names() -> tuple[str, ...]:
    """Return the names of all functions of a volume: ops, folds, reductions and thresholds."""
    words = {word.replace("-", "_") for word in catalogue()}
    return tuple(sorted(words | {*REDUCTIONS, *METHODS}))


def method_of(volume: Any, name: str) -> Callable[..., Any] | None:
    """Return the method of a volume that applies an op or finds a threshold; None for other names.

    In a name ``_`` stands for the ``-`` of a word.
    """
    word = name.replace("_", "-")
    if name in METHODS:

        def find() -> Scalar:
            return threshold(volume, name)

        return documented(find, name)
    if word not in catalogue():
        return None

    def apply(*values: Any, **named: Any) -> Any:
        return volume.applied(lookup(word)(*values, **named))

    return documented(apply, name)


def documented(function: Callable[..., Any], name: str, *first: Parameter) -> Callable[..., Any]:
    """Give a function the name, docstring and signature of an op; `first` are parameters before."""
    word = name.replace("_", "-")
    function.__name__ = function.__qualname__ = name
    if name in METHODS:
        function.__doc__, own = METHODS[name].__doc__, Signature(return_annotation="Scalar")
    elif name in REDUCTIONS:
        method = getattr(Reducible, name)
        function.__doc__, own = method.__doc__, signature(method)
        own = own.replace(parameters=list(own.parameters.values())[1:])
    else:
        made = "Measured" if issubclass(lookup(word), Fold) else "Volume"
        function.__doc__ = _docstring(word)
        own = signature(lookup(word)).replace(return_annotation=made)
    every = [*first, *own.parameters.values()]
    function.__signature__ = own.replace(parameters=every)  # type: ignore[attr-defined]
    return function


def _docstring(word: str) -> str:
    """Return the docstring of an op with its parameters."""
    text = cleandoc(lookup(word).__doc__ or "")
    rows = [f"{p.name} : {p.kind}\n    {p.help}" for p in describe(word)]
    return "\n".join([text, "", "Parameters", "----------", *rows]) if rows else text
