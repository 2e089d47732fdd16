"""How an op is declared: once, as a frozen dataclass whose fields are its parameters.

The same fields are the Python arguments, the words on the command line, the help and the row in
the docs. A field names its kind; the kind takes a Python value or its spelling, and spells it.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from inspect import Signature, signature
from math import inf, isfinite, isnan
from typing import Any, ClassVar, Self, TypeVar, cast

import numpy as np

from hoaconv.engine.spec import DTYPES
from hoaconv.errors import SpellingError
from hoaconv.units import did_you_mean

__all__ = [
    "DTYPE",
    "EXAMPLES",
    "FINITE",
    "NUMBER",
    "OPS",
    "PERCENTAGES",
    "PER_AXIS",
    "RADII",
    "SIZES",
    "WHOLE",
    "Declared",
    "Kind",
    "Subject",
    "choice",
    "kind_of",
    "number_or",
    "param",
    "per_axis",
    "register",
    "spell_number",
]

OPS: dict[str, type["Declared"]] = {}
"""Every op by its word."""

EXAMPLES: dict[str, str] = {}
"""A spelling of every op, for the docs and the tests."""

D = TypeVar("D", bound="type[Declared]")


@dataclass(frozen=True)
class Kind:
    """What a parameter may be.

    `accept` makes the one form that is kept from a value or a spelling of it, or raises
    ValueError with what was expected; `spell` is its inverse.
    """

    name: str
    accept: Callable[[Any], Any]
    spell: Callable[[Any], str]


def spell_number(value: float) -> str:
    """The shortest decimal that reads back as the same float.

    Examples
    --------
    >>> spell_number(20000.0), spell_number(0.5)
    ('20000', '0.5')
    """
    return repr(float(value)).removesuffix(".0")


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError("a number") from None
    if isnan(number):
        raise ValueError("a number that is one")
    return number


def _finite(value: Any) -> float:
    number = _number(value)
    if not isfinite(number):
        raise ValueError("a finite number")
    return number


def _whole(value: Any) -> int:
    number = _number(value)
    if number < 0 or not number.is_integer():
        raise ValueError("a whole number, 0 or more")
    return int(number)


def _percentages(value: Any) -> tuple[float, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Sequence | np.ndarray):
        parts = (parts,)
    numbers = tuple(_number(part) for part in parts)
    if not numbers or not all(0 <= number <= 100 for number in numbers):
        raise ValueError("numbers in 0..100, with commas between")
    return numbers


def _dtype(value: Any) -> str:
    known = f"one of {', '.join(map(str, DTYPES))}"
    try:
        name = np.dtype("none" if value is None else value).name
    except TypeError:
        raise ValueError(known) from None
    if name not in map(str, DTYPES):
        raise ValueError(known)
    return str(name)


def choice(*words: str) -> Kind:
    """One of some words."""

    def accept(value: Any) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return str(value)

    return Kind("|".join(words), accept, str)


def number_or(*words: str, percentile: bool = False) -> Kind:
    """A number, or one of some words; with `percentile` also p0 to p100, as in p99.5.

    Such a word is kept as it is, for the op to find out what number it stands for.
    """
    known = (*words, "pNN") if percentile else words
    name = ", ".join(["number", *known[:-1]]) + f" or {known[-1]}"

    def accept(value: Any) -> float | str:
        if value in words:
            return str(value)
        match = _PERCENTILE.fullmatch(value) if percentile and isinstance(value, str) else None
        if match and float(match[1]) <= 100:
            return f"p{spell_number(float(match[1]))}"
        try:
            number = float(value)
        except (TypeError, ValueError):
            hint = did_you_mean(str(value), words).removeprefix("; ")
            raise ValueError(f"a {name}{hint and f' ({hint})'}") from None
        return _number(number)

    return Kind(
        name, accept, lambda value: value if isinstance(value, str) else spell_number(value)
    )


def per_axis(kind: Kind, least: float = -inf) -> Kind:
    """One of a kind, or three for z,y,x, none below `least`; kept as three."""

    def accept(value: Any) -> tuple[Any, Any, Any]:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, Sequence | np.ndarray):
            parts = (parts,)
        if len(parts) not in {1, 3}:
            raise ValueError(f"one {kind.name}, or three for z,y,x")
        each = [kind.accept(part) for part in parts]
        if min(each) < least:
            raise ValueError(f"{spell_number(least)} or more")
        return (each[0], each[len(parts) // 2], each[-1])

    def spell(value: tuple[Any, Any, Any]) -> str:
        words = [kind.spell(part) for part in value]
        return words[0] if len(set(words)) == 1 else ",".join(words)

    return Kind(f"{kind.name} or z,y,x", accept, spell)


_PERCENTILE = re.compile(r"p((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)")

NUMBER = Kind("number", _number, spell_number)
FINITE = Kind("finite number", _finite, spell_number)
WHOLE = Kind("whole number", _whole, str)
PERCENTAGES = Kind("percentages", _percentages, lambda q: ",".join(map(spell_number, q)))
PER_AXIS = per_axis(NUMBER)
SIZES = per_axis(WHOLE, 1)
RADII = per_axis(WHOLE)
DTYPE = Kind("dtype", _dtype, str)


def param(kind: Kind, help: str, default: Any = MISSING) -> Any:
    """A parameter of an op: a dataclass field with its kind and one line of help."""
    return field(default=default, metadata={"kind": kind, "help": help})


def kind_of(parameter: "Field[Any]") -> Kind:
    """The kind of a field that `param` made."""
    kind: Kind = parameter.metadata["kind"]
    return kind


class Subject(ABC):
    """A volume, which an op or fold is applied to when it is called with it."""

    @abstractmethod
    def applied(self, step: Any) -> Any:
        """Return what an op makes of the volume, or what a fold measures of it."""


@dataclass(frozen=True)
class Declared:
    """An op's parameters, brought to the form of their kinds, so that equal means equal.

    An op or fold is this and one of the contract: ``class Gaussian(Declared, Op)``. Called with a
    volume before its parameters it is applied to that: ``Gaussian(volume, 1.5)``.
    """

    word: ClassVar[str]

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Return a new op, or, with a volume as the first value, the op applied to that."""
        if values and isinstance(values[0], Subject):
            return cast(Self, values[0].applied(cls(*values[1:], **named)))
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for parameter in fields(self):
            value, kind = getattr(self, parameter.name), kind_of(parameter)
            try:
                object.__setattr__(self, parameter.name, kind.accept(value))
            except ValueError as expected:
                raise SpellingError(
                    f"{self.word}: {parameter.name} should be {expected}, not {value!r}"
                ) from None

    def __str__(self) -> str:
        """Return the spelling, without what is default anyway."""
        words = [self.word]
        for parameter in fields(self):
            value = getattr(self, parameter.name)
            spelled = kind_of(parameter).spell(value)
            if parameter.default is MISSING:
                words.append(spelled)
            elif value != parameter.default:
                words.append(f"{parameter.name}={spelled}")
        return " ".join(words)


def register(example: str) -> Callable[[D], D]:
    """Put an op into the catalogue under its word, with a spelling of it as example."""

    def enter(op: D) -> D:
        if op.word in OPS:
            raise ValueError(f"two ops are called {op.word}")
        OPS[op.word] = op
        # Else Python would show the signature of `Declared.__new__`.
        own = list(signature(op.__init__).parameters.values())[1:]
        op.__signature__ = Signature(own)  # type: ignore[attr-defined]
        EXAMPLES[op.word] = example
        return op

    return enter
