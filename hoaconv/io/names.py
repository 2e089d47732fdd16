"""What slices' names tell: whether they are one stack, and whether any is missing."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from natsort import natsorted

from hoaconv.errors import SourceError

__all__ = ["check_names", "check_numbering", "some"]

_LISTED = 8  # missing numbers that an error lists before it says how many more
_MOST = 0.9  # share of the files that must fit one pattern, for the others to be strays
_DIGITS = re.compile(r"\d+")


def some(names: Iterable[str], count: int = 3) -> str:
    """The first few of many, in natural order."""
    chosen = natsorted(names)
    return ", ".join(chosen[:count]) + (", ..." if len(chosen) > count else "")


def _stem(file: Path) -> str:
    """The path without its suffix; `Path.with_suffix` takes ten times as long."""
    return str(file)[: -len(file.suffix)] if file.suffix else str(file)


def _groups(files: Sequence[Path]) -> dict[str, list[int]]:
    """Indices of the files by the pattern of their names, numbers left out."""
    groups: dict[str, list[int]] = {}
    for i, file in enumerate(files):
        groups.setdefault(_DIGITS.sub("#", _stem(file)), []).append(i)
    return groups


def check_names(files: Sequence[Path], allow_names: bool) -> tuple[str, ...]:
    """Hold that the names differ in numbers alone, as those of one stack do.

    Parameters
    ----------
    files
        All files of the stack.
    allow_names
        Whether names that don't are a note instead of an error.

    Raises
    ------
    SourceError
        If some name doesn't fit, or there are several stacks; with the groups, how many each has,
        and a pattern that takes the largest.
    """
    groups = sorted(_groups(files).values(), key=len, reverse=True)
    if len(groups) < 2:
        return ()
    told = _told(files, groups)
    if allow_names:
        return (f"{told}; all were taken, in natural order; gaps were looked for in each group",)
    first = files[groups[0][0]]
    way = f"name the slices by a quoted pattern, as in '{_pattern(first)}'"
    raise SourceError(
        f"{first.parent}: {told}; move what is no slice of this stack away, {way}, or take all "
        "with --allow-names (allow_names)"
    )


def _told(files: Sequence[Path], groups: list[list[int]]) -> str:
    largest, *others = groups
    name = _shown(files[largest[0]])
    if len(largest) >= _MOST * len(files) and len(largest) > 1:
        odd = [files[i].name for group in others for i in group]
        fits = "doesn't fit" if len(odd) == 1 else "don't fit"
        return (
            f"{len(odd)} of {len(files)} files {fits} the name of the others, {name}: "
            f"{some(odd, _LISTED)}"
        )
    listed = [f"{len(g)} {_shown(files[g[0]])}" for g in groups[:_LISTED]]
    more = f", ... ({len(groups)} groups)" if len(groups) > _LISTED else ""
    return f"the names are those of more than one stack: {', '.join(listed)}{more}"


def _shown(file: Path) -> str:
    """The name with its digits as ``#``: ``slice_####.tif``."""
    return re.sub(r"\d", "#", _stem(Path(file.name))) + file.suffix


def _pattern(file: Path) -> str:
    """A glob that takes what is named like this file."""
    stem = re.sub(r"\[|\*|\?", "?", _stem(Path(file.name)))
    return str(file.parent / (_DIGITS.sub("[0-9]*", stem) + file.suffix))


def check_numbering(
    files: Sequence[Path], chosen: Sequence[int], allow_gaps: bool
) -> tuple[str, ...]:
    """Look for missing and repeated slice numbers; returns notes on what was let through.

    A slice's number is the last integer that varies between the names. Where there are several
    groups of names, each is looked through.

    Parameters
    ----------
    files
        All files of the stack, in natural order.
    chosen
        Indices of the files that will be read; only between these a gap counts.
    allow_gaps
        Whether a gap is a note instead of an error.

    Raises
    ------
    SourceError
        If two names differ only in leading zeros, or numbers are missing or repeated.
    """
    first, last = min(chosen), max(chosen)
    notes = list[str]()
    for group in _groups(files).values():
        within = [i for i, place in enumerate(group) if first <= place <= last]
        named = [files[i] for i in group]
        if within:
            notes += _check_group(named, within[0], within[-1], allow_gaps)
    return tuple(notes)


def _check_group(files: Sequence[Path], first: int, last: int, allow_gaps: bool) -> tuple[str, ...]:
    rows = [tuple(map(int, _DIGITS.findall(_stem(file)))) for file in files]
    _check_twins(files, rows)
    varying = [column for column in zip(*rows, strict=True) if len(set(column)) > 1]
    if not varying:
        return ()
    numbers = varying[-1][first : last + 1]
    trouble = _repeated(numbers) or _missing(numbers)
    if trouble and not allow_gaps:
        raise SourceError(
            f"{files[0].parent}: {trouble}; copy the slices again, or allow gaps (allow_gaps, "
            "--allow-gaps) to join the slices as if none were missing"
        )
    return (f"{trouble}; the slices were joined as if none were missing",) if trouble else ()


def _check_twins(files: Sequence[Path], rows: Sequence[tuple[int, ...]]) -> None:
    seen: dict[tuple[int, ...], Path] = {}
    for file, row in zip(files, rows, strict=True):
        twin = seen.setdefault(row, file)
        if twin is not file:
            raise SourceError(
                f"{twin} and {file.name} have the same slice number; remove one of the two"
            )


def _repeated(numbers: Sequence[int]) -> str:
    twice = [str(number) for number, count in Counter(numbers).items() if count > 1]
    if not twice:
        return ""
    return f"slice numbers come up more than once ({some(twice)}): is it more than one stack?"


def _missing(numbers: Sequence[int]) -> str:
    """The gaps in words: ``"3 slices are missing: 4, 7 to 8"``."""
    ordered = sorted(numbers)
    gaps = [(a + 1, b - 1) for a, b in pairwise(ordered) if b > a + 1]
    if not gaps:
        return ""
    total = sum(last - first + 1 for first, last in gaps)
    words = [str(a) if a == b else f"{a} to {b}" for a, b in gaps[:_LISTED]]
    more = ", ..." if len(gaps) > _LISTED else ""
    missing = f"{total} slice{'s are' if total > 1 else ' is'} missing: {', '.join(words)}{more}"
    return missing + _steps(ordered)


def _steps(ordered: Sequence[int]) -> str:
    """What else even gaps may mean."""
    steps = {b - a for a, b in pairwise(ordered)}
    if len(steps) > 1 or len(ordered) < 3:
        return ""
    return (
        f" (the numbers go in steps of {steps.pop()}: if that is how the slices were named, allow "
        "gaps, and give --voxel-size if they lie as far apart)"
    )
