"""N5 datasets, written by tensorstore, with the attributes that programs put beside them."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_memory import Spans, span_sums
from stores import BLOCKS, bytes_in, count_of, merge_json, write_n5
from sweeping import decoded_while, planes_of, swept

from hoaconv.errors import SourceError
from hoaconv.io.source import open_volume

pytestmark = pytest.mark.one_python

HOA = {
    "axes": ["x", "y", "z"],
    "downsamplingFactors": [[1, 1, 1], [2, 2, 2], [4, 4, 4]],
    "multiScale": True,
    "resolution": [25.08, 25.08, 20],
    "units": ["um", "um", "um"],
}
"""Attributes of a group of the Human Organ Atlas."""


def group(path, volume, attributes, levels=3, **dataset):
    for n in range(levels):
        own = dataset.get(f"s{n}", {})
        write_n5(path / f"s{n}", volume[:: 2**n, :: 2**n, :: 2**n], attributes=own)
    merge_json(path / "attributes.json", attributes)
    return path


def edges_and_origin(path):
    found = open_volume(path).geometry
    return found.edges, found.unit, found.origin


def test_a_group_of_the_human_organ_atlas(tmp_path, volume):
    path = group(tmp_path / "brain", volume, HOA)  # no suffix
    source = open_volume(path)
    assert str(source) == "brain/s0"
    np.testing.assert_array_equal(planes_of(source), volume)
    assert source.geometry.edges == (20, 25.08, 25.08)
    assert source.geometry.told_by == "N5 attributes"
    assert [str(level) for level in source.levels] == ["brain/s0", "brain/s1", "brain/s2"]
    assert source.levels[0] == source
    half = open_volume(path / "s1")
    np.testing.assert_array_equal(planes_of(half), volume[::2, ::2, ::2])
    assert edges_and_origin(path / "s2") == ((80, 100.32, 100.32), "micrometer", (30, 37.62, 37.62))
    assert source.levels[1].geometry == half.geometry
    assert pickle.loads(pickle.dumps(half)) == half


@pytest.mark.parametrize("order", ["xyz", "zyx", "yxz", "zxy", "xzy", "yzx"])
def test_axes_in_any_order_and_each_block_is_decoded_once(tmp_path, volume, order):
    path = write_n5(tmp_path / "a.n5" / "raw", volume, axes=order)
    source, spans, made = open_volume(path), Spans(length=5), []
    assert source.depth == BLOCKS[2]
    count = decoded_while(lambda: made.append(swept(source, spans)))
    np.testing.assert_array_equal(made[0], span_sums(volume, spans))
    assert count == count_of(volume.shape, BLOCKS[::-1])
    assert source.stored_bytes == bytes_in(path)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint64", "int64", "float32", "float64"])
@pytest.mark.parametrize(
    "compression",
    [
        {"type": "raw"},
        {"type": "bzip2"},
        {"type": "xz"},
        {"type": "gzip", "useZlib": True, "level": 3},
        {"type": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1},
    ],
    ids=lambda told: told["type"],
)
def test_dtypes_and_compressions(tmp_path, make_volume, dtype, compression):
    volume = make_volume((5, 9, 7), dtype)
    path = write_n5(tmp_path / "a.n5", volume, blocks=(3, 4, 2), compression=compression)
    np.testing.assert_array_equal(planes_of(open_volume(path)), volume)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    blocks=st.tuples(*[st.integers(1, 5)] * 3),
    order=st.permutations("xyz"),
)
def test_any_shape_and_any_blocks(tmp_path_factory, make_volume, shape, blocks, order):
    volume = make_volume(shape, "uint16")
    path = write_n5(tmp_path_factory.mktemp("n5") / "a", volume, axes="".join(order), blocks=blocks)
    np.testing.assert_array_equal(swept(open_volume(path)), volume)


def test_settings_of_other_programs_do_no_harm(tmp_path, volume):
    """n5-blosc and n5-zstandard write threads, which decoding doesn't need; others anything."""
    path = write_n5(
        tmp_path / "a.n5",
        volume,
        compression={"type": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 2},
    )
    told = json.loads((path / "attributes.json").read_text())
    told["compression"]["nthreads"] = 2
    told |= {"resolution": "unknown", "units": 3, "axes": None}
    (path / "attributes.json").write_text(json.dumps(told))
    source = open_volume(path)
    np.testing.assert_array_equal(planes_of(source), volume)
    assert source.geometry.voxel_size is None


