"""The errors that hoaconv raises on purpose.

Each message says what was found, what was expected and what to do. Each concrete class is also a
subclass of the standard exception that a caller would expect to catch.
"""

__all__ = [
    "BudgetError",
    "Cancelled",
    "HoaconvError",
    "PlanError",
    "SourceError",
    "SpellingError",
    "StoreError",
]


class HoaconvError(Exception):
    """Base class of all errors of hoaconv.

    Examples
    --------
    >>> try:
    ...     hc.open("nowhere/")
    ... except hc.HoaconvError as error:
    ...     print(type(error).__name__)
    SourceError
    """


class SpellingError(HoaconvError, ValueError):
    """A word, number or unit that hoaconv doesn't know."""


class SourceError(HoaconvError, OSError):
    """A slice or stack that can't be read as requested; the message names the file."""


class PlanError(HoaconvError, ValueError):
    """Stages that don't fit together: shapes, dtypes, plane counts."""


class BudgetError(PlanError):
    """A run that doesn't fit its memory budget; the message lists the consumers."""


class Cancelled(HoaconvError):
    """A run that `hoaconv.Job.cancel` has ended; what it wrote is removed.

    Examples
    --------
    >>> class Impatient(hc.Watcher):
    ...     def progress(self, progress):
    ...         job.cancel()
    >>> job = hc.open("slices/") | hc.OmeZarr("brain.zarr")
    >>> try:
    ...     job.run(progress=Impatient())
    ... except hc.Cancelled:
    ...     print("nothing is left of brain.zarr")
    nothing is left of brain.zarr
    """


class StoreError(HoaconvError, OSError):
    """An output that can't be made, written or replaced."""
