"""Layers while they are read: each piece is decoded once, by several threads, in counted memory."""

import gc
from threading import Barrier, Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Box, Desk, Heap, Keep, Layered, Spans, Total, box_sum, span_sums
from sized import held_and_counted, volume_of, with_economy, with_sizes

from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import Economy
from hoaconv.engine.layers import tickets
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.pool import Pool
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.errors import SourceError, StoreError

VOLUME = volume_of((23, 11, 300))
ALL = tuple(range(23))
ECONOMIES = [Economy(), Economy(next_layer=True), Economy(in_parts=True)]

sources = st.builds(
    lambda thick, rows, columns, taken: Layered(VOLUME, thick, rows, tuple(taken), columns=columns),
    st.integers(1, 25),
    st.integers(1, 11),
    st.integers(100, 300),
    st.lists(st.integers(0, 22), min_size=1, max_size=40)
    | st.just(range(23))
    | st.just(range(22, -1, -1)),
)


@pytest.mark.long
@settings(max_examples=120, deadline=None)
@given(
    source=sources,
    economy=st.sampled_from(ECONOMIES),
    workers=st.integers(1, 4),
    ahead=st.integers(0, 12),
    stride=st.integers(1, 4),
    first=st.integers(0, 9),
    most=st.integers(1, 30),
)
def test_each_piece_is_decoded_once_in_counted_memory(
    source, economy, workers, ahead, stride, first, most
) -> None:
    """Of two branches, one drops planes at the beginning and may not take the last ones."""
    Heap.made.clear()
    whole, part, spans = Keep(), Keep(), Spans(first=first, most=most)
    root = Plan.read(source)
    plan = (root | Total() | Box((2, 1, 0)) | whole) & (root | spans | part)
    made = with_economy(schedule(plan, Limits(1 << 40, workers, 0, Desk())), economy)
    made = with_sizes(made, stride, 4, ahead)
    held, counted = held_and_counted(made)
    planes = VOLUME[list(source.taken)]
    assert np.array_equal(whole.volume, box_sum(planes, (2, 1, 0)))
    assert np.array_equal(part.volume, span_sums(planes, spans))
    assert held <= counted
    if source.is_shared:
        assert len(source.reads) == len(source.layers) * source.piece_count
    else:
        assert len(source.reads) == len(source.taken) * source.piece_count
    waits = sum(sweep.scratch_bytes for sweep in made.sweeps)
    assert [heap.is_removed for heap in Heap.made] == ([True] if waits else [])
    assert all(heap.most <= waits for heap in Heap.made)


@pytest.mark.parametrize("left", range(0, 12, 3))
@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("economy", ECONOMIES)
def test_an_error_anywhere_ends_the_sweep_whoever_waits(left, workers, economy) -> None:
    Heap.made.clear()
    source = Layered(VOLUME, 4, 3, ALL, bad=left)
    made = schedule(Plan.read(source) | Keep(), Limits(1 << 40, workers, 0, Desk()))
    with pytest.raises(SourceError, match="a bad piece"):
        run(with_economy(made, economy))
    assert all(heap.is_removed for heap in Heap.made)


def test_thin_layers_of_few_pieces_are_read_side_by_side() -> None:
    class Meeting(Layered):
        meet = Barrier(3)

        def read_piece(self, planes, piece, out):
            if planes[0] < 6:  # of the first three layers, in three threads at once
                self.meet.wait(timeout=20)
            super().read_piece(planes, piece, out)

    source, sink = Meeting(VOLUME, 2, 11, ALL), Keep()
    run(schedule(Plan.read(source) | sink, Limits(1 << 40, 6, 0)))
    assert np.array_equal(sink.volume, VOLUME)


@pytest.mark.parametrize("economy", ECONOMIES)
def test_tickets_that_are_dropped_hold_nobody_up(economy) -> None:
    source, buffers = Layered(VOLUME, 8, 3, ALL), Buffers()
    waiting = Desk().pieces("waiting") if economy.in_parts else None
    with Pool(2) as pool:
        how = tickets(source, buffers, pool, next_layer=economy.next_layer, waiting=waiting)
        for _ in range(12):
            next(how)
        out = np.zeros_like(VOLUME[12])
        next(how)(out)
    assert np.array_equal(out, VOLUME[12])
    layer = 8 * source.spec.plane_bytes
    most = {"next_layer": 2 * layer, "in_parts": 8 * 3 * 300 * 4}
    assert buffers.held <= next((most[name] for name in most if getattr(economy, name)), layer)


# The next layer


class Watched(Layered):
    """Tells when all pieces of a layer are read; a piece of layer `shut` waits for the gate."""

    shut = -1

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        object.__setattr__(self, "done", {z: Event() for z in range(9)})
        object.__setattr__(self, "reached", Event())
        object.__setattr__(self, "gate", Event())

    def read_piece(self, planes, piece, out):
        z = planes[0] // self.thick
        if z == self.shut:
            self.reached.set()
            assert self.gate.wait(timeout=20)
        super().read_piece(planes, piece, out)
        if [layer for layer, *_ in self.reads].count(z) == self.piece_count:
            self.done[z].set()

    def layers_read(self):
        return {layer for layer, *_ in self.reads}


def given(how, count):
    planes = []
    for _ in range(count):
        planes.append(np.zeros(VOLUME.shape[1:], VOLUME.dtype))
        next(how)(planes[-1])
    return np.stack(planes)


