"""Declaration of options: each is one field of a frozen dataclass, with its kind and help.

The kinds are those of `hoaconv.ops.kinds`: each takes a value, or the text that stands for it on
the command line, and converts it to one form. This module imports no kernels, so that the help of
the command line appears at once.
"""

import operator
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from inspect import signature
from math import prod
from pathlib import Path
from typing import Any, Self, TypeVar

from hoaconv.errors import SpellingError
from hoaconv.io.compressor import Compressor
from hoaconv.ops.docstring import rows_of, sections_of, with_sections
from hoaconv.ops.kinds import VOXEL, Kind
from hoaconv.units import did_you_mean, parse_bytes, parse_range, parse_whole_triple

__all__ = [
    "BYTES",
    "COMPRESSION",
    "COMPRESSOR",
    "FACTORS",
    "FLAG",
    "LEVEL",
    "METHODS",
    "NAME",
    "ORIENTATION",
    "PATH",
    "PATHS",
    "RANGE",
    "RATIO",
    "REDUCE",
    "SAMPLE",
    "SHARDS",
    "TEXT",
    "TILE",
    "VALUE",
    "VOXEL_TYPE",
    "Option",
    "Options",
    "PathLike",
    "count_of",
    "explained_by",
    "index_of",
    "one_of",
    "option",
    "options_of",
    "triple_of",
]

PathLike = str | os.PathLike[str]
Triple = tuple[int, int, int]
F = TypeVar("F", bound=Callable[..., Any])

METHODS = ("mean", "mode", "max", "min", "nearest", "gaussian")
"""Methods of downsampling: as `hoaconv.kernels.downsample` has them, and a Gaussian filter."""

COMPRESSIONS: Mapping[str, tuple[int, int] | None] = {
    "none": None,
    "deflate": (1, 9),
    "zstd": (1, 22),
    "lzw": None,
}
"""Compressions of slices, with their least and greatest levels."""

MOST_RATIO = 100_000

MAX_CELL = 1 << 15
"""The most voxels that become one, as `hoaconv.kernels.downsample` has it."""


@dataclass(frozen=True)
class Option:
    """An option on the command line: kind, help, group of options, name of its value."""

    kind: Kind
    help: str
    group: str
    value: str


def option(kind: Kind, help: str, group: str, value: str = "", default: Any = None) -> Any:
    """Declare an option: a dataclass field with its kind, its help and its group."""
    made = Option(kind, help, group, value or kind.name)
    return field(default=default, kw_only=True, metadata={"option": made})


@dataclass(frozen=True)
class Options:
    """Options, converted to the form of their kinds, so that equal options compare equal.

    Raises
    ------
    SpellingError
        For a value that an option doesn't take.
    """

    def __post_init__(self) -> None:
        for name, declared in options_of(type(self)).items():
            value = getattr(self, name)
            default = type(self).__dataclass_fields__[name].default
            if value is not None or isinstance(default, str):
                object.__setattr__(self, name, declared.kind.accept(_plain(value)))

    @classmethod
    def take(cls, values: Mapping[str, Any], **more: Any) -> Self:
        """Take the options of this group from those of a verb, by their names."""
        own = {name: values[name] for name in options_of(cls) if name in values}
        return cls(**own, **more)

    def given(self) -> dict[str, Any]:
        """Return the options that are not the default, as JSON takes them."""
        return {
            one.name: _as_json(getattr(self, one.name))
            for one in fields(self)
            if "option" in one.metadata and getattr(self, one.name) != one.default
        }


def options_of(group: type[Options]) -> dict[str, Option]:
    """Return the options of a group by their names."""
    return {one.name: one.metadata["option"] for one in fields(group) if "option" in one.metadata}


def explained_by(*groups: type[Options]) -> Callable[[F], F]:
    """Add what the docstrings of groups say of their options to the docstring of a function.

    The rows stand in the order of the parameters. A row of the function's own docstring wins.
    """

    def explain(function: F) -> F:
        rows: dict[str, str] = {}
        for documented in (*groups, function):
            rows |= rows_of(sections_of(documented.__doc__).get("Parameters", ""))
        shown = dict.fromkeys(rows[name] for name in signature(function).parameters)
        section = {"Parameters": "\n".join(shown)}
        function.__doc__ = with_sections(function.__doc__, section)
        return function

    return explain


