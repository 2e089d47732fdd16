"""What a run tells: while it goes, and when it is done."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hoaconv.engine.schedule import Schedule

__all__ = ["Place", "Progress", "Report", "Statistics", "Watcher"]


@dataclass(frozen=True)
class Place:
    """Where in a run: the sweep, counted from 1, of how many; slices read of the sweep's."""

    sweep: int
    sweeps: int
    planes: int
    total: int

    def __str__(self) -> str:
        sweep = f"sweep {self.sweep} of {self.sweeps}: " if self.sweeps > 1 else ""
        return f"{sweep}{self.planes}/{self.total} slices"


@dataclass(frozen=True)
class Progress:
    """How far a run is: slices read of all, bytes they hold, seconds, memory held now, where."""

    planes: int
    total: int
    plane_bytes: int
    plane_voxels: int
    seconds: float
    memory: int
    place: Place

    @property
    def seconds_left(self) -> float:
        """At the rate so far."""
        return self.seconds / self.planes * (self.total - self.planes)


class Watcher:
    """Gets told what happens; this one keeps it to itself."""

    def note(self, text: str) -> None:
        """Something that the user should know; it may come from another thread."""

    def planned(self, schedule: Schedule) -> None:
        """How the run will go; called before it begins."""

    def progress(self, progress: Progress) -> None:
        """Called for every slice."""


@dataclass(frozen=True)
class Report:
    """What a conversion made and took.

    Attributes
    ----------
    shape, dtype
        Of level 0, zyx.
    voxel_size, unit
        Edge of a level-0 voxel, zyx; None where unknown. Without a unit it counts in voxels of the
        slices.
    levels
        A row a level: shape, factor, chunks, shards, bytes.
    others
        Other outputs of the same sweep, labels included: path, ops, levels, files, bytes.
    files, bytes_written
        Of all outputs.
    bytes_read, bytes_raw
        Of the slices as stored, and decoded.
    seconds, projected, measured
        Wall time; most bytes of memory by the model, and as the process showed.
    busy, waited
        Seconds of work by kind, summed over threads. Seconds of waiting, by what for: ``work`` is
        all workers together with nothing to do, the others are the sweep itself, which could not
        go on before a slice was decoded.
    folds
        What was measured on the way, by name.
    found, intervals
        What ops needed to know of the whole volume, by the chain of ops up to the one that needed
        it; and confidence intervals of about 95 %, where that was measured on a sample.
    """

    source: str
    output: str
    version: str
    ops: str
    options: Mapping[str, Any]
    shape: tuple[int, int, int]
    dtype: str
    voxel_size: tuple[float, float, float] | None
    unit: str | None
    levels: tuple[Mapping[str, Any], ...]
    others: tuple[Mapping[str, Any], ...]
    files: int
    bytes_read: int
    bytes_raw: int
    bytes_written: int
    seconds: float
    workers: int
    budget: int
    projected: int
    measured: int
    busy: Mapping[str, float] = field(default_factory=dict)
    waited: Mapping[str, float] = field(default_factory=dict)
    folds: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return what the store itself tells of the run: what was measured, memory, and time.

        Long lists, such as a histogram's bins, are left to ``--report``, as are paths.
        """
        names = ("bytes_read", "bytes_raw", "files", "seconds", "workers")
        values = ("budget", "projected", "measured", "folds", "found", "intervals")
        return {name: _short(getattr(self, name)) for name in (*names, *values)}

    @property
    def ratio(self) -> float:
        """Bytes of the slices decoded, per byte of the output."""
        return self.bytes_raw / max(1, self.bytes_written)

    def to_json(self) -> str:
        """All of it, for machines."""
        return json.dumps(asdict(self), indent=2, default=str) + "\n"


@dataclass(frozen=True)
class Statistics:
    """What was measured of a volume, and what that took.

    Attributes
    ----------
    shape, dtype, voxel_size, unit
        Of the voxels that were measured, behind the ops, as in `Report`.
    slices, slices_measured
        All of them, and those that were drawn. The numbers below are those of the latter.
    exact
        Whether every value was counted by itself. Else percentiles err by less than 1/128 of
        themselves, and thresholds and the histogram are those of bins as wide; `stats` are exact.
    reduced
        How many times as wide and high the slices are stored: the numbers are those of smaller
        ones, in which noise is averaged out, and only about those of the volume.
    stats
        Number of voxels ``n``, ``nan``, ``min``, ``max``, ``mean``, ``std``, ``sum``, ``zeros``,
        ``saturated``; see ``hoaconv ops stats``. None is what needs a voxel where there is none.
    shares
        Of the voxels: those that are ``nan``, ``zeros`` and ``saturated``.
    percentiles, thresholds
        By their words in ops: ``p0.5``, ``otsu``.
    histogram
        ``edges`` and ``counts`` of equal bins from the least to the greatest finite voxel.
    profile
        The mean of each slice; None of a sample.
    intervals
        Confidence intervals, of about 95 %, of a sample's numbers, by their names: ``mean``,
        ``zeros share``, ``p50``, ``otsu``. The slices are what was drawn, so they don't shrink with
        the voxels.
    found, found_intervals
        What ops needed to know of the whole volume, as in `Report`; the intervals above take it
        for true.
    bytes_read, bytes_raw, seconds, workers, budget, projected, measured
        As in `Report`.
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
        """Whether all slices were measured."""
        return self.slices_measured == self.slices

    def describe(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return asdict(self)


LONGEST = 64  # numbers of a list in a store's metadata


def _short(value: Any) -> Any:
    """Return a value without long lists."""
    if isinstance(value, Mapping):
        return {
            name: _short(inner)
            for name, inner in value.items()
            if not (isinstance(inner, list | tuple) and len(inner) > LONGEST)
        }
    return value
