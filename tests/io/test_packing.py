"""Codecs are carried between the formats only where the bytes of a chunk stay the same."""

import numcodecs
import numpy as np
import pytest
import zarr

from hoaconv.io.compressor import Compressor
from hoaconv.io.packing import Packing

DEFAULT = Compressor.parse("blosc-zstd:1:shuffle")
U2 = np.dtype("<u2")


def v2(compressor, order="C", filters=None, dtype=U2):
    """How a chunk of zarr v2 is packed."""
    values = {"compressor": compressor, "order": order, "filters": filters}
    return Packing(2, values, dtype)


BLOSC = {"id": "blosc", "cname": "lz4", "clevel": 4, "shuffle": 1, "blocksize": 0}


@pytest.mark.parametrize("compressor", [None, BLOSC, {"id": "gzip", "level": 3}])
def test_there_and_back_is_the_same(compressor):
    there = v2(compressor).to(3, DEFAULT)
    assert there.form == v2(compressor).form
    assert there.to(2, DEFAULT) == v2(compressor)


@pytest.mark.parametrize(
    "packing",
    [
        v2({"id": "bz2", "level": 3}),
        v2(BLOSC, order="F"),
        v2(BLOSC, filters=[{"id": "delta"}]),
        v2(BLOSC, dtype=np.dtype(">u2")),
    ],
)
def test_what_the_other_format_has_not_gets_the_default(packing):
    assert packing.to(3, DEFAULT) == Packing.of(DEFAULT, packing.dtype, 3)


def test_plain_zstd_becomes_that_of_blosc_in_v2():
    zstd = Packing.of(Compressor.parse("zstd:3"), U2, 3)
    assert zstd.is_zstd
    assert zstd.to(2, DEFAULT) == Packing.of(DEFAULT, U2, 2)


@pytest.mark.parametrize("shuffle", [-1, 0, 1, 2])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_equal_forms_are_equal_bytes(tmp_path, shuffle, dtype):
    """What numcodecs has packed for v2 is read by zarr-python under the codecs of v3."""
    voxels = np.arange(64).astype(dtype).reshape(4, 4, 4)
    codec = numcodecs.Blosc("zstd", 3, shuffle)
    array = zarr.create_array(
        tmp_path / "a", shape=(4, 4, 4), chunks=(4, 4, 4), dtype=dtype, zarr_format=2,
        compressors=codec,
    )  # fmt: skip
    array[...] = voxels
    there = v2(codec.get_config(), dtype=np.dtype(dtype)).to(3, DEFAULT)
    (packed,) = [p for p in (tmp_path / "a").iterdir() if p.name[0].isdigit()]
    name = there.values["codecs"][1]["configuration"]
    other = zarr.create_array(
        tmp_path / "b", shape=(4, 4, 4), chunks=(4, 4, 4), dtype=dtype,
        compressors=zarr.codecs.BloscCodec(
            cname=name["cname"], clevel=name["clevel"], shuffle=name["shuffle"],
            typesize=name["typesize"], blocksize=name["blocksize"],
        ),
    )  # fmt: skip
    target = tmp_path / "b" / "c" / "0" / "0" / "0"
    target.parent.mkdir(parents=True)
    target.write_bytes(packed.read_bytes())
    np.testing.assert_array_equal(other[...], voxels)
