"""Declaration of ops: ``@op("gaussian", example="gaussian 1.5")`` above a class or a function.

The decorator makes the class a frozen dataclass, or the function a class, and enters it into the
catalogue under its word.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, dataclass, fields
from inspect import Parameter, Signature, formatannotation, signature
from types import GenericAlias
from typing import (
    Annotated,
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
from hoaconv.ops.docstring import rows_of, sections_of, with_rows
from hoaconv.ops.families import families
from hoaconv.ops.function import WORK, BlockOp, class_of
from hoaconv.ops.kinds import WORD, Triple
from hoaconv.ops.parameters import Declared, kind_of, param, parameters

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
    word: str,
    *,
    example: str = "",
    depth: "int | tuple[int, int, int] | Callable[[Any], int | tuple[int, int, int]]" = 0,
    dtype: Any = None,
    work: int = WORK,
) -> Declaration:
    """Declare the function or class below as an op, under a word of its own.

    A function is given a block (z, y, x), then the op's parameters by name. It returns an array of
    the block's shape. The block holds `depth` voxels more on each side than the part of the result
    that is kept; at the volume's ends it is shorter, and nothing is added. Several threads call the
    function at the same time, with blocks of any size, so a voxel of the result must depend only on
    voxels within `depth`. The function's name becomes the name of the op's class.

    A class derives from `hoaconv.ops.parameters.Declared` and `hoaconv.engine.contract.Op`. It
    declares its parameters by `hoaconv.ops.parameters.param`, and may define `halo`, `infer`,
    `work` and `apply`.

    Parameters
    ----------
    word
        The op's name in a chain of ops.
    example
        A spelling of the op for its help.
    depth
        For a function: the voxels that it needs on each side of a voxel, one number or (z, y, x);
        or a function that returns them for an op, as in ``lambda op: op.radius``.
    dtype
        For a function: dtype of the result; by default that of the volume.
    work
        For a function: bytes that it allocates per voxel of its block, its result included. The
        default is enough for the result and one more array, both of float64.

    Returns
    -------
    callable
        The decorator, which returns the class of the op.

    Raises
    ------
    SpellingError
        If another op has this word, or a parameter has no annotation that can be written as text.

    Examples
    --------
    >>> @hc.op("twice", dtype="float32")
    ... def twice(block, offset: float = 0.0):
    ...     return block * 2.0 + offset
    >>> volume = hc.open(np.array([[[1, 2, 3]]], "uint8"))
    >>> (volume | "twice offset=0.5").compute()
    array([[[2.5, 4.5, 6.5]]], dtype=float32)
    >>> (volume | twice(1) | ops.Clip(0, 6)).compute()
    array([[[3., 5., 6.]]], dtype=float32)
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
    own = signature(declared.__init__).parameters
    shown = [own[p.name].replace(annotation=_taken(p, own[p.name])) for p in parameters(declared)]
    declared.__signature__ = Signature(shown)  # type: ignore[attr-defined]
    declared.__doc__ = _with_parameters(declared.__doc__, parameters(declared), shown)
    needed = (p.name.upper() for p in parameters(declared) if p.default is MISSING)
    OPS[word], EXAMPLES[word] = declared, example or " ".join([word, *needed])


def _taken(declared: "Field[Any]", parameter: Parameter) -> Any:
    """Return the plain type of what a parameter takes; three values may be given as one."""
    annotation = declared.metadata["takes"] or parameter.annotation
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is not Triple:
        return annotation
    (kind,) = get_args(annotation)
    return kind | GenericAlias(tuple, (kind,) * 3)


def _with_parameters(
    text: str | None, declared: "Iterable[Field[Any]]", shown: Iterable[Parameter]
) -> str:
    """Return an op's docstring with a row for each parameter that it doesn't describe itself."""
    described = rows_of(sections_of(text).get("Parameters", ""))
    rows = [
        f"{parameter.name} : {_type(field, parameter)}\n    {field.metadata['help']}"
        for field, parameter in zip(declared, shown, strict=True)
        if parameter.name not in described
    ]
    refused = ["SpellingError\n    If a value isn't one that its parameter takes."] if rows else []
    return with_rows(text, {"Parameters": rows, "Raises": refused})


def _type(declared: "Field[Any]", parameter: Parameter) -> str:
    """Return a parameter's type, or the words that it takes, and its default, as in numpydoc."""
    name, words = kind_of(declared).name, kind_of(declared).name.split("|")
    kind = formatannotation(parameter.annotation)
    if len(words) > 1:
        kind = f"{{{', '.join(words)}}}"
    elif "str" in kind and kind != "str":
        kind = f"{kind} ({name})"
    default = parameter.default
    return kind if default is Parameter.empty else f"{kind}, default {default!r}"


def _home(declared: type[Declared]) -> tuple[str, str]:
    """Return module and name of a declaration; in a notebook the latest of a word counts."""
    module = declared.__module__
    return module, "" if module == "__main__" else declared.__qualname__


def _described(declared: type[Declared]) -> str:
    """Return an op's class and the file that declares it."""
    file = getattr(sys.modules.get(declared.__module__), "__file__", None)
    return f"{declared.__qualname__} of {file or declared.__module__}"
