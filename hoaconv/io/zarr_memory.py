"""What chunks hold on their way to disk; measured, with data that can't be compressed."""

from hoaconv.io.compressor import Compressor

__all__ = ["packing_bytes"]

CHUNK_BYTES = 3 << 10
"""What tensorstore keeps of a chunk under way besides its bytes."""

HOLE_BYTES = 3 << 16
"""A hole that a chunk's copy leaves, at the most."""

SMALL_CHUNK = 1 << 16
"""Of a chunk no larger, what blosc works in leaves no hole."""


def packing_bytes(
    chunks: int,
    chunk_bytes: int,
    compressor: Compressor,
    workers: int,
    *,
    sharded: bool,
    copied: bool,
) -> int:
    """Bytes held while so many chunks are under way, besides the layer.

    A shard's chunks wait, encoded, for the last one. If they are `copied`, all of them before the
    first is encoded. Without shards a chunk is copied, then encoded.
    """
    size = chunks * chunk_bytes
    held = 2 * size if copied or not sharded else int(1.2 * size)
    if sharded and compressor.codec == "blosc":
        held = max(held, int(1.2 * size) + chunks * _hole(chunk_bytes, compressor))
    block = min(compressor.block, chunk_bytes)
    return held + chunks * CHUNK_BYTES + min(3 * workers, chunks) * (chunk_bytes + block)


def _hole(chunk_bytes: int, compressor: Compressor) -> int:
    """What malloc can't use again of what packing a chunk took, as long as the chunk waits.

    Where its copy was, and what blosc worked in, some small thing that stays with it takes a bit;
    the rest is too little for the next. Packed by zstd, shards of chunks of 128 KiB took 3.1 times
    their size, of 256 KiB 2.3, of 512 KiB 2.1; by lz4 2, 1.3 and 1.3 times. Chunks that are mapped
    one by one leave no holes, but take longer.
    """
    copy = min(chunk_bytes, HOLE_BYTES)
    if chunk_bytes <= SMALL_CHUNK or (compressor.cname != "zstd" and not compressor.block):
        return copy
    worked_in = min(compressor.block or chunk_bytes, chunk_bytes)
    return min(copy + worked_in, max(chunk_bytes, 4 * SMALL_CHUNK))
