"""A measurement from options to numbers: the sweep of a conversion, and nothing is written."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from hoaconv import __version__
from hoaconv.chains import (
    chained,
    load_own_ops,
    open_others,
    open_source,
    spec_behind,
    teller,
    warm_up,
)
from hoaconv.engine import machine
from hoaconv.engine.contract import Fold, Step
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import Outcome, run
from hoaconv.engine.sampling import Intervals
from hoaconv.engine.schedule import Limits, Schedule
from hoaconv.engine.spec import Spec
from hoaconv.errors import SpellingError
from hoaconv.io.source import Volume
from hoaconv.kernels.histogram import is_exact
from hoaconv.ops.deferred import CONSTANT
from hoaconv.ops.spelling import spell_ops
from hoaconv.ops.statistics import Profile
from hoaconv.ops.summary import SHARED, Summary
from hoaconv.options import take_budget, take_ops, take_sample, take_workers
from hoaconv.plots import Plot
from hoaconv.report import Statistics, Watcher

__all__ = ["measure"]

SUMMARY = Summary(256, (0.5, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.5), ("otsu", "li"))

_STATS = ("n", "nan", "min", "max", "mean", "std", "sum", "zeros", "saturated")
_OF_THE_SAMPLE = {"n", "min", "max", "sum", CONSTANT, *SHARED}
"""What tells of the drawn slices alone: beyond its ends, and of how many, a sample says nothing."""


def measure(options: Mapping[str, Any]) -> Statistics:
    """Do what `hoaconv.stats` says, which see; `options` are all its parameters, by name."""
    machine.share_malloc_arena()  # before any thread begins: an arena, once made, stays
    machine.begin(take_workers(options["workers"]))
    measured = _prepared(options)
    measured.watcher.planned(measured.schedule)
    with teller(measured.watcher, measured.volume.spec, measured.schedule) as tell:
        made = measured.statistics(run(measured.schedule, tell))
    if measured.plot:
        measured.plot.write(made)
    return made


@dataclass(frozen=True)
class _Measurement:
    """A volume, scheduled and ready to be measured behind `ops`."""

    source: str
    volume: Volume
    ops: tuple[Step, ...]
    spec: Spec
    schedule: Schedule
    plot: Plot | None
    watcher: Watcher

    def statistics(self, outcome: Outcome) -> Statistics:
        """What was found, in groups."""
        spec, made = self.spec, self.schedule
        sampled = str(SUMMARY) in outcome.found  # else every fold has one value, in their order
        summary = outcome.found[str(SUMMARY)] if sampled else outcome.folds[0]
        return Statistics(
            source=self.source,
            version=__version__,
            ops=spell_ops(self.ops),
            shape=spec.shape,
            dtype=str(spec.dtype),
            voxel_size=spec.geometry.voxel_size,
            unit=spec.geometry.unit,
            slices=spec.planes,
            slices_measured=summary["n"] // prod(spec.plane_shape),
            exact=is_exact(spec.dtype),
            reduced=self.volume.spacing[-1],
            stats={name: summary[name] for name in _STATS},
            shares={name: summary[f"{name} share"] for name in SHARED},
            percentiles={f"p{q:g}": summary[f"p{q:g}"] for q in SUMMARY.percentiles},
            thresholds={word: summary[word] for word in SUMMARY.thresholds},
            histogram=summary["histogram"],
            profile=None if sampled else outcome.folds[1]["mean"],
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
            notes=self.volume.notes,
        )


def _prepared(options: Mapping[str, Any]) -> _Measurement:
    """Check options, then headers, then memory."""
    watcher, sample = options["watcher"] or Watcher(), take_sample(options["sample"])
    budget, workers = take_budget(options["budget"]), take_workers(options["workers"])
    load_own_ops(options["ops_module"])
    ops = _without_folds(take_ops(options["ops"]))
    plot = None if options["plot"] is None else Plot(options["plot"])
    volume = open_source(options)
    for text in volume.notes:
        watcher.note(text)
    spec = spec_behind(volume.spec, ops)
    planned = chained(Plan.read(volume), ops, open_others([ops])) | SUMMARY
    if sample is None or sample >= spec.planes:
        planned |= Profile()  # of drawn slices it would be none
    warm_up(planned, watcher)
    made = schedule(planned, Limits(budget, workers, machine.resident(), sample=sample))
    return _Measurement(os.fspath(options["src"]), volume, ops, spec, made, plot, watcher)


def _of_the_volume(intervals: Intervals) -> Intervals:
    """Those that tell of more than the drawn slices."""
    return {name: ends for name, ends in intervals.items() if name not in _OF_THE_SAMPLE}


def _without_summary(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """What ops needed to know."""
    return {chain: value for chain, value in found.items() if chain != str(SUMMARY)}


def _without_folds(ops: tuple[Step, ...]) -> tuple[Step, ...]:
    """The same. Raises SpellingError for what would measure on the way, and be told nowhere."""
    for op in ops:
        if isinstance(op, Fold):
            raise SpellingError(
                f"'{op}' measures, as does stats itself, behind the last of its ops; drop it, or "
                "use stack-to-omezarr, whose report tells what was measured on the way"
            )
    return ops
