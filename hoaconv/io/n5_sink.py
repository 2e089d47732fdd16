"""The sink that writes planes as an N5 image of one level: https://github.com/saalfeldlab/n5.

N5 fixes no metadata of images. So the voxel size is told in the ways of several programs: by
``resolution``, ``units`` and ``axes``, as N5 Viewer and Neuroglancer read it, by
``pixelResolution``, as BigDataViewer and Paintera do, and with the origin by ``transform``, as
COSEM does (https://github.com/janelia-cosem/schemas/blob/master/multiscale.md).
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import Spec
from hoaconv.io.blocks_sink import BlocksSink, Triple
from hoaconv.io.compressor import SHUFFLES, Compressor
from hoaconv.io.contents import ALSO, SCRATCH, Contents, entries_of
from hoaconv.io.n5_store import ATTRIBUTES
from hoaconv.io.voxel_size import in_unit

__all__ = ["N5", "N5Sink"]

LEVEL = "s0"
UNIT = "micrometer"


class _N5(Contents):
    """An N5 image: a group with levels."""

    what = "an N5 image"
    example = "brain.n5"
    heads: ClassVar[Collection[str]] = (ATTRIBUTES, LEVEL)

    def is_one(self, names: set[str]) -> bool:
        return ATTRIBUTES in names

    def strange(self, folder: Path) -> Iterator[Path]:
        root = re.compile(rf"{ATTRIBUTES}(\.tmp)?|{re.escape(SCRATCH)}|s\d+|{ALSO}")
        level = re.compile(rf"{ATTRIBUTES}(\.tmp)?|\d+")
        for entry in entries_of(folder):
            if not root.fullmatch(entry.name):
                yield Path(entry.path)
            elif re.fullmatch(r"s\d+", entry.name) and entry.is_dir():
                inner = entries_of(Path(entry.path))
                yield from (Path(one.path) for one in inner if not level.fullmatch(one.name))


N5 = _N5()


@dataclass(frozen=True)
class N5Sink(BlocksSink):
    """A group at `path` with one level, s0; see `hoaconv.N5` for what the fields mean."""

    packing: Compressor = field(default_factory=lambda: Compressor("none"))
    name: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)

    holds: ClassVar[Contents] = N5
    made: ClassVar[tuple[str, ...]] = (ATTRIBUTES, LEVEL)

    @property
    def compressor(self) -> Compressor:
        """The compressor of blocks."""
        return self.packing

    @property
    def inner(self) -> str:
        """The folder of the level."""
        return LEVEL

    def format(self, spec: Spec) -> dict[str, Any]:
        """Return tensorstore's specification."""
        return {"driver": "n5", "metadata": self._dataset(spec)}

    def in_order(self, opened: Any) -> Any:
        """Return the array with its axes, which N5 has from x on, turned round."""
        return opened.transpose([2, 1, 0])

    def file(self, spec: Spec, first: Triple) -> str:
        """Return the file of a block: x/y/z, by its place in the grid of blocks."""
        numbers = [at // side for at, side in zip(first, self.grid(spec).chunks, strict=True)]
        return "/".join([LEVEL, *map(str, reversed(numbers))])

    def _dataset(self, spec: Spec) -> dict[str, Any]:
        return {
            "dimensions": list(spec.shape[::-1]),
            "blockSize": list(self.grid(spec).chunks[::-1]),
            "dataType": spec.dtype.name,
            "compression": _compression(self.packing),
        }

    def metadata(self, spec: Spec) -> Mapping[str, Any]:
        """Return the attributes of the level, and those of the group, which are written last."""
        placed, transform = _placed(spec.geometry)
        level = {"path": LEVEL, **({"transform": transform} if transform else {})}
        own = {"transform": transform} if transform else {}
        dataset = {**self._dataset(spec), **placed, "downsamplingFactors": [1, 1, 1], **own}
        group = {
            "n5": "4.0.0",
            **placed,
            "downsamplingFactors": [[1, 1, 1]],
            "multiscales": [{"name": self.name, "datasets": [level]}],
            "hoaconv": dict(self.provenance),
        }
        return {f"{LEVEL}/{ATTRIBUTES}": dataset, ATTRIBUTES: group}


def _placed(geometry: Geometry) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return attributes that tell the voxel size, and those that tell the origin too."""
    named: dict[str, Any] = {"axes": ["x", "y", "z"]}
    if geometry.unit is None:
        return named, {}
    unit = geometry.unit
    edges = [in_unit(edge, unit, UNIT) for edge in geometry.edges]
    origin = [in_unit(place, unit, UNIT) for place in geometry.origin]
    x_first = edges[::-1]
    placed = {
        **named,
        "resolution": x_first,
        "units": ["um"] * 3,
        "pixelResolution": {"dimensions": x_first, "unit": "um"},
    }
    transform = {"axes": ["z", "y", "x"], "ordering": "C", "units": ["um"] * 3}
    return placed, {**transform, "scale": edges, "translate": origin}


def _compression(compressor: Compressor) -> dict[str, Any]:
    """Return the attribute ``compression`` for a compressor."""
    if compressor.codec == "none":
        return {"type": "raw"}
    if compressor.codec == "gzip":
        return {"type": "gzip", "level": compressor.level, "useZlib": False}
    if compressor.codec == "zstd":
        return {"type": "zstd", "level": compressor.level}
    return {
        "type": "blosc",
        "cname": compressor.cname,
        "clevel": compressor.level,
        "shuffle": SHUFFLES.index(compressor.shuffle),
        "blocksize": compressor.block,
    }
