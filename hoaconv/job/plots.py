"""Plots of statistics by matplotlib, which is imported only if the user wants a plot."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from hoaconv.errors import SpellingError, StoreError
from hoaconv.job.declared import PathLike
from hoaconv.job.statistics_report import Statistics

__all__ = ["Plot"]


class Plot:
    """A plot to be written as a PNG file.

    Raises
    ------
    SpellingError
        If the name doesn't end in ``.png``, or matplotlib can't be imported.
    StoreError
        If it is clear before the run that the file can't be written.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        _check(self.path)
        try:  # import now, so that an error doesn't come after a sweep of hours
            self._figure: Any = import_module("matplotlib.figure").Figure
        except ImportError as error:
            raise SpellingError(
                f"`plot` needs matplotlib, which can't be imported ({error}): "
                'pip install "hoaconv[plot]", or drop `plot`'
            ) from error

    def write(self, made: Statistics) -> None:
        """Draw the histogram and write the file. Raise StoreError if it can't be written."""
        figure = self._figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
        counts, edges = made.histogram["counts"], made.histogram["edges"]
        if counts:
            axes.stairs(counts, edges, fill=True)
            axes.set_yscale("log", nonpositive="clip")
        of = "" if made.is_whole else f", {made.slices_measured} of {made.slices} slices"
        axes.set_title(f"{made.source}{of}", parse_math=False)
        axes.set_xlabel(f"value of {made.dtype}")
        axes.set_ylabel("voxels counted")
        try:
            figure.savefig(self.path, format="png", dpi=150)
        except OSError as error:
            raise StoreError(f"the plot {self.path} can't be written: {error.strerror}") from error


def _check(path: Path) -> None:
    folder = path.absolute().parent
    if path.suffix.lower() != ".png":
        raise SpellingError(f"the plot {path} is no PNG by its name; write it like hist.png")
    if os.path.isdir(path):
        raise StoreError(f"the plot {path} can't be written: it is a folder; name a file")
    if not os.path.isdir(folder):
        raise StoreError(f"the plot can't be written: there is no folder {path.parent}")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise StoreError(f"the plot {path} can't be written: no permission")
