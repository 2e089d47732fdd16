"""A measurement from options to numbers: one sweep that writes nothing."""

import os
from collections.abc import Mapping
from math import prod
from typing import Any

from hoaconv import __version__
from hoaconv.chains import chained, open_others, teller, warm_up
from hoaconv.engine import machine
from hoaconv.engine.contract import Fold, Step
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.errors import SpellingError
from hoaconv.io.source import open_volume
from hoaconv.ops.own import load_ops
from hoaconv.ops.spelling import spell_ops
from hoaconv.ops.summary import SHARED, Summary
from hoaconv.options import take_budget, take_ops, take_sample, take_workers
from hoaconv.placed import Placed, place
from hoaconv.plots import Plot
from hoaconv.report import Statistics, Watcher
from hoaconv.words import PathLike

__all__ = ["measure"]

PERCENTILES = (0.5, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.5)
BINS = 256

_SEEN = ("min", "max")
"""What a sample tells of itself alone: beyond its ends it has seen nothing."""


def measure(options: Mapping[str, Any]) -> Statistics:
    """Measure what `hoaconv.stats` says, which see; `options` are all its parameters, by name."""
    machine.share_malloc_arenas()  # before any thread begins: an arena, once made, stays
    watcher = options["watcher"] or Watcher()
    sample = take_sample(options["sample"])
    budget, workers = take_budget(options["budget"]), take_workers(options["workers"])
    if options["ops_module"] is not None:
        load_ops(options["ops_module"])
    ops, plot = _ops(options["ops"]), Plot(options["plot"]) if options["plot"] else None
    volume = open_volume(_named(options["src"]))
    for text in volume.notes:
        watcher.note(text)
    placed = place(ops, volume.spec, volume.voxel_size)
    fold = Summary(BINS, PERCENTILES)
    planned = chained(Plan.read(volume), ops, open_others([ops])) | fold
    warm_up(planned, watcher)
    made = schedule(planned, Limits(budget, workers, machine.resident(), sample=sample))
    watcher.planned(made)
    outcome = run(made, teller(watcher, volume.spec, made.planes))
    sought = str(fold)
    found = outcome.found[sought] if sought in outcome.found else outcome.folds[-1]
    measured = found["n"] // prod(placed.spec.plane_shape)
    numbers, intervals = _numbers(placed, found, outcome.intervals.get(sought, {}))
    statistics = Statistics(
        source=os.fspath(options["src"]),
        version=__version__,
        ops=spell_ops(ops),
        shape=placed.spec.shape,
        dtype=str(placed.spec.dtype),
        voxel_size=placed.edges,
        unit=placed.unit,
        slices=placed.spec.planes,
        slices_measured=measured,
        stats={name: numbers[name] for name in numbers if not name.startswith("percentile ")},
        percentiles=_percentiles(numbers),
        histogram=found["histogram"],
        intervals=intervals,
        found={chain: value for chain, value in outcome.found.items() if chain != sought},
        bytes_read=made.bytes_read,
        seconds=outcome.seconds,
        workers=workers,
        budget=budget,
        projected=made.projected,
        measured=outcome.measured,
        notes=volume.notes,
    )
    if plot:
        plot.write(statistics)
    return statistics
