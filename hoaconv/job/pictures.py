"""Values and pictures that folds made on the way to an output, for files and the report."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hoaconv.engine.contract import Fold, Step
from hoaconv.engine.run import Outcome, fold_names
from hoaconv.errors import StoreError
from hoaconv.io.output import OutputSink
from hoaconv.io.plane_file import check_plane_file, write_plane
from hoaconv.io.url import Url

__all__ = ["check_pictures", "told", "write_pictures"]

Chains = Mapping[OutputSink, tuple[Step, ...]]
"""Outputs and their ops, the main output last."""


def check_pictures(sinks: Chains, files: Sequence[Path]) -> None:
    """Raise an error if pictures can't be written, or would replace each other or the source.

    Raises
    ------
    StoreError
        If a picture's file is taken, is a folder, or exists and isn't to be overwritten.
    """
    main, taken = tuple(sinks)[-1], {file.resolve() for file in files}
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
    """Write the pictures as TIFF files beside the outputs. Raise StoreError if that fails."""
    if not sinks:
        return
    main = tuple(sinks)[-1]
    for sink in sinks:
        for name, plane in outcome.pictures[sink].items():
            write_plane(_path(main, sink, name), plane)


def told(sinks: Chains, sink: OutputSink, outcome: Outcome) -> Mapping[str, Any]:
    """Return the values of an output's folds, with the files of what they have drawn."""
    main, found = tuple(sinks)[-1], dict[str, Any]()
    for name, value in outcome.outputs[sink]["folds"].items():
        found[name] = dict(value)
        if name in outcome.pictures[sink]:
            found[name]["file"] = str(_path(main, sink, name))
    return found


def _path(main: OutputSink, sink: OutputSink, name: str) -> Path:
    """Return a picture's path: ``brain-projection-max.tif`` beside the output.

    Pictures of label images lie beside the main output, those of a URL in the current folder.
    """
    beside = main if sink.is_part else sink
    words = [beside.stem, *([sink.path.name] if sink.is_part else []), *re.findall(r"\w+", name)]
    name = f"{'-'.join(words)}.tif"
    return Path(name) if isinstance(beside.path, Url) else beside.path.with_name(name)
