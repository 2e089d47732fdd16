"""Precomputed volumes, written by tensorstore."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_memory import Spans, span_sums
from stores import BLOCKS, bytes_in, count_of, merge_json, write_precomputed
from sweeping import decoded_while, planes_of, swept

from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.source import open_volume

pytestmark = pytest.mark.one_python

SHARDED = {
    "@type": "neuroglancer_uint64_sharded_v1",
    "preshift_bits": 1,
    "minishard_bits": 2,
    "shard_bits": 1,
    "hash": "identity",
    "data_encoding": "gzip",
    "minishard_index_encoding": "gzip",
}
AT = ([10, 20, -3], [5, 10, -2])
SIZES = ([4000, 4000, 8000], [8000, 8000, 16000])


def two_scales(path, volume, **scale):
    return write_precomputed(path, [volume, volume[::2, ::2, ::2]], SIZES, AT, **scale)


@pytest.mark.parametrize("scale", [{}, {"sharding": SHARDED}], ids=["chunks", "shards"])
def test_scales_are_levels_and_chunks_are_decoded_once(tmp_path, volume, scale):
    path = two_scales(tmp_path / "brain", volume, **scale)
    source, spans, made = open_volume(path), Spans(length=5), []
    assert str(source) == "brain/4000_4000_8000"
    assert source.depth == BLOCKS[2]
    count = decoded_while(lambda: made.append(swept(source, spans)))
    np.testing.assert_array_equal(made[0], span_sums(volume, spans))
    assert count == count_of(volume.shape, BLOCKS[::-1])
    assert source.stored_bytes == bytes_in(path / "4000_4000_8000")
    half = source.levels[1]
    assert half == open_volume(path / "8000_8000_16000")
    np.testing.assert_array_equal(planes_of(half), volume[::2, ::2, ::2])


def test_voxel_size_and_place_are_those_of_the_scale(tmp_path, volume):
    path = two_scales(tmp_path / "brain", volume)
    whole, half = open_volume(path).geometry, open_volume(path / "8000_8000_16000").geometry
    assert str(whole) == "8 x 4 x 4 micrometer (precomputed info)"
    assert whole.origin == (-24, 80, 40)  # of the middle of the first voxel
    corner = [o - e / 2 for o, e in zip(whole.origin, whole.edges, strict=True)]
    # Neuroglancer puts corners at voxel_offset times resolution: here, half a voxel less.
    assert corner == [-24 - 4, 80 - 2, 40 - 2]
    assert half.edges == (16, 8, 8)
    assert [o - e / 2 for o, e in zip(half.origin, half.edges, strict=True)] == [-36, 78, 38]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    chunks=st.tuples(*[st.integers(1, 5)] * 3),
    offset=st.tuples(*[st.integers(-9, 9)] * 3),
)
def test_any_shape_chunks_and_offset(tmp_path_factory, make_volume, shape, chunks, offset):
    volume = make_volume(shape, "uint16")
    path = tmp_path_factory.mktemp("precomputed") / "a"
    write_precomputed(path, [volume], [[1, 1, 1]], [offset], chunk_size=chunks)
    source = open_volume(path)
    np.testing.assert_array_equal(swept(source), volume)
    assert source.stored_bytes == bytes_in(path)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "uint64", "float32"])
def test_dtypes(tmp_path, make_volume, dtype):
    volume = make_volume((5, 9, 7), dtype)
    write_precomputed(tmp_path / "a", [volume], [[1, 1, 1]], [[0, 0, 0]])
    source = open_volume(tmp_path / "a")
    assert source.spec.dtype == dtype
    np.testing.assert_array_equal(planes_of(source), volume)


@pytest.mark.parametrize("dtype", ["uint32", "uint64"])
@pytest.mark.parametrize("scale", [{}, {"sharding": SHARDED}], ids=["chunks", "shards"])
def test_compressed_segmentations(tmp_path, make_volume, dtype, scale):
    labels = make_volume((17, 40, 23), "uint8").astype(dtype) // 40 + 2**31
    write_precomputed(
        tmp_path / "a",
        [labels],
        [[1, 1, 1]],
        [[0, 0, 0]],
        encoding="compressed_segmentation",
        compressed_segmentation_block_size=[8, 8, 8],
        **scale,
    )
    np.testing.assert_array_equal(swept(open_volume(tmp_path / "a")), labels)


def test_png_is_exact_and_jpeg_is_near(tmp_path, make_volume):
    volume = make_volume((5, 40, 32), "uint8") // 4 + 64
    write_precomputed(tmp_path / "png", [volume], [[1] * 3], [[0] * 3], encoding="png")
    np.testing.assert_array_equal(planes_of(open_volume(tmp_path / "png")), volume)
    write_precomputed(
        tmp_path / "jpeg", [volume], [[1] * 3], [[0] * 3], encoding="jpeg", jpeg_quality=95
    )
    got = planes_of(open_volume(tmp_path / "jpeg")).astype(int)
    assert np.abs(got - volume).mean() < 6


def test_a_channel_is_taken_by_its_index(tmp_path, make_volume):
    channels = make_volume((15, 9, 7), "uint16").reshape(3, 5, 9, 7)
    write_precomputed(tmp_path / "a", [channels], [[1, 1, 1]], [[0, 0, 0]])
    for c, channel in enumerate(channels):
        np.testing.assert_array_equal(swept(open_volume(tmp_path / "a", channel=c)), channel)
    with pytest.raises(SourceError, match="3 channels; take one, as in `channel=0`"):
        open_volume(tmp_path / "a")
    with pytest.raises(SpellingError, match="no channel 3"):
        open_volume(tmp_path / "a", channel=3)


def test_what_is_no_scale_is_refused_with_what_there_is(tmp_path, volume):
    path = two_scales(tmp_path / "a", volume)
    with pytest.raises(SourceError, match=r"nope is no scale .*4000_4000_8000, 8000_8000_16000"):
        open_volume(path / "nope")
    with pytest.raises(SourceError, match="holds no precomputed volume: there is no file info"):
        open_volume(f"precomputed://{tmp_path}")
    source = open_volume(f"precomputed://{path}::8000_8000_16000")
    np.testing.assert_array_equal(planes_of(source), volume[::2, ::2, ::2])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"@type": "neuroglancer_legacy_mesh"}, "holds neuroglancer_legacy_mesh, which is no vol"),
        ({"scales": []}, "is damaged: it lacks scales"),
        ({"scales": [{"key": "1_1_1", "size": [1, 2]}]}, "is damaged: it lacks scales"),
        ({"data_type": "uint7"}, "can't be opened: .*uint7"),
    ],
)
def test_other_infos_are_refused(tmp_path, volume, more, words):
    path = two_scales(tmp_path / "a", volume)
    merge_json(path / "info", more)
    with pytest.raises(SourceError, match=words):
        open_volume(f"precomputed://{path}")


def test_chunks_that_are_packed_once_more_are_no_zeros(tmp_path, volume):
    path = two_scales(tmp_path / "a", volume)
    for file in (path / "4000_4000_8000").iterdir():
        file.rename(file.with_name(file.name + ".gz"))
    with pytest.raises(SourceError, match=r"packed once more .*\.gz\), as CloudVolume"):
        open_volume(path)


def test_a_chunk_that_is_cut_short_is_an_error(tmp_path, volume):
    path = two_scales(tmp_path / "a", volume)
    file = next((path / "4000_4000_8000").iterdir())
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(SourceError, match="can't be read"):
        planes_of(open_volume(path))


def test_another_programs_info_is_none(tmp_path, tiffs):
    (tmp_path / "info").write_text(json.dumps({"name": "scan 3"}))
    (tmp_path / "slices").symlink_to(tiffs)
    assert open_volume(tmp_path / "slices").spec.planes == 37