def _plain(value: Any) -> Any:
    """Return numpy's arrays and numbers as Python's."""
    return value.tolist() if hasattr(type(value), "tolist") else value  # numpy.uint16 stays


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _as_json(inner) for name, inner in value.items()}
    if isinstance(value, slice):
        return ":".join("" if end is None else str(end) for end in _ends(value))
    if isinstance(value, list | tuple):
        return [_as_json(inner) for inner in value]
    return value if isinstance(value, str | int | float) else str(value)


def _ends(taken: slice) -> tuple[Any, ...]:
    ends = (taken.start, taken.stop, taken.step)
    return ends if taken.step is not None else ends[:2]


def one_of(what: str, *known: str) -> Kind:
    """Return the kind of a word that is one of some."""

    def accept(value: Any) -> str:
        if str(value) not in known:
            hint = did_you_mean(str(value), known)
            raise SpellingError(f"{what} {str(value)!r} is none of {', '.join(known)}{hint}")
        return str(value)

    return Kind("NAME", accept, str)


def count_of(what: str) -> Kind:
    """Return the kind of a whole number of 1 or more."""

    def accept(value: Any) -> int:
        try:
            count = operator.index(value)
        except TypeError:
            count = None
        if count is None or isinstance(value, bool):
            raise SpellingError(f"{what} {value!r} is not a whole number")
        if count < 1:
            raise SpellingError(f"{what} {count} is less than 1")
        return count

    return Kind("N", accept, str)


def index_of(what: str) -> Kind:
    """Return the kind of a whole number of 0 or more."""

    def accept(value: Any) -> int:
        try:
            index = operator.index(value)
        except TypeError:
            index = -1
        if index < 0 or isinstance(value, bool):
            raise SpellingError(f"{what} {value!r} is not a whole number of 0 or more")
        return index

    return Kind("N", accept, str)


def triple_of(what: str) -> Kind:
    """Return the kind of three whole numbers (z, y, x), or one for all axes."""
    return Kind("SHAPE", lambda value: parse_whole_triple(value, what), _spell_triple)


def _spell_triple(value: Triple) -> str:
    return ",".join(map(str, value))


def _path(value: Any) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise SpellingError(f"expected a path, not a {type(value).__name__}")
    return Path(value)


def _paths(value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str | os.PathLike) else value
    if not isinstance(given, list | tuple):
        raise SpellingError(f"expected paths, not a {type(value).__name__}")
    return tuple(os.fspath(_path(one)) if not isinstance(one, str) else one for one in given)


def _shards(value: Any) -> Triple | str:
    return "none" if value == "none" else parse_whole_triple(value, "shards")


def _factors(value: Any) -> Triple:
    taken = parse_whole_triple(value, "factors")
    if prod(taken) > MAX_CELL:
        raise SpellingError(f"factors {value} make one voxel of more than {MAX_CELL}; take less")
    return taken


def _reduce(value: Any) -> int:
    count: int = count_of("reduce").accept(value)
    if count & (count - 1):
        raise SpellingError(f"reduce {count} is not a power of 2; JP2 halves: write 2, 4, 8, ...")
    return count


def _sample(value: Any) -> int:
    count: int = count_of("sample").accept(value)
    if count < 2:
        raise SpellingError("sample 1 tells nothing of how slices differ; draw 2 or more")
    return count


def _level(value: Any) -> int:
    try:
        level = operator.index(value)
    except TypeError:
        level = -1
    if level < 0 or isinstance(value, bool):
        raise SpellingError(f"level {value!r} is not a whole number of 0 or more")
    return level


def _ratio(value: Any) -> float:
    try:
        ratio = float(value)
    except (TypeError, ValueError):
        ratio = 0.0
    if isinstance(value, bool) or not 1 < ratio < MOST_RATIO:
        raise SpellingError(
            f"ratio {value!r} isn't a number above 1, such as 10; leave it out for lossless coding"
        )
    return ratio


def _tile(value: Any) -> tuple[int, int]:
    words = value.replace(" ", "").split(",") if isinstance(value, str) else value
    pair = [words] if isinstance(words, int) else words
    try:
        lengths = tuple(int(length) for length in pair)
    except (TypeError, ValueError):
        lengths = ()
    if len(lengths) not in (1, 2) or any(n < 16 or n % 16 for n in lengths):
        raise SpellingError(f"tile {value!r} isn't one or two multiples of 16, such as 256,256")
    return (lengths[0], lengths[-1])


