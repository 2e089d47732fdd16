"""The answer of ``hoaconv info``: a volume's facts and advice, as a table and as JSON."""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from hoaconv.errors import HoaconvError, SpellingError
from hoaconv.job.declared import PathLike
from hoaconv.job.facts import facts_of, stores_in
from hoaconv.job.html import table
from hoaconv.job.options import Reading
from hoaconv.job.store_advice import advice_on
from hoaconv.job.tables import as_edges, as_number, html_of, new_table, rendered
from hoaconv.units import format_bytes

__all__ = ["Info", "Infos", "info_of"]

COLUMNS = (
    *("path", "kind", "format", "shape", "dtype", "chunks", "shards", "levels", "voxel_size"),
    *("unit", "bytes", "files", "missing", "advice"),
)
"""Columns of the table of several stores."""


@dataclass(frozen=True)
class Info:
    """Facts of a volume as it is stored, and advice on it.

    Attributes
    ----------
    facts
        By name, in the types of JSON. Lists are in the stored order of axes, except `voxel_size`
        and `origin` (z, y, x), in `unit`. What isn't known is None.
    advice
        What could be better: ``about``, ``what``, and the ``command`` that mends it.

    Examples
    --------
    >>> found = hc.info("slices/")
    >>> found["kind"], found["shape"], found["slices"]["first"]
    ('slices', [8, 16, 16], '0000.tif')
    """

    facts: Mapping[str, Any]
    advice: tuple[Mapping[str, str], ...]

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]

    def describe(self) -> dict[str, Any]:
        """Return facts and advice in the types of JSON.

        Examples
        --------
        >>> sorted(hc.info("slices/").describe())[:4]
        ['advice', 'axes', 'bytes', 'chunks']
        """
        return {**self.facts, "advice": [dict(row) for row in self.advice]}

    def to_json(self) -> str:
        """Return facts and advice as JSON.

        Examples
        --------
        >>> import json
        >>> json.loads(hc.info("slices/").to_json())["dtype"]
        'uint16'
        """
        return json.dumps(self.describe(), indent=2, default=str) + "\n"

    def __str__(self) -> str:
        return rendered(*_lines(self))

    def _repr_html_(self) -> str:
        return html_of(str(self))


class Infos(Sequence[Info]):
    """Facts of all stores of a folder, in the order of their names.

    Parameters
    ----------
    rows
        The facts of each.

    Examples
    --------
    >>> report = hc.stack_to_omezarr("slices/", "stores/brain.zarr", chunks=8)
    >>> found = hc.info("stores")
    >>> len(found), found[0]["kind"]
    (1, 'image')
    """

    def __init__(self, rows: Sequence[Info]) -> None:
        self._rows = tuple(rows)

    def __getitem__(self, i: Any) -> Any:
        return self._rows[i]

    def __len__(self) -> int:
        return len(self._rows)

    def describe(self) -> list[dict[str, Any]]:
        """Return facts and advice of each store in the types of JSON.

        Examples
        --------
        >>> report = hc.stack_to_omezarr("slices/", "stores/brain.zarr", chunks=8)
        >>> [row["dtype"] for row in hc.info("stores").describe()]
        ['uint16']
        """
        return [row.describe() for row in self._rows]

    def to_csv(self) -> str:
        """Return a table with a row for each store, as CSV.

        Examples
        --------
        >>> report = hc.stack_to_omezarr("slices/", "stores/brain.zarr", chunks=8)
        >>> hc.info("stores").to_csv().splitlines()[0][:22]
        'path,kind,format,shape'
        """
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_row(one, plain=True).values() for one in self._rows)
        return text.getvalue()

    def __str__(self) -> str:
        shown = new_table(
            "",
            *("path", "format", "shape>", "dtype", "chunks>", "levels>", "voxel size>", "bytes>"),
            *("files>", "missing>", "advice"),
        )
        for one in self._rows:
            row = _row(one, plain=False)
            row.pop("kind"), row.pop("shards"), row.pop("unit")
            shown.add_row(*row.values())
        return rendered(shown)

    def _repr_html_(self) -> str:
        return table({str(row["path"]): _summary(row.facts) for row in self._rows})


def info_of(path: PathLike, reading: Reading) -> Info | Infos:
    """Return the facts of what a path names, or of all stores in a folder.

    Parameters
    ----------
    reading
        Shape and dtype of a raw file, credentials of a URL.

    Raises
    ------
    SpellingError
        If the path is no path, or empty.
    SourceError
        If there is nothing that can be read.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise SpellingError(f"{path!r} is not the path of a volume")
    found = stores_in(os.fspath(path))
    if not found:
        return _info(os.fspath(path), reading)
    return Infos([_tolerant(store, reading) for store in found])


def _info(path: str, reading: Reading) -> Info:
    facts = facts_of(path, reading)
    return Info(facts, tuple(advice_on(facts)))


def _tolerant(path: str, reading: Reading) -> Info:
    """Return the facts of one store of many; one that can't be read says why."""
    try:
        return _info(path, reading)
    except HoaconvError as error:
        facts: dict[str, Any] = {**_NOTHING, "path": path, "kind": "unreadable"}
        return Info({**facts, "notes": [str(error)]}, ())


_NOTHING: Mapping[str, Any] = {
    **dict.fromkeys(COLUMNS),
    **dict.fromkeys(("name", "axes", "origin", "orientation", "window", "slices", "lost")),
    "codecs": [],
    "labels": [],
    "levels": [],
    "estimated": False,
    "unfinished": False,
}


