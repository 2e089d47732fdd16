"""Pictures for docs/performance.md: small SVG files, whose text stays text."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.benchmarks.groups import choose
from tests.benchmarks.jobs import Group, Job
from tests.benchmarks.rounds import Run
from tests.benchmarks.table import done
from tests.benchmarks.views import efficiencies, speeds

__all__ = ["draw"]

mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "hoaconv", "font.size": 9})
OURS, FLOOR, THEIRS = "#1b6ca8", "#999999", "#d9822b"

Draw = Callable[[Sequence[Run]], Figure]


def draw(group: Group, runs: Sequence[Run], folder: Path, name: str) -> list[Path]:
    """Write the group's pictures into `folder`; returns those that had something to show."""
    folder.mkdir(exist_ok=True)
    return [
        path
        for kind, make in _pictures(group).items()
        if (path := _saved(make(runs), folder / f"{name}{kind}.svg"))
    ]


def _pictures(group: Group) -> dict[str, Draw]:
    if group.name == "kernels":
        return {"": _speeds}
    if group.name == "scaling":
        return {"-slices": _slices, "-cores": _cores}
    stacks = dict.fromkeys(job.stack for job in choose([group.name]))
    return {f"-{stack}": lambda runs, s=stack: _bars(group, s, runs) for stack in stacks}


def _saved(figure: Figure, path: Path) -> Path | None:
    if not any(axes.has_data() for axes in figure.axes):
        return None
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    return path


def _bars(group: Group, stack: str, runs: Sequence[Run]) -> Figure:
    """Seconds and memory of each job that reads this stack."""
    jobs = [j for j in choose([group.name]) if j.stack == stack and done(j.name, runs)]
    figure = Figure(figsize=(8, 0.6 + 0.22 * len(jobs)))
    seconds, memory = figure.subplots(1, 2, sharey=True)
    for axes, title, value in (
        (seconds, "seconds of the job itself", lambda run: run.own),
        (memory, "peak memory, GB", lambda run: run.usage.peak / 1e9),
    ):
        if jobs:
            medians = [median(value(run) for run in done(job.name, runs)) for job in jobs]
            axes.barh([job.name for job in jobs], medians, color=[_colour(job) for job in jobs])
        _finish(axes, title)
    seconds.invert_yaxis()
    return figure


def _colour(job: Job) -> str:
    return FLOOR if job.name.startswith("floor") else THEIRS if job.environment else OURS


def _speeds(runs: Sequence[Run]) -> Figure:
    found = {name: median(ratios) for name, ratios in speeds(runs).items()}
    figure = Figure(figsize=(6, 0.6 + 0.22 * len(found)))
    axes = figure.subplots()
    if found:
        axes.barh(list(found), list(found.values()), color=OURS)
        axes.axvline(1, color=FLOOR)
    axes.invert_yaxis()
    _finish(axes, "times as fast as scipy.ndimage, one thread")
    return figure


def _slices(runs: Sequence[Run]) -> Figure:
    figure = Figure(figsize=(6, 2.6))
    seconds, memory = figure.subplots(1, 2)
    good = [done(f"slices-{part}", runs) for part in ("quarter", "half", "all")]
    points = [
        tuple(median(value(run) for run in many) for value in _RAW_TIME_PEAK)
        for many in good
        if many
    ]
    if points:
        raw, time, peak = zip(*points, strict=True)
        seconds.plot(raw, time, "o-", color=OURS)
        memory.plot(raw, peak, "o-", color=OURS)
    _finish(seconds, "seconds against raw GB")
    _finish(memory, "peak GB against raw GB")
    return figure


_RAW_TIME_PEAK: tuple[Callable[[Run], Any], ...] = (
    lambda run: run.told["bytes_raw"] / 1e9,
    lambda run: run.own,
    lambda run: run.usage.peak / 1e9,
)


def _cores(runs: Sequence[Run]) -> Figure:
    shares = {
        int(name.split("-")[1]): median(found)
        for name, found in efficiencies(runs).items()
        if name.split("-")[1:] == [name.split("-")[1]]
    }
    figure = Figure(figsize=(4, 2.6))
    axes = figure.subplots()
    if shares:
        axes.plot(list(shares), [n * share for n, share in shares.items()], "o-", color=OURS)
        axes.plot(list(shares), list(shares), "--", color=FLOOR)
    _finish(axes, "times as fast as one core, model")
    return figure


def _finish(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_xlim()[0] > 0:
        axes.set_xlim(left=0)
    if axes.get_ylim()[0] > 0 and not axes.yaxis_inverted():
        axes.set_ylim(bottom=0)
