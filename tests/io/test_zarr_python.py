"""Arrays that tensorstore can't read: zarr-python reads them, and a note says so."""

import builtins
import json
import sys

import numcodecs
import numpy as np
import pytest
import zarr
from in_memory import Spans, span_sums
from stores import count_of, write_zip
from sweeping import planes_of, swept

import hoaconv
from hoaconv.errors import SourceError
from hoaconv.io.source import open_volume

pytestmark = pytest.mark.one_python

CHUNKS = (8, 32, 16)
V2 = {
    "lz4": {"compressors": numcodecs.LZ4()},
    "lzma": {"compressors": numcodecs.LZMA(preset=0)},
    "delta": {"filters": [numcodecs.Delta(dtype="u2")], "compressors": numcodecs.Zlib(1)},
    "shuffle": {"filters": [numcodecs.Shuffle(2)], "compressors": None},
    "fletcher32": {"filters": [numcodecs.Fletcher32()], "compressors": None},
}


def odd(path, volume, layout):
    array = zarr.create_array(
        path, shape=volume.shape, dtype=volume.dtype, chunks=CHUNKS, zarr_format=2, **layout
    )
    array[...] = volume
    return path


@pytest.mark.parametrize("name", V2)
def test_filters_and_codecs_of_v2(tmp_path, volume, name):
    source = open_volume(odd(tmp_path / "a.zarr", volume, V2[name]))
    np.testing.assert_array_equal(planes_of(source), volume)
    assert source.notes == (
        f"a.zarr is read by zarr-python, since tensorstore can't read its codec {name}",
    ) or (name in ("delta", "shuffle", "fletcher32") and "by zarr-python" in source.notes[0])
    files = [f for f in (tmp_path / "a.zarr").iterdir() if f.name[0] != "."]
    assert source.stored_bytes == sum(f.stat().st_size for f in files)


def with_v3_codec(path, volume, name, **layout):
    """An array whose chunks are zlib's, under the name that numcodecs gives it."""
    array = zarr.create_array(
        path,
        shape=volume.shape,
        dtype=volume.dtype,
        chunks=CHUNKS,
        compressors=zarr.codecs.numcodecs.Zlib(level=1),
        **layout,
    )
    array[...] = volume
    return path


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not")
@pytest.mark.parametrize("layout", [{}, {"shards": (16, 64, 32)}], ids=["chunks", "shards"])
def test_codecs_of_numcodecs_in_v3(tmp_path, volume, layout):
    path = with_v3_codec(tmp_path / "a.zarr", volume, "zlib", **layout)
    source = open_volume(path)
    np.testing.assert_array_equal(planes_of(source), volume)
    assert "can't read its codec numcodecs.zlib" in source.notes[0]


def test_each_chunk_is_decoded_once(tmp_path, volume, monkeypatch):
    source = open_volume(odd(tmp_path / "a.zarr", volume, V2["lz4"]))
    decode, count = numcodecs.LZ4.decode, []

    def counted(self, *args):
        count.append(1)
        return decode(self, *args)

    monkeypatch.setattr(numcodecs.LZ4, "decode", counted)
    spans = Spans(length=5)
    np.testing.assert_array_equal(swept(source, spans, workers=3), span_sums(volume, spans))
    assert len(count) == count_of(volume.shape, CHUNKS)


def test_in_a_zip_file_too_and_as_any_source(tmp_path, volume):
    with zarr.storage.ZipStore(tmp_path / "a.zip", mode="w") as store:
        array = zarr.create_array(
            store,
            name="deep/raw",
            shape=volume.shape,
            dtype=volume.dtype,
            chunks=CHUNKS,
            zarr_format=2,
            **V2["lz4"],
        )
        array[...] = volume
    made = hoaconv.stack_to_omezarr(
        tmp_path / "a.zip" / "deep" / "raw", tmp_path / "o.zarr", chunks=16, workers=2
    )
    assert made.measured <= made.projected
    assert any("zarr-python" in note for note in made.notes)
    np.testing.assert_array_equal(planes_of(open_volume(tmp_path / "o.zarr")), volume)


def test_a_damaged_chunk_is_an_error(tmp_path, volume):
    path = odd(tmp_path / "a.zarr", volume, V2["lzma"])
    chunk = path / "1.1.1"
    chunk.write_bytes(chunk.read_bytes()[:-30])
    with pytest.raises(SourceError, match=r"a\.zarr, voxels .* can't be read .* copy it again"):
        planes_of(open_volume(path))


def without_zarr(monkeypatch):
    real = builtins.__import__

    def none(name, *args, **options):
        if name.split(".")[0] == "zarr":
            raise ModuleNotFoundError("No module named 'zarr'")
        return real(name, *args, **options)

    monkeypatch.delitem(sys.modules, "hoaconv.io.zarr_python", raising=False)
    monkeypatch.setattr(builtins, "__import__", none)


def test_without_zarr_python_the_extra_is_named(tmp_path, volume, monkeypatch):
    path = odd(tmp_path / "a.zarr", volume, V2["lz4"])
    fine = write_zip(tmp_path / "b.zip", [volume], [(1, 1, 1)], chunks=CHUNKS)
    without_zarr(monkeypatch)
    with pytest.raises(SourceError, match=r'codec lz4, .*pip install "hoaconv\[zarr\]"'):
        open_volume(path)
    np.testing.assert_array_equal(planes_of(open_volume(fine)), volume)


@pytest.mark.parametrize("name", ["squeeze", "numcodecs.squeeze"])
def test_a_codec_that_nobody_reads_is_named(tmp_path, volume, name):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=volume, chunks=CHUNKS)
    told = json.loads((path / "zarr.json").read_text())
    told["codecs"][-1] = {"name": name, "configuration": {}}
    (path / "zarr.json").write_text(json.dumps(told))
    with pytest.raises(SourceError, match=f"neither tensorstore nor zarr-python .* {name} here"):
        open_volume(path)


@pytest.mark.parametrize(
    ("dtype", "version", "words"),
    [
        ("M8[ns]", 2, "holds datetime64.* voxels"),
        ("M8[ms]", 3, "datetime64"),
        ("S5", 2, "bytes40|S5"),
        ("U5", 2, "str160"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_number_is_told_by_name(tmp_path, dtype, version, words):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=(2, 3, 4), chunks=(2, 2, 2), dtype=dtype, zarr_format=version)
    with pytest.raises(SourceError, match=words):
        open_volume(path)