def _row(one: Info, *, plain: bool) -> dict[str, str]:
    """Return the cells of a store; `plain` ones are for machines."""
    facts = one.facts
    size, about = facts["voxel_size"], ", ".join(row["about"] for row in one.advice)
    size = _joined(size) if plain else as_edges(size, facts["unit"])
    nbytes = "" if facts["bytes"] is None else facts["bytes"]
    cells = {
        "path": facts["path"],
        "kind": facts["kind"],
        "format": facts["format"] or facts["kind"],
        "shape": _joined(facts["shape"]),
        "dtype": facts["dtype"],
        "chunks": _joined(facts["chunks"]),
        "shards": _joined(facts["shards"]),
        "levels": len(facts["levels"]),
        "voxel_size": size,
        "unit": facts["unit"],
        "bytes": nbytes if plain else _bytes(facts["bytes"], facts["estimated"]),
        "files": facts["files"],
        "missing": facts["missing"],
        "advice": about or ("; ".join(facts["notes"]) if facts["kind"] == "unreadable" else ""),
    }
    return {name: "" if cell is None else str(cell) for name, cell in cells.items()}


def _joined(values: Any) -> str:
    return (
        ""
        if values is None
        else "x".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
    )


def _bytes(nbytes: int | None, estimated: bool) -> str:
    return "-" if nbytes is None else f"{'about ' if estimated else ''}{format_bytes(nbytes)}"


def _summary(facts: Mapping[str, Any]) -> str:
    return f"{facts['format'] or facts['kind']}, {_joined(facts['shape'])} {facts['dtype']}"


def _lines(info: Info) -> Iterator[Any]:
    """Yield the lines and the table of levels that people read."""
    facts = info.facts
    yield f"{facts['path']}: {_what(facts)}"
    for name, told in _told(facts):
        yield f"{name:<12} {told}"
    if facts["levels"]:
        yield _levels(facts["levels"], facts["unit"])
    for note in facts["notes"]:
        yield f"\nnote: {note}"
    for row in info.advice:
        yield f"\nadvice: {row['what']}\n        {row['command']}"


def _what(facts: Mapping[str, Any]) -> str:
    words = {"slices": "slices", "image": "image", "array": "array"}
    kind = words.get(facts["kind"], facts["kind"])
    return f"{facts['format']} {kind}" if facts["format"] else kind


def _told(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names and values of what is known."""
    if facts["unfinished"]:
        yield "UNFINISHED", "a mark says that the run that wrote it didn't end, or is at work"
    if facts["name"]:
        yield "name", str(facts["name"])
    if facts["shape"]:
        yield "shape", f"{_joined(facts['shape'])} ({_axes(facts)}) {facts['dtype']}"
    if facts["slices"]:
        told = facts["slices"]
        yield "slices", f"{told['count']}: {told['first']} to {told['last']}"
    if facts["chunks"]:
        shards = f" in shards of {_joined(facts['shards'])}" if facts["shards"] else ""
        yield "chunks", f"{_joined(facts['chunks'])}{shards}"
    if facts["codecs"]:
        yield "compression", ", ".join(facts["codecs"])
    yield "voxel size", as_edges(facts["voxel_size"], facts["unit"]).replace("-", "unknown")
    if facts["origin"] and any(facts["origin"]):
        yield "origin", as_edges(facts["origin"], facts["unit"])
    if facts["orientation"]:
        yield "orientation", ", ".join(f"{a} {way}" for a, way in facts["orientation"].items())
    if facts["labels"]:
        yield "labels", ", ".join(facts["labels"])
    if facts["window"]:
        shown = facts["window"]
        yield "window", f"{as_number(shown.get('start'))} to {as_number(shown.get('end'))}"
    if facts["bytes"] is not None:
        files = f" in {facts['files']} files" if facts["files"] else ""
        yield "on disk", f"{_bytes(facts['bytes'], facts['estimated'])}{files}"
    if facts["missing"]:
        yield "missing", _missing(facts)


def _missing(facts: Mapping[str, Any]) -> str:
    about = "about " if facts["estimated"] else ""
    what = "shards" if facts["shards"] else "chunks"
    told = f"{about}{facts['missing']} {what}, which are read as the fill value"
    if facts["lost"]:
        return f"{told}: {facts['lost']} of them were written and are LOST; copy the store again"
    return told + (": all were empty when written" if facts["lost"] == 0 else "")


def _axes(facts: Mapping[str, Any]) -> str:
    return ",".join(axis or "?" for axis in facts["axes"] or ()) or "axes without names"


def _levels(levels: Sequence[Mapping[str, Any]], unit: str | None) -> Any:
    size = f"voxel size, {unit}>" if unit else "voxel size>"
    columns = ("level", "shape>", size, "chunks>", "shards>", "on disk>", "files>", "missing>")
    shown = new_table("", *columns)
    for row in levels:
        edges = row["voxel_size"]
        shown.add_row(
            str(row["path"]),
            _joined(row["shape"]),
            as_edges(edges, " ").strip() if edges else "-",
            _joined(row["chunks"]),
            _joined(row["shards"]) or "-",
            _bytes(row["bytes"], row["estimated"]),
            "-" if row["files"] is None else str(row["files"]),
            "-" if row["missing"] is None else str(row["missing"]),
        )
    return shown
