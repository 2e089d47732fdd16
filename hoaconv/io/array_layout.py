"""Storage of an array of any number of axes: shape, dtype, chunks, shards, codecs, metadata."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, isnan
from typing import Any

import numpy as np

from hoaconv.io.packing import Packing
from hoaconv.io.zarr_array import ZarrArray

__all__ = ["Layout"]

INDEX_CODECS = [
    {"name": "bytes", "configuration": {"endian": "little"}},
    {"name": "crc32c"},
]


@dataclass(frozen=True)
class Layout:
    """The form of an array in a store, as a value.

    Attributes
    ----------
    shape, dtype
        Length of each axis, and dtype of a voxel.
    chunks
        Shape of a chunk; in a shard, of one of its chunks.
    shards
        Shape of a shard; None where every chunk is a file.
    packing
        How a chunk is packed; it says the zarr format too.
    fill
        The value of voxels that aren't stored; None where a v2 array tells none.
    names
        Name of each axis; None where there are no names.
    attributes
        The array's attributes, without the names of the axes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    packing: Packing
    fill: Any
    names: tuple[str | None, ...] | None
    attributes: Mapping[str, Any] = field(hash=False)

    @classmethod
    def stored(cls, array: ZarrArray, attributes: Mapping[str, Any]) -> "Layout":
        """Return the form of an array that is there."""
        metadata, rest = array.node.metadata, dict(attributes)
        names = metadata.get("dimension_names")
        if array.node.zarr_format == 2:
            names = rest.pop("_ARRAY_DIMENSIONS", None)
        listed = names if isinstance(names, list) else []
        fill = array.store.fill_value
        return cls(
            array.shape,
            array.dtype,
            array.chunks,
            array.file_shape if array.is_sharded else None,
            Packing.stored(metadata, array.dtype),
            None if fill is None else np.asarray(fill)[()],
            tuple(listed) if listed and len(listed) == len(array.shape) else None,
            rest,
        )

    @property
    def zarr_format(self) -> int:
        """Version of the zarr format, 3 or 2."""
        return self.packing.zarr_format

    @property
    def unit(self) -> tuple[int, ...]:
        """Shape of what is one file: the shard, else the chunk."""
        return self.shards or self.chunks

    @property
    def bits(self) -> np.ndarray[Any, Any] | None:
        """The fill value as an unsigned integer of the same bits; None where there is none."""
        if self.fill is None:
            return None
        value = np.asarray(self.fill, self.dtype).reshape(1)
        return value.view(f"u{self.dtype.itemsize}")

    def files(self) -> dict[str, Any]:
        """Return the content of the array's metadata files, by their names."""
        if self.zarr_format == 3:
            return {"zarr.json": self._v3()}
        named = {"_ARRAY_DIMENSIONS": list(self.names)} if self.names else {}
        return {".zattrs": {**self.attributes, **named}, ".zarray": self._v2()}

    def _v3(self) -> dict[str, Any]:
        codecs = list(self.packing.values["codecs"])
        sharding = {
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": list(self.chunks),
                "codecs": codecs,
                "index_codecs": INDEX_CODECS,
                "index_location": "end",
            },
        }
        names = {"dimension_names": list(self.names)} if self.names else {}
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.unit)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": _number(0 if self.fill is None else self.fill, self.dtype, exact=True),
            "codecs": [sharding] if self.shards else codecs,
            **names,
            "attributes": dict(self.attributes),
        }

    def _v2(self) -> dict[str, Any]:
        fill = None if self.fill is None else _number(self.fill, self.dtype, exact=False)
        return {
            "zarr_format": 2,
            "shape": list(self.shape),
            "chunks": list(self.chunks),
            "dtype": self.packing.dtype.str,
            "fill_value": fill,
            "dimension_separator": "/",
            **self.packing.values,
        }


def _number(value: Any, dtype: np.dtype[Any], *, exact: bool) -> Any:
    """Return a fill value as JSON has it.

    Parameters
    ----------
    exact
        Whether a NaN other than the usual one is written by its bits, as v3 allows.
    """
    if dtype.kind == "c":
        part = np.dtype(f"f{dtype.itemsize // 2}")
        both = np.asarray(value, dtype).reshape(1).view(part)
        return [_number(one, part, exact=exact) for one in both]
    if dtype.kind == "b":
        return bool(value)
    if dtype.kind in "iu":
        return int(value)
    number = float(value)
    if isfinite(number):
        return number
    if not isnan(number):
        return "Infinity" if number > 0 else "-Infinity"
    bits = np.asarray(value, dtype).reshape(1).view(f"u{dtype.itemsize}")[0]
    usual = np.asarray(np.nan, dtype).reshape(1).view(f"u{dtype.itemsize}")[0]
    return "NaN" if bits == usual or not exact else f"0x{int(bits):0{2 * dtype.itemsize}x}"
