"""Checks of slice names: that they belong to one stack, and that no slice is missing."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from glob import escape
from itertools import pairwise
from pathlib import Path

from natsort import natsorted

from hoaconv.errors import SourceError
from hoaconv.io.name_numbers import WHOLE, grouped, numbers, stem

__all__ = ["check_names", "check_numbering", "some"]

_LISTED = 8  # missing numbers that an error lists, at most
_MOST = 0.9  # if this share of the files fits one pattern, an error lists only the others

Number = int | Decimal


def some(names: Iterable[str], count: int = 3) -> str:
    """Return the first `count` names in natural order, and "..." if there are more."""
    chosen = natsorted(names)
    return ", ".join(chosen[:count]) + (", ..." if len(chosen) > count else "")


def check_names(files: Sequence[Path], allow_names: bool) -> tuple[str, ...]:
    """Check that the names differ only in numbers, as those of one stack do; return notes.

    Parameters
    ----------
    files
        All files of the stack.
    allow_names
        If True, names that don't fit cause a note instead of an error.

    Raises
    ------
    SourceError
        If some name doesn't fit, or there are several stacks. The message lists the groups with
        their sizes, and a pattern that matches the largest.
    """
    form, by_name = grouped(files)
    groups = sorted(by_name.values(), key=len, reverse=True)
    notes = () if form is WHOLE else (_by_value(files),)
    if len(groups) < 2:
        return notes
    if len(groups[0]) == 1:
        return _check_unnumbered(files, allow_names)
    told = _told(files, groups)
    if allow_names:
        taken = "all were taken, in natural order; gaps were looked for in each group"
        return (*notes, f"{told}; {taken}")
    pattern = _pattern([files[i] for i in groups[0]], files)
    way = f"name the slices by a quoted pattern, as in '{pattern}', " if pattern else ""
    raise SourceError(
        f"{files[groups[0][0]].parent}: {told}; move what is no slice of this stack away, {way}or "
        "take all with `allow_names=True`"
    )


def _by_value(files: Sequence[Path]) -> str:
    return (
        "decimal or negative numbers in the names were taken as the slices' places: "
        f"{files[0].name} first, {files[-1].name} last"
    )


def _check_unnumbered(files: Sequence[Path], allow_names: bool) -> tuple[str, ...]:
    """Return a note on names of which no two are alike, such as ``a.tif b.tif``, or raise."""
    told = f"the names don't tell an order by numbers ({some(f.name for f in files)})"
    if not allow_names:
        raise SourceError(
            f"{files[0].parent}: {told}; `allow_names=True` takes all in natural order"
        )
    return (f"{told}; all were taken, in natural order",)


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
    """Return the name with ``#`` for each digit: ``slice_####.tif``."""
    return re.sub(r"\d", "#", stem(Path(file.name))) + file.suffix


def _pattern(wanted: Sequence[Path], files: Sequence[Path]) -> str:
    """Return a glob pattern that matches exactly the wanted files; empty if none is found."""
    first = wanted[0]
    literal = re.sub(r"[\[*?]", "?", stem(Path(first.name)))
    for digits in (_each_digit, "[0-9]*"):
        pattern = WHOLE.sub(digits, literal) + first.suffix
        if _takes(pattern, files) == set(wanted):
            return str(Path(escape(str(first.parent))) / pattern)
    return ""


def _each_digit(number: re.Match[str]) -> str:
    return "[0-9]" * len(number[0])


def _takes(pattern: str, files: Sequence[Path]) -> set[Path]:
    return {file for file in files if fnmatchcase(file.name, pattern)}


def check_numbering(
    files: Sequence[Path], chosen: Sequence[int], allow_gaps: bool
) -> tuple[str, ...]:
    """Check for missing and repeated slice numbers; return notes on what was allowed.

    The number of a slice is the last integer that varies between the names. If there are several
    groups of names, each is checked.

    Parameters
    ----------
    files
        All files of the stack, in natural order.
    chosen
        Indices of the files that will be read; only gaps between these count.
    allow_gaps
        If True, a gap causes a note instead of an error.

    Raises
    ------
    SourceError
        If two names differ only in leading zeros, or numbers are missing or repeated.
    """
    first, last = min(chosen), max(chosen)
    notes = list[str]()
    form, groups = grouped(files)
    for group in groups.values():
        within = [i for i, place in enumerate(group) if first <= place <= last]
        if within:
            named = [files[i] for i in group]
            notes += _check_group(named, form, (within[0], within[-1] + 1), allow_gaps)
    return tuple(notes)


