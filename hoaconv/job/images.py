"""OME-Zarr images of a job: their sinks, and the levels of labels."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from hoaconv.engine.contract import Step
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.io.compressor import Compressor
from hoaconv.io.output import OutputSink
from hoaconv.io.place import check_objects
from hoaconv.io.url import as_path
from hoaconv.job.making import Making
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.target import Branch
from hoaconv.ops.sampling import Bin
from hoaconv.pyramid.metadata import ImageInfo
from hoaconv.pyramid.sink import OmeZarr as OmeZarrSink

__all__ = ["image_sink", "steps_in_front", "with_levels_of_image"]

Triple = tuple[int, int, int]


def image_sink(output: OmeZarr, making: Making) -> OmeZarrSink:
    """Return the sink that writes an image."""
    chunks, shards = output.grid()
    name = output.name or getattr(making.source, "image_name", None) or output.title
    inside = as_path(output.path) / "labels"
    targets = [b.target for b in making.branches if isinstance(b.target, OmeZarr)]
    labels = (t.name or "" for t in targets if t.is_label and _same(as_path(t.path).parent, inside))
    spec = making.branch.volume.spec
    sink = OmeZarrSink(
        path=as_path(output.path),
        image=ImageInfo(name, output.downsample),
        chunks=chunks,
        shards=shards,
        compressor=Compressor.parse(output.compressor),
        ngff=output.ngff,
        factors=cast(Triple | None, output.factors),
        level_count=output.levels,
        overwrite=output.overwrite,
        provenance=making.provenance(output),
        scratch=making.scratch,
        labels=tuple(labels),
        is_label=output.is_label,
        first=output.from_level,
        whole=spec if output.from_level else None,
    )
    if sink.first and not sink.is_label:
        _check_first(sink, spec)
    check_objects(sink.path, sink.arrays(spec))
    return sink


def _check_first(sink: OmeZarrSink, spec: Spec) -> None:
    """Raise PlanError if there is no level that is to be the first."""
    count = len(sink.all_levels(spec))
    if sink.first >= count:
        raise PlanError(
            f"{sink} has {count} levels, counted from 0, of {spec}, and none is level {sink.first}:"
            " ask for more with `levels`, or for an earlier one with `from_level`"
        )


def steps_in_front(sink: OutputSink) -> tuple[Step, ...]:
    """Return what brings the planes of level 0 to the first level that a sink writes.

    The ops are those that make levels of each other, so that every level is the same, bit by bit,
    whichever is the first. What viewers show is found in level 0.
    """
    if not isinstance(sink, OmeZarrSink) or not sink.first or sink.whole is None:
        return ()
    made = sink.all_levels(sink.whole)[1 : sink.first + 1]
    bins = (Bin(level.step, sink.image.method) for level in made)
    return (*sink.requires(sink.whole), *bins)


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def with_levels_of_image(
    label: OmeZarrSink, spec: Spec, images: Mapping[int, OmeZarrSink], branches: Sequence[Branch]
) -> OmeZarrSink:
    """Return a label with as many levels as its image has, which is NGFF's rule.

    Parameters
    ----------
    images
        The images and labels of the job, by their branches.
    """
    folder = os.path.realpath(label.path.parent.parent)
    found = [(i, s) for i, s in images.items() if os.path.realpath(s.path) == folder]
    if not found:
        raise SpellingError(f"{label} has no image: write one to {label.path.parent.parent} too")
    i, image = found[0]
    made = replace(label, level_count=len(image.all_levels(branches[i].volume.spec)))
    try:
        made.all_levels(spec)
    except SpellingError:
        raise PlanError(
            f"{label} would be {spec}: too small for the {made.level_count} levels of the image, "
            "and a label has to have as many; ask for fewer with `levels`"
        ) from None
    return made
