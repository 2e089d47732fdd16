"""What a job is: a program to be timed, on which stack, and what it is compared with."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["SHAPES", "Group", "Job", "Place"]

SHAPES = {
    "tiny": (64, 512, 512),
    "small": (256, 2048, 2048),
    "paper": (512, 4096, 4096),
}
"""Slices, rows, columns by ``--size``; uint16."""


@dataclass(frozen=True)
class Place:
    """What the words of a command stand for in one run."""

    python: str
    scripts: Path
    src: Path
    dst: Path
    report: Path
    workers: int
    slices: int
    rows: int

    @property
    def words(self) -> dict[str, object]:
        """Everything that a command may name."""
        fractions = {"half": self.slices // 2, "quarter": self.slices // 4}
        return {**vars(self), **fractions}


@dataclass(frozen=True)
class Job:
    """A program to be timed. It reads ``{src}``, makes ``{dst}``, and tells its own seconds.

    Attributes
    ----------
    stack
        What it reads, by its name in `make_stack`; jobs with the same stack take turns. Empty
        for one that reads nothing.
    words
        The command; ``{src}`` and the other fields of `Place` are filled in.
    against
        Jobs that it is compared with; they run whenever it does.
    environment
        Whose Python ``{python}`` is, by the name in `environments`; empty for this one.
    """

    name: str
    stack: str
    words: tuple[str, ...]
    against: tuple[str, ...] = ()
    environment: str = ""

    def command(self, place: Place) -> list[str]:
        """The words to run."""
        return [word.format_map(place.words) for word in self.words]


@dataclass(frozen=True)
class Group:
    """Jobs that one part of docs/performance.md tells of; `asked` ones run only if named."""

    name: str
    title: str
    jobs: tuple[Job, ...]
    asked: bool = False
