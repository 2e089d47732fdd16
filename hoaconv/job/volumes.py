"""Volumes of one job that are swept one after the other: the times and channels of a source."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hoaconv.engine.run import Outcome
from hoaconv.engine.schedule import Schedule
from hoaconv.errors import StoreError
from hoaconv.io.array_volume import ArrayVolume
from hoaconv.io.leading import Leading
from hoaconv.io.output import OutputSink
from hoaconv.job.resolve import Resolved

__all__ = ["Done", "give_up", "schedule_at", "together"]


Done = tuple[Leading, Schedule, Outcome]
"""A volume that has been swept."""


def schedule_at(resolved: Resolved, leading: Leading) -> Schedule:
    """Return the schedule of one volume: that of the first, with other sources and sinks."""
    made = resolved.schedule
    sources = (stage.part for sweep in made.sweeps for stage in sweep.stages)
    volumes = (part for part in sources if isinstance(part, ArrayVolume) and part.leading.axes)
    sinks = (sink for sink in made.sinks if isinstance(sink, OutputSink))
    return made.with_parts(
        {id(source): source.volume(leading) for source in volumes}
        | {id(sink): sink.at(leading) for sink in sinks}
    )


def together(resolved: Resolved, done: Sequence[Done]) -> Outcome:
    """Return the outcome of all volumes: what was found is told by time and channel."""
    _, last, outcome = done[-1]
    sinks = resolved.schedule.sinks
    outputs = {
        sink: {**outcome.outputs[now], "folds": _folds(done, i)}
        for i, (sink, now) in enumerate(zip(sinks, last.sinks, strict=True))
    }
    return replace(
        outcome,
        outputs=outputs,
        pictures={sink: {} for sink in sinks},
        found=_by_volume(done, "found"),
        intervals=_by_volume(done, "intervals"),
        seconds=sum(one.seconds for _, _, one in done),
        measured=max(one.measured for _, _, one in done),
        busy=_added([one.busy for _, _, one in done]),
        waited=_added([one.waited for _, _, one in done]),
    )


def _folds(done: Sequence[Done], i: int) -> dict[str, Any]:
    """Return the values of the folds before a sink, by time, channel and name."""
    return {
        f"{leading}: {name}": value
        for leading, made, outcome in done
        for name, value in outcome.outputs[made.sinks[i]]["folds"].items()
    }


def _by_volume(done: Sequence[Done], what: str) -> dict[str, Any]:
    return {
        f"{leading}: {chain}": value
        for leading, _, outcome in done
        for chain, value in getattr(outcome, what).items()
    }


def _added(times: Sequence[Mapping[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for one in times:
        total.update(one)  # seconds are added as counts are
    return dict(total)


def give_up(resolved: Resolved, error: BaseException) -> None:
    """Remove what the sweeps before have written, where the one that failed hasn't."""
    removed = False
    for sink in resolved.written.values():
        try:
            removed |= sink.give_up()
        except StoreError as reason:
            error.add_note(str(reason))
    if removed:
        error.add_note("what was written is removed")
