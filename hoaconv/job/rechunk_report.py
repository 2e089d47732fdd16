"""The report of a rechunking: arrays, time and memory."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hoaconv.job.tables import as_triple, html_of, new_table, over_projection, rendered
from hoaconv.units import format_bytes, format_seconds

__all__ = ["Rechunked"]


@dataclass(frozen=True)
class Rechunked:
    """Arrays that were rechunked, time and memory.

    Attributes
    ----------
    source, output
        Paths of the source and of the store that was made.
    version
        Version of hoaconv.
    options
        Options that were given, by name.
    arrays
        For each array its path in the store, shape, dtype, chunks and shards, files and bytes on
        disk, and ``copied``: whether its chunks were copied without being decoded.
    files, bytes_written
        Number of files, metadata included, and their bytes.
    bytes_read, bytes_raw
        Bytes of the arrays as stored, and decoded.
    seconds, workers
        Wall time, and number of threads.
    budget, projected, measured
        Memory in bytes: allowed, the most that the model said, and the most that the process held.
    notes
        Remarks for the user.

    Examples
    --------
    >>> made = hc.open("slices/") | hc.Zarr("a.zarr", chunks=8)
    >>> report = hc.rechunk(made.run()["a.zarr"], "b.zarr", chunks=4)
    >>> report.arrays[0]["chunks"], report.measured <= report.budget
    ((4, 4, 4), True)
    """

    source: str
    output: str
    version: str
    options: Mapping[str, Any]
    arrays: tuple[Mapping[str, Any], ...]
    files: int
    bytes_read: int
    bytes_raw: int
    bytes_written: int
    seconds: float
    workers: int
    budget: int
    projected: int
    measured: int
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the whole report as JSON.

        Examples
        --------
        >>> import json
        >>> report = hc.rechunk((hc.open("slices/") | hc.Zarr("a.zarr")).run()["a.zarr"], "b.zarr")
        >>> json.loads(report.to_json())["arrays"][0]["copied"]
        True
        """
        return json.dumps(asdict(self), indent=2, default=str) + "\n"

    def __str__(self) -> str:
        table = new_table(
            f"\n{self.output}",
            "array",
            "shape>",
            "dtype",
            "chunks>",
            "shards>",
            "files>",
            "bytes>",
            "",
        )
        for row in self.arrays:
            shapes = (as_triple(row["shape"]) or "-", row["dtype"], as_triple(row["chunks"]))
            shards, files = as_triple(row["shards"]), str(row["files"])
            how = "copied" if row["copied"] else ""
            table.add_row(
                row["path"] or ".", *shapes, shards, files, format_bytes(row["bytes"]), how
            )
        rate = self.bytes_raw / max(self.seconds, 1e-9) / 1e6
        return rendered(
            table,
            f"\nread     {format_bytes(self.bytes_read)}, {format_bytes(self.bytes_raw)} decoded",
            f"written  {format_bytes(self.bytes_written)} in {self.files} files",
            f"time     {format_seconds(self.seconds)}, {rate:.0f} MB/s, {self.workers} workers",
            f"memory   {format_bytes(self.projected)} projected, "
            f"{format_bytes(self.measured)} measured"
            f"{over_projection(self.measured, self.projected)}",
        )

    def _repr_html_(self) -> str:
        return html_of(str(self))
