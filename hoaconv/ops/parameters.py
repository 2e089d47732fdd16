"""An op's parameters: the fields of a frozen dataclass, each with its kind and a line of help.

The same fields are the Python arguments, the words on the command line, the help and the rows in
the docs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, Self, cast

from hoaconv.errors import SpellingError
from hoaconv.ops.beside import Beside, Subject, Unknown, is_array
from hoaconv.ops.kinds import Kind
from hoaconv.ops.terms import Calculation, Value, spelled

__all__ = ["Declared", "kind_of", "param", "parameters"]


def param(kind: Kind, help: str, *, default: Any = MISSING, takes: Any = None) -> Any:
    """Declare a parameter of an op: a dataclass field with its kind and one line of help.

    `takes` is the type that the op's signature shows, if it isn't the annotation of the field.
    """
    return field(default=default, metadata={"kind": kind, "help": help, "takes": takes})


def kind_of(parameter: "Field[Any]") -> Kind:
    """Return the kind of a field that `param` made."""
    kind: Kind = parameter.metadata["kind"]
    return kind


def parameters(op: "Declared | type[Declared]") -> "tuple[Field[Any], ...]":
    """Return an op's parameters in their order; fields that `param` didn't make are left out."""
    return tuple(f for f in fields(op) if "kind" in f.metadata)


@dataclass(frozen=True)
class Declared:
    """Base of ops and folds whose fields are parameters: ``class Gaussian(Declared, Op)``.

    Called with a volume before its parameters, an op is applied to that:
    ``Gaussian(volume, 1.5)``. Values are converted to the form of their kinds, so equal ops compare
    equal however they were written. `str` returns the spelling.

    Raises
    ------
    SpellingError
        If a value isn't of its parameter's kind.
    """

    word: ClassVar[str]
    deferred: ClassVar[tuple[str, ...]] = ()
    """Parameters whose numbers may be found in a sweep before."""

    __array_ufunc__: ClassVar[None] = None
    """NumPy leaves ``array | op`` to the op."""

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Return a new op, or, with a volume before its parameters, the op applied to that."""
        if values and isinstance(values[0], Subject) and cls._has_all(values[1:], named):
            return cast(Self, values[0].applied(cls(*values[1:], **named)))
        return super().__new__(cls)

    def __ror__(self, other: Any) -> Any:
        """Say what was probably meant: Python binds ``|`` tighter than a comparison."""
        if is_array(other):
            raise SpellingError(f"an array takes no ops: write hoaconv.open(array) | {self}")
        raise SpellingError(
            f"{other!r} takes no ops: put a comparison in brackets, as in (volume > 5) | {self}"
        )

    @classmethod
    def _has_all(cls, values: Sequence[Any], named: Mapping[str, Any]) -> bool:
        """Return whether values are given for all parameters that have no default.

        A volume before them is what the op is applied to, and else one of the parameters.
        """
        own = parameters(cls)
        given = {parameter.name for parameter in own[: len(values)]} | set(named)
        return {parameter.name for parameter in own if parameter.default is MISSING} <= given

    def __post_init__(self) -> None:
        for parameter in parameters(self):
            value, kind = getattr(self, parameter.name), kind_of(parameter)
            if isinstance(value, Unknown):
                object.__setattr__(self, parameter.name, self._awaited(parameter.name, value))
                continue
            if isinstance(value, Beside | Value | Calculation) and parameter.name in self.deferred:
                continue
            try:
                object.__setattr__(self, parameter.name, kind.accept(value))
            except ValueError as expected:
                raise SpellingError(
                    f"{self.word}: {parameter.name} should be {expected}, not {_shown(value)}"
                ) from None

    def _awaited(self, name: str, number: Unknown) -> Beside:
        """Return a number that is found later as a parameter.

        Raises
        ------
        SpellingError
            If the parameter decides what the op reads, and so has to be known before.
        """
        if name not in self.deferred:
            raise SpellingError(
                f"{self.word}: {name} has to be known before the job is planned, and {number!r} is "
                "not; float() of it reads the volume now"
            )
        return Beside(number)

    def __str__(self) -> str:
        """Return the spelling; values equal to the defaults are left out."""
        words = [self.word]
        for parameter in parameters(self):
            value = getattr(self, parameter.name)
            text = _spelled(parameter, value)
            if parameter.default is MISSING:
                words.append(text)
            elif value != parameter.default:
                words.append(f"{parameter.name}={text}")
        return " ".join(words)


def _spelled(parameter: "Field[Any]", value: Any) -> str:
    if isinstance(value, Beside):
        return str(value)
    if isinstance(value, Value | Calculation):
        return spelled(value)
    return kind_of(parameter).spell(value)


def _shown(value: Any) -> str:
    """Return a value for a message: of an array its shape and dtype."""
    return str(Beside(value)) if is_array(value) else repr(value)
