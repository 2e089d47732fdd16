"""The plan of a run as text: memory, disk, time, and the reasons."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from hoaconv.engine.schedule import Schedule, Sweep
from hoaconv.io.output import OutputSink
from hoaconv.job.tables import as_triple, new_table, rendered
from hoaconv.units import format_bytes, format_seconds

__all__ = ["text_of_schedule"]


def text_of_schedule(made: Schedule, refusals: Sequence[str] = (), *, whole: bool) -> str:
    """Return memory, disk and time; if `whole`, stages and memory of each sweep too."""
    head = (
        f"projected {format_bytes(made.projected)}, "
        f"budget {format_bytes(made.limits.budget)}, "
        f"smallest budget that fits {format_bytes(made.smallest_budget)}",
        f"reads     {format_bytes(made.bytes_read)} of slices, "
        f"writes {format_bytes(made.bytes_raw)} before compression{_levels(made)}, "
        f"in at most {made.files} files{_packed(made)}",
        *_estimated(made),
        *(f"\nit can't run here: {refusal}" for refusal in refusals),
        *(f"why       {note}" for note in made.notes),
    )
    tables: list[Any] = []
    for number, sweep in enumerate(made.sweeps if whole else (), 1):
        many = f" {number} of {len(made.sweeps)}" if len(made.sweeps) > 1 else ""
        tables += ["", *_sweep_tables(sweep, many)]
    return rendered(*head, *tables)


def _levels(made: Schedule) -> str:
    """Return words on lower levels, if an output has them."""
    has_levels = any(isinstance(sink, OutputSink) and sink.has_levels for sink in made.sinks)
    return ", and the levels below" if has_levels else ""


def _packed(made: Schedule) -> str:
    """Return the estimated bytes on disk, if there are any."""
    nbytes = sum(made.estimate.packed) if made.estimate else 0
    return f"; about {format_bytes(nbytes)} on disk" if nbytes else ""


def _estimated(made: Schedule) -> Iterator[str]:
    """Give a line on time, with the shares of those who work most."""
    if made.estimate is None:
        yield "time      not known: planes are too large for a trial"
        return
    total = sum(made.estimate.work.values()) or 1.0
    shares = sorted(made.estimate.work.items(), key=lambda item: -item[1])
    words = ", ".join(f"{who} {seconds / total:.0%}" for who, seconds in shares[:4])
    seconds, workers = format_seconds(made.estimate.seconds), made.limits.workers
    yield f"time      about {seconds} on {workers} workers: {words}"


def _sweep_tables(sweep: Sweep, many: str) -> tuple[Table, Table]:
    stages = new_table(
        f"sweep{many}",
        "stage",
        "window (slices)>",
        "stride (slices)>",
        "halo (voxels)>",
        "gives",
        "one slice>",
    )
    for stage in sweep.stages:
        spec = sweep.spec_of(stage)
        sizes = (stage.window, stage.stride, as_triple(stage.halo))
        shown = [str(size) if stage.kind == "op" else "-" for size in sizes]
        stages.add_row(str(stage.part), *shown, str(spec), format_bytes(spec.plane_bytes))
    memory = new_table("\nmemory", "who", "what", "holds>")
    for use in sweep.uses:
        memory.add_row(use.who, use.what, format_bytes(use.nbytes))
    memory.add_row("", "together", format_bytes(sweep.projected))
    return stages, memory
