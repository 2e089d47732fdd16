"""However many layers wait in scratch, the store is the same, and no more is held than declared."""

from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from math import prod
from pathlib import Path
from unittest.mock import PropertyMock, patch

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from in_memory import InMemory
from sized import recording

from hoaconv.engine.contract import Economy
from hoaconv.engine.memory import uses
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import Spec
from hoaconv.engine.stages import Running
from hoaconv.errors import SpellingError, StoreError
from hoaconv.io import array_spec
from hoaconv.io.compressor import Compressor
from hoaconv.io.packed import PackedFile
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


def write(sink, volume, spilled, workers=2, rows=0):
    """Write with some levels spilled; returns bytes of buffers, and what the model says."""
    made = schedule(Plan.read(InMemory(volume)) | sink, Limits(1 << 40, workers))
    (sweep,) = made.sweeps
    stages = tuple(replace(s, rows=rows or s.rows) for s in sweep.stages)
    sweep = replace(sweep, stages=stages, economy=Economy(tight=True, spilled=spilled))
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
def everything_gathers():
    """Every level, though it saves nothing at such sizes."""
    with patch.object(Layers, "spillable", PropertyMock(return_value=99)):
        yield


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
    spilled=st.integers(1, 5),
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
) -> None:
    try:
        levels(shape, chunks, factors=factors)
    except SpellingError:
        assume(False)
    assume(prod(-(-n // c) for n, c in zip(shape, chunks, strict=True)) <= 600)  # files
    volume = np.random.default_rng(0).integers(0, 2000, shape, dtype=np.uint16)
    folder = tmp_path_factory.mktemp("stores")
    pieces = patch.object(array_spec, "PIECE_BYTES", piece)
    with everything_gathers(), pieces, patch.object(array_spec, "WRITE_BYTES", piece):
        for name, count in (("plain", 0), ("spilled", spilled)):
            sink = sink_of(folder / name, chunks, many, ngff, method, factors)
            held, counted = write(sink, volume, count, rows=rows)
            assert held <= counted
    assert all_files(folder / "plain") == all_files(folder / "spilled")


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
