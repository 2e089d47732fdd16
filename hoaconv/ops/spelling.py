"""Text to ops, ``gaussian 1.5 mode=nearest | threshold 20000``, and ops to text."""

from collections.abc import Iterable
from dataclasses import MISSING
from typing import cast

from hoaconv.engine.contract import Step
from hoaconv.errors import SpellingError
from hoaconv.ops.catalogue import lookup, usage
from hoaconv.ops.parameters import parameters
from hoaconv.units import did_you_mean

__all__ = ["parse_op", "parse_ops", "spell", "spell_ops"]


def parse_op(text: str) -> Step:
    """Return the op that a text spells: its word, then parameters in order or by ``name=value``.

    Raises
    ------
    SpellingError
        For an unknown op or parameter, too many or too few parameters, or a value that isn't taken.

    Examples
    --------
    >>> parse_op("gaussian 1.5 mode=nearest")
    Gaussian(sigma=(1.5, 1.5, 1.5), mode='nearest', cval=0.0, truncate=4.0)
    """
    words = text.split()
    if not words:
        raise SpellingError("there is no op in an empty text; write one like 'gaussian 1.5'")
    word, *rest = words
    op = lookup(word)
    values = _bind(word, rest, [f.name for f in parameters(op)])
    missing = [f.name for f in parameters(op) if f.default is MISSING and f.name not in values]
    if missing:
        raise SpellingError(f"{word} needs {' and '.join(missing)}; {_written(word)}")
    return cast(Step, op(**values))  # every op is declared, and one of the contract


def parse_ops(text: str) -> tuple[Step, ...]:
    """Return the ops that a text spells with ``|`` between them; none for an empty text.

    Raises
    ------
    SpellingError
        As `parse_op`, and where an op is missing before, after or between ``|``.
    """
    if not text.strip():
        return ()
    stages = text.split("|")
    if not all(stage.strip() for stage in stages):
        raise SpellingError(f"there is no op before, after or between two | in {text!r}")
    return tuple(parse_op(stage) for stage in stages)


def spell(op: Step) -> str:
    """Return the text that `parse_op` reads as this op; default values are left out.

    Examples
    --------
    >>> spell(parse_op("gaussian 2,1.0,1 cval=0"))
    'gaussian 2,1,1'
    """
    return str(op)


def spell_ops(ops: Iterable[Step]) -> str:
    """Return the text that `parse_ops` reads as these ops."""
    return " | ".join(spell(op) for op in ops)


def _bind(word: str, rest: list[str], names: list[str]) -> dict[str, str]:
    """Return the spelled values by the names of their parameters."""
    values: dict[str, str] = {}
    for place, text in enumerate(rest):
        name, equals, value = text.partition("=")
        if not equals:
            name, value = _name_at(word, place, names, text), text
            if any("=" in earlier for earlier in rest[:place]):
                raise SpellingError(f"{word}: {text!r} must stand before any name=value")
        elif name not in names:
            hint = did_you_mean(name, names)
            raise SpellingError(f"{word} has no parameter {name!r}{hint}; {_written(word)}")
        if name in values:
            raise SpellingError(f"{word}: {name} is given twice")
        values[name] = value
    return values


def _name_at(word: str, place: int, names: list[str], text: str) -> str:
    if place >= len(names):
        raise SpellingError(f"{word}: {text!r} is one value too many; {_written(word)}")
    return names[place]


def _written(word: str) -> str:
    return f"write it like: {usage(word)}"
