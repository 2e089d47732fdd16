"""Statistics of a volume: values, percentiles, thresholds, histogram, profile."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hoaconv.job.tables import (
    as_edges,
    as_ends,
    as_estimate,
    as_number,
    as_triple,
    found_lines,
    html_of,
    new_table,
    over_projection,
    rendered,
)
from hoaconv.units import format_bytes, format_seconds

__all__ = ["Statistics"]


@dataclass(frozen=True)
class Statistics:
    """Statistics of a volume, with the time and memory of the run.

    Attributes
    ----------
    source, version, ops
        Path of the source, version of hoaconv, and ops as text.
    shape, dtype
        Of the volume behind the ops: voxels (z, y, x), and their dtype.
    voxel_size, unit
        Edge lengths of a voxel (z, y, x) in `unit`; None if they are unknown.
    slices, slices_measured
        Number of all slices, and of those that were measured. The numbers below are those of the
        measured ones.
    exact
        True if all numbers are exact. Else percentiles, thresholds and the histogram come from bins
        whose width is at most 1/128 of the value; `stats` are exact.
    reduced
        Factor by which the decoded slices are smaller than the stored ones along y and x. If it is
        greater than 1, the numbers are approximate, since smaller slices have less noise.
    stats
        ``n``, the number of voxels, ``nan``, ``min``, ``max``, ``mean``, ``std``, ``sum``,
        ``zeros`` and ``saturated``, as of `hoaconv.ops.stats`. None if no voxel has such a value.
    shares
        Shares of the voxels that are ``nan``, ``zeros`` and ``saturated``, from 0 to 1.
    percentiles, thresholds
        Grey values by their words in ops, such as ``p0.5`` and ``otsu``.
    histogram
        ``edges`` and ``counts`` of equal bins from the minimum to the maximum of the finite voxels.
    profile
        The mean of each slice; None if a sample was measured.
    intervals
        Confidence intervals of about 95 % of the numbers of a sample, by their names: ``mean``,
        ``zeros share``, ``p50``, ``otsu``. The slices count as independent, their voxels don't.
    found, found_intervals
        Values of the whole volume that ops needed, and their intervals, as in `Report`. The
        intervals above take these values as exact.
    bytes_read, bytes_raw
        Bytes of the slices as stored, and decoded.
    seconds, workers
        Wall time, and number of threads.
    budget, projected, measured
        Memory in bytes: allowed, the most that the model said, and the most that the process held.
    notes
        Remarks for the user.

    Examples
    --------
    >>> found = hc.open("slices/").stats()
    >>> found.mean, found.p50, found.otsu, found.stats["zeros"]
    (357.5, 315, 315, 16)
    """

    source: str
    version: str
    ops: str
    shape: tuple[int, int, int]
    dtype: str
    voxel_size: tuple[float, float, float] | None
    unit: str | None
    slices: int
    slices_measured: int
    exact: bool
    reduced: int
    stats: Mapping[str, Any]
    shares: Mapping[str, float]
    percentiles: Mapping[str, Any]
    thresholds: Mapping[str, Any]
    histogram: Mapping[str, Any]
    profile: Sequence[float | str | None] | None
    intervals: Mapping[str, tuple[float, float]]
    found: Mapping[str, Mapping[str, Any]]
    found_intervals: Mapping[str, Mapping[str, tuple[float, float]]]
    bytes_read: int
    bytes_raw: int
    seconds: float
    workers: int
    budget: int
    projected: int
    measured: int
    notes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """True if all slices were measured."""
        return self.slices_measured == self.slices

    def __getattr__(self, name: str) -> Any:
        """Return a number by its name, such as ``mean``, ``p50`` or ``otsu``."""
        groups = ("stats", "percentiles", "thresholds")
        for group in groups if not name.startswith("_") and name not in groups else ():
            if name in getattr(self, group):
                return getattr(self, group)[name]
        raise AttributeError(f"there is no number {name!r}")

    def __getitem__(self, name: str) -> Any:
        """Return a number by its name, as an attribute does: ``stats["p0.5"]``."""
        for group in (self.stats, self.percentiles, self.thresholds):
            if name in group:
                return group[name]
        raise KeyError(f"there is no number {name!r}")

    def describe(self) -> dict[str, Any]:
        """Return all numbers as lists and dicts, which JSON can hold.

        Examples
        --------
        >>> hc.stats("slices/").describe()["shape"]
        (8, 16, 16)
        """
        return asdict(self)

    def __str__(self) -> str:
        return _text(self)

    def _repr_html_(self) -> str:
        return html_of(str(self))


def _text(made: Statistics) -> str:
    """Return the table of the numbers; for a sample with intervals."""
    sampled = not made.is_whole
    table = new_table(
        f"\n{made.source}", "", "value", *(["interval, about 95 %"] if sampled else [])
    )
    for name, value in _rows_of(made):
        table.add_row(name, value)
    for name, value in {**made.stats, **made.percentiles, **made.thresholds}.items():
        table.add_row(name, _value_of(made, name, value), *_interval_of(made, name))
    return rendered(
        table,
        *([] if made.exact else [f"\n{_ABOUT_BINS.format(made.dtype)}"]),
        *([f"\n{_ABOUT_SAMPLES.format(made.slices_measured, made.slices)}"] if sampled else []),
        *([f"\n{_ABOUT_REDUCED.format(made.reduced)}"] if made.reduced > 1 else []),
        f"\nread     {format_bytes(made.bytes_read)}, "
        f"{format_bytes(made.bytes_raw)} decoded; nothing is written",
        f"time     {format_seconds(made.seconds)}, {made.bytes_raw / made.seconds / 1e6:.0f} MB/s, "
        f"{made.workers} workers",
        f"memory   {format_bytes(made.projected)} projected, "
        f"{format_bytes(made.measured)} measured{over_projection(made.measured, made.projected)}",
        *found_lines(made.found, made.found_intervals),
    )


_ABOUT_BINS = (
    "{} is counted in bins: percentiles err by less than 1/128 of themselves, thresholds are those "
    "of the bins; all else is exact"
)
_ABOUT_SAMPLES = (
    "Estimated from {} of {} slices. Least, greatest and count describe the sample only.\n"
    "A sample may miss a few slices that differ much from all others; no interval covers them "
    "then. Sample more, or measure all."
)


_ABOUT_REDUCED = (
    "approximate: the slices were decoded at 1/{} of their width and height, which averages noise"
)


def _rows_of(made: Statistics) -> Iterator[tuple[str, str]]:
    yield "shape zyx", as_triple(made.shape)
    yield "dtype", made.dtype
    yield "voxel size", as_edges(made.voxel_size, made.unit)
    if made.ops:
        yield "ops", made.ops
    if not made.is_whole:
        yield "slices", f"{made.slices_measured} of {made.slices}, drawn at random along z"


def _value_of(made: Statistics, name: str, value: Any) -> str:
    """Return the text of a row's value; a number of voxels is also shown in per cent."""
    ends, share = made.intervals.get(name), made.shares.get(name)
    if ends and isinstance(value, int | float):
        return as_estimate(value, ends)
    if share is None or not value:
        return as_number(value)
    if of_share := made.intervals.get(f"{name} share"):
        return f"{as_number(value)} ({as_estimate(share * 100, _in_per_cent(of_share))}%)"
    return f"{as_number(value)} ({share:.3%})"


def _interval_of(made: Statistics, name: str) -> Iterator[str]:
    """Yield the ends of a row's interval; those of a share in per cent."""
    share = f"{name} share"
    if name in made.intervals:
        yield as_ends(made.intervals[name])
    elif share in made.intervals and made.stats[name]:
        yield as_ends(_in_per_cent(made.intervals[share]), "%")


def _in_per_cent(interval: tuple[float, float]) -> tuple[float, float]:
    return interval[0] * 100, interval[1] * 100
