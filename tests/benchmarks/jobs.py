"""The jobs, as data: what is run, on which stack, and what it is compared with."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["JOBS", "SHAPES", "Job", "Place"]

SHAPES = {
    "tiny": (64, 512, 512),
    "small": (256, 2048, 2048),
    "paper": (512, 4096, 4096),
}
"""Slices, rows, columns by ``--size``; uint16."""

RUN = ("{src}", "{dst}", "--workers", "{workers}", "--report", "{report}")
CONVERT = ("{scripts}/hoaconv", "stack-to-omezarr", *RUN, "--quiet")
CHUNKED = ("--shards", "none", "--levels", "5")  # 128-cubed chunks, blosc-zstd-1, shuffled
THIN = ("--shards", "none", "--chunks", "16,128,128", "--levels", "3")
GAUSSIAN = ("--ops", "gaussian 1.5")


@dataclass(frozen=True)
class Place:
    """What the words of a command stand for in one run."""

    python: str
    scripts: Path
    src: Path
    dst: Path
    report: Path
    workers: int
    quarter: int
    """A fourth of the stack's slices."""


@dataclass(frozen=True)
class Job:
    """A program to be timed. It reads ``{src}``, makes ``{dst}``, and tells its own seconds.

    Attributes
    ----------
    stack
        What it reads, by its name in `stacks`; jobs with the same stack take turns.
    words
        The command; ``{src}`` and the other fields of `Place` are filled in.
    against
        Jobs that it is compared with.
    asked
        Whether it runs only when ``--only`` names it.
    """

    name: str
    stack: str
    words: tuple[str, ...]
    against: tuple[str, ...] = ()
    asked: bool = False

    def command(self, place: Place) -> list[str]:
        """The words to run."""
        return [word.format_map(vars(place)) for word in self.words]


def _program(name: str) -> tuple[str, ...]:
    return ("{python}", "-m", f"tests.benchmarks.{name}", *RUN)


JOBS = (
    Job("floor-jp2", "jp2", _program("floor")),
    Job("hoaconv-jp2", "jp2", (*CONVERT, *CHUNKED), ("floor-jp2",)),
    Job("hoaconv-jp2-gaussian", "jp2", (*CONVERT, *CHUNKED, *GAUSSIAN), ("hoaconv-jp2",)),
    Job("hoaconv-jp2-sharded", "jp2", (*CONVERT, "--levels", "5"), ("hoaconv-jp2",)),
    Job("dask-jp2", "jp2", _program("with_dask"), ("hoaconv-jp2",)),
    Job("stack-to-chunk-jp2", "jp2", _program("with_stack_to_chunk"), ("hoaconv-jp2",)),
    Job("memory-jp2-quarter", "jp2", (*CONVERT, *THIN, "--range", ":{quarter}")),
    Job("memory-jp2-all", "jp2", (*CONVERT, *THIN), ("memory-jp2-quarter",)),
    Job("floor-tiff", "tiff", _program("floor")),
    Job("hoaconv-tiff", "tiff", (*CONVERT, *CHUNKED), ("floor-tiff",)),
    Job("hoaconv-tiff-gaussian", "tiff", (*CONVERT, *CHUNKED, *GAUSSIAN), ("hoaconv-tiff",)),
    Job("dask-tiff", "tiff", _program("with_dask"), ("hoaconv-tiff",)),
    Job("stack-to-chunk-tiff", "tiff", _program("with_stack_to_chunk"), ("hoaconv-tiff",)),
    Job("wide", "wide", CONVERT, asked=True),
)
