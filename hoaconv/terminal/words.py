"""Messages in the words of the command line.

Below the terminal, messages name an option as Python writes it, in backticks: ``raise `budget` ``,
``replace it with `overwrite=True` ``. Here they become ``--budget`` and ``--overwrite``.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hoaconv.job import options, progress
from hoaconv.job.declared import Options, options_of
from hoaconv.job.hdf5 import Hdf5
from hoaconv.job.n5 import N5
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.precomputed import Precomputed
from hoaconv.job.stack import Stack
from hoaconv.job.watching import PlanShown, Progress, Watcher
from hoaconv.job.zarr_output import Zarr

__all__ = ["spoken", "watcher"]

NAMES = {
    name
    for group in (*vars(options).values(), OmeZarr, Stack, Hdf5, N5, Precomputed, Zarr)
    if isinstance(group, type) and issubclass(group, Options)
    for name in options_of(group)
}
"""Options, as Python names them."""

_OPTION = re.compile(r'`(\w+)(?:=(?:True|(\d+)|"([^`"]*)"|\{"([^`"]*)": ("[^`"]*")\}))?`')


def spoken(value: Any) -> Any:
    """Return a text, or texts in mappings and sequences, with the options of the command line.

    Examples
    --------
    >>> spoken('raise `budget`: `budget="8GiB"`, or write `allow_gaps=True`')
    'raise --budget: --budget 8GiB, or write --allow-gaps'
    """
    if isinstance(value, Mapping):
        return {name: spoken(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [spoken(inner) for inner in value]
    if not isinstance(value, str):
        return value
    return _OPTION.sub(_in_words, value).replace("`hoaconv.ops`", "'hoaconv ops'")


def _in_words(match: re.Match[str]) -> str:
    name, number, value, key, inner = match.groups()
    if name not in NAMES:
        return match[0]
    words = f" {number or value}" if number or value else f" {key}={inner}" if key else ""
    return f"--{name.replace('_', '-')}{words}"


@contextmanager
def watcher(*, quiet: bool, planned: progress.ShowPlan | None = None) -> Iterator[Watcher]:
    """Give the watcher of `hoaconv.job.progress.watcher`, whose notes are spoken."""
    with progress.watcher(quiet=quiet, planned=planned) as shown:
        yield _Spoken(shown)


class _Spoken(Watcher):
    """Passes on all that it receives, the notes in the words of the command line."""

    def __init__(self, shown: Watcher) -> None:
        self._shown = shown

    def note(self, text: str) -> None:
        self._shown.note(spoken(text))

    def planned(self, plan: PlanShown) -> None:
        self._shown.planned(plan)

    def progress(self, progress: Progress) -> None:
        self._shown.progress(progress)
