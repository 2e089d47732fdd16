"""Tables for notebooks."""

from collections.abc import Mapping
from html import escape

from hoaconv.engine.contract import Source
from hoaconv.job.planned import Planned

__all__ = ["rows_of", "table"]


def table(rows: Mapping[str, str]) -> str:
    """Return an HTML table with a row for each name; names and values are plain text."""
    cells = (f"<tr><th>{escape(n)}</th><td>{escape(v)}</td></tr>" for n, v in rows.items())
    return f"<table>{''.join(cells)}</table>"


def rows_of(volume: Planned) -> dict[str, str]:
    """Return the facts of a volume by their names."""
    parts = (node.part for node in volume.plan.nodes())
    sources = (str(part) for part in parts if isinstance(part, Source))
    size = " x ".join(f"{e:g}" for e in volume.voxel_size) if volume.voxel_size else "unknown"
    return {
        "shape (z, y, x)": " x ".join(map(str, volume.shape)),
        "dtype": str(volume.dtype),
        "voxel size": f"{size} {volume.unit or ''} ({volume.geometry.told_by})",
        "in memory": f"{volume.nbytes / 1e6:.3g} MB",
        "source": ", ".join(dict.fromkeys(sources)),
        "ops": volume.chain or "none",
    }
