"""N5 images and precomputed volumes that are written: tensorstore reads them by itself."""

import json
import os
from unittest.mock import patch

import numpy as np
import pytest
import tensorstore as ts
from hypothesis import given, settings
from hypothesis import strategies as st

import hoaconv as hc
from hoaconv.engine.api import Source, Spec
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.spec import KNOWN
from hoaconv.errors import PlanError, SourceError, SpellingError, StoreError
from hoaconv.io.mark import MARK

pytestmark = pytest.mark.one_python

CODECS = ("gzip:5", "none", "lz4", "zstd:3", "blosc-zstd:1:shuffle", "blosc-zlib:3:bitshuffle")
KINDS = {"n5": hc.N5, "precomputed": hc.Precomputed}


def stored(path, kind):
    """The voxels (z, y, x), by tensorstore alone, which finds the metadata itself."""
    driver = {"n5": "n5", "precomputed": "neuroglancer_precomputed"}[kind]
    where = path / "s0" if kind == "n5" else path
    spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{where}/"}}
    found = ts.open(spec, open=True).result()
    return (found if kind == "n5" else found[..., 0]).read().result().T


def opened(path, kind):
    return hc.open(f"{kind}://{path}")


def write(volume, output):
    return (volume | output).run(progress=False)


@pytest.mark.parametrize("compressor", CODECS)
def test_each_codec_of_n5(tmp_path, volume, compressor):
    path = tmp_path / "o.n5"
    report = write(hc.open(volume), hc.N5(path, compressor=compressor, chunks=(8, 32, 16)))
    np.testing.assert_array_equal(stored(path, "n5"), volume)
    np.testing.assert_array_equal(hc.open(path).compute(), volume)
    files = [file for file in path.rglob("*") if file.is_file()]
    assert report.files == len(files)
    assert report.bytes_written == sum(file.stat().st_size for file in files)
    told = json.loads((path / "s0/attributes.json").read_bytes())
    assert (told["blockSize"], told["dimensions"]) == ([16, 32, 8], list(volume.shape[::-1]))


@pytest.mark.parametrize("dtype", KNOWN, ids=str)
def test_each_dtype(tmp_path, make_volume, dtype):
    volume = make_volume((5, 9, 7), dtype)
    write(hc.open(volume), hc.N5(tmp_path / "o.n5", chunks=4))
    found = stored(tmp_path / "o.n5", "n5")
    np.testing.assert_array_equal(found, volume)
    assert found.dtype == dtype
    output = hc.Precomputed(tmp_path / "o", chunks=4)
    if str(dtype) not in ("uint8", "uint16", "uint32", "uint64", "float32"):
        with pytest.raises(PlanError, match=rf"precomputed holds no {dtype}, but uint8, uint16"):
            write(hc.open(volume), output)
        assert not (tmp_path / "o").exists()
        return
    write(hc.open(volume), output)
    found = stored(tmp_path / "o", "precomputed")
    np.testing.assert_array_equal(found, volume)
    assert found.dtype == dtype


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 20)] * 3),
    chunks=st.tuples(*[st.integers(1, 24)] * 3),
    workers=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_any_shape_in_any_chunks(tmp_path_factory, kind, shape, chunks, workers, seed):
    path = tmp_path_factory.mktemp("a") / "o"
    volume = np.random.default_rng(seed).integers(0, 9, shape, dtype="uint16")
    job = hc.open(volume) | KINDS[kind](path, chunks=chunks)
    job.run(workers=workers, progress=False)
    np.testing.assert_array_equal(stored(path, kind), volume)
    np.testing.assert_array_equal(opened(path, kind).compute(), volume)


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_of_zeros_are_not_stored(tmp_path, kind):
    volume = np.zeros((9, 8, 8), "uint8")
    volume[0, 0, 7] = 1
    path = tmp_path / "o"
    report = write(hc.open(volume), KINDS[kind](path, chunks=4))
    inner = {"n5": "1/0/0", "precomputed": "4-8_0-4_0-4"}[kind]
    assert (path / "s0" / inner).is_file()
    heads = {"n5": {"s0/attributes.json", "attributes.json"}, "precomputed": {"info"}}[kind]
    files = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
    assert files == {f"s0/{inner}", *heads}
    assert report.files == len(files)
    np.testing.assert_array_equal(opened(path, kind).compute(), volume)
    write(hc.open(np.zeros_like(volume)), KINDS[kind](path, chunks=4, overwrite=True))
    assert not opened(path, kind).compute().any()
    assert not (path / "s0" / inner).exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", ["micrometer", "millimeter"])
