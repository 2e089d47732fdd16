"""Codecs of zarr arrays as they are stored, compared and carried from one format to the other.

The specifications are https://zarr-specs.readthedocs.io for v3 and v2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from hoaconv.io.compressor import SHUFFLES, Compressor

__all__ = ["Packing", "sharding_of"]

Codec = Mapping[str, Any]

BYTES: Codec = {"name": "bytes", "configuration": {"endian": "little"}}


def sharding_of(metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the configuration of the codec that makes shards; None where there is none.

    Parameters
    ----------
    metadata
        Metadata with a list ``codecs``.
    """
    codecs = metadata.get("codecs", ())
    found = (c.get("configuration", {}) for c in codecs if c.get("name") == "sharding_indexed")
    return next(found, None)


@dataclass(frozen=True)
class Packing:
    """Codecs of a chunk, in their order.

    Attributes
    ----------
    zarr_format
        Version of the zarr format, 3 or 2.
    values
        For v3 the list ``codecs`` of a chunk, in a shard those of its inner chunks; for v2
        ``compressor``, ``filters`` and ``order``.
    dtype
        Dtype of a voxel, in the byte order of the chunks.
    """

    zarr_format: int
    values: Mapping[str, Any] = field(hash=False)
    dtype: np.dtype[Any]

    @classmethod
    def stored(cls, metadata: Mapping[str, Any], dtype: np.dtype[Any]) -> "Packing":
        """Return how the chunks of an array are packed, by its ``zarr.json`` or ``.zarray``."""
        if metadata.get("zarr_format") == 3:
            while (inner := sharding_of(metadata)) is not None:
                metadata = inner
            return cls(3, {"codecs": metadata.get("codecs", [])}, dtype)
        names = ("compressor", "filters", "order")
        return cls(2, {name: metadata.get(name) for name in names}, np.dtype(metadata["dtype"]))

    @classmethod
    def of(cls, compressor: Compressor, dtype: np.dtype[Any], zarr_format: int) -> "Packing":
        """Return the packing that hoaconv chooses for a compressor: with a checksum in v3."""
        if zarr_format == 3:
            codecs = [BYTES, *compressor.v3(dtype.itemsize), {"name": "crc32c"}]
            return cls(3, {"codecs": codecs}, dtype)
        values = {"compressor": compressor.v2(), "filters": None, "order": "C"}
        return cls(2, values, dtype.newbyteorder("<"))

    @property
    def form(self) -> tuple[Any, ...] | None:
        """The same for packings that give the same bytes; None where that isn't known."""
        big = self.dtype.byteorder == ">"
        if self.zarr_format == 2:
            if self.values["filters"] or self.values["order"] not in ("C", None):
                return None
            codecs: Sequence[Codec] = [c] if (c := self.values["compressor"]) else []
        else:
            first, *codecs = self.values["codecs"] or [{}]
            if first.get("name") != "bytes":
                return None
            big = first.get("configuration", {}).get("endian") == "big"
        steps = [_form(codec, self.dtype.itemsize) for codec in codecs]
        order = big and self.dtype.itemsize > 1
        return None if None in steps else (order, *steps)

    def to(self, zarr_format: int, default: Compressor) -> "Packing":
        """Return a packing of the other format that gives the same bytes, if there is one.

        Parameters
        ----------
        default
            The compressor where there is none.
        """
        if zarr_format == self.zarr_format:
            return self
        form = self.form
        wanted = Packing.of(default, self.dtype, zarr_format)
        if form is None or form[0]:
            return wanted
        if zarr_format == 3:
            return Packing(3, {"codecs": [BYTES, *map(_v3, form[1:])]}, self.dtype)
        steps = [step for step in form[1:] if step[0] != "crc32c"]
        # tensorstore leaves the size out of zstd's frames, and readers of v2 may need it.
        if len(steps) > 1 or (steps and steps[0][0] == "zstd"):
            return wanted
        compressor = _v2(steps[0]) if steps else None
        values = {"compressor": compressor, "filters": None, "order": "C"}
        return Packing(2, values, self.dtype.newbyteorder("<"))

    @property
    def is_zstd(self) -> bool:
        """True for plain zstd, which isn't blosc's."""
        return any(step[0] == "zstd" for step in (self.form or (False,))[1:])

    @property
    def compressor(self) -> Compressor:
        """The compressor, for the model of memory: one like it where it is an unknown one."""
        form, unknown = self.form, cast(tuple[Any, ...], ("gzip", 5))
        steps = [step for step in form[1:] if step[0] != "crc32c"] if form else [unknown]
        if not steps:
            return Compressor("none")
        name, *rest = steps[0]
        if name == "blosc":
            cname, level, shuffle, _, block = rest
            return Compressor("blosc", level, cname, shuffle, block)
        return Compressor("gzip", rest[0])


def _form(codec: Codec, itemsize: int) -> tuple[Any, ...] | None:
    """Return a codec with its parameters, the same for both formats; None for unknown ones."""
    name = codec.get("name", codec.get("id"))
    own = codec.get("configuration", {}) if "name" in codec else codec
    if name == "blosc":
        shuffle = own.get("shuffle", 1)
        if shuffle == -1:
            shuffle = 2 if itemsize == 1 else 1
        word = SHUFFLES[shuffle] if isinstance(shuffle, int) else shuffle
        size, block = own.get("typesize", itemsize), own.get("blocksize", 0)
        return ("blosc", own.get("cname", "lz4"), own.get("clevel", 5), word, size, block)
    if name == "zstd":
        return ("zstd", own.get("level", 0), bool(own.get("checksum", False)))
    if name == "gzip":
        return ("gzip", own.get("level", 1))
    return ("crc32c",) if name == "crc32c" else None


def _v3(step: tuple[Any, ...]) -> Codec:
    """Return a codec of zarr v3."""
    names = {
        "blosc": ("cname", "clevel", "shuffle", "typesize", "blocksize"),
        "zstd": ("level", "checksum"),
        "gzip": ("level",),
        "crc32c": (),
    }[step[0]]
    if not names:
        return {"name": step[0]}
    return {"name": step[0], "configuration": dict(zip(names, step[1:], strict=True))}


def _v2(step: tuple[Any, ...]) -> Codec:
    """Return a codec of zarr v2."""
    if step[0] == "blosc":
        _, cname, level, shuffle, _, block = step
        number = SHUFFLES.index(shuffle)
        return {
            "id": "blosc",
            "cname": cname,
            "clevel": level,
            "shuffle": number,
            "blocksize": block,
        }
    return {"id": step[0], "level": step[1]}
