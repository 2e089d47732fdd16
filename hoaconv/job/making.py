"""Facts for the maker of a sink: the volume, its source, and the provenance that is published.

A published output names no folder of somebody's machine.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from glob import has_magic
from pathlib import Path
from typing import Any

from hoaconv import __version__
from hoaconv.engine.appended import Appended
from hoaconv.engine.contract import Fold, Source
from hoaconv.errors import PlanError
from hoaconv.io.array_volume import ArrayVolume
from hoaconv.io.leading import Leading
from hoaconv.io.open_output import OpenOutput
from hoaconv.job.chain import sources_of, spelled, steps_of
from hoaconv.job.output import Output
from hoaconv.job.target import Branch, name_of

__all__ = [
    "Making",
    "check_one_volume",
    "file_groups",
    "files_of",
    "leading_of",
    "published_text",
    "source_name",
    "source_path",
]


@dataclass(frozen=True)
class Making:
    """Facts of a job from which the sink of an output is made, besides the output's own options.

    Attributes
    ----------
    branch
        The output with its volume.
    branches
        All outputs of the job.
    given
        Options that the user has given to a verb; empty where the job was built in Python.
    scratch
        The folder in which the user wants data to wait; None for the output itself.
    leading
        Times and channels of the source, of which each is a sweep; this is the first one.
    stores
        The stores that these sweeps write, by their paths.
    """

    branch: Branch
    branches: Sequence[Branch]
    given: Mapping[str, Any]
    scratch: Path | None
    leading: Leading = field(default_factory=Leading)
    stores: dict[str, OpenOutput] = field(default_factory=dict)

    def store(self, path: Path, *, overwrite: bool) -> OpenOutput | None:
        """Return the open store at a path, if several sweeps write it."""
        if not self.leading.axes:
            return None
        made = OpenOutput(path, overwrite=overwrite)
        return self.stores.setdefault(os.path.realpath(path), made)

    @property
    def source(self) -> Source:
        """The source of the branch, without those of its operands."""
        return sources_of(self.branch.volume.plan)[0]

    def _options(self, output: Output) -> Mapping[str, Any]:
        """Return the options that were given; those of an output of its own go before the run's."""
        own = output.given()
        return {**self.given, **own} if self.given and not output.is_part else self.given or own

    def provenance(self, output: Output) -> dict[str, Any]:
        """Return what an output tells of itself: version, source, options and ops."""
        return {
            "version": __version__,
            "source": published(source_name(self.branch)),
            "options": _published(self._options(output)),
            "ops": published_text(spelled(self.branch.volume.plan)),
        }


def leading_of(branches: Sequence[Branch]) -> Leading:
    """Return the times and channels that are swept one after the other; none of one volume.

    Raises
    ------
    PlanError
        If an op draws a picture, of which there would be several.
    """
    sources = (s for branch in branches for s in sources_of(branch.volume.plan))
    found = (getattr(source, "leading", Leading()) for source in sources)
    leading = next((known for known in found if known.axes), Leading())
    if leading.axes:
        steps = (step for branch in branches for step in steps_of(branch.volume.plan))
        drawing = next((step for step in steps if isinstance(step, Fold) and step.draws), None)
        if drawing is not None:
            raise PlanError(
                f"'{drawing}' draws a picture, and the source has {leading.told}; {leading.choice}"
            )
    return leading


def check_one_volume(output: Output, making: Making) -> None:
    """Raise PlanError if a source has several times or channels, and an output holds one volume."""
    leading = making.leading
    if leading.axes:
        raise PlanError(
            f"{output.path} holds one volume, and the source has {leading.told}; {leading.choice}"
        )


def file_groups(source: Source) -> list[Sequence[Path]]:
    """Return the files of a source: slices together, those of an array each by itself.

    A folder of slices is the source; the files of an array, such as a header and its voxels, may
    lie among others, and so may files that are appended to each other.
    """
    if isinstance(source, Appended):
        return [files for one in source.sources for files in file_groups(one)]
    files: Sequence[Path] = getattr(source, "files", ())
    return [(file,) for file in files] if isinstance(source, ArrayVolume) else [files]


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
    return _published_word(value) if isinstance(value, str) else value


def _published_word(text: str) -> str:
    """Return a text as it is published: the path of ``PATH=OPS`` may have spaces in it."""
    path = re.split(r"[\[=|]", text, maxsplit=1)[0]
    if not Path(path.strip()).is_absolute():
        return published_text(text)
    return published(path.strip()) + published_text(text[len(path) :])
