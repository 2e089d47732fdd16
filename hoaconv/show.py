"""What the terminal shows: tables on stdout, notes and progress on stderr."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from math import floor, inf, log10
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hoaconv.convert import Schedule, Sweep
from hoaconv.report import Report, Statistics
from hoaconv.units import format_bytes, format_seconds

__all__ = [
    "show_json",
    "show_next_steps",
    "show_ops",
    "show_report",
    "show_schedule",
    "show_statistics",
]

LOG_WIDTH = 200
"""Columns where there is no terminal: a table's rows stay whole."""

LONGEST = 16
"""Characters of a number that is written out; beyond, it gets an exponent."""


def _print(*things: Any) -> None:
    if sys.stdout is None:  # closed by who started us
        return
    text = StringIO()  # rich itself would end the process where a pipe is closed
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else LOG_WIDTH
    console = Console(
        file=text, force_terminal=terminal, highlight=False, markup=False, width=max(width, 20)
    )
    console.print(*things, sep="\n", soft_wrap=not terminal)
    sys.stdout.write("\n".join(line.rstrip() for line in text.getvalue().split("\n")))


def _table(title: str, *columns: str) -> Table:
    """A plain table; a column whose name ends in ``>`` holds numbers."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        right = column.endswith(">")
        table.add_column(column.rstrip(">"), justify="right" if right else "left", overflow="fold")
    return table


def _triple(values: Any) -> str:
    return "-" if values is None else "x".join(map(str, values))


def show_schedule(made: Schedule, *, whole: bool = True) -> None:
    """Memory, disk and time; if `whole`, then, sweep by sweep, stages and who holds how much."""
    _print(
        f"projected {format_bytes(made.projected)}, "
        f"budget {format_bytes(made.limits.budget)}, "
        f"smallest budget that fits {format_bytes(made.least)}",
        f"reads     {format_bytes(made.bytes_read)} of slices, "
        f"writes {format_bytes(made.bytes_raw)} before compression, and the levels below, "
        f"in at most {made.files} files",
        *_estimated(made),
        *([f"\nit can't run here: {made.refusal}"] if made.refusal else []),
        *(f"why       {note}" for note in made.notes),
    )
    for number, sweep in enumerate(made.sweeps if whole else (), 1):
        many = f" {number} of {len(made.sweeps)}" if len(made.sweeps) > 1 else ""
        _print("", *_sweep_tables(sweep, many))


def _estimated(made: Schedule) -> Iterator[str]:
    """A line on time, with the shares of those who work most."""
    if made.estimate is None:
        yield "time      not known: planes are too large for a trial"
        return
    total = sum(made.estimate.work.values()) or 1.0
    shares = sorted(made.estimate.work.items(), key=lambda item: -item[1])
    words = ", ".join(f"{who} {seconds / total:.0%}" for who, seconds in shares[:4])
    seconds, workers = format_seconds(made.estimate.seconds), made.limits.workers
    yield f"time      about {seconds} on {workers} workers: {words}"


def _sweep_tables(sweep: Sweep, many: str) -> tuple[Table, Table]:
    stages = _table(
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
        sizes = (stage.window, stage.stride, _triple(stage.halo))
        shown = [str(size) if stage.kind == "op" else "-" for size in sizes]
        stages.add_row(str(stage.part), *shown, str(spec), format_bytes(spec.plane_bytes))
    memory = _table("\nmemory", "who", "what", "holds>")
    for use in sweep.uses:
        memory.add_row(use.who, use.what, format_bytes(use.nbytes))
    memory.add_row("", "together", format_bytes(sweep.projected))
    return stages, memory


def show_json(value: object) -> None:
    """A value for machines."""
    print(json.dumps(value, indent=2))


def show_report(made: Report) -> None:
    """What was made, how long it took, what it held."""
    table = _table(
        f"\n{made.output}",
        "level",
        "shape zyx>",
        "voxel size>",
        "chunks>",
        "shards>",
        "uncompressed>",
    )
    for row in made.levels:
        table.add_row(
            str(row["level"]),
            _triple(row["shape"]),
            _edges(made, row["factor"]),
            _triple(row["chunks"]),
            _triple(row["shards"]),
            format_bytes(row["bytes"]),
        )
    others = [
        f"\n{row['path']}: {len(row['levels'])} levels of {row['ops']}" for row in made.others
    ]
    rate = made.bytes_raw / made.seconds / 1e6
    voxels = made.shape[0] * made.shape[1] * made.shape[2] / made.seconds / 1e6
    _print(
        table,
        *others,
        *_measured_on_the_way(made),
        f"\nread     {format_bytes(made.bytes_read)} of slices, "
        f"{format_bytes(made.bytes_raw)} decoded",
        f"written  {format_bytes(made.bytes_written)} of {made.dtype} in {made.files} files, "
        f"{_compared(made.ratio)} than the decoded slices",
        f"time     {format_seconds(made.seconds)}, {rate:.0f} MB/s, {voxels:.1f} Mvoxel/s, "
        f"{made.workers} workers",
        f"memory   {format_bytes(made.projected)} projected, "
        f"{format_bytes(made.measured)} measured{_over(made)}",
        *_found(made.found, made.intervals),
    )


def _measured_on_the_way(made: Report) -> Iterator[str]:
    """Give a line for each fold that was asked for, with the file of what it has drawn."""
    asked = {name: values for name, values in made.folds.items() if name in made.ops}
    rows = [("", asked)] + [(f"{Path(o['path']).name}: ", o["folds"]) for o in made.others]
    for where, folds in rows:
        for name, values in folds.items():
            numbers = [
                f"{key} {_number(value)}"
                for key, value in values.items()
                if isinstance(value, int | float)
            ]
            numbers += [f"{q} %: {_number(v)}" for q, v in values.get("percentiles", {}).items()]
            drawn = [f"written to {values['file']}"] if "file" in values else []
            yield f"\n{where}{name}: {', '.join([*numbers, *drawn]) or 'see --report'}"


def _found(found: Mapping[str, Any], intervals: Mapping[str, Any]) -> Iterator[str]:
    """What chains of ops needed to know, as far as it is numbers."""
    for chain, values in found.items():
        ends = intervals.get(chain, {})
        numbers = [
            f"{name} {_told(value, ends.get(name))}"
            + (f" ({_ends(ends[name])})" if name in ends else "")
            for name, value in values.items()
            if isinstance(value, int | float)
        ]
        yield f"found    {', '.join(numbers)} for '{chain}'"


def _ends(interval: tuple[float, float], unit: str = "") -> str:
    return " to ".join(f"{_told(end, interval)}{unit}" for end in interval)


def _told(value: float, interval: tuple[float, float] | None) -> str:
    """Give a number to the digit at which its interval's width has three: more are noise."""
    width = interval[1] - interval[0] if interval else 0.0
    if not 0 < width < inf:
        return f"{value:.6g}"
    digits = 2 - floor(log10(width))
    fixed = f"{round(value, digits) + 0.0:.{max(0, digits)}f}"  # and no -0
    return fixed if len(fixed) <= LONGEST else f"{value:.6g}"


