"""Sources in layers: every piece is decoded once, by several threads, in counted memory."""

from dataclasses import dataclass, field
from threading import Barrier, Lock
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Box, Keep, Spans, Total, box_sum, span_sums
from sized import held_and_counted, volume_of, with_sizes

from hoaconv.engine.bands import bands
from hoaconv.engine.buffers import Buffers
from hoaconv.engine.contract import LayeredSource
from hoaconv.engine.estimate import estimate
from hoaconv.engine.layered import tickets
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.spec import Spec
from hoaconv.errors import SourceError
from hoaconv.ops.geometry import Crop, Flip


@dataclass(frozen=True, eq=False)
class Layered(LayeredSource):
    """A volume in layers of `thick` planes, in pieces of `rows` rows; piece `bad` can't be read."""

    volume: np.ndarray
    thick: int
    rows: int
    taken: tuple[int, ...]
    bad: int = -1
    reads: list[tuple[int, int]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @property
    def spec(self):
        return Spec((len(self.taken), *self.volume.shape[1:]), self.volume.dtype)

    @property
    def stored_bytes(self):
        return self.volume.nbytes

    @property
    def depth(self):
        return self.thick

    @property
    def planes(self):
        return self.taken

    @property
    def pieces(self):
        ny, nx = self.volume.shape[1:]
        return [(band, slice(0, nx)) for band in bands(ny, self.rows)]

    def piece_bytes(self, planes):
        return 0

    def read_piece(self, planes, piece, out):
        with self.lock:
            self.reads.append((planes[0] // self.thick, piece[0].start))
            if len(self.reads) - 1 == self.bad:
                raise SourceError("a bad piece")
        out[...] = self.volume[planes][:, *piece]

    def __str__(self):
        return "layered"


VOLUME = volume_of((23, 11, 5))

sources = st.builds(
    lambda thick, rows, taken: Layered(VOLUME, thick, rows, tuple(taken)),
    st.integers(1, 25),
    st.integers(1, 11),
    st.lists(st.integers(0, 22), min_size=1, max_size=40)
    | st.just(range(23))
    | st.just(range(22, -1, -1)),
)


@settings(max_examples=60, deadline=None)
@given(
    source=sources,
    workers=st.integers(1, 4),
    ahead=st.integers(0, 12),
    stride=st.integers(1, 4),
    first=st.integers(0, 9),
    most=st.integers(1, 30),
)
def test_each_piece_is_decoded_once_in_counted_memory(
    source, workers, ahead, stride, first, most
) -> None:
    """Of two branches, one drops planes at the beginning and may not take the last ones."""
    whole, part, spans = Keep(), Keep(), Spans(first=first, most=most)
    root = Plan.read(source)
    plan = (root | Total() | Box((2, 1, 0)) | whole) & (root | spans | part)
    made = with_sizes(schedule(plan, Limits(1 << 40, workers, 0)), stride, 4, ahead)
    held, counted = held_and_counted(made)
    planes = VOLUME[list(source.taken)]
    assert np.array_equal(whole.volume, box_sum(planes, (2, 1, 0)))
    assert np.array_equal(part.volume, span_sums(planes, spans))
    assert held <= counted
    if source.is_shared:
        assert len(source.reads) == len(source.layers) * source.piece_count
    else:
        assert len(source.reads) == len(source.taken) * source.piece_count


def test_what_is_left_out_is_not_decoded_and_planes_are_chosen_again() -> None:
    source = Layered(VOLUME, 4, 6, tuple(range(23)))
    for part, want in ((Crop("5:11,:,:"), VOLUME[5:11]), (Flip("z"), VOLUME[::-1])):
        sink = Keep()
        source.reads.clear()
        run(schedule(Plan.read(source) | part | sink, Limits(1 << 40, 3, 0)))
        assert np.array_equal(sink.volume, want)
        layers = {1, 2} if len(want) == 6 else set(range(6))
        assert sorted(source.reads) == sorted((z, y) for z in layers for y in (0, 6))
    twice = source.choose(range(22, 2, -3)).choose([4, 0, 1])
    assert list(twice.planes) == [10, 22, 19]
    assert source.choose(range(4)).stored_bytes == source.stored_bytes // 6
    assert str(twice) == "layered"
    assert not twice.decodes_slowly
    with patch.object(Layered, "decodes_slowly", True):
        assert twice.decodes_slowly


@pytest.mark.parametrize("left", range(0, 12, 3))
@pytest.mark.parametrize("workers", [1, 8])
def test_an_error_anywhere_ends_the_sweep_whoever_waits(left, workers) -> None:
    source = Layered(VOLUME, 4, 6, tuple(range(23)), bad=left)
    with pytest.raises(SourceError, match="a bad piece"):
        run(schedule(Plan.read(source) | Keep(), Limits(1 << 40, workers, 0)))


def test_thin_layers_of_few_pieces_are_read_side_by_side() -> None:
    class Meeting(Layered):
        meet = Barrier(3)

        def read_piece(self, planes, piece, out):
            if planes[0] < 6:  # of the first three layers, in three threads at once
                self.meet.wait(timeout=20)
            super().read_piece(planes, piece, out)

    source, sink = Meeting(VOLUME, 2, 11, tuple(range(23))), Keep()
    assert [source.at_once(workers) for workers in (1, 2, 3, 6, 99)] == [1, 1, 2, 3, 12]
    run(schedule(Plan.read(source) | sink, Limits(1 << 40, 6, 0)))
    assert np.array_equal(sink.volume, VOLUME)


def test_tickets_that_are_dropped_hold_nobody_up() -> None:
    source, buffers = Layered(VOLUME, 8, 3, tuple(range(23))), Buffers()
    how = tickets(source, buffers, workers=2)
    for _ in range(12):
        next(how)
    out = np.zeros_like(VOLUME[12])
    next(how)(out)
    assert np.array_equal(out, VOLUME[12])
    assert buffers.held == 8 * source.spec.plane_bytes


def test_a_trial_takes_a_plane_for_its_share_of_a_layer() -> None:
    source = Layered(VOLUME, 8, 3, tuple(range(23)))
    found = estimate(schedule(Plan.read(source) | Total(), Limits(1 << 40, 2, 0)))
    assert found.work["layered"] > 0
    assert len(source.reads) == 3 * source.piece_count
