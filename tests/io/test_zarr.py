"""Arrays that zarr-python reads back: every format, codec, dtype, odd shapes."""

import json
import struct
import sys
from importlib import import_module

import numpy as np
import pytest
import zarr

from hoaconv.errors import SpellingError, StoreError
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.compressor import Compressor
from hoaconv.io.zarr import ArrayWriter
from hoaconv.units import parse_bytes

COMPRESSORS = [
    "none",
    "zstd",
    "zstd:5",
    "gzip:1",
    "lz4",
    "blosc-zstd:1:shuffle",
    "blosc-lz4hc:3:bitshuffle",
]
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
DTYPES += ["uint64", "int64"]


def written(path, volume, chunks, shards, compressor, zarr_format, workers=2):
    spec = ArraySpec(
        volume.shape, volume.dtype, chunks, shards, Compressor.parse(compressor), zarr_format
    )
    writer = ArrayWriter(path, spec, workers)
    depth = spec.unit[0]
    for z in range(0, len(volume), depth):
        writer.write_layer(z, np.ascontiguousarray(volume[z : z + depth]))
    assert not list(path.glob("z*.json")), "metadata comes last"
    writer.write_metadata()
    return spec


def volume_of(shape, dtype="uint16"):
    values = np.random.default_rng(1).integers(0, 120, shape)
    return values.astype(dtype)


@pytest.mark.parametrize(
    ("compressor", "zarr_format", "shards"),
    [(name, 3, shards) for name in COMPRESSORS for shards in (None, (8, 16, 16))]
    + [(name, 2, None) for name in COMPRESSORS if not name.startswith("zstd")],
)
def test_reads_back(tmp_path, compressor, zarr_format, shards) -> None:
    volume = volume_of((21, 19, 37))
    written(tmp_path / "0", volume, (4, 8, 8), shards, compressor, zarr_format)
    array = zarr.open_array(tmp_path / "0", mode="r")
    assert array.metadata.zarr_format == zarr_format
    assert np.array_equal(array[:], volume)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_every_dtype(tmp_path, dtype, zarr_format) -> None:
    volume = volume_of((3, 5, 7), dtype)
    written(tmp_path / "0", volume, (2, 2, 2), None, "gzip", zarr_format)
    array = zarr.open_array(tmp_path / "0", mode="r")
    assert array.dtype == volume.dtype
    assert np.array_equal(array[:], volume)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 300, 2), (70, 3, 3), (9, 64, 65)])
def test_chunks_and_shards_are_cut_to_the_array(tmp_path, shape) -> None:
    volume = volume_of(shape, "uint8") + 1
    spec = written(tmp_path / "0", volume, (64, 64, 64), (64, 256, 256), "lz4", 3)
    assert all(c <= n for c, n in zip(spec.chunks, shape, strict=True))
    assert all(s % c == 0 for s, c in zip(spec.unit, spec.chunks, strict=True))
    assert np.array_equal(zarr.open_array(tmp_path / "0", mode="r")[:], volume)


def test_chunks_of_zeros_are_not_stored(tmp_path) -> None:
    volume = np.zeros((8, 32, 32), np.uint16)
    volume[0, 0, 0] = 1
    written(tmp_path / "0", volume, (8, 16, 16), None, "none", 3)
    objects = [p for p in (tmp_path / "0" / "c").rglob("*") if p.is_file()]
    assert len(objects) == 1
    assert np.array_equal(zarr.open_array(tmp_path / "0", mode="r")[:], volume)


def test_v3_metadata_names_the_axes(tmp_path) -> None:
    written(tmp_path / "0", volume_of((2, 2, 2)), (2, 2, 2), None, "zstd:3", 3)
    metadata = json.loads((tmp_path / "0" / "zarr.json").read_text())
    assert metadata["dimension_names"] == ["z", "y", "x"]
    assert zarr.open_array(tmp_path / "0", mode="r").metadata.dimension_names == ("z", "y", "x")


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("block", ["0", "128", "4kB", "256KiB"])
def test_chunks_are_packed_in_blocks_of_that_size(tmp_path, block, zarr_format) -> None:
    volume = volume_of((64, 128, 128))
    written(
        tmp_path / "0", volume, (64, 128, 128), None, f"blosc-zstd:5:shuffle:{block}", zarr_format
    )
    chunk = tmp_path / "0" / ("c/0/0/0" if zarr_format == 3 else "0/0/0")
    (found,) = struct.unpack_from("<I", chunk.read_bytes(), 8)  # c-blosc, README_CHUNK_FORMAT
    assert block == "0" or found == parse_bytes(block)
    assert np.array_equal(zarr.open_array(tmp_path / "0", mode="r")[:], volume)


