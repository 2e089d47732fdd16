"""Tables for people: rendered as text, on a terminal and anywhere else."""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from io import StringIO
from math import floor, inf, log10
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = [
    "as_edges",
    "as_ends",
    "as_estimate",
    "as_number",
    "as_triple",
    "found_lines",
    "html_of",
    "new_table",
    "over_projection",
    "rendered",
]

LOG_WIDTH = 200
"""Columns where there is no terminal: a table's rows stay whole."""

LONGEST = 16
"""Characters of a number that is written out; beyond, it gets an exponent."""


def rendered(*things: Any) -> str:
    """Return tables and lines as text, as wide as the terminal."""
    text = StringIO()  # rich itself would end the process where a pipe is closed
    terminal = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else LOG_WIDTH
    console = Console(
        file=text, force_terminal=terminal, highlight=False, markup=False, width=max(width, 20)
    )
    console.print(*things, sep="\n", soft_wrap=not terminal)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip("\n").split("\n"))


def html_of(text: str) -> str:
    """Return a text for a notebook."""
    return f"<pre>{escape(text.strip())}</pre>"


def new_table(title: str, *columns: str) -> Table:
    """A plain table; a column whose name ends in ``>`` holds numbers."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        right = column.endswith(">")
        table.add_column(column.rstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


def as_triple(values: Any) -> str:
    """Return three numbers in a few characters."""
    return "-" if values is None else "x".join(map(str, values))


def found_lines(found: Mapping[str, Any], intervals: Mapping[str, Any]) -> Iterator[str]:
    """Give a line for each chain of ops that needed numbers of the whole volume."""
    for chain, values in found.items():
        ends = intervals.get(chain, {})
        numbers = [
            f"{name} {as_estimate(value, ends.get(name))}"
            + (f" ({as_ends(ends[name])})" if name in ends else "")
            for name, value in values.items()
            if isinstance(value, int | float)
        ]
        yield f"found    {', '.join(numbers)} for '{chain}'"


def as_ends(interval: tuple[float, float], unit: str = "") -> str:
    """Return the ends of an interval."""
    return " to ".join(f"{as_estimate(end, interval)}{unit}" for end in interval)


def as_estimate(value: float, interval: tuple[float, float] | None) -> str:
    """Give a number to the digit at which its interval's width has three: more are noise."""
    width = interval[1] - interval[0] if interval else 0.0
    if not 0 < width < inf:
        return f"{value:.6g}"
    digits = 2 - floor(log10(width))
    fixed = f"{round(value, digits) + 0.0:.{max(0, digits)}f}"  # and no -0
    return fixed if len(fixed) <= LONGEST else f"{value:.6g}"


def over_projection(measured: int, projected: int) -> str:
    """Return a note where more was held than projected."""
    return " (over the projection: please report this)" if measured > projected else ""


def as_edges(
    voxel_size: Sequence[float] | None, unit: str | None, factor: Sequence[int] = (1, 1, 1)
) -> str:
    """Return the edge of a voxel that stands for `factor` of them (z, y, x)."""
    if voxel_size is None:
        return "-"
    edges = [f"{v * f:.6g}" for v, f in zip(voxel_size, factor, strict=True)]
    return f"{edges[0] if len(set(edges)) == 1 else ','.join(edges)} {unit or 'voxels'}"


def as_number(value: Any) -> str:
    """Return the text of a number, or a dash if there is none."""
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
