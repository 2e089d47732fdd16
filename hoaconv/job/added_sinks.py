"""The sinks of what is added to a store: its image's metadata decide on shapes and places."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import cast

from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError, SpellingError, StoreError
from hoaconv.io.compressor import Compressor
from hoaconv.io.existing import Existing, chunks_of, compressor_of, find_image
from hoaconv.io.folder import check_free
from hoaconv.io.zarr_store import mapping, read_node
from hoaconv.job.adding import AddedLabel, AddedLevels, Adding
from hoaconv.job.declared import METHODS
from hoaconv.job.images import with_own_sinks
from hoaconv.job.making import Making
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.pyramid import added
from hoaconv.pyramid.metadata import ImageInfo
from hoaconv.pyramid.sink import OmeZarr as OmeZarrSink

__all__ = ["added_label_sink", "added_levels_sink"]

Triple = tuple[int, int, int]

Stored = tuple[Triple, Triple | None, Compressor]
"""Shapes of chunks and of shards, and the compressor."""


def added_levels_sink(output: AddedLevels, making: Making) -> OmeZarrSink:
    """Return the sink that adds levels to an image.

    Raises
    ------
    StoreError
        If there are as many levels already, or the ones that are there can't be kept.
    """
    found = find_image(Path(output.path))
    method = _method(found, output.downsample)
    first = 1 if output.overwrite else len(found.levels)
    chunks, shards, compressor = _stored_as(output, found)
    sink = OmeZarrSink(
        path=found.group,
        image=ImageInfo(_name_of(found), method),
        chunks=chunks,
        shards=shards,
        compressor=compressor,
        ngff=found.ngff,
        factors=cast(Triple | None, output.factors),
        level_count=output.levels,
        overwrite=output.overwrite,
        provenance={"what": "levels", **making.provenance(output)},
        scratch=making.scratch,
        first=first,
        whole=replace(making.branch.volume.spec, geometry=found.geometry),
        window=found.image is None,
    )
    made = sink.all_levels(cast(Spec, sink.whole))
    if len(made) <= first:
        wanted = "as many as asked for" if output.levels else "and the last one fits a chunk"
        raise StoreError(
            f"{found.group} has {_counted(first)} already, {wanted}: ask for more with `levels`, "
            "or make them anew with `overwrite=True`"
        )
    _check_kept(found, [level.shape for level in made], first, method)
    names = tuple(map(found.name_of, range(len(made))))
    replaced = set(found.names[first:])
    for name in names[first:]:
        check_free(found.group / name, overwrite=output.overwrite or name in replaced)
    gone = tuple(name for name in found.names[first:] if name not in names)
    made_as = added.AddedLevels(found.group, found.ngff, names, first, gone)
    return with_own_sinks(replace(sink, added=made_as), cast(Spec, sink.whole))


def added_label_sink(output: AddedLabel, making: Making) -> OmeZarrSink:
    """Return the sink that adds a label image to an image.

    Raises
    ------
    StoreError
        If there is no image, or it has a label image of this name.
    PlanError
        If the shape is that of no level of the image.
    """
    found, name = find_image(Path(output.path)), str(output.name)
    if found.image is None:
        raise StoreError(
            f"{found.group} is no OME-Zarr image yet; make it one with hoaconv add-pyramid "
            f"{found.levels[0].path.name}, in {found.group}"
        )
    folder = found.group / "labels" / name
    check_free(folder, overwrite=output.overwrite)
    level = level_of(found, making.branch.volume.spec)
    chunks, shards, compressor = _stored_as(output, found)
    sink = OmeZarrSink(
        path=folder,
        image=ImageInfo(name, "mode"),
        chunks=chunks,
        shards=shards,
        compressor=compressor,
        ngff=found.ngff,
        level_count=len(found.levels),
        overwrite=output.overwrite,
        provenance=making.provenance(output),
        scratch=making.scratch,
        is_label=True,
        whole=replace(making.branch.volume.spec, geometry=found.geometry_of(level)),
        steps=_steps(found)[level:],
        added=added.AddedLabel(found.group, found.ngff, name),
    )
    try:
        sink.all_levels(cast(Spec, sink.whole))
    except SpellingError:
        raise PlanError(
            f"label {name} would be {making.branch.volume.spec}: too small for the "
            f"{len(found.levels)} levels of the image, and a label has to have as many; enlarge it "
            "with the op resize"
        ) from None
    return sink


def level_of(found: Existing, spec: Spec) -> int:
    """Return the level of an image that has a shape. Raise PlanError if none has."""
    if spec.shape in found.shapes:
        return found.shapes.index(spec.shape)
    shapes = ", ".join(" x ".join(map(str, shape)) for shape in found.shapes)
    raise PlanError(
        f"the label would be {spec}, and the levels of {found.group} are {shapes}: crop, bin or "
        "resize it with `ops`, so that it is as large as one of them"
    )


def _stored_as(output: Adding, found: Existing) -> Stored:
    """Return chunks, shards and compressor: as given, else as level 0 has them."""
    chunks, shards = chunks_of(found.levels[0])
    if output.chunks is not None or output.shards is not None:
        given = {"chunks": output.chunks or chunks, "ngff": found.ngff}
        given |= {} if output.shards is None else {"shards": output.shards}
        chunks, shards = OmeZarr(output.path, **given).grid()  # type: ignore[arg-type]
    own = compressor_of(found.levels[0]) or Compressor.parse("blosc-zstd:1:shuffle")
    packed = own if output.compressor is None else Compressor.parse(output.compressor)
    return chunks, shards, packed


def _name_of(found: Existing) -> str:
    named = found.name
    return named or OmeZarr(found.group).title


def _method(found: Existing, given: str | None) -> str:
    """Return the method: as given, else as the image tells, else by what the image is."""
    told = (found.image or {}).get("type")
    if given is not None or told in METHODS:
        return given or str(told)
    attributes = read_node(found.group).attributes
    is_label = "image-label" in mapping(attributes.get("ome", attributes))
    return "mode" if is_label else "mean"


def _check_kept(found: Existing, shapes: Sequence[Triple], first: int, method: str) -> None:
    """Raise StoreError if levels that are kept aren't those that hoaconv would make."""
    told = (found.image or {}).get("type")
    if first > 1 and told is not None and told != method:
        raise StoreError(
            f"{found.group} has levels made by {told!r}, and the next would be made by {method!r}: "
            "make all anew with `overwrite=True`"
        )
    for i in range(1, first):
        if found.shapes[i] != shapes[i]:
            own, other = (" x ".join(map(str, s)) for s in (found.shapes[i], shapes[i]))
            raise StoreError(
                f"level {found.names[i]} of {found.group} is {own}, and hoaconv would make it "
                f"{other}: say how it was made with `factors`, or make it anew with "
                "`overwrite=True`"
            )


def _steps(found: Existing) -> tuple[Triple, ...]:
    """Return the steps from level to level of an image, by its scales.

    Raises
    ------
    PlanError
        If they aren't whole numbers, or the shapes aren't divided by them.
    """
    placed = [found.geometry_of(i) for i in range(len(found.levels))]
    steps = []
    for i, (one, next) in enumerate(pairwise(placed)):
        z, y, x = (round(b / a) for a, b in zip(one.edges, next.edges, strict=True))
        both = zip(found.shapes[i], found.shapes[i + 1], (z, y, x), strict=True)
        if not _whole(one, next) or any(abs(-(-n // f) - m) > 1 for n, m, f in both):
            raise PlanError(
                f"levels {found.names[i]} and {found.names[i + 1]} of {found.group} don't differ "
                "by a whole number of voxels, and those of a label image would"
            )
        steps.append((z, y, x))
    return tuple(steps)


def _whole(one: Geometry, next: Geometry) -> bool:
    ratios = [b / a for a, b in zip(one.edges, next.edges, strict=True)]
    return all(ratio > 0.99 and abs(ratio - round(ratio)) < 0.01 for ratio in ratios)


def _counted(levels: int) -> str:
    return "1 level" if levels == 1 else f"{levels} levels"
