"""A try, what may come of it, and a group of tries."""

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

__all__ = ["Done", "Group", "Result", "Skipped", "Try", "Unexpected"]

Try = Callable[[np.random.Generator, Path], None]
"""Tries something in an empty folder; raises `Unexpected` where the outcome isn't as expected."""


@dataclass(frozen=True)
class Done:
    """A run of hoaconv that has ended: what was run, its exit code, what it printed."""

    command: str
    code: int
    stdout: str
    stderr: str


class Unexpected(AssertionError):
    """An outcome that isn't as expected: what was seen, and in which run."""

    def __init__(self, what: str, done: Done | None = None) -> None:
        shown = f"{what}\n{done.command}\nexit {done.code}\n{done.stderr}" if done else what
        super().__init__(shown)
        self.what = what
        self.done = done


class Skipped(Exception):
    """A try that this system doesn't allow; the message says why."""


@dataclass(frozen=True)
class Result:
    """What came of one try: `fault` and `skipped` are empty if all was as expected."""

    group: str
    kind: str
    seed: int
    number: int
    seconds: float
    fault: str = ""
    skipped: str = ""
    done: Done | None = None


@dataclass(frozen=True)
class Group:
    """Kinds of tries that take turns: try K is of kind K modulo their number."""

    name: str
    kinds: Mapping[str, Try]

    def kind(self, number: int) -> str:
        """Return the kind of a try."""
        return list(self.kinds)[number % len(self.kinds)]

    def attempt(self, seed: int, number: int, folder: Path) -> None:
        """Make one try; raise `Unexpected`, `Skipped`, or whatever hoaconv let through."""
        rng = np.random.default_rng((seed, crc32(self.name.encode()), number))
        self.kinds[self.kind(number)](rng, folder)

    def result(self, seed: int, number: int, folder: Path) -> Result:
        """Make one try and tell what came of it."""
        fault, skipped, done, begin = "", "", None, time.monotonic()
        try:
            self.attempt(seed, number, folder)
        except Unexpected as error:
            fault, done = error.what, error.done
        except Skipped as error:
            skipped = str(error)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
        seconds = time.monotonic() - begin
        kind = self.kind(number)
        return Result(self.name, kind, seed, number, seconds, fault, skipped, done)
