"""Stores in zip files and in OCDBT are read as those in folders are; zarr-python writes them."""

import json
import pickle
import zipfile

import numpy as np
import pytest
import tensorstore as ts
import zarr
from in_memory import Spans, span_sums
from stores import count_of, ome_attributes, write_n5, write_precomputed, write_zip
from sweeping import decoded_while, planes_of, swept

import hoaconv
from hoaconv.errors import SourceError, StoreError
from hoaconv.io.kv_folder import folder_at
from hoaconv.io.source import open_volume
from hoaconv.io.store_folder import LocalFolder, read_json

pytestmark = pytest.mark.one_python

CHUNKS = (8, 32, 16)
SCALES = ((3, 2, 2), (6, 4, 4))


@pytest.fixture(params=["b.ozx", "b.zip"])
def packed(request, tmp_path, volume):
    """A zip file of an image of two levels, with shards or without."""
    shards = {"shards": (16, 64, 64)} if request.param == "b.ozx" else {}
    levels = [volume, volume[::2, ::2, ::2]]
    return write_zip(tmp_path / request.param, levels, SCALES, chunks=CHUNKS, **shards)


def test_an_image_in_a_zip_file(packed, volume):
    source, spans, made = open_volume(packed), Spans(length=5), []
    assert str(source) == f"{packed.name}/0"
    count = decoded_while(lambda: made.append(swept(source, spans)))
    np.testing.assert_array_equal(made[0], span_sums(volume, spans))
    times = 2 if packed.suffix == ".ozx" else 1  # tensorstore decodes the index of its shard, too
    assert count == times * count_of(volume.shape, CHUNKS)
    assert source.geometry.edges == (3, 2, 2)
    with zipfile.ZipFile(packed) as whole:
        chunks = [i.file_size for i in whole.infolist() if i.filename.startswith("0/")]
    assert source.stored_bytes == sum(chunks)
    half = source.levels[1]
    assert (half.geometry.edges, str(half)) == ((6, 4, 4), f"{packed.name}/1")
    np.testing.assert_array_equal(planes_of(half), volume[::2, ::2, ::2])
    assert half == open_volume(packed / "1")
    np.testing.assert_array_equal(planes_of(open_volume(f"{packed}::/1")), planes_of(half))
    np.testing.assert_array_equal(planes_of(pickle.loads(pickle.dumps(half))), planes_of(half))


def test_what_a_zip_file_lacks_is_told(packed):
    with pytest.raises(SourceError, match=rf"7 holds no array; .*{packed.name} holds 0, 1: name"):
        open_volume(packed / "7")
    with pytest.raises(SourceError, match="holds no N5 dataset"):
        open_volume(f"n5://{packed}")


def test_a_zip_file_of_a_folder_holds_the_folder(tmp_path, volume, monkeypatch):
    zarr.create_array(tmp_path / "a.zarr", data=volume, chunks=CHUNKS)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as whole:
        for file in (tmp_path / "a.zarr").rglob("*"):
            whole.write(file, file.relative_to(tmp_path))
    with pytest.raises(SourceError, match=r"all\.zip holds no array; .* holds a\.zarr: name one"):
        open_volume(tmp_path / "all.zip")
    monkeypatch.chdir(tmp_path)
    source = open_volume("all.zip/a.zarr")
    assert str(source) == "a.zarr"
    np.testing.assert_array_equal(planes_of(source), volume)
    (tmp_path / "all.zip").rename(tmp_path / "all")  # then nothing tells, but the scheme
    np.testing.assert_array_equal(planes_of(open_volume("zarr://all/a.zarr")), volume)


def test_n5_in_a_zip_file(tmp_path, volume):
    write_n5(tmp_path / "a.n5" / "s0", volume)
    with zipfile.ZipFile(tmp_path / "n5.zip", "w") as whole:
        for file in (tmp_path / "a.n5").rglob("*"):
            whole.write(file, file.relative_to(tmp_path / "a.n5"))
    np.testing.assert_array_equal(planes_of(open_volume(f"n5://{tmp_path}/n5.zip")), volume)


