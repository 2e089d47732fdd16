"""Declaration of ops: ``@op("gaussian", example="gaussian 1.5")`` above a class or a function.

The decorator makes the class a frozen dataclass, or the function a class, and enters it into the
catalogue under its word.
"""

import sys
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from inspect import Signature, signature
from types import GenericAlias
from typing import (
    Any,
    Concatenate,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    overload,
)

from hoaconv.errors import SpellingError
from hoaconv.ops.families import families
from hoaconv.ops.function import WORK, BlockOp, Depth, class_of
from hoaconv.ops.kinds import WORD, Triple
from hoaconv.ops.parameters import Declared, param, parameters

__all__ = ["EXAMPLES", "OPS", "abstract_op", "op"]

OPS: dict[str, type[Declared]] = {}
"""Every op by its word."""

EXAMPLES: dict[str, str] = {}
"""A spelling of every op by its word, for the docs and the tests."""

D = TypeVar("D", bound=Declared)
P = ParamSpec("P")


class Declaration(Protocol):
    """Decorator that declares an op."""

    @overload
    def __call__(self, declared: type[D], /) -> type[D]: ...
    @overload
    def __call__(self, declared: Callable[Concatenate[Any, P], Any], /) -> Callable[P, BlockOp]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(param,))
def op(
    word: str, *, example: str = "", depth: Depth = 0, dtype: Any = None, work: int = WORK
) -> Declaration:
    """Declare an op, the class or the function below, under its word.

    A class derives from `Declared` and `hoaconv.engine.contract.Op`, and declares parameters by
    `param`; it may define `halo`, `infer`, `work` and `apply`. A function is given a block
    (z, y, x) with its context, then the op's parameters by name; it returns an array of the
    block's shape, of which the core is kept. At the volume's ends the block is shorter and nothing
    is added. Threads call it at the same time, with blocks of any size, so a voxel of the result
    must depend only on voxels within `depth`. The name becomes the class of the op.

    Parameters
    ----------
    word
        The op's name in a chain of ops.
    example
        A spelling of the op for its help.
    depth
        For a function: voxels around each voxel that it needs, one number or (z, y, x), or a
        function of the op that returns them, as in ``lambda op: op.radius``.
    dtype
        For a function: dtype of the result, by default that of the volume.
    work
        For a function: bytes that it allocates per voxel of its block, its result included. The
        default is enough for the result and one array besides, as float64.

    Raises
    ------
    SpellingError
        If another op has this word, or a parameter can't be spelled.

    Examples
    --------
    >>> @hoaconv.op("twice", dtype="float32")  # doctest: +SKIP
    ... def twice(block, offset: float = 0.0):
    ...     return block * 2.0 + offset
    """
    _check_word(word)

    def declare(declared: Any) -> Any:
        made: type[Declared]
        if not isinstance(declared, type):
            made = class_of(declared, word, depth, dtype, work)
        elif (depth, dtype, work) == (0, None, WORK):
            made = _as_dataclass(declared, word)
        else:
            raise SpellingError(
                f"{word}: depth, dtype and work are for a function; a class defines the methods "
                "halo, infer and work"
            )
        _enter(made, example)
        return made

    return cast(Declaration, declare)


@dataclass_transform(frozen_default=True, field_specifiers=(param,))
def abstract_op(declared: type[D]) -> type[D]:
    """Make a class with parameters that several ops share; it is no op itself."""
    return dataclass(frozen=True)(declared)


def _check_word(word: str) -> None:
    try:
        WORD.accept(word)
    except ValueError as expected:
        raise SpellingError(
            f"write @op('name'): an op's name should be {expected}, not {word!r}"
        ) from None


def _as_dataclass(declared: type[Any], word: str) -> type[Declared]:
    if not issubclass(declared, Declared):
        raise SpellingError(f"{declared.__qualname__} should derive from Declared and Op")
    declared.word = word
    made = dataclass(frozen=True)(declared)
    for field in fields(made):
        if "kind" not in field.metadata and field.default is MISSING:
            raise SpellingError(
                f"{made.word}: declare {field.name} as a parameter: param(KIND, 'help')"
            )
    return made


def _enter(declared: type[Declared], example: str) -> None:
    """Add an op to the catalogue; a new version of a declaration takes the old one's place.

    Raises
    ------
    SpellingError
        If another op has the same word.
    """
    if not declared.__module__.startswith("hoaconv.ops."):
        families()  # an op of somebody else's: all words of the catalogue are taken
    word, other = declared.word, OPS.get(declared.word)
    if other is not None and _home(other) != _home(declared):
        raise SpellingError(
            f"two ops are called {word}: {_described(other)} and {_described(declared)}; rename one"
        )
    # Else Python would show the signature of `Declared.__new__`.
    own = list(signature(declared.__init__).parameters.values())[1:]
    taken = [p.replace(annotation=_taken(p.annotation)) for p in own]
    declared.__signature__ = Signature(taken)  # type: ignore[attr-defined]
    needed = (p.name.upper() for p in parameters(declared) if p.default is MISSING)
    OPS[word], EXAMPLES[word] = declared, example or " ".join([word, *needed])


def _taken(annotation: Any) -> Any:
    """Return the type of what a parameter takes, which for three values may be one."""
    if get_origin(annotation) is not Triple:
        return annotation
    (kind,) = get_args(annotation)
    return kind | GenericAlias(tuple, (kind,) * 3)


def _home(declared: type[Declared]) -> tuple[str, str]:
    """Return module and name of a declaration; in a notebook the latest of a word counts."""
    module = declared.__module__
    return module, "" if module == "__main__" else declared.__qualname__


def _described(declared: type[Declared]) -> str:
    """Return an op's class and the file that declares it."""
    file = getattr(sys.modules.get(declared.__module__), "__file__", None)
    return f"{declared.__qualname__} of {file or declared.__module__}"
