"""A function of a block as an op: ``@op("difference", depth=(1, 0, 0))`` above the function."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, replace
from inspect import Parameter, signature
from math import prod
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import numpy as np

from hoaconv.engine.contract import Core, Op
from hoaconv.engine.spec import Slab, Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops.kinds import (
    ANY_DTYPE,
    FLAG,
    INTEGER,
    NUMBER,
    RADII,
    WHOLE,
    WORD,
    Kind,
    choice,
    per_axis,
)
from hoaconv.ops.parameters import Declared, param, parameters

__all__ = ["WORK", "BlockOp", "Depth", "class_of"]

WORK = 16
"""Bytes that a function allocates per voxel of its block, if nothing else is declared: its result
and one array besides, as float64."""

Depth = int | tuple[int, int, int] | Callable[[Any], int | tuple[int, int, int]]
"""Voxels that a function needs around each voxel (z, y, x); or a function of the op that returns
them."""

KINDS: Mapping[Any, Kind] = {
    float: NUMBER,
    int: INTEGER,
    bool: FLAG,
    str: WORD,
    tuple[float, float, float]: per_axis(NUMBER),
    tuple[int, int, int]: per_axis(INTEGER),
}
"""Kinds of parameters by their annotations."""


@dataclass(frozen=True)
class _Function:
    """A function and what is declared about it."""

    call: Callable[..., Any]
    depth: Depth
    dtype: np.dtype[Any] | None
    work: int


@dataclass(frozen=True)
class BlockOp(Declared, Op):
    """Base of the ops that functions make; their fields are the function's parameters."""

    declared: ClassVar[_Function]
    takes_wide: ClassVar[bool] = True  # what the function makes of them is its own affair

    def __new__(cls, *values: Any, **named: Any) -> Any:
        """Return the op; called with a block before its parameters, what the function returns."""
        if values and isinstance(values[0], np.ndarray) and cls._has_all(values[1:], named):
            return cls.declared.call(*values, **named)
        return super().__new__(cls, *values, **named)

    @property
    def halo(self) -> tuple[int, int, int]:
        """The declared depth (z, y, x)."""
        depth = self.declared.depth
        reach: tuple[int, int, int] = _checked(
            self.word, "depth", RADII, depth(self) if callable(depth) else depth
        )
        return reach

    def infer(self, spec: Spec) -> Spec:
        """Return the same shape in the declared dtype, by default that of the input."""
        return spec if self.declared.dtype is None else replace(spec, dtype=self.declared.dtype)

    def work(self, spec: Spec) -> int:
        """Return the bytes that the function is declared to allocate for a block."""
        return self.declared.work * prod(spec.shape)

    def apply(self, block: Slab, core: Core, out: Slab) -> None:
        """Write the core of the function's result into `out`.

        Raises
        ------
        PlanError
            If the result has another shape than the block, or a dtype that would lose values.
        """
        values = {p.name: getattr(self, p.name) for p in parameters(self)}
        made = np.asarray(self.declared.call(block, **values))
        if made.shape != block.shape:
            raise PlanError(
                f"{self}: the function returned the shape {made.shape} for a block of "
                f"{block.shape}; it must keep the shape"
            )
        if not np.can_cast(made.dtype, out.dtype, "same_kind"):
            raise PlanError(
                f"{self}: the function returned {made.dtype}, but the op's result is {out.dtype}; "
                "declare dtype=, or convert in the function"
            )
        out[...] = made[core]

    def warm(self, spec: Spec) -> None:
        """Compile nothing: the function isn't called before the run."""


def class_of(
    function: Callable[..., Any], word: str, depth: Depth, dtype: Any, work: int
) -> type[BlockOp]:
    """Return the class of an op that calls `function` with each block and its context.

    Raises
    ------
    SpellingError
        If a parameter of the function can't be spelled, or depth, dtype or work isn't one.
    """
    taken = list(signature(function).parameters.values())
    if not taken:
        raise SpellingError(f"{word}: the function should take a block, and takes nothing")
    given = sorted(taken[1:], key=lambda p: p.default is not Parameter.empty)
    hints = get_type_hints(function, include_extras=True)
    namespace: dict[str, Any] = {
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__annotations__": {p.name: hints.get(p.name, Any) for p in given},
        "declared": _Function(
            function,
            depth if callable(depth) else _checked(word, "depth", RADII, depth),
            None if dtype is None else np.dtype(_checked(word, "dtype", ANY_DTYPE, dtype)),
            _checked(word, "work", WHOLE, work),
        ),
        "word": word,
    }
    for parameter in given:
        namespace[parameter.name] = _field(word, parameter, hints.get(parameter.name))
    return dataclass(frozen=True)(type(function.__name__, (BlockOp,), namespace))


def _checked(word: str, name: str, kind: Kind, value: Any) -> Any:
    """Return a value as its kind keeps it. Raises SpellingError."""
    try:
        return kind.accept(value)
    except ValueError as expected:
        raise SpellingError(f"{word}: {name} should be {expected}, not {value!r}") from None


def _field(word: str, parameter: Parameter, annotation: Any) -> Any:
    """Return the field of a function's parameter, of the kind that its annotation names."""
    name, who = parameter.name, f"{word}: the parameter {parameter.name}"
    if hasattr(BlockOp, name):
        raise SpellingError(f"{who} can't have this name, which every op has; rename it")
    if parameter.kind not in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY):
        raise SpellingError(f"{who} should be one that is passed by its name")
    kind, help = _kind(who, annotation)
    if parameter.default is Parameter.empty:
        return param(kind, help, default=MISSING)
    try:
        return param(kind, help, default=kind.accept(parameter.default))
    except ValueError as expected:
        raise SpellingError(
            f"{who} should be {expected}, not its default {parameter.default!r}"
        ) from None


def _kind(who: str, annotation: Any) -> tuple[Kind, str]:
    """Return the kind of an annotation, and the text beside it in ``Annotated``."""
    if get_origin(annotation) is Annotated:
        plain, *beside = get_args(annotation)
        help = next((text for text in beside if isinstance(text, str)), "")
        own = next((kind for kind in beside if isinstance(kind, Kind)), None)
        return own or _kind(who, plain)[0], help
    if get_origin(annotation) is Literal:
        return choice(*get_args(annotation)), ""
    if annotation not in KINDS:
        known = ", ".join(getattr(key, "__name__", "") for key in (float, int, bool, str))
        raise SpellingError(
            f"{who} needs an annotation: {known}, Literal[...], a tuple of three numbers, or "
            "Annotated[type, kind, 'help'] with a kind of hoaconv.ops.kinds"
        )
    return KINDS[annotation], ""
