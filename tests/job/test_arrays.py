"""Arrays as sources: each chunk is read once, in pieces of whole chunks, whatever is taken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Keep

from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.job import arrays
from hoaconv.job.arrays import ArraySource

ARRAY = np.random.default_rng(4).integers(0, 1 << 16, (20, 30, 40)).astype(np.uint16)


class Chunked:
    """An array in chunks that notes which rows of which planes were asked for."""

    shape, dtype = ARRAY.shape, ARRAY.dtype

    def __init__(self, chunks) -> None:
        self.chunks, self.read = chunks, []

    def __getitem__(self, key):
        z, y = key if isinstance(key, tuple) else (key, slice(0, 30))
        self.read.append((z.start, z.stop, y.start, y.stop))
        return ARRAY[key]


def swept(source, workers=2):
    sink = Keep()
    run(schedule(Plan.read(source) | sink, Limits(1 << 40, workers, 0)))
    return sink.volume


@pytest.mark.parametrize("chunks", [(8, 7, 40), ((8, 8, 4), (7, 7, 7, 7, 2), (40,))])
@pytest.mark.parametrize(("piece", "rows"), [(1, 7), (8 * 14 * 40 * 2, 14), (1 << 30, 30)])
def test_chunks_are_read_once_and_several_at_a_time(monkeypatch, chunks, piece, rows) -> None:
    monkeypatch.setattr(arrays, "PIECE_BYTES", piece)
    array = Chunked(chunks)
    assert np.array_equal(swept(ArraySource(array)), ARRAY)
    layers = [(0, 8), (8, 16), (16, 20)]
    bands = [(y, min(y + rows, 30)) for y in range(0, 30, rows)]
    assert sorted(array.read) == sorted((*z, *y) for z in layers for y in bands)


@settings(max_examples=40, deadline=None)
@given(
    first=st.lists(st.integers(0, 19), min_size=1, max_size=30) | st.just(range(19, 2, -2)),
    step=st.sampled_from([1, 2, -1]),
    depth=st.integers(1, 20),
    workers=st.integers(1, 3),
)
def test_planes_are_chosen_in_any_order_and_again(first, step, depth, workers) -> None:
    source = ArraySource(Chunked((depth, 7, 40))).choose(first)
    again = range(len(first))[::step]
    want = ARRAY[list(first)][list(again)]
    assert np.array_equal(swept(source.choose(again), workers), want)
    assert np.array_equal(swept(source.choose(list(again)), workers), want)


def test_of_an_array_in_memory_nothing_is_copied_but_the_planes() -> None:
    source = ArraySource(ARRAY)
    assert (source.thickness, source.scratch(), source.layer_bytes(9)) == (1, 0, 0)
    assert ArraySource(Chunked((1, 7, 40))).scratch() == 2 * source.spec.plane_bytes