def test_a_path_that_can_not_be_written_is_named(tmp_path) -> None:
    (tmp_path / "0").write_text("a file stands in the way")
    with pytest.raises(StoreError, match=str(tmp_path / "0")):
        written(tmp_path / "0", volume_of((2, 2, 2)), (2, 2, 2), None, "none", 3)


def test_plain_zstd_in_v2_is_refused() -> None:
    with pytest.raises(SpellingError, match="blosc-zstd"):
        ArraySpec((2, 2, 2), np.dtype("uint8"), (2, 2, 2), None, Compressor.parse("zstd:3"), 2)


@pytest.mark.parametrize(
    ("shards", "workers", "lean", "at_once"),
    [
        (None, 1, False, 2),
        (None, 2, False, 4),
        (None, 2, True, 2),
        ((64, 512, 512), 1, False, 2),
        ((64, 512, 512), 4, False, 2),
        ((64, 512, 512), 20, False, 6),
        ((64, 512, 512), 20, True, 1),
        ((64, 1024, 2048), 20, False, 4),  # half a layer
        ((64, 4096, 4096), 20, False, 1),
        ((64, 64, 64), 20, False, 6),
    ],
)
def test_while_one_shard_is_written_others_are_packed(shards, workers, lean, at_once) -> None:
    shape, chunks = (128, 4096, 4096), (64, 64, 64) if shards else (128, 128, 128)
    spec = ArraySpec(shape, np.dtype("uint16"), chunks, shards, Compressor.parse("lz4"), 3)
    assert spec.in_flight(workers, lean=lean) == at_once


class Write:
    """A write that ends only when it is waited for to the end; the first wait is interrupted."""

    def __init__(self, ended: list["Write"]) -> None:
        self.ended, self.waits = ended, 0

    def done(self) -> bool:
        return True

    def result(self) -> None:
        self.waits += 1
        if self.waits == 1:
            raise KeyboardInterrupt

    def exception(self, timeout: float | None = None) -> None:
        if timeout is not None:
            return
        self.ended.append(self)


def test_an_interrupt_waits_for_every_write_under_way(tmp_path) -> None:
    spec = ArraySpec((2, 8, 8), np.dtype("uint8"), (2, 2, 2), None, Compressor.parse("none"), 3)
    writer, ended = ArrayWriter(tmp_path / "0", spec, 1), []

    class Store:
        def __getitem__(self, _):
            return self

        def write(self, *_, **__):
            return Write(ended)

    writer._store, writer._in_flight = Store(), 3
    with pytest.raises(KeyboardInterrupt):
        writer.write_layer(0, np.zeros((2, 8, 8), np.uint8))
    assert len(ended) == 3


class Pending:
    """A write that is under way until somebody waits for it."""

    def __init__(self) -> None:
        self.over = False

    def done(self) -> bool:
        return self.over

    def result(self) -> None:
        self.over = True

    def exception(self, timeout: float | None = None) -> None:
        self.over = True


class Writes:
    """A store that remembers every write that was begun in it."""

    def __init__(self) -> None:
        self.begun: list[Pending] = []

    def __getitem__(self, _: object) -> "Writes":
        return self

    def write(self, *_: object, **__: object) -> Pending:
        self.begun.append(Pending())
        return self.begun[-1]


def interrupted_at(step: int, codes):
    """A trace function that raises KeyboardInterrupt at a bytecode step of some functions."""
    left = [step]

    def trace(frame, event, _):
        if frame.f_code not in codes:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
        return trace

    return trace


def test_wherever_an_interrupt_strikes_no_write_is_left_under_way(tmp_path) -> None:
    spec = ArraySpec((2, 8, 8), np.dtype("uint8"), (2, 4, 4), None, Compressor.parse("none"), 3)
    writing = import_module("hoaconv.io.zarr")
    codes = {f.__code__ for f in (ArrayWriter.write_layer, writing.write_parts, writing._begin)}
    layer, before = np.zeros((2, 8, 8), np.uint8), sys.gettrace()
    struck = 0
    for step in range(1, 10_000):
        writer = ArrayWriter(tmp_path / "0", spec, 1)
        writer._store, writer._in_flight = Writes(), 2
        sys.settrace(interrupted_at(step, codes))
        try:
            writer.write_layer(0, layer)
            break
        except KeyboardInterrupt:
            struck += 1
        finally:
            sys.settrace(before)
        assert all(write.over for write in writer._store.begun), step
    assert struck > 50