@pytest.mark.parametrize("content", [b"", b"hello", None], ids=["empty", "text", "cut short"])
def test_what_is_no_whole_zip_file_is_an_error_that_names_it(packed, content):
    packed.write_bytes(packed.read_bytes()[:3000] if content is None else content)
    with pytest.raises(SourceError, match=rf"{packed.name} can't be read: it may be cut short"):
        open_volume(packed)
    with pytest.raises(SourceError, match=rf"{packed.name}"):
        open_volume(packed / "0")


def test_a_damaged_chunk_in_a_zip_file_is_an_error(tmp_path, volume):
    path = write_zip(tmp_path / "a.zip", [volume], SCALES[:1], chunks=CHUNKS)
    with zipfile.ZipFile(path) as whole:
        (entry,) = (i for i in whole.infolist() if i.filename == "0/c/1/1/1")
    begin = entry.header_offset + 30 + len(entry.filename)  # as in the local header of the entry
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(bytes(50))
    with pytest.raises(SourceError, match=r"a\.zip/0, voxels .* can't be read"):
        planes_of(open_volume(path))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_entry_that_is_not_read_is_no_chunk_of_zeros(tmp_path, volume, method):
    zarr.create_array(tmp_path / "a.zarr", data=volume, chunks=CHUNKS)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as whole:
        for file in (tmp_path / "a.zarr").rglob("*"):
            kind = method if file.name.isdigit() and file.is_file() else zipfile.ZIP_STORED
            whole.write(file, file.relative_to(tmp_path / "a.zarr"), compress_type=kind)
    if method == zipfile.ZIP_LZMA:
        with pytest.raises(SourceError, match=r"a\.zip holds c/.*has method 14.*pack it anew"):
            open_volume(tmp_path / "a.zip")
    else:
        np.testing.assert_array_equal(planes_of(open_volume(tmp_path / "a.zip")), volume)


LARGE = {
    "v2": {"zarr_format": 2, "chunks": (65, 128, 264)},
    "v3": {"chunks": (65, 128, 264)},
    "shards": {"chunks": (13, 64, 132), "shards": (65, 128, 264)},
}


@pytest.mark.parametrize("layout", LARGE)
def test_large_entries_are_read_to_their_end(tmp_path, layout):
    """tensorstore's own reading of entries of more than 4 MB in batches never ends."""
    volume = np.random.default_rng(0).integers(0, 60000, (66, 130, 270)).astype(np.uint16)
    with zarr.storage.ZipStore(tmp_path / "a.zip", mode="w") as store:
        array = zarr.create_array(
            store, shape=volume.shape, dtype=volume.dtype, compressors=None, **LARGE[layout]
        )
        array[:, :128] = volume[:, :128]  # chunks of the last rows are missing
    with zipfile.ZipFile(tmp_path / "a.zip") as whole:
        assert max(info.file_size for info in whole.infolist()) > 1 << 22
    volume[:, 128:] = 0
    source = open_volume(tmp_path / "a.zip")
    assert source.array.chunks == LARGE[layout]["chunks"]
    np.testing.assert_array_equal(swept(source), volume)


