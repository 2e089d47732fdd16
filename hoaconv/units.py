"""Conversion of bytes, seconds, triples and ranges from and to text for people."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from math import isfinite

from hoaconv.errors import SpellingError

__all__ = [
    "did_you_mean",
    "format_bytes",
    "format_seconds",
    "parse_bytes",
    "parse_range",
    "parse_triple",
    "parse_whole_triple",
]

_DECIMAL = ("", "k", "M", "G", "T", "P")
_BYTES = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kmgtp]?)(i?)(b?)\s*", re.IGNORECASE)


def parse_bytes(text: str | int) -> int:
    """Return the bytes of ``"4GiB"``, ``"500MB"``, ``"1.5T"`` or a plain number.

    Raises
    ------
    SpellingError
        If `text` isn't a positive size.

    Examples
    --------
    >>> parse_bytes("4GiB"), parse_bytes("1.5 kB"), parse_bytes(12)
    (4294967296, 1500, 12)
    """
    match = _BYTES.fullmatch(str(text))
    if not match:
        raise SpellingError(f"{text!r} is not a size in bytes; write it like 8GiB or 500MB")
    number, prefix, binary, _ = match.groups()
    power = "kmgtp".index(prefix.lower()) + 1 if prefix else 0
    size = int(float(number) * (1024 if binary else 1000) ** power)
    if size <= 0:
        raise SpellingError(f"{text!r} is no memory at all; write it like 8GiB or 500MB")
    return size


def format_bytes(size: float) -> str:
    """Return bytes as text, in powers of 1000 with three digits.

    Examples
    --------
    >>> format_bytes(999), format_bytes(4294967296), format_bytes(0)
    ('999 B', '4.29 GB', '0 B')
    """
    power = 0
    while abs(size) >= 999.5 and power < len(_DECIMAL) - 1:
        size /= 1000
        power += 1
    digits = 0 if power == 0 or abs(size) >= 99.95 else 1 if abs(size) >= 9.995 else 2
    return f"{size:.{digits}f} {_DECIMAL[power]}B"


def format_seconds(seconds: float) -> str:
    """Return a duration as text.

    Examples
    --------
    >>> format_seconds(7.25), format_seconds(184), format_seconds(93600)
    ('7.2 s', '3 min 04 s', '26 h 00 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def parse_triple(text: str | float | Sequence[float], what: str) -> tuple[float, float, float]:
    """Return three numbers (z, y, x) from ``"64"``, ``"32,64,64"``, a number or a sequence.

    Raises
    ------
    SpellingError
        If it isn't one positive number or three; `what` is the name of the value in the message.

    Examples
    --------
    >>> parse_triple("19.57", "voxel size"), parse_triple((1, 2, 2), "factors")
    ((19.57, 19.57, 19.57), (1.0, 2.0, 2.0))
    """
    try:
        parts = list(_parts(text))
        values = [] if any(isinstance(p, bool) for p in parts) else [float(p) for p in parts]
    except (TypeError, ValueError):
        values = []
    if len(values) == 1:
        values *= 3
    if len(values) != 3 or not all(isfinite(v) and v > 0 for v in values):
        raise SpellingError(
            f"{what} {text!r}: expected one positive number, or three, z,y,x, as in 20 or 40,20,20"
        )
    return values[0], values[1], values[2]


def _parts(text: str | float | Sequence[float]) -> Iterable[str | float]:
    if isinstance(text, str):
        return text.split(",")
    return text if isinstance(text, Iterable) else [text]  # a number, numpy's included


def parse_whole_triple(text: str | int | Sequence[int], what: str) -> tuple[int, int, int]:
    """Return three whole numbers (z, y, x); see `parse_triple`.

    Raises
    ------
    SpellingError
        If `parse_triple` raises it, or a number isn't whole.
    """
    values = parse_triple(text, what)
    if any(v != int(v) for v in values):
        raise SpellingError(f"{what} {text!r} must be whole numbers")
    z, y, x = (int(v) for v in values)
    return z, y, x


def parse_range(text: str | slice) -> slice:
    """Return the slice that text such as ``"100:200:2"`` or ``":50"`` means in Python.

    Raises
    ------
    SpellingError
        If it isn't START:STOP or START:STOP:STEP with a positive step.

    Examples
    --------
    >>> parse_range("100:200:2")
    slice(100, 200, 2)
    """
    numbers = _ends(text) if isinstance(text, slice | str) else []
    if len(numbers) not in (2, 3) or any(n is not None and n < 1 for n in numbers[2:]):
        raise SpellingError(
            f"range {text!r} is not START:STOP or START:STOP:STEP, as in 100:200:2; in Python a "
            "slice does too"
        )
    return slice(*numbers)


def _ends(text: slice | str) -> list[int | None]:
    """Return start, stop and step; nothing if one is no whole number."""
    if isinstance(text, slice):
        parts = ["" if end is None else str(end) for end in (text.start, text.stop, text.step)]
    else:
        parts = text.split(":")
    try:
        return [int(part) if part.strip() else None for part in parts]
    except ValueError:
        return []


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'gaussian'?"`` if a known word is similar, else an empty text."""
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