def test_size_and_place_come_back(tmp_path, make_volume, kind, unit):
    volume = hc.open(make_volume((8, 9, 9)), voxel_size=(3, 2, 0.5), unit=unit).crop("2:,3:,4:")
    write(volume, KINDS[kind](tmp_path / "o", chunks=4))
    found = opened(tmp_path / "o", kind).geometry
    factor = {"micrometer": 1, "millimeter": 1000}[unit]
    assert found.unit == "micrometer"
    np.testing.assert_allclose(found.edges, np.multiply((3, 2, 0.5), factor))
    np.testing.assert_allclose(found.origin, np.multiply((6, 6, 2), factor))
    np.testing.assert_array_equal(opened(tmp_path / "o", kind).compute(), volume.compute())


def test_chunks_of_precomputed_are_named_from_a_negative_offset(tmp_path, make_volume):
    class Placed(Source):
        stored_bytes = 0
        spec = Spec((5, 4, 3), np.dtype("uint8"), Geometry((2, 2, 2), "micrometer", (-6, 4, -2)))

        def read(self, z, out):
            out[...] = z + 1

        def scratch(self):
            return 0

    write(hc.open(Placed()), hc.Precomputed(tmp_path / "o", chunks=4))
    info = json.loads((tmp_path / "o/info").read_bytes())
    assert info["scales"][0]["voxel_offset"] == [-1, 2, -3]
    assert info["scales"][0]["resolution"] == [2000, 2000, 2000]
    found = opened(tmp_path / "o", "precomputed")
    np.testing.assert_array_equal(found.compute()[:, 0, 0], np.arange(1, 6))
    assert found.geometry.origin == (-6, 4, -2)


class Notes(hc.Watcher):
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        (hc.open, "the voxel size is unknown; precomputed needs one"),
        (lambda v: hc.open(v, voxel_size=2).bin(2), "is no whole number of voxels"),
    ],
)
def test_what_precomputed_cannot_tell_is_a_note(tmp_path, volume, said):
    array = np.ones((8, 8, 8), "uint8")
    notes = Notes()
    report = (volume(array) | hc.Precomputed(tmp_path / "o")).run(progress=notes)
    assert any(said in text for text in (*notes.texts, *report.notes))


def test_an_unknown_voxel_size_stays_unknown_in_n5(tmp_path, volume):
    write(hc.open(volume), hc.N5(tmp_path / "o.n5"))
    assert hc.open(tmp_path / "o.n5").geometry.unit is None


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_images_of_uint8(tmp_path, encoding):
    z, y, x = np.indices((20, 33, 17))
    volume = (4 * z + 3 * y + 2 * x).astype("uint8")
    write(hc.open(volume), hc.Precomputed(tmp_path / "o", chunks=16, encoding=encoding))
    found = stored(tmp_path / "o", "precomputed")
    worst = np.abs(found.astype(int) - volume).max()
    assert worst == 0 if encoding == "png" else 0 < worst < 20
    np.testing.assert_array_equal(opened(tmp_path / "o", "precomputed").compute(), found)
    with pytest.raises(PlanError, match=f"{encoding} chunks hold uint8 alone"):
        write(hc.open(volume.astype("uint16")), hc.Precomputed(tmp_path / "p", encoding=encoding))
    assert not (tmp_path / "p").exists()


def test_a_chunk_that_no_jpeg_holds_is_refused_at_once(tmp_path):
    volume = hc.open(np.ones((300, 300, 2), "uint8"))
    with pytest.raises(PlanError, match=r"too large for jpeg.*take smaller `chunks`"):
        write(volume, hc.Precomputed(tmp_path / "o", chunks=300, encoding="jpeg"))


class Failing(Source):
    """A source that fails at a plane."""

    def __init__(self, at):
        self.at = at

    @property
    def spec(self):
        return Spec((20, 9, 7), np.dtype("uint16"), Geometry())

    stored_bytes = 0

    def read(self, z, out):
        if z == self.at:
            raise SourceError("a.tif is gone")
        out[...] = z

    def scratch(self):
        return 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [0, 9, 19])
