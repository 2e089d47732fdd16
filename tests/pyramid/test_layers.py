"""Wherever layers wait, the store is the same, and no more is held than declared."""

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import prod
from pathlib import Path
from unittest.mock import PropertyMock, patch

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from in_memory import InMemory
from reading import all_equal, levels_of
from sized import recording
from waiting_for import wait_until

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy
from hoaconv.engine.memory import uses
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import Pool
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import Spec
from hoaconv.engine.stages import Running
from hoaconv.errors import SpellingError, StoreError
from hoaconv.io import array_spec
from hoaconv.io.array_spec import ArraySpec
from hoaconv.io.compressor import Compressor
from hoaconv.io.packed import PackedFile
from hoaconv.ops.projections import Projection
from hoaconv.pyramid import image as image_module
from hoaconv.pyramid import layers as layers_module
from hoaconv.pyramid.layers import Layers
from hoaconv.pyramid.levels import levels
from hoaconv.pyramid.metadata import ImageInfo
from hoaconv.pyramid.sink import OmeZarr

pytestmark = pytest.mark.one_python

sizes = st.integers(1, 5)


def sink_of(path, chunks, many, ngff="0.5", method="mean", factors=None, **options):
    """`many` chunks make a shard; () for none."""
    z, y, x = (c * m for c, m in zip(chunks, many or (1, 1, 1), strict=True))
    shards = (z, y, x) if many and ngff == "0.5" else None
    image, compressor = ImageInfo("image", method), Compressor.parse("blosc-zstd:1:shuffle")
    return OmeZarr(path, image, chunks, shards, compressor, ngff=ngff, factors=factors, **options)


def write(sink, volume, spilled, packed=False, workers=2, rows=0):
    """Write with some levels spilled or packed; bytes of buffers, and what the model says."""
    made = schedule(Plan.read(InMemory(volume)) | sink, Limits(1 << 40, workers))
    (sweep,) = made.sweeps
    stages = tuple(replace(s, rows=rows or s.rows) for s in sweep.stages)
    sweep = replace(sweep, stages=stages, economy=Economy(True, spilled, packed))
    running: list[Running] = []
    with patch("hoaconv.engine.run.Running", recording(running)):
        run(replace(made, sweeps=(sweep,)))
    counted = (
        u for u in uses(sweep) if u.what.startswith(("level", "a piece")) or "ahead" in u.what
    )
    return running[0].buffers.held, sum(use.nbytes for use in counted)


