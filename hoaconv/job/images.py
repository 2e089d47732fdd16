"""Images of a job: their sinks, with names and provenance, and where their voxels come from."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from glob import has_magic
from pathlib import Path
from typing import Any, cast

from hoaconv import __version__
from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError, SpellingError
from hoaconv.io.compressor import Compressor
from hoaconv.job.chain import sources_of, spelled
from hoaconv.job.ome_zarr import OmeZarr
from hoaconv.job.target import Branch, name_of
from hoaconv.pyramid.metadata import ImageInfo
from hoaconv.pyramid.sink import OmeZarr as OmeZarrSink

__all__ = [
    "files_of",
    "own_files",
    "published_text",
    "sink_of",
    "source_name",
    "source_path",
    "with_levels_of_image",
]

Triple = tuple[int, int, int]


def own_files(branch: Branch) -> Sequence[Path]:
    """Return the files of a branch's first source, without those of its operands."""
    files: Sequence[Path] = getattr(sources_of(branch.volume.plan)[0], "files", ())
    return files


def files_of(branch: Branch) -> list[Path]:
    """Return the files that a branch is read from."""
    return [f for source in sources_of(branch.volume.plan) for f in getattr(source, "files", ())]


def source_path(branch: Branch) -> str | None:
    """Return the path that the user has given; None where the source is an array."""
    address = getattr(sources_of(branch.volume.plan)[0], "address", None)
    return None if address is None else address.given


def source_name(branch: Branch) -> str:
    """Return what the user calls the source of a branch."""
    return source_path(branch) or name_of(sources_of(branch.volume.plan)[0])


def sink_of(
    branch: Branch,
    output: OmeZarr,
    branches: Sequence[Branch],
    given: Mapping[str, Any],
    scratch: Path | None,
) -> OmeZarrSink:
    """Return the sink that writes a branch's image, its `output`."""
    source = sources_of(branch.volume.plan)[0]
    chunks, shards = output.grid()
    name = output.name or getattr(source, "image_name", None) or output.title
    inside = Path(output.path) / "labels"
    targets = [b.target for b in branches if isinstance(b.target, OmeZarr)]
    labels = (t.name or "" for t in targets if t.is_label and _same(Path(t.path).parent, inside))
    return OmeZarrSink(
        path=Path(output.path),
        image=ImageInfo(name, output.downsample),
        chunks=chunks,
        shards=shards,
        compressor=Compressor.parse(output.compressor),
        ngff=output.ngff,
        factors=cast(Triple | None, output.factors),
        level_count=output.levels,
        overwrite=output.overwrite,
        provenance={
            "version": __version__,
            "source": published(source_name(branch)),
            "options": _published(given or output.given()),
            "ops": published_text(spelled(branch.volume.plan)),
        },
        scratch=scratch,
        labels=tuple(labels),
        is_label=output.is_label,
    )


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def with_levels_of_image(
    label: OmeZarrSink, spec: Spec, images: Mapping[int, OmeZarrSink], branches: Sequence[Branch]
) -> OmeZarrSink:
    """Give a label as many levels as its image has, which is NGFF's rule."""
    folder = os.path.realpath(label.path.parent.parent)
    found = [(i, s) for i, s in images.items() if os.path.realpath(s.path) == folder]
    if not found:
        raise SpellingError(f"{label} has no image: write one to {label.path.parent.parent} too")
    i, image = found[0]
    made = replace(label, level_count=len(image.levels(branches[i].volume.spec)))
    try:
        made.levels(spec)
    except SpellingError:
        raise PlanError(
            f"{label} would be {spec}: too small for the {made.level_count} levels of the image, "
            "and a label has to have as many; ask for fewer with `levels`"
        ) from None
    return made


_ABSOLUTE = re.compile(r"(?<![^\s=,|\"'])(?:[A-Za-z]:[\\/]|[\\/~]|\.\.[\\/])[^\s|,\"']*")


def published(path: str) -> str:
    """Return what a published store tells of a path: no folder of somebody's machine.

    Of a pattern the last folder without wildcards is told too.

    Examples
    --------
    >>> published("/home/me/brain.tif"), published("/home/me/slices/*.tif"), published("a/*.tif")
    ('brain.tif', 'slices/*.tif', 'a/*.tif')
    """
    name = Path(path)
    if not name.is_absolute() and ".." not in name.parts:
        return path
    wild = [has_magic(part) for part in name.parts]
    first = next((i for i in reversed(range(len(wild))) if not wild[i]), 0)
    told = Path(*name.parts[first:])
    return str(told.relative_to(told.anchor)) if told.anchor else str(told)


def published_text(text: str) -> str:
    """Return a text in which each path is told as `published` does.

    Examples
    --------
    >>> published_text("gaussian 1 | add /home/me/flat.tif | mask a/b.zarr")
    'gaussian 1 | add flat.tif | mask a/b.zarr'
    """
    return _ABSOLUTE.sub(lambda match: Path(match[0]).name, text)


_PATHS = ("from_report", "ops_module")
"""Options that are paths."""


def _published(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            published_text(published(str(name))): (
                published(str(inner)) if name in _PATHS else _published(inner)
            )
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_published(inner) for inner in value]
    return published_text(value) if isinstance(value, str) else value
