"""The page of measured figures: parts between marks, the rest by hand."""

import re
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.jobs import Group
from tests.benchmarks.stacks import ROOT

__all__ = ["PAGE", "check", "place", "replaced"]

PAGE = ROOT / "docs" / "performance.md"


def place(group: Group, size: str) -> str:
    """Name of the part of the page that a group of jobs fills."""
    return group.name if size == "small" else f"{group.name}-{size}"


def check(groups: Sequence[Group], size: str, page: Path = PAGE) -> None:
    """Raise ValueError unless the page has a part for each of the groups."""
    text = page.read_text(encoding="utf-8")
    for group in groups:
        replaced(text, place(group, size), "")


def replaced(text: str, name: str, made: str) -> str:
    """The page with one part made anew.

    Raises
    ------
    ValueError
        If the page hasn't exactly one such part.

    Examples
    --------
    >>> print(replaced("<!-- begin a -->old<!-- end a -->", "a", "new"))
    <!-- begin a -->
    <BLANKLINE>
    new
    <BLANKLINE>
    <!-- end a -->
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    part = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(part.findall(text)) != 1:
        raise ValueError(f"the page should have one part from {begin} to {end}")
    return part.sub(lambda _: f"{begin}\n\n{made}\n\n{end}", text)
