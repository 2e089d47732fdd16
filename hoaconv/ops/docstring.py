"""Docstrings in numpydoc: their sections, and rows that are written from declarations."""

import re
from collections.abc import Mapping, Sequence
from inspect import cleandoc

__all__ = ["description", "rows_of", "sections_of", "with_rows", "with_sections"]

SECTIONS = ("Parameters", "Attributes", "Returns", "Raises", "Notes", "References", "Examples")
"""Headings in numpydoc's order."""

_HEADING = re.compile(r"^(\w+)\n-{3,}$\n", re.MULTILINE)
_ROW = re.compile(r"\n(?=\S)")


def sections_of(text: str | None) -> dict[str, str]:
    r"""Return the sections of a docstring by their headings; the heading of the description is "".

    Examples
    --------
    >>> sections_of("Add.\n\nParameters\n----------\nvalue\n    number to add")
    {'': 'Add.', 'Parameters': 'value\n    number to add'}
    """
    head, *rest = _HEADING.split(cleandoc(text or ""))
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return {"": head.strip(), **{heading: body.rstrip() for heading, body in pairs}}


def description(text: str | None) -> str:
    """Return a docstring without its sections."""
    return sections_of(text)[""]


def rows_of(section: str) -> dict[str, str]:
    r"""Return the rows of a section by the names at their heads; a row may have several names.

    Examples
    --------
    >>> rows_of("lo, hi : float\n    bounds")
    {'lo': 'lo, hi : float\n    bounds', 'hi': 'lo, hi : float\n    bounds'}
    """
    heads = [(row.partition("\n")[0].partition(" :")[0], row) for row in _ROW.split(section)]
    return {name.strip(" *"): row for head, row in heads for name in head.split(",") if name}


def with_sections(text: str | None, given: Mapping[str, str]) -> str:
    """Return a docstring with some sections replaced or added, in numpydoc's order."""
    found = sections_of(text) | dict(given)
    known = [heading for heading in SECTIONS if heading in found]
    other = [heading for heading in found if heading and heading not in SECTIONS]
    parts = [f"{heading}\n{'-' * len(heading)}\n{found[heading]}" for heading in [*known, *other]]
    return "\n\n".join([found[""], *parts])


def with_rows(text: str | None, added: Mapping[str, Sequence[str]]) -> str:
    """Return a docstring with rows put before those of its sections, by the sections' headings."""
    own = sections_of(text)
    merged = {
        heading: "\n".join([*rows, *([own[heading]] if heading in own else [])])
        for heading, rows in added.items()
        if rows
    }
    return with_sections(text, merged)