def _over(made: Report | Statistics) -> str:
    return " (over the projection: please report this)" if made.measured > made.projected else ""


def _compared(ratio: float) -> str:
    return f"{ratio:.2f} x smaller" if ratio >= 1 else f"{1 / ratio:.2f} x larger"


def _edges(made: Report | Statistics, factor: Sequence[int]) -> str:
    if made.voxel_size is None:
        return "-"
    edges = [f"{v * f:.6g}" for v, f in zip(made.voxel_size, factor, strict=True)]
    return f"{edges[0] if len(set(edges)) == 1 else ','.join(edges)} {made.unit or 'voxels'}"


def show_statistics(made: Statistics) -> None:
    """What was measured; of a sample with intervals."""
    sampled = not made.is_whole
    table = _table(f"\n{made.source}", "", "value", *(["interval, about 95 %"] if sampled else []))
    for name, value in _told_of(made):
        table.add_row(name, value)
    for name, value in {**made.stats, **made.percentiles, **made.thresholds}.items():
        table.add_row(name, _value_of(made, name, value), *_interval_of(made, name))
    _print(
        table,
        *([] if made.exact else [f"\n{_ABOUT_BINS.format(made.dtype)}"]),
        *([f"\n{_ABOUT_SAMPLES.format(made.slices_measured, made.slices)}"] if sampled else []),
        *([f"\n{_ABOUT_REDUCED.format(made.reduced)}"] if made.reduced > 1 else []),
        f"\nread     {format_bytes(made.bytes_read)}, "
        f"{format_bytes(made.bytes_raw)} decoded; nothing is written",
        f"time     {format_seconds(made.seconds)}, {made.bytes_raw / made.seconds / 1e6:.0f} MB/s, "
        f"{made.workers} workers",
        f"memory   {format_bytes(made.projected)} projected, "
        f"{format_bytes(made.measured)} measured{_over(made)}",
        *_found(made.found, made.found_intervals),
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


def _told_of(made: Statistics) -> Iterator[tuple[str, str]]:
    yield "shape zyx", _triple(made.shape)
    yield "dtype", made.dtype
    yield "voxel size", _edges(made, (1, 1, 1))
    if made.ops:
        yield "ops", made.ops
    if not made.is_whole:
        yield "slices", f"{made.slices_measured} of {made.slices}, drawn at random along z"


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _value_of(made: Statistics, name: str, value: Any) -> str:
    """Give a row's value, and as a share in per cent where it is a number of voxels."""
    ends, share = made.intervals.get(name), made.shares.get(name)
    if ends and isinstance(value, int | float):
        return _told(value, ends)
    if share is None or not value:
        return _number(value)
    if of_share := made.intervals.get(f"{name} share"):
        return f"{_number(value)} ({_told(share * 100, _in_per_cent(of_share))}%)"
    return f"{_number(value)} ({share:.3%})"


def _interval_of(made: Statistics, name: str) -> Iterator[str]:
    """Ends of the interval that a row has; in per cent those of a share."""
    share = f"{name} share"
    if name in made.intervals:
        yield _ends(made.intervals[name])
    elif share in made.intervals and made.stats[name]:
        yield _ends(_in_per_cent(made.intervals[share]), "%")


def _in_per_cent(interval: tuple[float, float]) -> tuple[float, float]:
    return interval[0] * 100, interval[1] * 100


def show_ops(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """A line an op; with its parameters where only one is shown."""
    table = _table("", "op", "what it does", "example")
    for word, row in rows.items():
        table.add_row(word, row["summary"], row["example"])
    _print(table)
    if len(rows) != 1:
        return
    (only,) = rows.values()
    if only["explanation"]:
        _print("", only["explanation"])
    parameters = _table(f"\n{only['usage']}", "parameter", "takes", "default", "meaning")
    for parameter in only["parameters"]:
        cells = {key: str(parameter[key]) for key in ("name", "kind", "default", "help")}
        parameters.add_row(*{**cells, "kind": cells["kind"].replace("|", " | ")}.values())
    _print(parameters)


def show_next_steps(made: Report) -> None:
    """Commands to try on what the demo made."""
    source, output = made.source, made.output.removesuffix(".zarr")
    hoaconv = _program()
    _print(
        "\nNext, try:",
        f"  {hoaconv} stack-to-omezarr {source} {output}-mask.zarr "
        '--ops "gaussian 1.5 | threshold 20000" --downsample mode',
        f"  {hoaconv} stack-to-omezarr {source} {output}-0.4.zarr --ngff 0.4 --dry-run",
        f"  {hoaconv} ops",
        f"  {hoaconv} stack-to-omezarr --help",
    )


def _program() -> str:
    """Return how this program was started, so that a printed command works as it stands."""
    started = Path(sys.argv[0])
    if not started.name.startswith("hoaconv"):  # by python -m
        return f"{shlex.quote(sys.executable)} -m hoaconv"
    found = shutil.which("hoaconv")
    if found and os.path.exists(started) and os.path.samefile(found, started):
        return "hoaconv"
    return shlex.quote(sys.argv[0])