def _check_group(
    files: Sequence[Path], form: re.Pattern[str], span: tuple[int, int], allow_gaps: bool
) -> tuple[str, ...]:
    rows = [numbers(file, form) for file in files]
    _check_twins(files, rows)
    varying = [column for column in zip(*rows, strict=True) if _varies(column)]
    if not varying:
        return ()
    places = varying[-1][slice(*span)]
    repeated = _repeated(places)
    trouble = repeated or _missing(places)
    if not trouble:
        return ()
    if allow_gaps:
        return (f"{trouble}; the slices were joined as if none were missing",)
    series = _series(files, rows, form) if repeated else ""
    again = (
        f"{trouble}; copy the slices again, or write `allow_gaps=True` to join the "
        "slices as if none were missing"
    )
    raise SourceError(f"{files[0].parent}: {series or again}")


def _series(
    files: Sequence[Path], rows: Sequence[tuple[Number, ...]], form: re.Pattern[str]
) -> str:
    """Return words and advice if other varying numbers separate several series, else nothing."""
    *others, _ = varying = [
        i for i, column in enumerate(zip(*rows, strict=True)) if _varies(column)
    ]
    alone = [i for i in others if len({(row[i], row[varying[-1]]) for row in rows}) == len(rows)]
    telling = alone[:1] or others
    series = {tuple(row[i] for i in telling) for row in rows}
    if not telling or 2 * len(series) > len(rows):
        return ""
    first = min(series)
    wanted = [f for f, row in zip(files, rows, strict=True) if (row[telling[0]],) == first]
    pattern = _of_series(wanted, files, telling[0], form)
    way = f", as in '{pattern}'" if pattern else ""
    differs = "; ".join(
        f"{_word(files[0], i, form)} {some(str(n) for n in {row[i] for row in rows})}"
        for i in telling
    )
    return (
        f"the names are those of {len(series)} series: {differs}; choose one with a quoted "
        f"pattern{way}"
    )


def _varies(column: Sequence[Number]) -> bool:
    return len(set(column)) > 1


def _word(file: Path, column: int, form: re.Pattern[str]) -> str:
    """Return the letters before a number: ``c`` in ``img_c0_z5``."""
    path = stem(file)
    letters = re.search(r"([^\W\d_]+)_?$", path[: _span(path, column, form)[0]])
    return letters[1] if letters else "number"


def _of_series(
    wanted: Sequence[Path], files: Sequence[Path], column: int, form: re.Pattern[str]
) -> str:
    """Return a pattern for one series: the name up to its number and the next character."""
    if not wanted:
        return ""
    path = stem(wanted[0])
    _, end = _span(path, column, form)
    name = escape(path[len(path) - len(Path(path).name) : end + 1])
    pattern = f"{name}*{wanted[0].suffix}"
    if name and _takes(pattern, files) == set(wanted):
        return str(Path(escape(str(wanted[0].parent))) / pattern)
    return ""


def _span(path: str, column: int, form: re.Pattern[str]) -> tuple[int, int]:
    return [found.span() for found in form.finditer(path)][column]


def _check_twins(files: Sequence[Path], rows: Sequence[tuple[Number, ...]]) -> None:
    seen: dict[tuple[Number, ...], Path] = {}
    for file, row in zip(files, rows, strict=True):
        twin = seen.setdefault(row, file)
        if twin is not file:
            raise SourceError(
                f"{twin} and {file.name} have the same slice number; remove one of the two"
            )


def _repeated(places: Sequence[Number]) -> str:
    twice = [str(number) for number, count in Counter(places).items() if count > 1]
    if not twice:
        return ""
    return f"slice numbers come up more than once ({some(twice)}): is it more than one stack?"


def _missing(places: Sequence[Number]) -> str:
    """Return the gaps in words: ``"3 slices are missing: 4, 7 to 8"``; empty if there are none."""
    ordered = sorted(places)
    steps = {b - a for a, b in pairwise(ordered)}
    one = min(steps, default=1) if isinstance(ordered[0], Decimal) else 1
    gaps = [(a + one, b - one) for a, b in pairwise(ordered) if b > a + one]
    if not gaps:
        return ""
    total = sum(int((last - first) / one) + 1 for first, last in gaps)
    words = [str(a) if a == b else f"{a} to {b}" for a, b in gaps[:_LISTED]]
    more = ", ..." if len(gaps) > _LISTED else ""
    missing = f"{total} slice{'s are' if total > 1 else ' is'} missing: {', '.join(words)}{more}"
    if len(steps) > 1 or len(ordered) < 3:
        return missing
    return (
        f"{missing} (the numbers go in steps of {steps.pop()}: if that is how the slices were "
        "named, allow gaps, and give `voxel_size` if they lie as far apart)"
    )