def _spell_tile(value: tuple[int, int]) -> str:
    return ",".join(map(str, value))


def _compression(value: Any) -> str:
    name, colon, level = str(value).partition(":")
    if name not in COMPRESSIONS:
        hint = did_you_mean(name, tuple(COMPRESSIONS))
        known = ", ".join(COMPRESSIONS)
        raise SpellingError(f"compression {name!r} is none of {known}{hint}")
    low, high = COMPRESSIONS[name] or (0, -1)
    if colon and not (level.isdecimal() and low <= int(level) <= high):
        if high < low:
            raise SpellingError(f"compression {value!r}: {name} has no level; write {name}")
        raise SpellingError(f"compression {value!r}: the level isn't one of {low} to {high}")
    return str(value)


def _compressor(value: Any) -> str:
    if value is None:
        raise SpellingError("compressor None: write 'none' for no compression, or leave it out")
    Compressor.parse(str(value))
    return str(value)


def _range(value: Any) -> slice | None:
    return None if isinstance(value, str) and not value else parse_range(value)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise SpellingError(f"the name {value!r} is no text")
    return value


def _voxel_type(value: Any) -> str:
    try:
        dtype = import_module("numpy").dtype("none" if value is None else value)
    except (TypeError, ValueError, SyntaxError):
        dtype = None
    if dtype is None or dtype.kind not in "uifb" or dtype.itemsize > 8:
        raise SpellingError(
            f"dtype {value!r} is not the dtype of voxels; write it as NumPy does, such as uint16, "
            "float32, or '>u2' if the byte of the higher value comes first"
        )
    return str(dtype.name if dtype.isnative else dtype.str)


def _value(value: Any) -> Any:
    try:
        return VOXEL.accept(value)
    except ValueError:
        raise SpellingError(f"the value {value!r} is no number") from None


def _as_given(value: Any) -> Any:
    return value


_PAIRS = (
    *("left-right", "anterior-posterior", "inferior-superior", "dorsal-ventral", "dorsal-palmar"),
    *("dorsal-plantar", "rostral-caudal", "cranial-caudal", "proximal-distal"),
)
WAYS = tuple(
    "-to-".join(ends) for pair in _PAIRS for ends in (pair.split("-"), pair.split("-")[::-1])
)
"""Directions of an axis in a body, as RFC-4 has them: https://ngff.openmicroscopy.org/rfc/4."""


def _orientation(value: Any) -> tuple[str, str, str]:
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or len(words) != 3:
        raise SpellingError(
            f"orientation {value!r} is not that of three axes; write those of z, y and x, as in "
            "superior-to-inferior,anterior-to-posterior,right-to-left"
        )
    z, y, x = (str(word).strip().lower() for word in words)
    for way in (z, y, x):
        if way not in WAYS:
            raise SpellingError(
                f"orientation {way!r} is none that OME-NGFF knows{did_you_mean(way, WAYS)}: "
                f"{', '.join(WAYS)}"
            )
    if len({frozenset(way.split("-to-")) for way in (z, y, x)}) < 3:
        raise SpellingError(f"orientation {z},{y},{x} has two axes along one line of the body")
    return z, y, x


FLAG = Kind("", bool, str)
VALUE = Kind("VALUE", _value, str)
ORIENTATION = Kind("Z,Y,X", _orientation, ",".join)
TEXT = Kind("TEXT", _as_given, str)
NAME = Kind("NAME", _name, str)
PATH = Kind("FILE", _path, str)
PATHS = Kind("FILE", _paths, str)
SAMPLE = Kind("N", _sample, str)
VOXEL_TYPE = Kind("DTYPE", _voxel_type, str)
BYTES = Kind("BYTES", parse_bytes, str)
RANGE = Kind("RANGE", _range, str)
REDUCE = Kind("N", _reduce, str)
LEVEL = Kind("N", _level, str)
RATIO = Kind("RATIO", _ratio, str)
TILE = Kind("SHAPE", _tile, _spell_tile)
COMPRESSION = Kind("NAME", _compression, str)
COMPRESSOR = Kind("NAME", _compressor, str)
SHARDS = Kind("SHAPE", _shards, str)
FACTORS = Kind("FACTORS", _factors, _spell_triple)
