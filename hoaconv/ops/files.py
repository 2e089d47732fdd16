"""Ops that take numbers from a file: the file's name as a parameter, its content as a value."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from os import fspath
from pathlib import Path
from typing import Any, Self

import numpy as np

from hoaconv.engine.contract import Op
from hoaconv.errors import PlanError, SpellingError
from hoaconv.ops.kinds import Kind
from hoaconv.ops.parameters import Declared

__all__ = ["FromFile", "Numbers", "file_of", "unreadable"]


@dataclass(frozen=True)
class Numbers:
    """An array of float64 as a value: compared, hashed and pickled with the op that holds it."""

    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, array: np.ndarray[Any, Any]) -> Self:
        """Copy an array."""
        return cls(array.shape, np.asarray(array, np.float64).tobytes())

    @property
    def array(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """A copy of the array."""
        return np.frombuffer(self.data, np.float64).reshape(self.shape).copy()

    def __repr__(self) -> str:
        return f"Numbers({self.shape})"

    def __str__(self) -> str:
        return f"({' x '.join(map(str, self.shape))} array)"


def file_of(*suffixes: str) -> Kind:
    """Take the name of a file that ends in one of some suffixes, or an array as its content."""

    def accept(value: Any) -> str | Numbers:
        if isinstance(value, Numbers):
            return value
        if isinstance(value, np.ndarray) and value.dtype.kind in "uif":
            return Numbers.of(value)
        try:
            name = fspath(value)
        except TypeError:
            name = ""
        if not str(name).endswith(suffixes) or set(name) & set(" \t\n|="):
            raise ValueError(f"the name of a {' or '.join(suffixes)} file, without spaces, | and =")
        return str(name)

    return Kind("file", accept, str)


@dataclass(frozen=True)
class FromFile(Declared, Op):
    """An op that takes numbers from a file, which `resolved` reads, and nothing else."""

    numbers: Numbers | None = field(default=None, repr=False, kw_only=True)
    """Content of the file; None until the op is resolved."""

    @abstractmethod
    def read(self) -> Numbers:
        """Read the file. Raises SpellingError if it doesn't hold what the op takes."""

    def resolved(self) -> Self:
        """Return the op with the numbers in its file; an op that has them is returned as it is.

        Raises
        ------
        SpellingError
            If the file can't be read, or doesn't hold what the op takes.
        """
        return self if self.numbers else replace(self, numbers=self.read())

    @property
    def content(self) -> Numbers:
        """Content of the file. Raises PlanError before the op is resolved."""
        if self.numbers is None:
            raise PlanError(f"'{self}' hasn't read its file; call resolved() before it is used")
        return self.numbers


def unreadable(word: str, file: Path, what: str, error: Exception) -> SpellingError:
    """Return the error for a file that can't be read as what an op takes."""
    reason = getattr(error, "strerror", None) or error
    return SpellingError(f"{word}: {file} can't be read as {what}: {reason}")
