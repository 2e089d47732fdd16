"""What a group of jobs shows besides its runs and ratios: speeds of ops, a model of many cores."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from examples.plan_the_brain import RESERVED, Brain, plan
from hoaconv.engine.passes import schedule
from hoaconv.engine.schedule import Limits
from tests.benchmarks.groups import choose
from tests.benchmarks.jobs import Group
from tests.benchmarks.rounds import Run
from tests.benchmarks.table import done, format_ratios, format_runs, format_table, spread

__all__ = ["efficiencies", "show", "speeds"]

CORES = 20
PLENTY = 256 << 30
PUBLISHED_HOURS = (38, 26)
CALLS = (1, 28)
"""Calls that write chunks, a slice of 7621 x 7621: 64-cubed ones in shards; 128-cubed without."""


def show(group: Group, runs: Sequence[Run]) -> str:
    """All tables of a group, in Markdown."""
    jobs = choose([group.name])
    view = VIEWS.get(group.name)
    parts = view(runs) if view else (format_runs(jobs, runs), format_ratios(jobs, runs))
    return "\n\n".join(part for part in parts if part)


def told(job: str, name: str, runs: Sequence[Run]) -> list[float]:
    """What a job told under this name, round by round."""
    return [run.told[name] for run in done(job, runs) if name in run.told]


def speeds(runs: Sequence[Run]) -> dict[str, list[float]]:
    """How many times as fast as scipy each op was, in every round."""
    good = done("kernels", runs)
    names = [name.removeprefix("ours: ") for name in _names(good) if name.startswith("ours: ")]
    return {
        name: [run.told[f"scipy: {name}"] / run.told[f"ours: {name}"] for run in good]
        for name in names
    }


def _names(runs: Sequence[Run]) -> list[str]:
    return list(runs[0].told) if runs else []


def _kernels(runs: Sequence[Run]) -> Iterator[str]:
    good = done("kernels", runs)
    rows = [
        (
            name,
            *(spread(_rates(good, f"{who}: {name}"), 1) for who in ("ours", "scipy")),
            spread(ratios, 2),
        )
        for name, ratios in speeds(runs).items()
    ]
    yield format_table(("op", "ours, Mvoxel/s", "scipy, Mvoxel/s", "times as fast"), rows)
    missing = {name: why for run in good for name, why in run.missing.items()}
    yield "\n".join(f"- left out `{name}`: {why}" for name, why in missing.items())


def _rates(runs: Sequence[Run], name: str) -> list[float]:
    return [run.told["voxels"] / run.told[name] / 1e6 for run in runs]


def efficiencies(runs: Sequence[Run]) -> dict[str, list[float]]:
    """Seconds that the cores worked, of those that they were there, by job of the model."""
    jobs = [job.name for job in choose(["scaling"]) if job.name.startswith("model-")]
    return {
        name: [run.told["ideal"] / run.told["seconds"] for run in done(name, runs)]
        for name in jobs
        if done(name, runs)
    }


def _scaling(runs: Sequence[Run]) -> Iterator[str]:
    jobs = [job for job in choose(["scaling"]) if job.stack]
    yield format_runs(jobs, runs)
    yield format_ratios(jobs, runs)
    yield _per_slice(runs)
    rows = [
        (
            name,
            spread(told(name, "seconds", runs), 2),
            spread(told(name, "ideal", runs), 2),
            spread(shares, 3),
            spread([1e3 * s for s in told(name, "main thread a slice", runs)], 2),
        )
        for name, shares in efficiencies(runs).items()
    ]
    titles = ("model", "wall s", "work / cores s", "efficiency", "main thread, ms a slice")
    yield format_table(titles, rows)
    yield format_table(("figure", "value"), list(_brain(runs)))


def _per_slice(runs: Sequence[Run]) -> str:
    """Seconds a raw gigabyte, and what they are of those of the fewest slices, within a round."""
    names = ("slices-quarter", "slices-half", "slices-all")
    rates = {
        name: [r.told["seconds"] / r.told["bytes_raw"] * 1e9 for r in done(name, runs)]
        for name in names
    }
    rows = [
        (
            name,
            spread([r.told["bytes_raw"] / 1e9 for r in done(name, runs)], 2),
            spread(rates[name], 3),
            spread([a / b for a, b in zip(rates[name], rates[names[0]], strict=False)], 3),
        )
        for name in names
        if rates[name]
    ]
    return format_table(("slices", "raw GB", "s a GB", "of the first"), rows)


def _brain(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """From the measured to the brain on 20 cores, step by step."""
    needed = ("wide", "engine-alone", "model-16")
    if not all(done(name, runs) for name in needed):
        return
    wide = done("wide", runs)
    plane_bytes = Brain.spec.plane_bytes
    work = median(
        r.told["seconds"] * r.told["workers"] * plane_bytes / r.told["bytes_raw"] for r in wide
    )
    own, call = (median(told("engine-alone", name, runs)) for name in ("cpu a slice", "call"))
    yield "work on a slice of 7621 x 7621, decoded, converted, stored", f"{work:.2f} core-seconds"
    yield "engine's own CPU time a slice, all threads", f"{1e3 * own:.2f} ms"
    yield "the sweep's thread for one call that writes chunks", f"{1e6 * call:.0f} us"
    for calls in CALLS:
        limit = work / (own + calls * call)
        yield f"cores that the engine keeps busy, {calls} calls a slice", f"{limit:.0f}"
    share = median(efficiencies(runs)["model-16"])
    seconds = Brain.spec.planes * work / CORES / share
    written = median(r.told["bytes_written"] / r.told["bytes_raw"] for r in wide)
    yield f"the brain on {CORES} cores, at the model's efficiency", f"{seconds / 3600:.2f} h"
    yield "published: to zarr, then to a pyramid", " + ".join(f"{h} h" for h in PUBLISHED_HOURS)
    yield "how many times as fast", f"{3600 * sum(PUBLISHED_HOURS) / seconds:.0f}"
    yield "disk: read", f"{Brain.stored_bytes / seconds / 1e6:.0f} MB/s"
    yield "disk: written", f"{written * Brain.spec.nbytes / seconds / 1e6:.0f} MB/s"
    memory = schedule(plan(64), Limits(PLENTY, CORES, RESERVED)).projected
    yield "memory, projected, where there is plenty", f"{memory / 1e9:.1f} GB"


VIEWS: dict[str, Callable[[Sequence[Run]], Iterator[str]]] = {
    "kernels": _kernels,
    "scaling": _scaling,
}
"""Groups that show more, or something else, than runs and ratios."""
