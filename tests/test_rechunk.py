"""`rechunk`: every array of a store is written anew, bit for bit, each chunk decoded once."""

import json
import zipfile
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import ome_zarr_models
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import hoaconv as hc
from hoaconv.errors import BudgetError, SourceError, SpellingError, StoreError
from hoaconv.io import chunk_copy
from hoaconv.io.frame_writer import FrameWriter
from hoaconv.io.zarr_array import ZarrArray
from hoaconv.terminal.app import app

pytestmark = pytest.mark.one_python

DTYPES = ("uint8", "int16", "uint32", "int64", "float16", "float32", "float64", "bool", "complex64")


def voxels(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Any:
    """Voxels of a dtype, a part of them zeros."""
    rng = np.random.default_rng(seed)
    made = np.asarray(rng.integers(-99, 99, shape)).astype(dtype)
    if np.dtype(dtype).kind in "fc":
        made.ravel()[::7] = np.nan
        made.ravel()[::11] = -0.0
    return made * (rng.random(shape) > 0.2).astype(dtype)


def written(path: Path, values: Any, chunks: Any, zarr_format: int, **more: Any) -> Any:
    """An array written by zarr-python."""
    keep = {"shards": more.pop("shards")} if more.get("shards") else {}
    more.pop("shards", None)
    array = zarr.create_array(
        path,
        shape=values.shape,
        chunks=chunks,
        dtype=values.dtype,
        zarr_format=zarr_format,
        attributes={"made": "by a test"},
        **keep,
        **more,
    )
    array[...] = values
    return array


def bits(path: Path) -> bytes:
    """The voxels that zarr-python reads."""
    read: bytes = np.asarray(zarr.open_array(path, mode="r")[...]).tobytes()
    return read


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by their paths in it."""
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


class Decoded:
    """Counts the chunks that are decoded of an array, by their place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chunks: dict[tuple[int, ...], int] = {}
        read = ZarrArray.read

        def counting(array: ZarrArray, box: tuple[slice, ...]) -> Any:
            sides = [
                range(side.start // c, -(-side.stop // c))
                for side, c in zip(box, array.chunks, strict=True)
            ]
            for chunk in product(*sides):
                self.chunks[chunk] = self.chunks.get(chunk, 0) + 1
            return read(array, box)

        monkeypatch.setattr(ZarrArray, "read", counting)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Any, ...]:
    """Shapes, chunks and shards of an array and of a rechunked one."""
    axes = draw(st.integers(1, 5))
    largest = {1: 40, 2: 20, 3: 12, 4: 7, 5: 5}[axes]
    sides = st.integers(1, largest)
    shape = tuple(draw(st.lists(sides, min_size=axes, max_size=axes)))
    chunks = tuple(draw(st.integers(1, n)) for n in shape)
    zarr_format = draw(st.sampled_from((2, 3)))
    shards = None
    if zarr_format == 3 and draw(st.booleans()):
        shards = tuple(c * draw(st.integers(1, 2)) for c in chunks)
    new = tuple(draw(st.integers(1, n + 1)) for n in shape[-draw(st.integers(1, axes)) :])
    to = draw(st.sampled_from((None, "0.4", "0.5")))
    sharded = (to == "0.5" or (to is None and zarr_format == 3)) and draw(st.booleans())
    new_shards = tuple(c * draw(st.integers(1, 3)) for c in new) if sharded else None
    return shape, chunks, shards, zarr_format, new, new_shards, to


@settings(max_examples=25, deadline=None)
@given(layouts(), st.sampled_from(DTYPES), st.integers(0, 9))
def test_voxels_are_those_that_zarr_python_reads(tmp_path_factory, layout, dtype, seed):
    shape, chunks, shards, zarr_format, new, new_shards, to = layout
    folder = tmp_path_factory.mktemp("r")
    values = voxels(shape, dtype, seed)
    written(folder / "a.zarr", values, chunks, zarr_format, shards=shards)
    options = {"chunks": new, "shards": new_shards, "ngff": to, "workers": 2}
    report = hc.rechunk(folder / "a.zarr", folder / "b.zarr", **options)
    assert bits(folder / "b.zarr") == bits(folder / "a.zarr")
    made = zarr.open_array(folder / "b.zarr", mode="r")
    assert made.dtype == values.dtype
    assert dict(made.attrs) == {"made": "by a test"}
    whole = (*(1,) * (len(shape) - len(new)), *new) if len(new) > 1 or len(shape) == 1 else None
    if whole:
        assert made.chunks == tuple(map(min, whole, shape))
    assert report.files == len(files(folder / "b.zarr"))
    assert report.bytes_written == sum(map(len, files(folder / "b.zarr").values()))
    hc.rechunk(folder / "b.zarr", folder / "c.zarr", **options)
    assert files(folder / "c.zarr") == files(folder / "b.zarr")


@settings(max_examples=15, deadline=None)
@given(layouts())
def test_each_chunk_is_decoded_once(tmp_path_factory, layout):
    shape, chunks, shards, zarr_format, new, new_shards, to = layout
    folder = tmp_path_factory.mktemp("r")
    written(folder / "a.zarr", voxels(shape, "uint16") + 1, chunks, zarr_format, shards=shards)
    with pytest.MonkeyPatch.context() as patch:
        decoded = Decoded(patch)
        report = hc.rechunk(
            folder / "a.zarr", folder / "b.zarr", chunks=new, shards=new_shards, ngff=to, workers=2
        )
    all_chunks = prod(-(-n // c) for n, c in zip(shape, chunks, strict=True))
    assert set(decoded.chunks.values()) <= {1}
    assert len(decoded.chunks) == (0 if report.arrays[0]["copied"] else all_chunks)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("shards", [None, (8, 8, 8)])
@pytest.mark.parametrize("to", [(None, "0.4"), ((16, 8, 8), "0.5"), (None, "0.5")])
def test_chunks_that_stay_are_copied_and_none_is_decoded(
    tmp_path, monkeypatch, zarr_format, shards, to
):
    new_shards, ngff = to
    if shards and zarr_format == 2:
        pytest.skip("zarr v2 has no shards")
    values = voxels((21, 17, 9), "uint16")
    values[:8, :8] = 0  # no chunk is stored there
    codec = zarr.codecs.BloscCodec(cname="lz4", clevel=1, shuffle="shuffle", typesize=2)
    if zarr_format == 2:
        import numcodecs

        codec = numcodecs.Blosc("lz4", clevel=1, shuffle=1)
    written(tmp_path / "a.zarr", values, (4, 8, 4), zarr_format, shards=shards, compressors=codec)
    decoded = Decoded(monkeypatch)
    encoded: list[Any] = []
    monkeypatch.setattr(FrameWriter, "write_layer", lambda *_: encoded.append(1))
    report = hc.rechunk(
        tmp_path / "a.zarr", tmp_path / "b.zarr", chunks=(4, 8, 4), shards=new_shards, ngff=ngff
    )
    assert report.arrays[0]["copied"]
    assert not decoded.chunks
    assert not encoded
    assert bits(tmp_path / "b.zarr") == values.tobytes()
    assert report.files == len(files(tmp_path / "b.zarr"))


def test_a_fill_value_and_names_are_kept_in_both_formats(tmp_path):
    values = np.full((9, 8, 7), 5, "int16")
    values[2, 3, 4] = -1
    names = {"dimension_names": ["depth", "y", "x"]}
    written(tmp_path / "a.zarr", values, (9, 4, 4), 3, fill_value=5, **names)
    hc.rechunk(tmp_path / "a.zarr", tmp_path / "b.zarr", chunks=(2, 8, 7), ngff="0.4")
    hc.rechunk(tmp_path / "b.zarr", tmp_path / "c.zarr", chunks=(9, 4, 4), ngff="0.5")
    old = json.loads((tmp_path / "b.zarr/.zarray").read_text())
    assert old["fill_value"] == 5
    told = json.loads((tmp_path / "b.zarr/.zattrs").read_text())
    assert told == {"made": "by a test", "_ARRAY_DIMENSIONS": ["depth", "y", "x"]}
    first, last = (zarr.open_array(tmp_path / name, mode="r") for name in ("a.zarr", "c.zarr"))
    assert (last.fill_value, last.metadata.dimension_names) == (5, ("depth", "y", "x"))
    assert dict(last.attrs) == dict(first.attrs)
    chunk_files = [name for name in files(tmp_path / "b.zarr") if name[0].isdigit()]
    assert chunk_files == ["1/0/0"]  # what is the fill value alone is not stored


@pytest.fixture
def image(tmp_path) -> Path:
    """An OME-Zarr image with two levels and a label, of voxels with a size."""
    volume = hc.open(voxels((20, 33, 34), "uint16") + 1, voxel_size=(2, 1, 1))
    source = tmp_path / "i.zarr"
    hc.store(
        {source: volume, source / "labels" / "tissue": volume | "threshold 50"}, chunks=8, levels=2
    ).run()
    return source


def ome(path: Path) -> Any:
    """The metadata of an image, in the form of 0.5."""
    if (path / "zarr.json").exists():
        return json.loads((path / "zarr.json").read_text())["attributes"]["ome"]
    return json.loads((path / ".zattrs").read_text())


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_an_image_is_kept_level_by_level_with_labels_and_window(image, tmp_path, ngff):
    out = tmp_path / "o.zarr"
    report = hc.rechunk(image, out, chunks=16, ngff=ngff)
    paths = ["0", "1", "labels/tissue/0", "labels/tissue/1"]
    assert [array["path"] for array in report.arrays] == paths
    for path in paths:
        assert bits(out / path) == bits(image / path)
    one, other = ome(image), ome(out)
    assert other["omero"] == one["omero"]
    (before,), (after,) = one["multiscales"], other["multiscales"]
    assert after.get("version") == ("0.4" if ngff == "0.4" else None)
    assert {**after, "version": 0} == {**before, "version": 0}
    assert ome(out / "labels")["labels"] == ["tissue"]
    assert ome(out / "labels" / "tissue")["image-label"]["source"] == {"image": "../../"}
    volume = hc.open(out)
    assert (volume.voxel_size, len(volume.levels)) == ((2, 1, 1), 2)
    back = tmp_path / "back.zarr"
    hc.rechunk(out, back, chunks=8, shards=(8, 32, 32), ngff="0.5")
    assert ome(back)["multiscales"] == one["multiscales"]


def test_levels_of_0_5_have_the_names_of_axes_that_those_of_0_4_lack(image, tmp_path):
    old, new = tmp_path / "old.zarr", tmp_path / "new.zarr"
    hc.rechunk(image, old, ngff="0.4")
    levels = ("0", "1", "labels/tissue/0", "labels/tissue/1")
    for level in levels:
        (old / level / ".zattrs").unlink(missing_ok=True)  # ome-zarr-py writes none
    hc.rechunk(old, new, ngff="0.5")
    named = [zarr.open_array(new / level, mode="r").metadata.dimension_names for level in levels]
    assert named == [("z", "y", "x")] * 4
    made = ome_zarr_models.open_ome_zarr(zarr.open_group(new, mode="r"))
    assert type(made).__name__ == "Image"


def test_a_level_alone_is_a_plain_array(image, tmp_path):
    report = hc.rechunk(image / "1", tmp_path / "o.zarr", chunks=4)
    assert [array["path"] for array in report.arrays] == [""]
    assert bits(tmp_path / "o.zarr") == bits(image / "1")


def test_little_memory_sends_layers_through_scratch_and_gives_the_same(tmp_path):
    values = voxels((64, 512, 512), "uint16")
    written(tmp_path / "a.zarr", values, (1, 512, 512), 2)
    options = {"chunks": (64, 64, 64), "workers": 2}
    small = hc.open(tmp_path / "a.zarr").nbytes
    ample = hc.rechunk(tmp_path / "a.zarr", tmp_path / "b.zarr", **options)
    least = ample.projected - small // 2
    report = hc.rechunk(tmp_path / "a.zarr", tmp_path / "c.zarr", budget=least, **options)
    assert report.projected <= least < ample.projected
    assert files(tmp_path / "c.zarr") == files(tmp_path / "b.zarr")
    with pytest.raises(BudgetError, match="budget"):
        hc.rechunk(tmp_path / "a.zarr", tmp_path / "d.zarr", budget="1MB", **options)
    assert not (tmp_path / "d.zarr").exists()


@pytest.mark.parametrize("copied", [False, True])
def test_an_error_on_the_way_removes_all_that_was_written(tmp_path, image, monkeypatch, copied):
    damaged = image / "labels" / "tissue" / "1"
    chunk = next(path for path in (damaged / "c").rglob("*") if path.is_file())
    if copied:
        chunk.write_bytes(b"cut")
    else:
        chunk.write_bytes(chunk.read_bytes()[:-9])
    options = {"shards": (8, 64, 64)} if copied else {"chunks": 16}
    with pytest.raises(SourceError, match="tissue") as caught:
        hc.rechunk(image, tmp_path / "o.zarr", **options)
    assert caught.value.__notes__ == ["what was written is removed"]
    assert not (tmp_path / "o.zarr").exists()


def test_what_is_there_is_replaced_on_demand_alone(tmp_path, image):
    out = tmp_path / "o.zarr"
    hc.rechunk(image, out, chunks=16)
    before = files(out)
    with pytest.raises(StoreError, match="overwrite"):
        hc.rechunk(image, out, chunks=4)
    assert files(out) == before
    hc.rechunk(image, out, chunks=4, overwrite=True)
    assert zarr.open_array(out / "0", mode="r").chunks == (4, 4, 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"chunks": 0}, "expected whole numbers"),
        ({"chunks": "8,x"}, "expected whole numbers"),
        ({"chunks": (1, 1, 8, 8)}, "4 numbers, and .* at most 3 axes"),
        ({"chunks": 8, "shards": 12}, "don't hold whole chunks"),
        ({"chunks": 8, "shards": 16, "ngff": "0.4"}, "NGFF 0.4 has no shards"),
        ({"chunks": 8, "ngff": "0.6"}, "none of 0.5, 0.4"),
        ({"chunks": 8, "ngff": "0.4", "compressor": "zstd"}, "plain zstd"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path, image, options, words):
    with pytest.raises(SpellingError, match=words):
        hc.rechunk(image, tmp_path / "o.zarr", **options)
    assert not (tmp_path / "o.zarr").exists()


def test_sources_that_cannot_be_are_refused(tmp_path, tiffs):
    with pytest.raises(SourceError, match="stack-to-omezarr"):
        hc.rechunk(tiffs, tmp_path / "o.zarr", chunks=8)
    zarr.create_array(tmp_path / "a.zarr", shape=(4, 4), chunks=(2, 2), dtype="complex128")
    with pytest.raises(SourceError, match="complex128"):
        hc.rechunk(tmp_path / "a.zarr", tmp_path / "o.zarr", chunks=2)
    with pytest.raises(StoreError, match="inside"):
        hc.rechunk(tmp_path / "a.zarr", tmp_path / "a.zarr" / "b", chunks=2)


def test_an_older_version_is_kept_in_its_own_zarr_format_alone(image, tmp_path):
    old, out = tmp_path / "old.zarr", tmp_path / "o.zarr"
    hc.rechunk(image, old, ngff="0.4")
    told = json.loads((old / ".zattrs").read_text())
    told["multiscales"][0]["version"] = "0.2"
    (old / ".zattrs").write_text(json.dumps(told))
    hc.rechunk(old, out, chunks=4)
    assert json.loads((out / ".zattrs").read_text()) == told
    with pytest.raises(SourceError, match=r"OME-NGFF 0\.2"):
        hc.rechunk(old, tmp_path / "p.zarr", ngff="0.5")
    assert not (tmp_path / "p.zarr").exists()


def test_a_store_in_a_zip_file_is_rechunked_too(image, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.ozx", "w") as file:
        for name, content in files(image).items():
            file.writestr(name, content)
    hc.rechunk(tmp_path / "a.ozx", tmp_path / "o.zarr", chunks=4)
    hc.rechunk(tmp_path / "a.ozx", tmp_path / "p.zarr", shards=(8, 64, 64))
    for path in ("0", "1", "labels/tissue/0"):
        assert bits(tmp_path / "o.zarr" / path) == bits(image / path)
        assert bits(tmp_path / "p.zarr" / path) == bits(image / path)


def test_arrays_without_a_voxel_or_without_axes(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", shape=(0, 4), chunks=(1, 4), dtype="uint8")
    hc.rechunk(tmp_path / "a.zarr", tmp_path / "o.zarr", chunks=2)
    assert zarr.open_array(tmp_path / "o.zarr", mode="r").shape == (0, 4)
    number = zarr.create_array(tmp_path / "n.zarr", shape=(), chunks=(), dtype="float32")
    number[...] = 2.5
    hc.rechunk(tmp_path / "n.zarr", tmp_path / "m.zarr", ngff="0.4", compressor="none")
    assert zarr.open_array(tmp_path / "m.zarr", mode="r")[...] == 2.5


def test_the_command_line_rechunks_and_tells(tmp_path, image):
    words = ["rechunk", str(image), str(tmp_path / "o.zarr")]
    done = CliRunner().invoke(app, [*words, "--chunks", "16", "--ngff", "0.4"])
    assert done.exit_code == 0
    assert "16x16x16" in done.stdout
    refused = CliRunner().invoke(app, [*words, "--chunks", "x"])
    assert refused.exit_code == 2


def test_copying_is_refused_where_a_shard_is_too_large(tmp_path, image, monkeypatch):
    monkeypatch.setattr(chunk_copy, "HELD", 1 << 40)
    with pytest.raises(BudgetError, match="shard"):
        hc.rechunk(image, tmp_path / "o.zarr", shards=(8, 64, 64))
