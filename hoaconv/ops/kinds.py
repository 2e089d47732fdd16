"""Kinds of parameters: which values an op takes, and how each of them is spelled."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from math import inf, isfinite, isnan, prod
from typing import Any, Protocol, TypeVar

from hoaconv.engine.dtypes import DTYPE_NAMES, WIDE_NAMES
from hoaconv.ops.beside import Subject, Unknown
from hoaconv.units import did_you_mean

__all__ = [
    "ANY_DTYPE",
    "DTYPE",
    "FINITE",
    "FINITE_VOXEL",
    "FLAG",
    "INTEGER",
    "NUMBER",
    "PERCENTAGE",
    "PERCENTAGES",
    "POSITIVE",
    "RADII",
    "SIGMAS",
    "SIZES",
    "VOXEL",
    "WHOLE",
    "WORD",
    "Kind",
    "Triple",
    "bounded",
    "choice",
    "exact_number",
    "number_or",
    "or_word",
    "per_axis",
    "spell_number",
    "window",
]

N = TypeVar("N")


class Triple(Protocol[N]):
    """Type of a field that holds a value for each axis (z, y, x).

    The field is given one value for all axes, three values, or their spelling; `per_axis` makes
    a tuple of them.
    """

    def __get__(self, op: Any, owner: Any = None, /) -> tuple[N, N, N]: ...

    def __set__(self, op: Any, value: N | Sequence[N] | str, /) -> None: ...


@dataclass(frozen=True)
class Kind:
    """The values that a parameter takes.

    Attributes
    ----------
    name
        Name of the kind in the help.
    accept
        Converts a Python value or its spelling to the form that the op keeps. Raises ValueError
        with the description of what was expected.
    spell
        Converts the kept form to text that `accept` converts back.
    """

    name: str
    accept: Callable[[Any], Any]
    spell: Callable[[Any], str]


def spell_number(value: float) -> str:
    """Return the shortest decimal that reads back as the same float.

    Examples
    --------
    >>> spell_number(20000.0), spell_number(0.5)
    ('20000', '0.5')
    """
    return repr(exact_number(value)).removesuffix(".0")


def exact_number(value: Any) -> float:
    """Return a number as a float, or as an int if it is a whole number that a float would round.

    Examples
    --------
    >>> exact_number("20000"), exact_number(2**53 + 1)
    (20000.0, 9007199254740993)
    """
    number = float(value)
    if abs(number) >= 1 << 53 and re.fullmatch(r"[+-]?[\d_]{1,400}", str(value).strip()):
        whole = int(value)
        return number if whole == number else whole
    return number


def _number(value: Any) -> float:
    if isinstance(value, Subject | Unknown):  # whose float() would read a volume
        raise ValueError("a number that is known")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("a number") from None
    if isnan(number):
        raise ValueError("a number other than NaN")
    return number


def _finite(value: Any) -> float:
    number = _number(value)
    if not isfinite(number):
        raise ValueError("a finite number")
    return number


def _voxel(value: Any) -> float:
    _number(value)
    return exact_number(value)


def _finite_voxel(value: Any) -> float:
    _finite(value)
    return exact_number(value)


def _integer(value: Any) -> int:
    if re.fullmatch(r"[+-]?\d{1,300}", str(value)):
        return int(value)  # a float would round it
    number = _number(value)
    if not number.is_integer():
        raise ValueError("a whole number")
    return int(number)


def _whole(value: Any) -> int:
    number = _number(value)
    if number < 0 or not number.is_integer():
        raise ValueError("a whole number, 0 or more")
    return int(number)


def _flag(value: Any) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ValueError("true or false") from None


def _word(value: Any) -> str:
    if not isinstance(value, str) or not value or set(value) & set(" \t\n|="):
        raise ValueError("a word without spaces, | and =")
    return value


def _percentages(value: Any) -> tuple[float, ...]:
    numbers = tuple(_number(part) for part in _parts(value))
    if not numbers or not all(0 <= number <= 100 for number in numbers):
        raise ValueError("numbers in 0..100, with commas between")
    return numbers


def _dtype(value: Any, names: tuple[str, ...] = DTYPE_NAMES) -> str:
    known = f"one of {', '.join(names)}"
    if (
        isinstance(value, str) and value in names
    ):  # any other spelling takes numpy, which a command's help does without
        return str(value)
    try:
        name = import_module("numpy").dtype("none" if value is None else value).name
    except TypeError:
        raise ValueError(known) from None
    if name not in names:
        raise ValueError(known)
    return str(name)


def _parts(value: Any) -> tuple[Any, ...]:
    """Return the values that a text separates by commas, or a sequence holds, or the one value."""
    parts = value.split(",") if isinstance(value, str) else value
    is_array = hasattr(parts, "__array__") and hasattr(parts, "__len__")
    return tuple(parts) if is_array or isinstance(parts, Sequence) else (parts,)


def bounded(
    kind: Kind, least: float = -inf, greatest: float = inf, *, above: float = -inf, hint: str = ""
) -> Kind:
    """Limit a kind of finite numbers to ``least..greatest``, or to numbers greater than `above`.

    `hint` follows the bounds in the error message.
    """
    if above > -inf:
        expected = f"above {spell_number(above)}"
    elif greatest < inf:
        expected = f"a number in {spell_number(least)}..{spell_number(greatest)}"
    else:
        expected = f"{spell_number(least)} or more"

    def accept(value: Any) -> Any:
        number = kind.accept(value)
        if not isfinite(number):
            raise ValueError(f"{expected} and finite{hint}")
        if not least <= number <= greatest or number <= above:
            raise ValueError(f"{expected}{hint}")
        return number

    return replace(kind, accept=accept)


def choice(*words: str) -> Kind:
    """Take one of some words."""

    def accept(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return str(value)

    return Kind("|".join(words), accept, str)


def number_or(*words: str, percentile: bool = False, number: Kind | None = None) -> Kind:
    """Take a number of a kind, by default any, or one of some words.

    With `percentile`, p0 to p100, as in p99.5, are such words too. A word is kept as it is; the op
    replaces it by the number that it stands for.
    """
    known = (*words, "pNN") if percentile else words
    name = ", ".join(["number", *known[:-1]]) + f" or {known[-1]}"

    def accept(value: Any) -> float | str:
        if isinstance(value, str) and value in words:
            return value
        match = _PERCENTILE.fullmatch(value) if percentile and isinstance(value, str) else None
        if match and float(match[1]) <= 100:
            return f"p{spell_number(float(match[1]))}"
        try:
            float(value)
        except (TypeError, ValueError):
            hint = did_you_mean(str(value), words).removeprefix("; ")
            raise ValueError(f"a {name}{hint and f' ({hint})'}") from None
        accepted: float = (number or NUMBER).accept(value)
        return accepted

    return Kind(
        name, accept, lambda value: value if isinstance(value, str) else spell_number(value)
    )


def or_word(kind: Kind, word: str, name: str) -> Kind:
    """Take a value of a kind, or a word that is kept as it is; `name` is for the help."""

    def accept(value: Any) -> Any:
        if isinstance(value, str) and value == word:
            return word
        try:
            return kind.accept(value)
        except ValueError as expected:
            raise ValueError(f"{word}, or {expected}") from None

    return Kind(name, accept, lambda value: word if value == word else kind.spell(value))


def per_axis(kind: Kind) -> Kind:
    """Take one value of a kind, or three for z, y, x; a tuple of three is kept."""

    def accept(value: Any) -> tuple[Any, Any, Any]:
        parts = _parts(value)
        if len(parts) not in {1, 3}:
            raise ValueError(f"one {kind.name}, or three for z,y,x")
        each = [kind.accept(part) for part in parts]
        return (each[0], each[len(parts) // 2], each[-1])

    def spell(value: tuple[Any, Any, Any]) -> str:
        words = [kind.spell(part) for part in value]
        return words[0] if len(set(words)) == 1 else ",".join(words)

    return Kind(f"{kind.name} or z,y,x", accept, spell)


def window(most: int, what: str = "window") -> Kind:
    """Take the sizes of a window in voxels along z, y, x, which holds at most `most` voxels."""

    def accept(value: Any) -> tuple[int, int, int]:
        sizes: tuple[int, int, int] = SIZES.accept(value)
        if prod(sizes) > most:
            raise ValueError(f"a {what} of at most {most} voxels (it has {prod(sizes)})")
        return sizes

    return replace(SIZES, accept=accept)


_PERCENTILE = re.compile(r"p((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)")

NUMBER = Kind("number", _number, spell_number)
"""Any number but NaN, infinities included."""

FINITE = Kind("finite number", _finite, spell_number)
VOXEL = replace(NUMBER, accept=_voxel)
"""Any number but NaN; a whole one stays exact, as `exact_number` returns it."""

FINITE_VOXEL = replace(FINITE, accept=_finite_voxel)
POSITIVE = bounded(NUMBER, above=0)
"""Finite numbers above 0."""

INTEGER = Kind("integer", _integer, str)
WHOLE = Kind("whole number", _whole, str)
FLAG = Kind("true|false", _flag, lambda value: str(value).lower())
WORD = Kind("word", _word, str)
PERCENTAGE = replace(
    bounded(NUMBER, 0, 100, hint=" (100 - q for scipy's -q)"), name="number in 0..100"
)
PERCENTAGES = Kind("percentages", _percentages, lambda q: ",".join(map(spell_number, q)))
SIGMAS = per_axis(bounded(NUMBER, 0))
"""Standard deviations in voxels."""

SIZES = per_axis(bounded(WHOLE, 1))
"""Edges of a window in voxels."""

RADII = per_axis(WHOLE)
"""Voxels on each side of a voxel."""

DTYPE = Kind("dtype", _dtype, str)
"""Dtypes whose every value float64 holds."""

ANY_DTYPE = Kind("dtype", lambda value: _dtype(value, DTYPE_NAMES + WIDE_NAMES), str)
