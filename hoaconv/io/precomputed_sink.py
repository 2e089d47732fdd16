"""The sink that writes planes as a volume of one scale in Neuroglancer's precomputed format.

The format is described in
https://github.com/google/neuroglancer/tree/master/src/datasource/precomputed.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import inf, isclose
from pathlib import Path
from typing import Any, ClassVar

from hoaconv.engine.spec import Spec
from hoaconv.errors import PlanError
from hoaconv.io.blocks_sink import BlocksSink, Triple
from hoaconv.io.contents import ALSO, SCRATCH, Contents, entries_of
from hoaconv.io.formats.precomputed import INFO, VOLUME
from hoaconv.io.voxel_size import in_unit

__all__ = ["PRECOMPUTED", "PrecomputedSink"]

KEY = "s0"
UNIT = "nanometer"
DTYPES = ("uint8", "uint16", "uint32", "uint64", "float32")
MOST_ROWS = {"jpeg": 65500, "png": 1_000_000}
"""Rows and columns of an image of each format, at most, as their libraries have it."""


class _Precomputed(Contents):
    """A volume of one scale, as it is written here."""

    what = "a precomputed volume that hoaconv has made"
    example = "brain"
    heads: ClassVar[Collection[str]] = (INFO,)

    def is_one(self, names: set[str]) -> bool:
        return INFO in names

    def strange(self, folder: Path) -> Iterator[Path]:
        root = re.compile(rf"{INFO}(\.tmp)?|{re.escape(SCRATCH)}|{KEY}|{ALSO}")
        chunk = re.compile(r"-?\d+--?\d+(_-?\d+--?\d+){2}(\.__lock)?")
        for entry in entries_of(folder):
            if not root.fullmatch(entry.name):
                yield Path(entry.path)
            elif entry.name == KEY and entry.is_dir():
                inner = entries_of(Path(entry.path))
                yield from (Path(one.path) for one in inner if not chunk.fullmatch(one.name))


PRECOMPUTED = _Precomputed()


@dataclass(frozen=True)
class PrecomputedSink(BlocksSink):
    """A volume at `path` with one scale, s0; see `hoaconv.Precomputed` for what the fields mean."""

    image: str = "raw"
    """The form of each block: raw, or an image of jpeg or png with its planes below each other."""

    holds: ClassVar[Contents] = PRECOMPUTED
    made: ClassVar[tuple[str, ...]] = (INFO, KEY)

    def infer(self, spec: Spec) -> Spec:
        """Return the spec as it is. Raises PlanError if the format has no such voxels."""
        if spec.dtype.name not in DTYPES:
            raise PlanError(
                f"precomputed holds no {spec.dtype}, but {', '.join(DTYPES)}; end the ops with a "
                "cast, or write another format"
            )
        if self.image != "raw" and spec.dtype.name != "uint8":
            raise PlanError(
                f"{self.image} chunks hold uint8 alone, and the voxels are {spec.dtype}; end "
                'the ops with rescale or a cast to uint8, or take `encoding="raw"`'
            )
        _, height, width = chunks = self.grid(spec).chunks
        if max(chunks[0] * height, width) > MOST_ROWS.get(self.image, inf):
            raise PlanError(
                f"a chunk of {chunks} is too large for {self.image}, which holds its planes one "
                "below the other; take smaller `chunks`"
            )
        return spec

    def format(self, spec: Spec) -> dict[str, Any]:
        """Return tensorstore's specification."""
        return {
            "driver": "neuroglancer_precomputed",
            "scale_index": 0,
            "multiscale_metadata": self._volume(spec),
            "scale_metadata": self._scale(spec),
        }

    def in_order(self, opened: Any) -> Any:
        """Return the only channel, with its axes turned round, from 0 on."""
        return opened[..., 0].transpose([2, 1, 0]).translate_to[0, 0, 0]

    def file(self, spec: Spec, first: Triple) -> str:
        """Return the file of a block, whose name tells its voxels."""
        rows = zip(first, self.grid(spec).chunks, spec.shape, offset(spec), strict=True)
        ends = [f"{at + o}-{min(at + side, n) + o}" for at, side, n, o in rows]
        return f"{KEY}/{'_'.join(reversed(ends))}"

    def metadata(self, spec: Spec) -> Mapping[str, Any]:
        """Return the content of the file ``info``."""
        scale = self._scale(spec)
        chunks = scale.pop("chunk_size")
        told = {
            "@type": VOLUME,
            **self._volume(spec),
            "scales": [{**scale, "chunk_sizes": [chunks]}],
        }
        return {INFO: told}

    def _volume(self, spec: Spec) -> dict[str, Any]:
        return {"type": "image", "data_type": spec.dtype.name, "num_channels": 1}

    def _scale(self, spec: Spec) -> dict[str, Any]:
        return {
            "key": KEY,
            "size": list(spec.shape[::-1]),
            "chunk_size": list(self.grid(spec).chunks[::-1]),
            "encoding": self.image,
            "resolution": list(_edges(spec)[::-1]),
            "voxel_offset": list(offset(spec)[::-1]),
        }

    def notes(self, spec: Spec) -> tuple[str, ...]:
        """Return remarks on a voxel size and an origin that the format can't tell."""
        notes = super().notes(spec)
        if spec.geometry.unit is None:
            notes += (f"{self}: the voxel size is unknown; precomputed needs one, and gets 1 nm",)
        elif any(o is None for o in _offsets(spec)):
            notes += (
                f"{self}: the origin along an axis is no whole number of voxels, which precomputed "
                "can't tell; there it is 0",
            )
        return notes


def _edges(spec: Spec) -> tuple[float, float, float]:
    """Return the edges of a voxel (z, y, x) in nanometer; 1 where no unit is known."""
    unit = spec.geometry.unit
    if unit is None:
        return (1.0, 1.0, 1.0)
    z, y, x = (in_unit(edge, unit, UNIT) for edge in spec.geometry.edges)
    return z, y, x


def _offsets(spec: Spec) -> Iterator[int | None]:
    """Yield the whole number of voxels of the origin along z, y and x; None where it is none."""
    geometry = spec.geometry
    for place, edge in zip(geometry.origin, geometry.edges, strict=True):
        number = round(place / edge)
        yield number if isclose(place / edge, number, rel_tol=1e-6, abs_tol=1e-6) else None


def offset(spec: Spec) -> Triple:
    """Return the voxels (z, y, x) that the first one lies from the origin of coordinates."""
    if spec.geometry.unit is None:
        return (0, 0, 0)
    z, y, x = (number or 0 for number in _offsets(spec))
    return z, y, x
