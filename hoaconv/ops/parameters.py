"""An op's parameters: the fields of a frozen dataclass, each with its kind and a line of help.

The same fields are the Python arguments, the words on the command line, the help and the rows in
the docs.
"""

from abc import ABC, abstractmethod
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, Self, cast

from hoaconv.errors import SpellingError
from hoaconv.ops.kinds import Kind

__all__ = ["Declared", "Subject", "kind_of", "param", "parameters"]


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


class Subject(ABC):
    """A volume, which an op or fold is applied to when it is called with it."""

    @abstractmethod
    def applied(self, step: Any) -> Any:
        """Return what an op makes of the volume, or what a fold measures of it."""


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

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Return a new op, or, with a volume as the first value, the op applied to that."""
        if values and isinstance(values[0], Subject):
            return cast(Self, values[0].applied(cls(*values[1:], **named)))
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for parameter in parameters(self):
            value, kind = getattr(self, parameter.name), kind_of(parameter)
            try:
                object.__setattr__(self, parameter.name, kind.accept(value))
            except ValueError as expected:
                raise SpellingError(
                    f"{self.word}: {parameter.name} should be {expected}, not {value!r}"
                ) from None

    def __str__(self) -> str:
        """Return the spelling; values equal to the defaults are left out."""
        words = [self.word]
        for parameter in parameters(self):
            value = getattr(self, parameter.name)
            spelled = kind_of(parameter).spell(value)
            if parameter.default is MISSING:
                words.append(spelled)
            elif value != parameter.default:
                words.append(f"{parameter.name}={spelled}")
        return " ".join(words)
