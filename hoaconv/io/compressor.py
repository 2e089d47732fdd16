"""Compressors of zarr chunks: their spelling on the command line and in zarr metadata."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hoaconv.errors import SpellingError
from hoaconv.units import parse_bytes

__all__ = ["BLOCKS", "BLOSC_NAMES", "FAST_BLOCK", "SHUFFLES", "Compressor"]

BLOSC_NAMES = ("zstd", "lz4", "lz4hc", "zlib", "blosclz")
SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")
LEVELS = {"zstd": (-131072, 22, 3), "gzip": (0, 9, 5), "blosc": (0, 9, 1)}
BLOCKS = (128, 1 << 18)
"""Least and greatest bytes of a blosc block; larger ones are no faster and need more memory."""

FAST_BLOCK = 1 << 18
"""Bytes of a block for zstd at level 1.

Blosc's own choice, 32 KiB, makes zstd look for shorter matches, which noise has at every step.
Measured on noisy 16-bit phantoms against blosc's choice: blocks of 256 KiB are packed 2.1 times
and unpacked 3 times as fast, and are 9 % smaller. Blocks of 128 KiB are packed 1.3 times and
unpacked 1.2 times as fast, and are not smaller. Blocks of 512 KiB give the same as 256 KiB. Higher
levels get slower with such blocks.
"""


@dataclass(frozen=True)
class Compressor:
    """Compressor of chunks: ``zstd:3  gzip:5  lz4  blosc-zstd:1:shuffle  none``.

    Attributes
    ----------
    codec, level
        ``none``, ``zstd``, ``gzip`` or ``blosc``, and its compression level.
    cname, shuffle, block
        For blosc: the inner compressor, the shuffle and the bytes of a block. With 0, blosc
        chooses the block.
    """

    codec: str
    level: int = 0
    cname: str = ""
    shuffle: str = ""
    block: int = 0

    @classmethod
    def parse(cls, text: str) -> "Compressor":
        """Return the compressor of this spelling; ``lz4`` is short for ``blosc-lz4:1:shuffle``.

        The block may follow the shuffle, as in ``blosc-zstd:1:shuffle:256KiB``. Without it, zstd
        at level 1 works in blocks of `FAST_BLOCK`, and blosc chooses the block for all others.

        Raises
        ------
        SpellingError
            If the text names no compressor, or a level or block out of range.
        """
        name, *words = text.strip().lower().split(":")
        if name == "none" and not words:
            return cls("none")
        blosc = "lz4" if name == "lz4" else name.removeprefix("blosc-")
        if name in ("zstd", "gzip") and len(words) <= 1:
            return cls(name, _level(text, name, words))
        if (name == "lz4" or name.startswith("blosc-")) and blosc in BLOSC_NAMES:
            size = words.pop() if words[2:] else None
            shuffle = words.pop() if words and words[-1] in SHUFFLES else "shuffle"
            if len(words) <= 1:
                level = _level(text, "blosc", words)
                return cls("blosc", level, blosc, shuffle, _block(text, blosc, level, size))
        raise SpellingError(
            f"compressor {text!r} is not known; write none, zstd:3, gzip:5, lz4, or "
            f"blosc-NAME:LEVEL:SHUFFLE with NAME one of {', '.join(BLOSC_NAMES)} "
            f"and SHUFFLE one of {', '.join(SHUFFLES)}; a block may follow, like :256KiB"
        )

    def v3(self, itemsize: int) -> list[dict[str, Any]]:
        """Return the codecs of zarr v3 that follow ``bytes``; `itemsize` is bytes of a voxel."""
        if self.codec == "none":
            return []
        return [{"name": self.codec, "configuration": self._v3_configuration(itemsize)}]

    def _v3_configuration(self, itemsize: int) -> dict[str, Any]:
        if self.codec == "blosc":
            return {
                "cname": self.cname,
                "clevel": self.level,
                "shuffle": self.shuffle,
                "typesize": itemsize,
                "blocksize": self.block,
            }
        return {"level": self.level} | ({"checksum": False} if self.codec == "zstd" else {})

    def v2(self) -> dict[str, Any] | None:
        """Return the ``compressor`` of zarr v2 metadata; None for no compression."""
        if self.codec == "none":
            return None
        if self.codec == "blosc":
            shuffle = SHUFFLES.index(self.shuffle)
            return {
                "id": "blosc",
                "cname": self.cname,
                "clevel": self.level,
                "shuffle": shuffle,
                "blocksize": self.block,
            }
        return {"id": self.codec, "level": self.level}


def _level(text: str, kind: str, words: list[str]) -> int:
    low, high, default = LEVELS[kind]
    if not words:
        return default
    try:
        level = int(words[0])
    except ValueError:
        raise SpellingError(f"{words[0]!r} in compressor {text!r} is not a level") from None
    if not low <= level <= high:
        raise SpellingError(f"level {level} in compressor {text!r} is not in {low}..{high}")
    return level


def _block(text: str, name: str, level: int, size: str | None) -> int:
    if size is None:
        return FAST_BLOCK if (name, level) == ("zstd", 1) else 0
    least, most = BLOCKS
    with suppress(SpellingError):
        block = 0 if size == "0" else parse_bytes(size)
        if block == 0 or least <= block <= most:
            return block
    raise SpellingError(
        f"block {size!r} in compressor {text!r} is neither 0, for blosc's own, nor a size from "
        f"{least}B to {most >> 10}KiB"
    )
