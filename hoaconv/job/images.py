"""OME-Zarr images of a job: their sinks, and the levels of labels."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite, log, sqrt
from pathlib import Path
from typing import Any, cast

from hoaconv.engine.contract import Fold, Step
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.io.compressor import Compressor
from hoaconv.io.output import OutputSink
from hoaconv.io.place import check_objects
from hoaconv.io.url import as_path
from hoaconv.job.chain import steps_of
from hoaconv.job.making import Making
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.target import Branch
from hoaconv.ops.cropping import Crop
from hoaconv.ops.geometry import Flip, Rotate90, TransposeXY
from hoaconv.ops.sampling import Bin
from hoaconv.ops.smooth import Gaussian
from hoaconv.ops.transposition import Transpose
from hoaconv.pyramid.metadata import ImageInfo
from hoaconv.pyramid.sink import OmeZarr as OmeZarrSink

__all__ = ["image_sink", "sigma_of", "steps_in_front", "with_levels_of_image", "with_own_sinks"]

Triple = tuple[int, int, int]

_COLOR = re.compile(r"[0-9A-Fa-f]{6}")


def image_sink(output: OmeZarr, making: Making) -> OmeZarrSink:
    """Return the sink that writes an image."""
    chunks, shards = output.grid()
    name = output.name or getattr(making.source, "image_name", None) or output.title
    inside = as_path(output.path) / "labels"
    targets = [b.target for b in making.branches if isinstance(b.target, OmeZarr)]
    labels = (t.name or "" for t in targets if t.is_label and _same(as_path(t.path).parent, inside))
    spec = making.branch.volume.spec
    channels = () if output.is_label else _channels(making)
    sink = OmeZarrSink(
        path=as_path(output.path),
        image=ImageInfo(name, output.downsample, channels, _label_kept(output, making)),
        window=not _windows_known(channels, making.leading.channels),
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
        leading=making.leading,
        store=making.store(_image_folder(output), overwrite=output.overwrite),
    )
    if sink.first and not sink.is_label:
        _check_first(sink, spec)
    if not sink.is_label:  # which gets the levels of its image later
        check_objects(sink.path, sink.arrays(spec))
    return with_own_sinks(sink, spec)


_AS_THEY_ARE = (Fold, Crop, Flip, Rotate90, Transpose, TransposeXY)
"""Steps that change no value of a voxel."""


def _windows_known(channels: Sequence[Mapping[str, Any]], count: int) -> bool:
    """Return whether there is a window for each of so many channels."""
    return len(channels) >= count and all("window" in told for told in channels[:count])


def _label_kept(output: OmeZarr, making: Making) -> dict[str, Any]:
    """Return colors and properties of a label image of the source that is copied."""
    array = getattr(making.source, "array", None)
    if not output.is_label or steps_of(making.branch.volume.plan) or array is None:
        return {}
    told = getattr(array, "image_label", {})
    return {word: told[word] for word in ("colors", "properties") if word in told}


def _check_first(sink: OmeZarrSink, spec: Spec) -> None:
    """Raise PlanError if there is no level that is to be the first."""
    count = len(sink.all_levels(spec))
    if sink.first >= count:
        raise PlanError(
            f"{sink} has {count} levels, counted from 0, of {spec}, and none is level {sink.first}:"
            " ask for more with `levels`, or for an earlier one with `from_level`"
        )


def steps_in_front(sink: OutputSink) -> Iterator[Step | OmeZarrSink]:
    """Yield what brings the planes of level 0 to the first level that a sink writes.

    The ops are those that make levels of each other, so that every level is the same, bit by bit,
    whichever is the first. What viewers show is found in level 0. Levels that a Gaussian filter
    makes have sinks of their own: the filter needs planes before and behind, across layers.
    """
    if not isinstance(sink, OmeZarrSink) or not sink.first or sink.whole is None:
        return
    yield from sink.requires(sink.whole)
    for i, level in enumerate(sink.all_levels(sink.whole)[: sink.first + 1]):
        if i and sink.image.method == "gaussian":
            yield Gaussian(tuple(map(sigma_of, level.step)))
            yield Bin(level.step, "nearest")
        elif i:
            yield Bin(level.step, sink.image.method)
        if sink.image.method == "gaussian" and sink.begins <= i < sink.first:
            yield replace(sink, first=i, beside=True)


def sigma_of(factor: int) -> float:
    """Return the standard deviation, in voxels, that smooths before every `factor`-th is taken.

    A Gaussian of a full width at half maximum of one new voxel is that of one old voxel convolved
    with it: M. J. Cardoso et al., Scale factor point spread function matching, MICCAI 2015. It is
    0.7355 for 2.
    """
    return sqrt((factor**2 - 1) / (8 * log(2)))


def with_own_sinks(sink: OmeZarrSink, spec: Spec) -> OmeZarrSink:
    """Return a sink that writes the last level alone, where a Gaussian filter makes the levels."""
    if sink.image.method != "gaussian":
        return sink
    whole = sink.whole or spec
    last = len(sink.all_levels(whole)) - 1
    return replace(sink, begins=sink.first, first=last, whole=whole) if last else sink


def _image_folder(output: OmeZarr) -> Path:
    """Return the folder of the image that is written, or that a label belongs to."""
    return as_path(output.path).parent.parent if output.is_label else as_path(output.path)


_ENDS = ("min", "max", "start", "end")


def _channels(making: Making) -> tuple[Mapping[str, Any], ...]:
    """Return what the source tells of each channel that is written; empty if it tells nothing.

    These are its name and color, and its window if no op changes values.
    """
    array = getattr(making.source, "array", None)
    told: Sequence[Mapping[str, Any]] = getattr(array, "channels", ())
    if "c" not in making.leading.axes:
        told = (getattr(making.source, "shown", {}),)
    steps = steps_of(making.branch.volume.plan)
    same = all(isinstance(step, _AS_THEY_ARE) for step in steps)
    kept = tuple(_kept(channel, window=same) for channel in told)
    return kept if any(kept) else ()


def _kept(told: Mapping[str, Any], *, window: bool) -> dict[str, Any]:
    """Return what is valid of the things that metadata tell of a channel."""
    label, color, shown = (told.get(word) for word in ("label", "color", "window"))
    kept: dict[str, Any] = {"label": label} if isinstance(label, str) and label else {}
    if isinstance(color, str) and _COLOR.fullmatch(color):
        kept["color"] = color
    ends = [shown.get(end) for end in _ENDS] if isinstance(shown, Mapping) else [None]
    if window and all(map(_is_number, ends)):
        kept["window"] = dict(zip(_ENDS, ends, strict=True))
    return kept


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


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