@pytest.mark.parametrize("location", ["start", "end"])
def test_an_index_of_shards_at_either_end(tmp_path, volume, location):
    kvstore = {"driver": "file", "path": f"{tmp_path}/a.zarr/"}
    codecs = [
        {
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": CHUNKS,
                "codecs": [{"name": "bytes", "configuration": {"endian": "big"}}],
                "index_codecs": [
                    {"name": "bytes", "configuration": {"endian": "big"}},
                    {"name": "crc32c"},
                ],
                "index_location": location,
            },
        }
    ]
    metadata = {
        "shape": volume.shape,
        "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": (16, 64, 64)}},
        "codecs": codecs,
    }
    spec = {"driver": "zarr3", "kvstore": kvstore, "metadata": metadata}
    ts.open(spec, create=True).result().write(volume).result()
    pack(tmp_path / "a.zarr", tmp_path / "a.zip")
    np.testing.assert_array_equal(swept(open_volume(tmp_path / "a.zip")), volume)
    for file in (tmp_path / "a.zarr" / "c").rglob("*"):
        if file.is_file():
            at = slice(0, 100) if location == "start" else slice(-100, None)
            content = bytearray(file.read_bytes())
            content[at] = bytes(100)
            file.write_bytes(content)
    pack(tmp_path / "a.zarr", tmp_path / "b.zip")
    with pytest.raises(SourceError, match=r"b\.zip, voxels .* can't be read"):
        swept(open_volume(tmp_path / "b.zip"))


def pack(folder, path):
    with zipfile.ZipFile(path, "w") as whole:
        for file in folder.rglob("*"):
            whole.write(file, file.relative_to(folder))


def test_precomputed_in_a_zip_file_is_refused(tmp_path, volume):
    write_precomputed(tmp_path / "a", [volume], [[1] * 3], [[0] * 3])
    pack(tmp_path / "a", tmp_path / "a.zip")
    with pytest.raises(SourceError, match=r"a\.zip is precomputed in a zip file"):
        open_volume(f"precomputed://{tmp_path}/a.zip")


def test_an_output_never_replaces_the_zip_file(packed, tmp_path):
    before = packed.read_bytes()
    with pytest.raises(StoreError):
        hoaconv.stack_to_omezarr(packed, packed, overwrite=True)
    assert packed.read_bytes() == before
    made = hoaconv.stack_to_omezarr(packed, tmp_path / "o.zarr", chunks=16, workers=2)
    assert made.measured <= made.projected
    assert made.voxel_size == (3, 2, 2)


def test_an_ocdbt_store_is_a_folder_too(tmp_path, volume):
    base = {"driver": "ocdbt", "base": f"file://{tmp_path}/a.ocdbt/"}
    array = ts.open(
        {"driver": "zarr3", "kvstore": {**base, "path": "0/"}},
        create=True,
        dtype=ts.uint16,
        shape=volume.shape,
    ).result()
    array.write(volume).result()
    whole = ts.KvStore.open(base).result()
    group = {"zarr_format": 3, "node_type": "group", "attributes": ome_attributes(SCALES[:1])}
    whole.write("zarr.json", json.dumps(group).encode()).result()
    source = open_volume(tmp_path / "a.ocdbt")
    np.testing.assert_array_equal(planes_of(source), volume)
    assert source.geometry.edges == (3, 2, 2)
    assert source.stored_bytes == volume.nbytes  # it tells no sizes
    with pytest.raises(SourceError, match=r"9 holds no array; .*a\.ocdbt holds 0: name"):
        open_volume(tmp_path / "a.ocdbt" / "9")


def test_folders_tell_the_same(packed, tmp_path):
    with zipfile.ZipFile(packed) as whole:
        whole.extractall(tmp_path / "out")
    zipped, local = folder_at(packed), folder_at(tmp_path / "out")
    assert isinstance(local, LocalFolder)
    assert zipped.names() == local.names() == ["0", "1", "zarr.json"]
    for folder in (zipped, local):
        inner = folder.inner("0")
        assert inner.exists()
        assert inner.has("zarr.json")
        assert not inner.has("c")
        assert inner.read("nothing") is None
        assert next(iter(inner.around)).path == folder.path
        assert not folder.inner("9").exists()
    assert read_json(zipped.inner("0"), "zarr.json") == read_json(local.inner("0"), "zarr.json")
    assert zipped.inner("0").inner("c").names() == local.inner("0").inner("c").names()
