"""What folds have measured and drawn on the way to an output, as the report tells it."""

import re
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from hoaconv.engine.contract import Fold, Step
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.run import Outcome, fold_names
from hoaconv.errors import StoreError
from hoaconv.io.plane_file import check_plane_file, write_plane
from hoaconv.ops.statistics import Volume
from hoaconv.pyramid.sink import OmeZarr

__all__ = ["check_pictures", "told", "write_pictures"]

Chains = Mapping[OmeZarr, tuple[Step, ...]]
"""The outputs and their ops, the main one last."""


def check_pictures(sinks: Chains, files: Sequence[Path]) -> None:
    """Refuse pictures that can't be written, or would replace each other or the source.

    Raises
    ------
    StoreError
        If so.
    """
    main, taken = tuple(sinks)[-1].path, {file.resolve() for file in files}
    for sink, ops in sinks.items():
        folds = [op for op in ops if isinstance(op, Fold)]
        for fold, name in zip(folds, fold_names(folds), strict=True):
            path = _path(main, sink, name)
            if not fold.draws:
                continue
            if path.resolve() in taken:
                raise StoreError(f"{path} is the source's or another output's; name one otherwise")
            check_plane_file(path, overwrite=sink.overwrite)
            taken.add(path.resolve())


def write_pictures(sinks: Chains, outcome: Outcome) -> None:
    """Write what was drawn, beside the outputs. Raises StoreError if that fails."""
    if not sinks:
        return
    main = tuple(sinks)[-1].path
    for sink in sinks:
        for name, plane in outcome.pictures[sink].items():
            write_plane(_path(main, sink, name), plane)


def told(sinks: Chains, sink: OmeZarr, geometry: Geometry, outcome: Outcome) -> Mapping[str, Any]:
    """What was measured on the way to an output, with what the folds themselves don't know."""
    main, found = tuple(sinks)[-1].path, dict[str, Any]()
    for name, value in outcome.outputs[sink]["folds"].items():
        found[name] = dict(value)
        if name in outcome.pictures[sink]:
            found[name]["file"] = str(_path(main, sink, name))
        if name.startswith(Volume.word):
            found[name] |= _physical(value["voxels"], geometry)
    return found


def _path(main: Path, sink: OmeZarr, name: str) -> Path:
    """Beside the output: ``brain-projection-max.tif``; of a label, beside the main one."""
    beside = main if sink.is_label else sink.path
    words = [beside.name.removesuffix(".zarr").removesuffix(".ome")]
    words += [sink.path.name] if sink.is_label else []
    words += re.findall(r"\w+", name)
    return beside.with_name(f"{'-'.join(words)}.tif")


def _physical(voxels: int, geometry: Geometry) -> Mapping[str, Any]:
    """The volume of voxels of an output; None where their size isn't known."""
    size, unit = geometry.voxel_size, geometry.unit
    return {
        "volume": voxels * prod(size) if size else None,
        "unit": f"{unit}^3" if unit else None,
    }
