"""The report of a run: outputs, measurements, time and memory."""

import json
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping
from dataclasses import dataclass, field, fields
from math import prod
from pathlib import Path
from typing import Any

from rich.table import Table

from hoaconv.job.tables import (
    as_edges,
    as_number,
    as_triple,
    found_lines,
    html_of,
    new_table,
    over_projection,
    rendered,
)
from hoaconv.job.target import name_of
from hoaconv.units import format_bytes, format_seconds

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """Outputs, measurements, time and memory of a run.

    Attributes
    ----------
    source, output
        Paths of the source and of the main image, or other output on disk.
    version
        Version of hoaconv.
    ops, options
        Ops of the main output as text; options that were given, by name.
    shape, dtype
        Of the main output, of level 0 if it has levels: voxels (z, y, x), and their dtype.
    voxel_size, unit
        Edge lengths of a level-0 voxel (z, y, x) in `unit`; None if they are unknown. Without a
        unit they count stored voxels.
    levels
        Levels of the main image: shape, factor, chunks, shards and bytes of each. An output that
        isn't a pyramid has none.
    others
        Other outputs of the same sweep, labels included: path, ops, files and bytes, ``what`` it
        is, and levels where there are any.
    files, bytes_written
        Number of files of all outputs, and their bytes on disk.
    bytes_read, bytes_raw
        Bytes of the slices as stored, and decoded.
    seconds, workers
        Wall time, and number of threads.
    budget, projected, measured
        Memory in bytes: allowed, the most that the model said, and the most that the process held.
    measured_by
        The way in which `measured` was found.
    busy, waited
        Seconds of work by kind, summed over threads; seconds of waiting, by reason. ``work`` is
        the time in which all workers together had nothing to do; all others are times in which the
        sweep waited for a slice to be decoded.
    folds
        Measurements among the ops of the main output, by their text.
    found, intervals
        Values of the whole volume that ops needed, by the ops up to the one that needed them; their
        confidence intervals of about 95 %, if they come from a sample.
    notes
        Remarks for the user.
    measurements
        Measurements that are outputs, by their names.
    values
        Results of all outputs by their names: a measurement, an array, or the path of an image.
        ``report[name]`` is one of them.
    volumes
        Number of times (``t``) and channels (``c``) of the output, whose volumes were swept one
        after the other; empty where it has no such axes. `shape` is that of each volume.

    Examples
    --------
    >>> report = hc.stack_to_omezarr("slices/", "brain.zarr", ops="stats | clip 0 500", chunks=8)
    >>> report.folds["stats"]["max"], report.levels[1]["shape"]
    (715, (4, 8, 8))
    >>> report["brain.zarr"].name
    'brain.zarr'
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
    measured_by: str = ""
    measurements: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    volumes: Mapping[str, int] = field(default_factory=dict)

    def record(self, published: Callable[[str], str] = str) -> dict[str, Any]:
        """Return the part of the report that is kept in a store: measurements, memory and time.

        Long lists, such as the bins of a histogram, are left out.

        Parameters
        ----------
        published
            A function that removes the folders of this machine from a text.
        """
        names = ("bytes_read", "bytes_raw", "files", "seconds", "workers")
        values = ("budget", "projected", "measured", "measured_by", "folds", "found", "intervals")
        told = {name: _short(getattr(self, name)) for name in (*names, *values)}
        return dict(_with_texts(told, published))

    @property
    def report(self) -> "Report":
        """The report itself, so that ``result.report`` reads well after ``result = job.run()``."""
        return self

    def __getitem__(self, output: Any) -> Any:
        """Return the result of an output: a measurement, an array, a path, or a sink's row.

        `output` is its name, or the path, image or sink that the job has for it.
        """
        name = name_of(output)
        if name not in self.values:
            raise KeyError(f"{name!r} is no output; there are {', '.join(self.values)}")
        return self.values[name]

    def __contains__(self, output: object) -> bool:
        return name_of(output) in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __bool__(self) -> bool:
        return True  # a report of no outputs by name is a report

    def keys(self) -> KeysView[str]:
        """Return the names of the outputs.

        Examples
        --------
        >>> list(hc.store({"mip": hc.open("slices/").max("z")}).run().keys())
        ['mip']
        """
        return self.values.keys()

    def items(self) -> ItemsView[str, Any]:
        """Return the names of the outputs, each with its result.

        Examples
        --------
        >>> report = hc.store({"mip": hc.open("slices/").max("z")}).run()
        >>> [(name, result.shape) for name, result in report.items()]
        [('mip', (16, 16))]
        """
        return self.values.items()

    def __str__(self) -> str:
        return _text(self)

    def _repr_html_(self) -> str:
        return html_of(str(self))

    @property
    def ratio(self) -> float:
        """Bytes of the decoded slices per byte of the output."""
        return self.bytes_raw / max(1, self.bytes_written)

    def to_json(self) -> str:
        """Return the whole report as JSON.

        Examples
        --------
        >>> import json
        >>> job = hc.store({"stats": ops.Stats(hc.open("slices/"))})
        >>> json.loads(job.run().to_json())["measurements"]["stats"]["min"]
        0
        """
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "values"}
        return json.dumps(told, indent=2, default=str) + "\n"


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


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a value whose texts, keys included, are changed."""
    if isinstance(value, Mapping):
        return {change(name): _with_texts(inner, change) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_texts(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value


def _text(made: Report) -> str:
    """Return the tables of outputs, time and memory."""
    rate = made.bytes_raw / made.seconds / 1e6
    voxels = prod((*made.volumes.values(), *made.shape)) / made.seconds / 1e6
    others = [f"\n{row['path']}: {_of(row)} of {row['ops']}" for row in made.others]
    written = (
        f"written  {format_bytes(made.bytes_written)} of {made.dtype} in {made.files} files, "
        f"{_compared(made.ratio)} than the decoded slices"
    )
    return rendered(
        *([_levels(made)] if made.levels else []),
        *([f"\n{made.output}: {_lone(made)}"] if made.output and not made.levels else []),
        *others,
        *([f"\nvolumes  {_volumes(made)}, each of this shape"] if made.volumes else []),
        *_measured_on_the_way(made),
        f"\nread     {format_bytes(made.bytes_read)} of slices, "
        f"{format_bytes(made.bytes_raw)} decoded",
        *([written] if made.files else []),
        f"time     {format_seconds(made.seconds)}, {rate:.0f} MB/s, {voxels:.1f} Mvoxel/s, "
        f"{made.workers} workers",
        f"memory   {format_bytes(made.projected)} projected, "
        f"{format_bytes(made.measured)} measured{over_projection(made.measured, made.projected)}",
        *found_lines(made.found, made.intervals),
    )


def _volumes(made: Report) -> str:
    return ", ".join(f"{axis} {count}" for axis, count in made.volumes.items())


def _of(row: Mapping[str, Any]) -> str:
    """Return what another output is, in words: its levels, or its kind."""
    return f"{len(row['levels'])} levels" if row.get("levels") else str(row["what"])


def _lone(made: Report) -> str:
    """Return shape, dtype and voxel size of a main output without levels."""
    size = f", voxel size {as_edges(made.voxel_size, made.unit, (1, 1, 1))}"
    return f"{as_triple(made.shape)} {made.dtype}{size if made.voxel_size else ''}"


def _levels(made: Report) -> Table:
    """Return the table of the main image's levels."""
    table = new_table(
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
            as_triple(row["shape"]),
            as_edges(made.voxel_size, made.unit, row["factor"]),
            as_triple(row["chunks"]),
            as_triple(row["shards"]),
            format_bytes(row["bytes"]),
        )
    return table


def _measured_on_the_way(made: Report) -> Iterator[str]:
    """Yield a line for each fold that the user asked for, with the file of its picture."""
    asked = {name: values for name, values in made.folds.items() if name in made.ops}
    asked |= made.measurements
    rows = [("", asked)] + [(f"{Path(o['path']).name}: ", o["folds"]) for o in made.others]
    for where, folds in rows:
        for name, values in folds.items():
            numbers = [
                f"{key} {as_number(value)}"
                for key, value in values.items()
                if isinstance(value, int | float)
            ]
            numbers += [f"{q} %: {as_number(v)}" for q, v in values.get("percentiles", {}).items()]
            drawn = [f"written to {values['file']}"] if "file" in values else []
            yield f"\n{where}{name}: {', '.join([*numbers, *drawn]) or 'in the report'}"


def _compared(ratio: float) -> str:
    return f"{ratio:.2f} x smaller" if ratio >= 1 else f"{1 / ratio:.2f} x larger"
