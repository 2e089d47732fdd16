"""Every op and fold there is, by its word."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from inspect import cleandoc
from types import MappingProxyType
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.ops import (
    arithmetic,
    convolution,
    derivative,
    edges,
    geometry,
    local,
    measure,
    median,
    morphology,
    objects,
    operands,
    pointwise,
    projection,
    rank,
    sampling,
    sharpen,
    smooth,
    statistics,
    table,
)
from hoaconv.ops.declare import EXAMPLES, OPS, Declared, kind_of
from hoaconv.units import did_you_mean

__all__ = [
    "FAMILIES",
    "Parameter",
    "catalogue",
    "describe",
    "example",
    "explanation",
    "lookup",
    "summary",
    "usage",
]

FAMILIES = (
    smooth,
    local,
    sharpen,
    convolution,
    pointwise,
    arithmetic,
    operands,
    table,
    derivative,
    edges,
    rank,
    median,
    morphology,
    geometry,
    sampling,
    measure,
    statistics,
    projection,
    objects,
)
"""The modules whose ops make the catalogue: importing one registers them."""


@dataclass(frozen=True)
class Parameter:
    """A row of an op's help; `default` is empty where a value must be given."""

    name: str
    kind: str
    default: str
    help: str


def catalogue() -> Mapping[str, type[Declared]]:
    """Every op by its word, in the order of words."""
    return MappingProxyType(dict(sorted(OPS.items())))


def lookup(word: str) -> type[Declared]:
    """The op of a word.

    Raises
    ------
    SpellingError
        If there is none; the message has the closest words and the list.
    """
    if word not in OPS:
        raise SpellingError(
            f"there is no op {word!r}{did_you_mean(word, OPS)}; "
            f"the ops are {', '.join(catalogue())}"
        )
    return OPS[word]


def describe(word: str) -> tuple[Parameter, ...]:
    """The parameters of an op, in their order."""
    return tuple(
        Parameter(f.name, kind_of(f).name, _default(f), f.metadata["help"])
        for f in fields(lookup(word))
    )


def example(word: str) -> str:
    """A spelling of the op."""
    return EXAMPLES[lookup(word).word]


def summary(word: str) -> str:
    """What the op does, in one line."""
    return (lookup(word).__doc__ or "").partition("\n")[0]


def explanation(word: str) -> str:
    """What else there is to know: the docstring below its first line, a line a paragraph."""
    paragraphs = cleandoc(lookup(word).__doc__ or "").split("\n\n")[1:]
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def usage(word: str) -> str:
    """How the op is written.

    Examples
    --------
    >>> usage("rescale")
    'rescale LO HI [dtype=uint8]'
    """
    words = [f"[{p.name}={p.default}]" if p.default else p.name.upper() for p in describe(word)]
    return " ".join([word, *words])


def _default(parameter: "Field[Any]") -> str:
    return "" if parameter.default is MISSING else kind_of(parameter).spell(parameter.default)
