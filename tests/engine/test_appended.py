"""Sources in a row: the planes of each, in order; layers are decoded once and counted."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import InMemory, Keep, Spans, span_sums
from sized import held_and_counted, with_sizes

from hoaconv.engine.appended import Appended
from hoaconv.engine.geometry import Geometry
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.errors import SourceError
from hoaconv.job.arrays import ArraySource

VOLUME = np.random.default_rng(5).integers(0, 200, (23, 9, 6), dtype=np.int32)
PLENTY = Limits(1 << 40, 2)


class Chunked:
    """An array with chunks, of which it counts the reads."""

    def __init__(self, array, depth):
        self.array, self.chunks, self.reads = array, (depth, *array.shape[1:]), []
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, key):
        self.reads.append(key)
        return self.array[key]


def row(cuts, depths):
    """The volume in parts: of depth 1 read plane by plane, of a larger one layer by layer."""
    ends = [0, *sorted(cuts), len(VOLUME)]
    parts, arrays = [], []
    for (start, stop), depth in zip(pairwise(ends), depths, strict=False):
        if start == stop:
            continue
        arrays.append(Chunked(VOLUME[start:stop], depth))
        plain = depth == 1
        parts.append(InMemory(VOLUME[start:stop]) if plain else ArraySource(arrays[-1]))
    return Appended(parts), arrays


cuts = st.lists(st.integers(0, 23), min_size=1, max_size=4)
depths = st.lists(st.integers(1, 7), min_size=5, max_size=5)


@settings(max_examples=30, deadline=None)
@given(cuts=cuts, depths=depths, workers=st.integers(1, 3), ahead=st.integers(0, 12))
def test_the_planes_of_a_row_are_those_of_its_parts(cuts, depths, workers, ahead):
    source, arrays = row(cuts, depths)
    spans, sink = Spans(length=5), Keep()
    made = schedule(Plan.read(source) | spans | sink, Limits(1 << 40, workers))
    held, counted = held_and_counted(with_sizes(made, 1, 16, ahead))
    np.testing.assert_array_equal(sink.volume, span_sums(VOLUME, spans))
    assert held <= counted
    for array in arrays:
        depth = min(array.chunks[0], len(array.array))
        assert depth == 1 or len(array.reads) in (0, -(-len(array.array) // depth))


@settings(max_examples=30, deadline=None)
@given(cuts=cuts, depths=depths, planes=st.lists(st.integers(0, 22), min_size=1, max_size=30))
def test_planes_are_chosen_in_any_order(cuts, depths, planes):
    source, sink = row(cuts, depths)[0].choose(planes), Keep()
    run(schedule(Plan.read(source) | sink, PLENTY))
    np.testing.assert_array_equal(sink.volume, VOLUME[planes])


def test_the_geometry_is_that_of_the_first_and_can_be_set():
    first = ArraySource(VOLUME[:3]).at(Geometry((3, 2, 1), "micrometer", (9, 8, 7)))
    both = Appended([first, ArraySource(VOLUME[3:])])
    assert both.spec.geometry == first.geometry
    assert both.at(Geometry((5, 5, 5))).spec.geometry.edges == (5, 5, 5)
    assert both.spec.shape == VOLUME.shape


def test_sources_that_differ_are_refused_by_name():
    with pytest.raises(SourceError, match="to which it is appended, is 23 x 9 x 6 int32"):
        Appended([ArraySource(VOLUME), ArraySource(VOLUME[:, :8])])
    with pytest.raises(SourceError, match="alike in shape and dtype"):
        Appended([ArraySource(VOLUME), ArraySource(VOLUME.astype("int16"))])