@pytest.mark.parametrize(
    ("of_group", "of_level_1", "edges", "origin"),
    [
        # N5 Viewer: the voxel size of level 0 in each level, with its factors
        (
            {},
            {
                "pixelResolution": {"unit": "um", "dimensions": [0.5, 0.5, 2]},
                "downsamplingFactors": [2, 2, 1],
            },
            (2, 1, 1),
            (0, 0.25, 0.25),
        ),
        # neuroglancer's name for factors
        (
            {"scales": [[1, 1, 1], [2, 2, 2]], "resolution": [1, 1, 3], "units": ["nm"] * 3},
            {},
            (6, 2, 2),
            (1.5, 0.5, 0.5),
        ),
        # COSEM: the voxel size of the level in each, and that of all in the group
        (
            {"scales": [[1, 1, 1], [2, 2, 2]]},
            {"pixelResolution": {"unit": "nm", "dimensions": [8, 8, 8]}},
            (8, 8, 8),
            (2, 2, 2),
        ),
        (
            {
                "multiscales": [
                    {
                        "datasets": [
                            {"path": "s0"},
                            {
                                "path": "s1",
                                "transform": {
                                    "axes": ["z", "y", "x"],
                                    "scale": [6, 8, 10],
                                    "translate": [3, 4, 5],
                                    "units": ["nm", "nm", "nm"],
                                },
                            },
                        ]
                    }
                ]
            },
            {},
            (6, 8, 10),
            (3, 4, 5),
        ),
    ],
    ids=["N5 Viewer", "scales", "COSEM", "CellMap"],
)
def test_conventions_of_voxel_sizes(tmp_path, volume, of_group, of_level_1, edges, origin):
    path = group(tmp_path / "a.n5", volume, of_group, levels=2, s1=of_level_1)
    found = open_volume(path / "s1").geometry
    assert (found.edges, found.origin) == (edges, origin)
    assert [str(level) for level in open_volume(path).levels] == ["a.n5/s0", "a.n5/s1"]


def test_big_data_viewer_tells_no_unit(tmp_path, volume):
    root = tmp_path / "a.n5"
    path = group(root / "setup0" / "timepoint0", volume, {"resolution": [1, 1, 2]}, levels=2)
    merge_json(root / "setup0" / "attributes.json", {"downsamplingFactors": [[1] * 3, [2] * 3]})
    merge_json(root / "attributes.json", {"n5": "2.0.0"})
    source = open_volume(path / "s1")
    assert str(source) == "a.n5/setup0/timepoint0/s1"
    assert source.geometry.voxel_size is None
    assert "tells a voxel size without a unit" in source.notes[0]
    with pytest.raises(SourceError, match=r"a\.n5 holds no N5 dataset; .* holds setup0: name one"):
        open_volume(root)


def test_a_level_without_the_levels_before_has_its_own_voxel_size(tmp_path, volume):
    path = write_n5(tmp_path / "a.n5" / "s2", volume)
    merge_json(tmp_path / "a.n5" / "attributes.json", HOA)
    assert open_volume(path).geometry.edges == (80, 100.32, 100.32)
    with pytest.raises(SourceError, match=r"holds no N5 dataset; .* holds s2: name one"):
        open_volume(tmp_path / "a.n5")
    told = {key: HOA[key] for key in ("resolution", "units")}
    (tmp_path / "a.n5" / "attributes.json").write_text(json.dumps(told))
    assert open_volume(path).geometry.voxel_size is None  # by how much it is shrunk isn't known


def test_a_scheme_says_what_a_path_is(tmp_path, volume, monkeypatch):
    write_n5(tmp_path / "plain" / "deep" / "raw", volume)
    with pytest.raises(SourceError, match="name the one with the slices"):
        open_volume(tmp_path / "plain")
    with pytest.raises(SourceError, match=r"plain holds no N5 dataset; .* holds deep: name one"):
        open_volume(f"n5://{tmp_path}/plain")
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(planes_of(open_volume("n5://plain/deep/raw")), volume)
    np.testing.assert_array_equal(planes_of(open_volume("n5://plain::/deep/raw")), volume)


def test_what_is_no_dataset_is_refused_with_what_there_is(tmp_path, volume):
    path = group(tmp_path / "a.n5", volume, HOA, levels=2)
    with pytest.raises(SourceError, match=r"s7 holds no N5 dataset; .*a\.n5 holds s0, s1: name"):
        open_volume(path / "s7")
    with pytest.raises(SourceError, match=r"s0/0 holds no N5 dataset: .*s0 is a dataset"):
        open_volume(path / "s0" / "0")
    (path / "s0" / "attributes.json").write_text("{")
    with pytest.raises(SourceError, match=r"s0/attributes\.json is damaged, it is no JSON"):
        open_volume(path)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"compression": {"type": "lz4"}}, r"has the compression lz4, which isn't read.*raw, gzip"),
        ({"dataType": "string"}, r"can't be opened: .*string"),
        ({"blockSize": [4, 4]}, "dimensions and blockSize differ"),
        ({"dimensions": [0, 4, 4]}, "holds no voxel"),
        ({"dimensions": [2, 3, 4, 5], "blockSize": [1, 1, 1, 1], "axes": None}, "5 channels"),
    ],
)
def test_what_is_not_read_is_refused_by_its_name(tmp_path, volume, more, words):
    path = write_n5(tmp_path / "a.n5", volume)
    merge_json(path / "attributes.json", more)
    with pytest.raises(SourceError, match=words):
        open_volume(path)


def test_a_missing_block_is_zeros_and_a_damaged_one_an_error(tmp_path, volume):
    path = write_n5(tmp_path / "a.n5", volume)
    (path / "0" / "0" / "0").unlink()
    got = planes_of(open_volume(path))
    assert not got[:8, :32, :16].any()
    np.testing.assert_array_equal(got[8:], volume[8:])
    block = path / "1" / "1" / "1"
    block.write_bytes(block.read_bytes()[:-30])
    with pytest.raises(SourceError, match=r"a\.n5, voxels .* can't be read"):
        planes_of(open_volume(path))
