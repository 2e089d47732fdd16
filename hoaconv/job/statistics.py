"""Statistics of a volume: the job that measures it, and what its run has found."""

from collections.abc import Mapping
from math import prod
from typing import Any

from hoaconv import __version__
from hoaconv.engine.contract import Fold
from hoaconv.engine.run import Outcome
from hoaconv.engine.sampling import Intervals
from hoaconv.errors import SpellingError
from hoaconv.job.chain import sources_of, spelled, steps_of
from hoaconv.job.execute import execute
from hoaconv.job.job import Job
from hoaconv.job.options import Running, Values
from hoaconv.job.plots import Plot
from hoaconv.job.progress import display
from hoaconv.job.resolve import Resolved, resolve
from hoaconv.job.statistics_report import Statistics
from hoaconv.job.target import Branch, VolumeLike
from hoaconv.job.watching import Watcher
from hoaconv.kernels.histogram import is_exact
from hoaconv.ops.deferred import CONSTANT
from hoaconv.ops.statistics import Profile
from hoaconv.ops.summary import SHARED, Summary

__all__ = ["SUMMARY", "measure"]

SUMMARY = Summary(256, (0.5, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.5), ("otsu", "li"))

_STATS = ("n", "nan", "min", "max", "mean", "std", "sum", "zeros", "saturated")
_OF_THE_SAMPLE = {"n", "min", "max", "sum", CONSTANT, *SHARED}
"""Names that describe the drawn slices alone: a sample says nothing of the volume's ends."""


def measure(
    volume: VolumeLike,
    *,
    sample: int | None = None,
    running: Running | None = None,
    plot: Plot | None = None,
    progress: bool | Watcher | None = None,
) -> Statistics:
    """Measure a volume in one sweep, and write nothing.

    Parameters
    ----------
    sample
        Slices to measure, drawn at random along z; None for all.
    running
        Budget and workers.
    plot
        Where the histogram is drawn.
    progress
        As of `hoaconv.job.job.Job.run`.

    Raises
    ------
    SpellingError
        If an op of the volume measures itself.
    """
    for step in steps_of(volume.plan):
        if isinstance(step, Fold):
            raise SpellingError(
                f"'{step}' measures, as does stats itself, behind the last of its ops; drop it, or "
                "write an image, whose report tells what was measured on the way"
            )
    branches = [Branch(str(SUMMARY), volume, SUMMARY)]
    if sample is None or sample >= volume.spec.planes:
        branches.append(Branch("profile", volume, Profile()))  # of drawn slices it would be none
    job = Job(tuple(branches), Values(sample=sample), running or Running())
    with display(progress) as watcher:
        resolved = resolve(job, watcher, planning=False)
        made = _statistics(resolved, execute(resolved, watcher).outcome)
        if plot is not None:
            plot.write(made)
    return made


def _statistics(resolved: Resolved, outcome: Outcome) -> Statistics:
    volume, made = resolved.branches[0].volume, resolved.schedule
    values = {str(fold): value for fold, value in outcome.values.items()}
    summary = outcome.found.get(str(SUMMARY)) or values[str(SUMMARY)]
    profile = values.get("profile")
    spec = volume.spec
    return Statistics(
        source=resolved.source,
        version=__version__,
        ops=spelled(volume.plan),
        shape=spec.shape,
        dtype=str(spec.dtype),
        voxel_size=spec.geometry.voxel_size,
        unit=spec.geometry.unit,
        slices=spec.planes,
        slices_measured=summary["n"] // prod(spec.plane_shape),
        exact=is_exact(spec.dtype),
        reduced=getattr(sources_of(volume.plan)[0], "spacing", (1, 1, 1))[-1],
        stats={name: summary[name] for name in _STATS},
        shares={name: summary[f"{name} share"] for name in SHARED},
        percentiles={f"p{q:g}": summary[f"p{q:g}"] for q in SUMMARY.percentiles},
        thresholds={word: summary[word] for word in SUMMARY.thresholds},
        histogram=summary["histogram"],
        profile=None if profile is None else profile["mean"],
        intervals=_of_the_volume(outcome.intervals.get(str(SUMMARY), {})),
        found=_without_summary(outcome.found),
        found_intervals=_without_summary(outcome.intervals),
        bytes_read=made.bytes_read,
        bytes_raw=made.bytes_decoded,
        seconds=outcome.seconds,
        workers=made.limits.workers,
        budget=made.limits.budget,
        projected=made.projected,
        measured=outcome.measured,
        notes=resolved.notes,
    )


def _of_the_volume(intervals: Intervals) -> Intervals:
    """Return the intervals that describe more than the drawn slices."""
    return {name: ends for name, ends in intervals.items() if name not in _OF_THE_SAMPLE}


def _without_summary(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values that ops needed."""
    return {chain: value for chain, value in found.items() if chain != str(SUMMARY)}
