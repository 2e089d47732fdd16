"""How an op is declared: ``@op("gaussian", example="gaussian 1.5")`` above a class.

The decorator makes the class a frozen dataclass and enters it into the catalogue under its word.
"""

import sys
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, dataclass_transform

from hoaconv.errors import SpellingError
from hoaconv.ops.parameters import Declared, param

__all__ = ["EXAMPLES", "OPS", "abstract_op", "op"]

OPS: dict[str, type[Declared]] = {}
"""Every op by its word."""

EXAMPLES: dict[str, str] = {}
"""A spelling of every op by its word, for the docs and the tests."""

D = TypeVar("D", bound=Declared)


class Declaration(Protocol):
    """Decorator that declares an op."""

    def __call__(self, declared: type[D], /) -> type[D]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(param,))
def op(word: str, *, example: str = "") -> Declaration:
    """Declare an op, the class below, under its word.

    Parameters
    ----------
    word
        The op's name in a chain of ops.
    example
        A spelling of the op; by default the word.

    Raises
    ------
    SpellingError
        If another op has this word.
    """

    def declare(declared: Any) -> Any:
        declared.word = word
        enter(dataclass(frozen=True)(declared), example or word)
        return declared

    return cast(Declaration, declare)


@dataclass_transform(frozen_default=True, field_specifiers=(param,))
def abstract_op(declared: type[D]) -> type[D]:
    """Make a class with parameters that several ops share; it is no op itself."""
    return dataclass(frozen=True)(declared)


def enter(declared: type[Declared], example: str) -> None:
    """Add an op to the catalogue; a new version of a declaration takes the old one's place.

    Raises
    ------
    SpellingError
        If another op has the same word.
    """
    word, other = declared.word, OPS.get(declared.word)
    if other is not None and _home(other) != _home(declared):
        raise SpellingError(
            f"two ops are called {word}: {_told(other)} and {_told(declared)}; rename one"
        )
    OPS[word], EXAMPLES[word] = declared, example


def _home(declared: type[Declared]) -> tuple[str, str]:
    return declared.__module__, declared.__qualname__


def _told(declared: type[Declared]) -> str:
    """Return an op's class and the file that declares it."""
    file = getattr(sys.modules.get(declared.__module__), "__file__", None)
    return f"{declared.__qualname__} of {file or declared.__module__}"
