"""Numbers in the names of slices: their form, and the order of files that they give."""

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from natsort import natsorted

__all__ = ["WHOLE", "grouped", "in_order", "numbers", "stem"]

WHOLE = re.compile(r"\d+")
"""Form of a number in most names."""

_DECIMAL = re.compile(r"\d+(?:\.\d+)?")
_SIGNED = re.compile(r"(?:(?<!\d)-)?\d+(?:\.\d+)?")
_USUAL = 0.5  # share of the steps that must equal the least step


Groups = dict[str, list[int]]


def stem(file: Path) -> str:
    """Return the path without its suffix; `Path.with_suffix` would take ten times as long."""
    return str(file)[: -len(file.suffix)] if file.suffix else str(file)


def numbers(file: Path, form: re.Pattern[str]) -> tuple[int | Decimal, ...]:
    """Return all numbers in a path without its suffix, from left to right."""
    kind = int if form is WHOLE else Decimal
    return tuple(map(kind, form.findall(stem(file))))


def in_order(files: Sequence[Path]) -> list[Path]:
    """Return the files in natural order; decimal and negative numbers in names count as such."""
    form, _ = grouped(files)
    if form is WHOLE:
        return natsorted(files, key=str)
    split = re.compile(f"({form.pattern})")

    def parts(file: Path) -> tuple[str | Decimal, ...]:
        found = split.split(stem(file))
        return tuple(Decimal(part) if i % 2 else part for i, part in enumerate(found))

    return sorted(files, key=parts)


def grouped(files: Sequence[Path]) -> tuple[re.Pattern[str], Groups]:
    """Return the form of numbers in these names, and indices of files by name without numbers.

    The form is `WHOLE`, unless another form makes the names those of one stack.

    A point or a hyphen is most often no part of a number, as in ``scan-003.v2.tif``. It is part
    of one if names only then are alike, as ``z5um`` and ``z7.5um``, or if numbers would repeat
    otherwise, as in ``z5.0`` and ``z7.0``. In both cases the numbers must be evenly spaced.
    """
    whole = _groups(files, WHOLE)
    if len(whole) == 1 and "#.#" not in next(iter(whole)):
        return WHOLE, whole
    repeats = len(whole) == 1 and _repeats(files, WHOLE)
    others = [(form, _groups(files, form)) for form in (_DECIMAL, _SIGNED)]
    for form, groups in sorted(others, key=lambda pair: len(pair[1])):
        fewer = len(groups) < len(whole)
        if fewer or repeats:
            largest = [files[i] for i in max(groups.values(), key=len)]
            if _are_even(_last_varying(largest, form), fewer and form is _DECIMAL):
                return form, groups
    return WHOLE, whole


def _groups(files: Sequence[Path], form: re.Pattern[str]) -> Groups:
    """Return the indices of the files by their names, with ``#`` for each number."""
    groups: Groups = {}
    for i, file in enumerate(files):
        groups.setdefault(form.sub("#", stem(file)), []).append(i)
    return groups


def _repeats(files: Sequence[Path], form: re.Pattern[str]) -> bool:
    column = _last_varying(files, form)
    return len(set(column)) < len(column)


def _last_varying(files: Sequence[Path], form: re.Pattern[str]) -> Sequence[int | Decimal]:
    columns = zip(*(numbers(file, form) for file in files), strict=True)
    varying = [column for column in columns if len(set(column)) > 1]
    return varying[-1] if varying else ()


def _are_even(values: Sequence[int | Decimal], gaps: bool) -> bool:
    """Return True if numbers follow each other in equal steps; with `gaps`, if most steps do."""
    ordered = sorted(values)
    steps = [b - a for a, b in pairwise(ordered)]
    if not steps or min(steps) <= 0:
        return False
    least = min(steps)
    if not gaps:
        return max(steps) == least
    return not any(step % least for step in steps) and steps.count(least) >= _USUAL * len(steps)
