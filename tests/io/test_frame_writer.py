"""The fault of tensorstore for which parts of several indices are copied before writing."""

import numpy as np
import pytest
import tensorstore as ts

from hoaconv.io.frame_writer import FrameSpec

BYTES = {"name": "bytes", "configuration": {"endian": "little"}}


def stored(shape: tuple[int, ...], chunk: tuple[int, ...], *, refers: bool) -> bool:
    """Whether a shard that is written whole is there afterwards."""
    sharding = {
        "chunk_shape": list(chunk),
        "codecs": [BYTES],
        "index_codecs": [BYTES, {"name": "crc32c"}],
    }
    metadata = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(shape)}},
        "chunk_key_encoding": {"name": "default"},
        "fill_value": 0,
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
    }
    spec = {
        "driver": "zarr3",
        "kvstore": {"driver": "memory"},
        "metadata": metadata,
        "context": {"cache_pool": {"total_bytes_limit": 0}},
    }
    array = ts.open(spec, create=True, context=ts.Context()).result()
    voxels = np.arange(1, 1 + np.prod(shape), dtype="uint16").reshape(shape)
    array.write(voxels, can_reference_source_data_indefinitely=refers).result()
    return bool((array.read().result() == voxels).all())


@pytest.mark.parametrize("grid", [(1, 2, 1), (2, 2, 2), (1, 3, 2)])
def test_volumes_are_stored_from_where_they_lie(grid):
    assert stored(tuple(2 * n for n in grid), (2, 2, 2), refers=True)


def test_whole_shards_along_four_axes_are_stored_if_they_are_copied():
    shape, chunk = (2, 4, 4, 4), (2, 2, 2, 2)
    assert stored(shape, chunk, refers=False)  # with refers=True, 0.1.86 stores nothing


def test_a_frame_of_several_indices_counts_what_is_gathered(tmp_path):
    import zarr

    from hoaconv.io.array_layout import Layout
    from hoaconv.io.frames import frames_of
    from hoaconv.io.zarr_tree import tree_of

    zarr.create_array(tmp_path / "a", shape=(4, 8, 8, 8), chunks=(2, 4, 4, 4), dtype="uint16")
    (node,) = tree_of(tmp_path / "a")
    layout = Layout.stored(node.array, {})
    frame = next(frames_of(layout.shape, layout.chunks, layout.unit, 2))
    spec = FrameSpec.of(layout, frame)
    assert (spec.shape, spec.chunks) == ((8, 16, 8), (4, 16, 4))
    assert spec.write_bytes(2, lean=True) > 2 * spec.in_flight(2, lean=True) * 4 * 16 * 4 * 2