def all_files(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


@contextmanager
def everything_gathers(share=0.75):
    """Every level, though it saves nothing at such sizes."""
    spillable = patch.object(Layers, "spillable", PropertyMock(return_value=99))
    tables = patch.object(layers_module, "_places_bytes", return_value=0)
    with spillable, tables, patch.object(layers_module, "SHARE", share):
        image_module._layers.cache_clear()
        yield
    image_module._layers.cache_clear()


@contextmanager
def early():
    """Every group of planes is downsampled as soon as it is whole."""
    with patch.object(Layers, "late", PropertyMock(return_value=False)):
        image_module._layers.cache_clear()
        yield
    image_module._layers.cache_clear()


@pytest.mark.long
@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 23), st.integers(1, 21), st.integers(1, 21)),
    chunks=st.tuples(sizes, sizes, sizes),
    many=st.one_of(st.just(()), st.tuples(*[st.integers(1, 3)] * 3)),
    factors=st.one_of(st.none(), st.tuples(*[st.integers(1, 4)] * 3)),
    method=st.sampled_from(["mean", "mode", "max", "nearest"]),
    ngff=st.sampled_from(["0.4", "0.5"]),
    piece=st.integers(1, 2000),
    rows=st.integers(1, 21),
    spilled=st.integers(0, 5),
    packed=st.booleans(),
    share=st.sampled_from([0.2, 0.75]),
)
def test_gathered_layers_make_the_same_store(
    tmp_path_factory,
    shape,
    chunks,
    many,
    factors,
    method,
    ngff,
    piece,
    rows,
    spilled,
    packed,
    share,
) -> None:
    try:
        levels(shape, chunks, factors=factors)
    except SpellingError:
        assume(False)
    assume(prod(-(-n // c) for n, c in zip(shape, chunks, strict=True)) <= 600)  # files
    volume = np.random.default_rng(0).integers(0, 2000, shape, dtype=np.uint16)
    folder = tmp_path_factory.mktemp("stores")
    pieces = patch.object(array_spec, "PIECE_BYTES", piece)
    with everything_gathers(share), pieces, patch.object(array_spec, "WRITE_BYTES", piece):
        for name, economy in (("early", (0, False)), ("waiting", (spilled, packed))):
            sink = sink_of(folder / name, chunks, many, ngff, method, factors)
            with early() if name == "early" else nullcontext():
                held, counted = write(sink, volume, *economy, rows=rows)
            assert held <= counted
    assert all_files(folder / "early") == all_files(folder / "waiting")


@given(
    shape=st.tuples(*[st.integers(1, 3000)] * 3),
    chunks=st.tuples(*[st.sampled_from([1, 16, 64, 128])] * 3),
    many=st.one_of(st.just(()), st.tuples(*[st.integers(1, 16)] * 3)),
    factors=st.one_of(st.none(), st.just((1, 2, 2)), st.just((3, 2, 2))),
)
def test_each_level_that_is_gathered_saves_memory(shape, chunks, many, factors) -> None:
    try:
        levels(shape, chunks, factors=factors)
    except SpellingError:
        assume(False)
    sink = sink_of(Path("o.zarr"), chunks, many, factors=factors)
    spec = Spec(shape, np.dtype("uint16"))
    most = sink.spillable(spec)

    def held(spilled):
        return sum(use.nbytes for use in sink.uses(spec, 0, Economy(spilled=spilled)))

    assert all(after < before for before, after in pairwise(map(held, range(most + 1))))
    assert held(most + 1) == held(most)
    on_disk = [sink.scratch_bytes(spec, Economy(spilled=n)) for n in range(most + 1)]
    assert on_disk == sorted(on_disk)
    assert on_disk[0] == 0


def test_a_wide_volume_needs_a_tenth_once_it_is_gathered() -> None:
    sink = sink_of(Path("o.zarr"), (64, 64, 64), (1, 16, 16))
    spec = Spec((9080, 7621, 7621), np.dtype("uint16"))
    plain, spilled = (
        sum(use.nbytes for use in sink.uses(spec, 4, Economy(spilled=n))) for n in (0, 9)
    )
    assert spilled < plain / 10


def test_no_more_lies_in_scratch_than_was_said(tmp_path, monkeypatch) -> None:
    volume = np.random.default_rng(0).integers(0, 65536, (40, 64, 64), dtype=np.uint16)
    most: dict[Path, int] = {}
    put = PackedFile.put

    def seen(self, rows):
        place = put(self, rows)
        most[self.path] = max(most.get(self.path, 0), self.path.stat().st_size)
        return place

    monkeypatch.setattr(PackedFile, "put", seen)
    sink = sink_of(tmp_path / "o.zarr", (8, 16, 16), (1, 2, 2))
    with everything_gathers():
        write(sink, volume, 2)
    assert len(most) == 2
    said = sink.scratch_bytes(Spec(volume.shape, volume.dtype), Economy(spilled=2))
    assert 0.9 * said <= sum(most.values()) <= said


@pytest.mark.parametrize("own", [False, True])
def test_scratch_is_gone_after_success_and_after_failure(tmp_path, monkeypatch, own) -> None:
    volume = np.random.default_rng(0).integers(0, 2000, (40, 32, 32), dtype=np.uint16)
    place = tmp_path / "scratch" if own else None
    if own:
        place.mkdir()
    folders = set()
    put = PackedFile.put

    def seen(self, rows):
        found = put(self, rows)
        folders.add(self.path.parent)
        return found

    monkeypatch.setattr(PackedFile, "put", seen)
    sink = sink_of(tmp_path / "o.zarr", (8, 16, 16), (), scratch=place)
    with everything_gathers():
        write(sink, volume, 3)
    (folder,) = folders
    assert folder.parent == (place or sink.path)
    assert not folder.exists()
    assert not [p for p in sink.path.iterdir() if p.name.startswith(".")]

    folders.clear()

    def full(self, rows):
        if len(list(self.path.parent.glob("*"))) > 1:
            raise StoreError("full")
        return seen(self, rows)

    monkeypatch.setattr(PackedFile, "put", full)
    with everything_gathers(), pytest.raises(StoreError, match="full"):
        write(replace(sink, path=tmp_path / "bad.zarr"), volume, 3)
    (folder,) = folders
    assert not folder.exists()
    assert not (tmp_path / "bad.zarr").exists()
    assert not own or not list(place.iterdir())


# Packed in memory


def speckled(shape, dtype="uint16", bits=5):
    """Smooth voxels, and some bits of noise, which don't shrink."""
    rng, dtype = np.random.default_rng(1), np.dtype(dtype)
    noise = rng.integers(0, 1 << bits, shape)
    return (noise + 9 * np.arange(shape[2])).astype(dtype)


CASES = {
    "plain": {},
    "one slice": {"shape": (1, 90, 70)},
    "one row": {"shape": (40, 1, 70)},
    "one pixel": {"shape": (40, 1, 1), "chunks": (4, 4, 4)},
    "odd": {"shape": (37, 61, 53)},
    "factors of 3": {"factors": (3, 3, 3)},
    "thin": {"factors": (1, 2, 2), "chunks": (4, 16, 16)},
    "chunks deeper than the volume": {"shape": (11, 90, 90), "chunks": (16, 16, 16)},
    "shards": {"many": (1, 2, 2)},
    "deep shards": {"many": (2, 2, 2)},
    "v2": {"ngff": "0.4"},
    "labels": {"method": "mode", "dtype": "uint8", "bits": 1},
    "int8": {"dtype": "int8"},
    "float32": {"dtype": "float32"},
    "noise": {"bits": 16},
}


NOTHING_TO_GAIN = ("one pixel", "factors of 3")
"""Levels that are as large as level 0, groups that do not fill a layer."""


def spec_of(volume):
    return Spec(volume.shape, volume.dtype)


@pytest.mark.parametrize("case", CASES)
def test_packed_layers_hold_the_same_voxels(tmp_path, case) -> None:
    options = {"shape": (40, 80, 96), "chunks": (8, 16, 16), "many": (), **CASES[case]}
    volume = speckled(options.pop("shape"), options.pop("dtype", "uint16"), options.pop("bits", 5))
    with early():
        write(sink_of(tmp_path / "early", **options), volume, 0)
    for packed in (False, True):
        held, counted = write(sink_of(tmp_path / str(packed), **options), volume, 0, packed)
        assert held <= counted
        all_equal(levels_of(tmp_path / "early"), levels_of(tmp_path / str(packed)))
    layers = sink_of(tmp_path, **options).layers(spec_of(volume), Economy(packed=True))
    assert layers.late == (case not in NOTHING_TO_GAIN)
    assert len(levels_of(tmp_path / "True")) > 1
    assert np.array_equal(levels_of(tmp_path / "True")[0], volume)


def test_the_plane_that_completes_a_layer_reaches_all_outputs_of_a_sweep(tmp_path) -> None:
    """Layers come back in the buffer where the slices were decoded, which others look at too."""
    volume = speckled((40, 80, 96))
    sinks = [sink_of(tmp_path / name, (8, 16, 16), ()) for name in "ab"]
    plan = Plan.read(InMemory(volume)) | sinks[0] | sinks[1] | Projection("max")
    made = schedule(plan, Limits(1 << 40, 2))
    (sweep,) = made.sweeps
    drawn = run(replace(made, sweeps=(replace(sweep, economy=Economy(packed=True)),))).drawn
    all_equal(levels_of(sinks[0].path), levels_of(sinks[1].path))
    assert np.array_equal(levels_of(sinks[1].path)[0], volume)
    (picture,) = drawn.values()
    assert np.array_equal(picture, volume.max(0))


@given(
    shape=st.tuples(*[st.integers(1, 3000)] * 3),
    chunks=st.tuples(*[st.sampled_from([1, 7, 16, 64, 128])] * 3),
    many=st.one_of(st.just(()), st.tuples(*[st.integers(1, 16)] * 3)),
    factors=st.one_of(st.none(), st.tuples(*[st.integers(1, 5)] * 3)),
    dtype=st.sampled_from(["uint8", "float32"]),
    spilled=st.integers(0, 9),
)
def test_each_level_that_waits_packed_holds_less(
    shape, chunks, many, factors, dtype, spilled
) -> None:
    try:
        levels(shape, chunks, factors=factors)
    except SpellingError:
        assume(False)
    sink = sink_of(Path("o.zarr"), chunks, many, factors=factors)
    spec = Spec(shape, np.dtype(dtype))
    plain, packed = (sink.layers(spec, Economy(spilled=spilled, packed=p)) for p in (False, True))
    wholes = [
        min(a.unit[0] * -(-group // a.unit[0]), a.shape[0])
        * prod(a.shape[1:])
        * spec.dtype.itemsize
        for a, group in zip(plain.arrays, plain.groups, strict=True)
    ]
    assert not plain.waits(0) or plain.spilled
    for layers in (plain, packed):
        uses = [use.nbytes for use in layers.uses("", 0) if use.what.startswith("level")]
        for i, (whole, used) in enumerate(zip(wholes, uses, strict=True)):
            assert used < whole if layers.waits(i) and i >= layers.spilled else used <= whole
    waiting = [packed.waits(i) for i in range(packed.spilled, len(packed.arrays))]
    assert (packed.room == 0) == (packed.spilled == 0)
    lasting = any(packed.waiting_bytes(i) for i in range(len(wholes)))
    assert (packed.scratch_bytes > plain.scratch_bytes) == lasting
    assert any(waiting) >= lasting


@pytest.mark.parametrize(
    ("depth", "rows", "late"),
    [(6, 64, True), (15, 64, True), (5, 64, False), (60, 64, True), (60, 320, False)],
)
def test_layers_wait_packed_where_they_can_come_back_in_the_buffer_of_level_0(
    depth, rows, late
) -> None:
    """Not where a layer is complete while level 0 is midway, nor where a piece is too large."""
    spec = partial(ArraySpec, dtype=np.dtype("uint16"), shards=None, zarr_format=3)
    first = spec((90, 640, 640), chunks=(6, 64, 64), compressor=Compressor.parse("none"))
    second = replace(first, shape=(45, 320, 320), chunks=(depth, rows, 64))
    layers = Layers((first, second), (2, 1), packed=True)
    assert layers.late == layers.waits(1) == late
    assert replace(layers, packed=False).late == late
    assert layers.room == 0


def test_a_wide_volume_needs_less_once_it_is_packed() -> None:
    sink = sink_of(Path("o.zarr"), (64, 64, 64), (1, 16, 16))
    spec = Spec((9080, 7621, 7621), np.dtype("uint16"))
    plain, packed = (
        sum(use.nbytes for use in sink.uses(spec, 4, Economy(packed=p))) for p in (False, True)
    )
    assert sink.packs(spec)
    assert packed < 0.97 * plain < 0.92 * 9_913_745_356  # with whole layers of all levels


@pytest.mark.parametrize(("bits", "overflows"), [(5, False), (16, True)])
def test_only_what_finds_no_room_in_memory_goes_to_scratch(
    tmp_path, monkeypatch, bits, overflows
) -> None:
    most: dict[Path, int] = {}
    append = PackedFile.write

    def seen(self, data):
        place = append(self, data)
        most[self.path] = max(most.get(self.path, 0), self.path.stat().st_size)
        return place

    monkeypatch.setattr(PackedFile, "write", seen)
    sink, volume = (
        sink_of(tmp_path / "o.zarr", (8, 16, 16), ()),
        speckled((64, 128, 128), bits=bits),
    )
    write(sink, volume, 0, packed=True)
    assert bool(most) == overflows
    said = sink.scratch_bytes(Spec(volume.shape, volume.dtype), Economy(packed=True))
    assert sum(most.values()) <= said
    assert not overflows or sum(most.values()) > 0.7 * said
    assert not [p for p in sink.path.iterdir() if p.name.startswith(".")]


def free_bytes(buffers: Buffers) -> int:
    return sum(len(memory) for sizes in buffers._free.values() for memory in list(sizes))


def test_memory_of_layers_is_returned_with_the_last_plane(tmp_path) -> None:
    volume = speckled((40, 80, 96))
    spec, buffers = Spec(volume.shape, volume.dtype), Buffers()
    sink = sink_of(tmp_path / "o.zarr", (8, 16, 16), ())
    for economy in (Economy(), Economy(packed=True), Economy(spilled=9), Economy(False, 1, True)):
        with Pool(1) as pool:
            writer = replace(sink, overwrite=True).open(spec, pool, buffers, economy)
            for plane in volume:
                writer.take(plane, slice(0, len(plane)))
                writer.advance()
            # A thread that stored a chunk may let it go just after it has said that it is done.
            wait_until(lambda: free_bytes(buffers) == buffers.held > 0)
            writer.close({})
            writer.release()


def test_a_full_disk_ends_a_run_whose_planes_find_no_room_in_memory(tmp_path, monkeypatch) -> None:
    append = PackedFile.write

    def full(self, data):
        if self.nbytes:
            raise StoreError("full")
        return append(self, data)

    monkeypatch.setattr(PackedFile, "write", full)
    sink, volume = sink_of(tmp_path / "o.zarr", (8, 16, 16), ()), speckled((64, 128, 128), bits=16)
    with pytest.raises(StoreError, match="full"):
        write(sink, volume, 0, packed=True)
    assert not list(tmp_path.iterdir())