def test_a_run_that_fails_leaves_nothing(tmp_path, kind, at):
    path = tmp_path / "o"
    with pytest.raises(SourceError, match="is gone"):
        write(hc.open(Failing(at)), KINDS[kind](path, chunks=4))
    assert not list(tmp_path.iterdir())
    write(hc.open(Failing(-1)), KINDS[kind](path, chunks=8))
    with pytest.raises(StoreError, match="exists; name another output, or replace it"):
        write(hc.open(Failing(-1)), KINDS[kind](path))
    if at < 4:  # nothing of the new one is written yet
        with pytest.raises(SourceError):
            write(hc.open(Failing(at)), KINDS[kind](path, chunks=4, overwrite=True))
        np.testing.assert_array_equal(stored(path, kind)[:, 0, 0], np.arange(20))
    write(hc.open(Failing(-1)), KINDS[kind](path, chunks=4, overwrite=True))
    np.testing.assert_array_equal(stored(path, kind)[:, 0, 0], np.arange(20))
    assert not (path / MARK).exists()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_such_folder_is_not_overwritten(tmp_path, volume, kind):
    path = tmp_path / "o"
    write(hc.open(volume), KINDS[kind](path))
    (path / "s0/mine.txt").write_text("keep")
    with pytest.raises(StoreError, match=r"holds s0/mine\.txt, which is no part of"):
        write(hc.open(volume), KINDS[kind](path, overwrite=True))
    assert (path / "s0/mine.txt").read_text() == "keep"
    (tmp_path / "p").mkdir()
    (tmp_path / "p/notes.txt").write_text("keep")
    with pytest.raises(StoreError, match="so it is not overwritten"):
        write(hc.open(volume), KINDS[kind](tmp_path / "p", overwrite=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_vanishes_is_an_error(tmp_path, volume, kind):
    def lose(parts, in_flight, **_):
        for target, part in parts:
            target.write(part).result()
        file = next(p for p in (tmp_path / "o/s0").rglob("*") if p.is_file())
        file.unlink()

    with (
        patch("hoaconv.io.blocks_sink.write_parts", lose),
        pytest.raises(StoreError, match="was written and is missing"),
    ):
        write(hc.open(volume + 1), KINDS[kind](tmp_path / "o", chunks=16))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_told_and_nothing_is_left(tmp_path, volume, kind):
    error = ValueError("x [OS error 28: No space left on device] y")
    with (
        patch("hoaconv.io.blocks_sink.write_parts", side_effect=error),
        pytest.raises(StoreError, match="o: the disk is full; free some space"),
    ):
        write(hc.open(volume), KINDS[kind](tmp_path / "o", chunks=16))
    assert not list(tmp_path.iterdir())


def test_all_are_written_beside_an_image_in_one_sweep(tmp_path, volume):
    source = hc.open(volume, voxel_size=2)
    image = source | hc.OmeZarr(tmp_path / "a.zarr", chunks=16)
    both = (source | hc.N5(tmp_path / "b.n5")) & (source.add(1) | hc.Precomputed(tmp_path / "c"))
    (image & both).run(progress=False)
    np.testing.assert_array_equal(stored(tmp_path / "b.n5", "n5"), volume)
    expected = hc.open(volume).add(1).compute()
    np.testing.assert_array_equal(stored(tmp_path / "c", "precomputed"), expected)
    assert sorted(os.listdir(tmp_path)) == ["a.zarr", "b.n5", "c"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_plan_counts_the_layer_and_covers_what_is_held(tmp_path, make_volume, kind):
    volume = hc.open(make_volume((40, 200, 300)))
    job = volume | KINDS[kind](tmp_path / "o", chunks=16)
    used = {use["what"]: use["nbytes"] for use in job.plan().describe()["sweeps"][0]["memory"]}
    assert used["a layer of chunks"] == 16 * 200 * 300 * 2
    report = job.run(workers=2, progress=False)
    assert report.measured <= report.projected


def test_several_channels_are_refused_with_what_to_do(tmp_path, make_volume):
    array = make_volume((6, 8, 8)).reshape(2, 3, 8, 8)
    spec = {"driver": "n5", "kvstore": {"driver": "file", "path": f"{tmp_path}/c.n5/"}}
    made = ts.open(spec, create=True, dtype=ts.uint16, shape=(8, 8, 3, 2)).result()
    made.write(array.T).result()
    for dst in ("o.n5", "precomputed://o"):
        with pytest.raises(SourceError, match="2 channels; take one, as in `channel=0`"):
            hc.convert(tmp_path / "c.n5", dst)
    hc.convert(tmp_path / "c.n5", tmp_path / "o.n5", channel=1)
    np.testing.assert_array_equal(stored(tmp_path / "o.n5", "n5"), array[1])


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (lambda: hc.N5("o.n5", compressor="gzip:99"), "not in 0..9"),
        (lambda: hc.N5("o.n5", chunks=0), "expected one positive number"),
        (lambda: hc.Precomputed("o", encoding="jpg"), "is none of raw, jpeg, png"),
        (lambda: hc.N5(""), "need a name"),
        (lambda: hc.N5("s3://bucket/o.n5"), "is an address"),
    ],
)
def test_options_that_are_not_understood(volume, output, said):
    with pytest.raises(SpellingError, match=said):
        write(hc.open(volume), output())


@pytest.mark.parametrize("name", ["o.zarr", "o.tif", "o.h5"])
@pytest.mark.parametrize("kind", KINDS)
def test_suffixes_of_other_formats_are_refused(tmp_path, volume, kind, name):
    with pytest.raises(StoreError, match=rf"{name} has the suffix of another format; name"):
        write(hc.open(volume), KINDS[kind](tmp_path / name))
