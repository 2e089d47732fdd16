"""Planes that wait between two sweeps come back as they were, in any order; then all is gone."""

import pickle
import re
import tracemalloc
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import InMemory

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy, Waiting
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import Pool
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import KNOWN, Spec
from hoaconv.errors import PlanError, SourceError, StoreError
from hoaconv.io import scratch
from hoaconv.io.contents import SCRATCH
from hoaconv.io.scratch import ScratchFolder, check_space

PLENTY = Limits(1 << 40, 2)


def noise(shape, dtype="uint16"):
    """Any bits at all: NaN of every kind among them."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    return np.random.default_rng(1).integers(0, 256, size, np.uint8).view(dtype).reshape(shape)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(1, 30)),
    dtype=st.sampled_from(KNOWN),
    rows=st.integers(1, 41),
    piece=st.integers(1, 4000),
    workers=st.integers(1, 3),
    data=st.data(),
)
def test_a_mid_write_keeps_every_bit(
    tmp_path_factory, shape, dtype, rows, piece, workers, data
) -> None:
    order = data.draw(st.permutations(range(shape[0])))
    volume, spec = noise(shape, dtype), Spec(shape, dtype)
    with pytest.MonkeyPatch.context() as patch, Pool(workers) as pool:
        patch.setattr(scratch, "PIECE_BYTES", piece)
        place = ScratchFolder(tmp_path_factory.mktemp("scratch") / "s")
        sink = place.hold("middle", spec)
        writer = sink.open(spec, pool, Buffers(), Economy())
        source = writer.kept().choose(order)  # before there is anything
        assert not place.folder.exists()
        for plane in volume:
            bands = [slice(y, min(y + rows, shape[1])) for y in range(0, shape[1], rows)]
            pool.map("pack", partial(writer.take, plane), bands)
            writer.advance()
        most = sink.scratch_bytes(spec, Economy())
        assert writer.close({})["bytes"] == (place.folder / "middle").stat().st_size <= most
        back = np.empty_like(volume)
        for z, plane in enumerate(back):
            source.read(z, plane)
        writer.release()
    assert back.tobytes() == volume[order].tobytes()
    assert not place.folder.exists()


def test_a_sweep_that_fails_leaves_nothing(tmp_path) -> None:
    place = ScratchFolder(tmp_path / "s")
    volume = noise((30, 20, 10))
    sink = place.hold("middle", Spec(volume.shape, volume.dtype))
    with pytest.raises(SourceError):
        run(schedule(Plan.read(InMemory(volume, bad=17)) | sink, PLENTY))
    assert not place.folder.exists()


def test_what_comes_is_what_was_agreed(tmp_path) -> None:
    sink = ScratchFolder(tmp_path / "s").hold("middle", Spec((3, 4, 5), np.dtype("uint8")))
    with pytest.raises(PlanError, match=r"3 x 4 x 5 uint8.*3 x 4 x 5 uint16"):
        schedule(Plan.read(InMemory(noise((3, 4, 5)))) | sink, PLENTY)


def test_what_waits_is_a_value_that_only_a_run_reads(tmp_path) -> None:
    place, spec = ScratchFolder(tmp_path / "s"), Spec((3, 4, 5), np.dtype("uint8"))
    one, other = (Waiting(place.hold("middle", spec)) for _ in range(2))
    assert pickle.loads(pickle.dumps(one)) == one == other
    with pytest.raises(PlanError, match="plane 2 of scratch middle was read before"):
        one.read(2, np.empty(spec.plane_shape, spec.dtype))


@pytest.mark.parametrize("edge", [300, 1500])
def test_what_is_held_is_declared(tmp_path, edge) -> None:
    """Traced while one thread takes and reads: a part of what is declared for all of them."""
    volume = noise((4, edge, edge))
    spec = Spec(volume.shape, volume.dtype)
    sink = ScratchFolder(tmp_path / "s").hold("middle", spec)
    out = np.empty(spec.plane_shape, spec.dtype)
    with Pool(1) as pool:
        tracemalloc.start()
        try:
            writer = sink.open(spec, pool, Buffers(), Economy())
            for plane in volume:
                for row in range(0, edge, 64):
                    writer.take(plane, slice(row, min(row + 64, edge)))
                writer.advance()
            writing = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            source = writer.kept()
            source.read(2, out)
            reading = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
    packing, places = (use.nbytes for use in sink.uses(spec, 0, Economy()))
    assert writing <= packing + places + 20_000
    assert source.scratch() == Waiting(sink).scratch()
    assert reading <= source.scratch() + 20_000
    assert np.array_equal(out, volume[2])
    writer.abort()


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(1, 30)),
    dtype=st.sampled_from(KNOWN),
    rows=st.integers(1, 40),
    columns=st.integers(1, 30),
    workers=st.integers(1, 3),
)
def test_pieces_keep_every_bit_and_wait_in_counted_bytes(
    tmp_path_factory, shape, dtype, rows, columns, workers
) -> None:
    place = ScratchFolder(tmp_path_factory.mktemp("scratch") / "s")
    volume, (nz, ny, nx) = noise(shape, dtype), shape
    corners = list(product(range(nz), range(0, ny, rows), range(0, nx, columns)))
    back, places = np.zeros_like(volume), {}
    pieces = place.pieces("layer")
    assert not place.folder.exists()

    def piece(whole, corner):
        z, y, x = corner
        return whole[z, y : y + rows, x : x + columns]

    with Pool(workers) as pool:
        for _ in range(2):  # what is cleared is written over
            pieces.clear()
            pool.map("put", lambda c: places.update({c: pieces.put(piece(volume, c))}), corners)
        pool.map("get", lambda c: pieces.get(places[c], piece(back, c)), corners)
    assert back.tobytes() == volume.tobytes()
    size = (place.folder / "layer").stat().st_size
    assert size <= place.stored_bytes(len(corners), volume.nbytes)
    pieces.remove()
    assert not place.folder.exists()


def test_a_thread_that_is_left_behind_makes_no_file_again(tmp_path) -> None:
    pieces = ScratchFolder(tmp_path / "s").pieces("layer")
    pieces.remove()
    with pytest.raises(StoreError, match="layer is removed"):
        pieces.put(noise((3, 4)))
    pieces.remove()
    assert not (tmp_path / "s").exists()


def test_putting_and_getting_a_piece_holds_what_is_declared(tmp_path) -> None:
    place = ScratchFolder(tmp_path / "s")
    pieces, volume = place.pieces("layer"), noise((700, 900))
    back = np.zeros_like(volume)
    part = (slice(0, 600), slice(0, 800))
    tracemalloc.start()
    try:
        pieces.get(pieces.put(volume[part]), back[part])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.array_equal(back[part], volume[part])
    assert peak <= place.packing_bytes(volume[part].nbytes) + 20_000
    pieces.remove()


def test_files_of_others_stay(tmp_path) -> None:
    place = ScratchFolder(tmp_path / "s").open()
    for name in ("one", "other"):
        place.file(name).put(np.ones((2, 2)))
    (place.folder / "theirs").write_text("precious")
    with pytest.raises(PlanError, match="other"):
        place.file("other")
    place.remove()
    assert [p.name for p in place.folder.iterdir()] == ["theirs"]


def test_runs_that_share_a_folder_share_no_name(tmp_path) -> None:
    output = Path("deep") / "brain.zarr"
    place = ScratchFolder.of(output, tmp_path)
    assert place == ScratchFolder.of(output, tmp_path)
    one, other = (place.open().folder for _ in range(2))
    assert one != other
    assert one.parent == other.parent == tmp_path
    assert "brain.zarr" in one.name
    assert ScratchFolder.of(output, None).open().folder == output / SCRATCH


def test_folders_on_one_disk_share_its_space(tmp_path) -> None:
    free = ScratchFolder(tmp_path / "not" / "yet").free()
    assert free > 0
    assert check_space([(tmp_path, 0), (tmp_path / "a", 1000)]) is None
    assert check_space([]) is None
    half = free * 6 // 10
    assert check_space([(tmp_path / "a", half)]) is None
    told = check_space([(tmp_path / "a", half), (tmp_path / "b" / "c", half)])
    assert re.search(r"wait in scratch.*GB free.*`scratch`", told or "")