def a_writer(path, volume, **options):
    spec = ArraySpec(volume.shape, volume.dtype, (4, 8, 8), None, Compressor.parse("none"), 3)
    return ArrayWriter(path, spec, 2, **options)


@pytest.mark.parametrize("shards", [None, (4, 16, 16)])
def test_files_that_are_missing_after_a_layer_are_an_error(tmp_path, monkeypatch, shards) -> None:
    volume = volume_of((4, 16, 24)) + 1
    spec = ArraySpec(volume.shape, volume.dtype, (4, 8, 8), shards, Compressor.parse("none"), 3)
    writer = ArrayWriter(tmp_path / "0", spec, 2)
    writer.write_layer(0, volume)
    lost = tmp_path / "0" / "c" / "0" / "0" / "1"

    def settle(_):
        lost.unlink()

    monkeypatch.setattr("hoaconv.io.zarr._settle", settle)
    with pytest.raises(StoreError, match=r"0/c/0/0/1 was written and is missing"):
        writer.write_layer(0, volume)


def test_files_of_earlier_layers_that_are_gone_are_an_error(tmp_path) -> None:
    volume = volume_of((8, 16, 24)) + 1
    writer = a_writer(tmp_path / "0", volume)
    writer.write_layer(0, volume[:4])
    writer.write_layer(4, volume[4:])
    (tmp_path / "0" / "c" / "0" / "1" / "2").unlink()
    with pytest.raises(StoreError, match=r"0: 1 of 12 files that were written are missing"):
        writer.write_metadata()


def test_an_empty_file_is_an_error(tmp_path, monkeypatch) -> None:
    volume = volume_of((4, 16, 24)) + 1
    writer = a_writer(tmp_path / "0", volume)
    empty = tmp_path / "0" / "c" / "0" / "1" / "2"
    monkeypatch.setattr("hoaconv.io.zarr._settle", lambda _: empty.write_bytes(b""))
    with pytest.raises(StoreError, match=r"0/c/0/1/2 was written and is empty"):
        writer.write_layer(0, volume)


def test_a_layer_whose_folder_was_moved_away_is_an_error(tmp_path, monkeypatch) -> None:
    volume = volume_of((4, 16, 24)) + 1
    writer = a_writer(tmp_path / "0", volume)
    monkeypatch.setattr(
        "hoaconv.io.zarr._settle", lambda _: (tmp_path / "0").rename(tmp_path / "1")
    )
    with pytest.raises(StoreError, match="is missing"):
        writer.write_layer(0, volume)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_files_and_zeros_are_counted(tmp_path, dtype) -> None:
    volume = np.zeros((4, 16, 24), dtype)
    volume[2, 9, 9] = 1
    if dtype.startswith("float"):
        volume[0, 0, 0] = np.nan
        volume[0, 0, 23] = -0.0
    writer = a_writer(tmp_path / "0", volume)
    writer.write_layer(0, volume)
    files = [f for f in (tmp_path / "0").rglob("*") if f.is_file()]
    assert (writer.counts.stored, writer.counts.stored + writer.counts.empty) == (len(files), 6)
    assert writer.counts.bytes == sum(f.stat().st_size for f in files)


def test_a_guard_that_refuses_stops_the_next_layer(tmp_path) -> None:
    def refuse():
        raise StoreError("not ours any more")

    volume = volume_of((4, 16, 24)) + 1
    with pytest.raises(StoreError, match="not ours"):
        a_writer(tmp_path / "0", volume, guard=refuse).write_layer(0, volume)
    assert not (tmp_path / "0").exists()


@pytest.mark.parametrize("shape", [(5, 37, 53), (1, 1, 1), (64, 300, 5000), (3, 129, 4097)])
@pytest.mark.parametrize("shards", [None, (4, 32, 64)])
def test_pieces_are_counted_as_they_are_listed(shape, shards) -> None:
    spec = ArraySpec(shape, np.dtype("uint16"), (4, 8, 8), shards, Compressor.parse("none"), 3)
    assert spec.piece_count == len(spec.pieces)


def test_a_plan_of_a_huge_plane_lists_none_of_its_pieces(monkeypatch) -> None:
    def listed(*_):
        raise AssertionError("2 ** 50 regions would be listed")

    monkeypatch.setattr("hoaconv.io.array_spec.regions", listed)
    shape = (64, 1 << 31, 1 << 31)
    for shards in (None, (64, 1024, 1024)):
        spec = ArraySpec(shape, np.dtype("u1"), (64, 64, 64), shards, Compressor.parse("lz4"), 3)
        assert spec.piece_count > 1
        assert spec.write_bytes(4, lean=False) > 0
