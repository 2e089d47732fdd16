"""The options of a measurement become a job, which is run."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hoaconv.engine import machine
from hoaconv.job.chain import behind, open_operands, spec_at
from hoaconv.job.conversion import open_planned, ops_of
from hoaconv.job.options import Chain, Measuring, Reading, Running
from hoaconv.job.plots import Plot
from hoaconv.job.resolve import take_workers
from hoaconv.job.statistics import measure
from hoaconv.job.statistics_report import Statistics

__all__ = ["measurement"]


def measurement(options: Mapping[str, Any]) -> Statistics:
    """Do what `hoaconv.stats` says; `options` are all its parameters, by name."""
    measuring, reading = Measuring.take(options), Reading.take(options)
    running = Running(budget=measuring.budget, workers=measuring.workers)
    machine.begin(take_workers(running))
    ops = ops_of(Chain.take(options))
    plot = None if measuring.plot is None else Plot(measuring.plot)
    volume = open_planned(options["src"], reading, None)
    plan = behind(volume.plan, ops, open_operands([ops]))
    made = replace(volume, plan=plan, spec=spec_at(plan))
    return measure(
        made, sample=measuring.sample, running=running, plot=plot, progress=options["watcher"]
    )
