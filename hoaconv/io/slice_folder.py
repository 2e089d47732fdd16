"""Folders of slices as outputs: the names of the slices, and what may lie beside them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hoaconv.errors import SpellingError
from hoaconv.io.contents import ALSO, SCRATCH, Contents, entries_of

__all__ = ["SLICES", "SliceNames"]

_SUFFIXES = ("tif", "tiff", "jp2", "j2k", "jpx", "jpf", "jpc", "j2c", "jph", "jhc", "png")

_SLICE = re.compile(rf"[^.].*\.({'|'.join(_SUFFIXES)})", re.I)
_PART = ".part"
_OTHERS = re.compile(rf"\..*{re.escape(_PART)}|{ALSO}")

_NUMBER = re.compile(r"%(0\d{1,2}|\d{0,2})d")


class _Slices(Contents):
    """Slices alone, in no further folder."""

    what = "a folder of slices"
    example = "slices/"

    def is_one(self, names: set[str]) -> bool:
        return any(map(_SLICE.fullmatch, names))

    def strange(self, folder: Path) -> Iterator[Path]:
        for entry in entries_of(folder):
            if entry.is_dir(follow_symlinks=False):
                known = entry.name == SCRATCH
            else:
                known = bool(_SLICE.fullmatch(entry.name) or _OTHERS.fullmatch(entry.name))
            if not known:
                yield Path(entry.path)


SLICES = _Slices()


@dataclass(frozen=True)
class SliceNames:
    """Names of slices, which differ by their number: ``slice_000000.tif`` and so on.

    Attributes
    ----------
    before, digits, after
        The name before and after the number, and the number's format.
    """

    before: str
    digits: str
    after: str

    @classmethod
    def parse(cls, pattern: str, suffix: str) -> "SliceNames":
        """Return the names of a pattern such as ``slice_%06d`` or ``slice_%06d.tif``.

        Raises
        ------
        SpellingError
            If the pattern hasn't one number, is no file's name, has another suffix, or a digit
            before the number, which would seem to be part of it.
        """
        found = list(_NUMBER.finditer(pattern))
        rest = _NUMBER.sub("", pattern)
        if len(found) != 1 or "%" in rest:
            raise SpellingError(
                f"pattern {pattern!r} has no single number; write one such as slice_%06d"
            )
        before, after = pattern[: found[0].start()], pattern[found[0].end() :]
        if re.search(r"[/\\\0]", rest) or before.startswith("."):
            raise SpellingError(f"pattern {pattern!r} isn't the name of a file; write slice_%06d")
        if before[-1:].isdigit() or after[:1].isdigit():
            raise SpellingError(
                f"pattern {pattern!r} has a digit beside the number; write a letter or _ between"
            )
        if not after.lower().endswith(_alike(suffix)):
            known = re.search(rf"\.({'|'.join(_SUFFIXES)})$", after, re.I)
            if known:
                raise SpellingError(
                    f"pattern {pattern!r} ends in {known[0]}, and the slices are {suffix}; choose "
                    "another `format`, or drop the suffix"
                )
            after += suffix
        return cls(before, f"%{found[0][1]}d", after)

    def of(self, z: int) -> str:
        """Return the name of slice `z`."""
        return f"{self.before}{self.digits % z}{self.after}"

    def part_of(self, z: int) -> str:
        """Return the name under which slice `z` is written before it is whole."""
        return f".{self.of(z)}{_PART}"


def _alike(suffix: str) -> tuple[str, ...]:
    """Return the suffixes of the same format that a pattern may have."""
    return (".tif", ".tiff") if suffix == ".tif" else (suffix,)
