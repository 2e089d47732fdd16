"""Conversion to the kind of output that a path names."""

from collections.abc import Mapping
from typing import Any

from hoaconv.job.conversion import conversion
from hoaconv.job.destination import destination_of, output_to
from hoaconv.job.report import Report
from hoaconv.job.watching import Watcher

__all__ = ["convert"]


def convert(options: Mapping[str, Any], watcher: "Watcher | None") -> Report:
    """Convert a volume, as the suffix of the output says.

    Parameters
    ----------
    options
        All parameters of `hoaconv.convert`, by name.

    Raises
    ------
    SpellingError, SourceError, PlanError, BudgetError, StoreError
        As `hoaconv.convert` does.
    """
    found = destination_of(options["dst"])
    output_to(options["dst"], options)  # refuses options of other kinds
    return conversion({**options, **found.options}, found.kind).run(progress=watcher)