def test_the_next_layer_is_decoded_while_the_last_is_given() -> None:
    source, buffers = Watched(VOLUME, 8, 3, ALL), Buffers()
    layer = 8 * source.spec.plane_bytes
    with Pool(2) as pool:
        how = tickets(source, buffers, pool, next_layer=True)
        first = given(how, 1)
        assert source.done[1].wait(timeout=20)
        assert source.layers_read() == {0, 1}
        assert buffers.held == 2 * layer
        rest = given(how, 8)
        assert source.done[2].wait(timeout=20)
        last = given(how, 14)
    assert np.array_equal(np.concatenate([first, rest, last]), VOLUME)
    assert buffers.held == 2 * layer
    assert len(source.reads) == 3 * source.piece_count


def test_without_it_a_layer_is_begun_when_the_last_is_given() -> None:
    source, buffers = Watched(VOLUME, 8, 3, ALL), Buffers()
    with Pool(2) as pool:
        how = tickets(source, buffers, pool)
        given(how, 8)
        pool.submit("nothing", int).result()
        assert source.layers_read() == {0}
        given(how, 15)
    assert buffers.held == 8 * source.spec.plane_bytes


def test_a_plane_that_is_wanted_waits_for_no_more_than_a_piece_of_the_next_layer() -> None:
    class Shut(Watched):
        shut = 1

    source = Shut(VOLUME, 8, 3, ALL)
    out = [np.zeros_like(VOLUME[0]) for _ in range(8)]
    with Pool(1) as pool:
        how = tickets(source, Buffers(), pool, next_layer=True)
        for z in range(7):
            pool.submit("decode", next(how), out[z])
        assert source.reached.wait(timeout=20)
        last, read = pool.submit("decode", next(how), out[7]), []
        last.add_done_callback(lambda _: read.append(len(source.reads)))
        source.gate.set()
        last.result()
        given(how, 15)
    assert np.array_equal(out, VOLUME[:8])
    assert read == [source.piece_count + 1]


def test_an_error_in_the_next_layer_is_that_of_its_planes() -> None:
    source = Watched(VOLUME, 8, 3, ALL, bad=5)
    with Pool(2) as pool:
        how = tickets(source, Buffers(), pool, next_layer=True)
        assert np.array_equal(given(how, 8), VOLUME[:8])
        with pytest.raises(SourceError, match="a bad piece"):
            given(how, 1)


def test_a_layer_that_nobody_wants_any_more_is_not_read_on() -> None:
    class Shut(Watched):
        shut = 1

    source, buffers = Shut(VOLUME, 8, 2, ALL), Buffers()
    with Pool(2) as pool:
        how = tickets(source, buffers, pool, next_layer=True)
        given(how, 1)
        assert source.reached.wait(timeout=20)
        del how
        source.gate.set()
    gc.collect()
    layers = [layer for layer, *_ in source.reads]
    assert layers.count(1) <= 2 < source.piece_count
    held = buffers.held
    taken = [buffers.take((8, *VOLUME.shape[1:]), VOLUME.dtype) for _ in range(2)]
    assert (buffers.held, len(taken)) == (held, 2)


# Layers in scratch


def deep(**changes):
    volume = volume_of((48, 64, 40))
    return Layered(volume, 24, 4, tuple(range(48)), columns=20, **changes)


@pytest.mark.parametrize("order", [range(48), range(47, -1, -1), [3, 40, 3, 2, 30, 31, 3]])
def test_a_layer_that_does_not_fit_is_read_in_parts(order) -> None:
    source, sink = deep(), Keep()
    chosen = source.choose(order)
    made = schedule(Plan.read(chosen) | Box((1, 1, 1)) | sink, Limits(1 << 40, 2, 0, Desk()))
    thrifty = with_economy(made, Economy(in_parts=True))
    held, counted = held_and_counted(thrifty)
    assert np.array_equal(sink.volume, box_sum(source.volume[list(order)], (1, 1, 1)))
    assert held <= counted
    if len(set(order)) == 48:
        assert made.projected - thrifty.projected > 0.8 * 24 * source.spec.plane_bytes


def test_a_disk_that_is_full_ends_the_sweep_and_removes_the_file(monkeypatch) -> None:
    Heap.made.clear()
    puts = []

    def put(self, piece):
        puts.append(piece)
        if len(puts) > 40:
            raise StoreError("the disk is full")
        return 0, 1

    monkeypatch.setattr(Heap, "put", put)
    sink = Keep()
    made = schedule(Plan.read(deep()) | sink, Limits(1 << 40, 3, 0, Desk()))
    with pytest.raises(StoreError, match="the disk is full"):
        run(with_economy(made, Economy(in_parts=True)))
    assert [heap.is_removed for heap in Heap.made] == [True]
    assert sink.ended == ["aborted"]


def test_two_sources_wait_apart() -> None:
    Heap.made.clear()
    one, other = Keep(), Keep()
    source = deep()
    plan = (Plan.read(source) | one) & (Plan.read(source.choose(range(47, -1, -1))) | other)
    made = schedule(plan, Limits(1 << 40, 2, 0, Desk()))
    run(with_economy(made, Economy(in_parts=True)))
    assert np.array_equal(one.volume, source.volume)
    assert np.array_equal(other.volume, source.volume[::-1])
    assert len({heap.name for heap in Heap.made}) == len(Heap.made) == 2
