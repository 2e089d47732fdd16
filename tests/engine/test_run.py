"""Whatever windows, bands, depths and workers a schedule has, the planes are the same."""

import threading
from traceback import walk_tb
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Add, Box, InMemory, Keep, Lag, Lend, Total, box_sum
from sized import (
    buffer_bytes,
    held_and_counted,
    leads,
    recording,
    strides,
    volume_of,
    with_sizes,
)

from hoaconv.engine.combine import Combine
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Node, Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits
from hoaconv.engine.stages import Running
from hoaconv.errors import PlanError, SourceError, StoreError

shapes = st.tuples(st.integers(1, 17), st.integers(1, 19), st.integers(1, 5))
radii = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2))
lags = st.builds(Lag, st.integers(0, 30), st.booleans())


@settings(max_examples=60, deadline=None)
@given(
    shape=shapes,
    first=radii,
    second=radii,
    stride=strides,
    lead=leads,
    rows=st.integers(1, 20),
    ahead=st.integers(0, 5),
    workers=st.integers(1, 3),
)
def test_streamed_is_whole_bit_for_bit(
    shape, first, second, stride, lead, rows, ahead, workers
) -> None:
    volume, sink = volume_of(shape), Keep()
    plan = Plan.read(InMemory(volume)) | Box(first) | Add(3) | Box(second) | Total() | sink
    made = with_sizes(schedule(plan, Limits(1 << 30, workers, 0)), stride, rows, ahead, lead)
    outcome = run(made)
    want = box_sum(box_sum(volume, first) + 3, second)
    assert np.array_equal(sink.volume, want)
    assert outcome.outputs[sink]["folds"]["total"]["sum"] == int(want.astype(np.int64).sum())
    assert sink.ended == ["closed", "released"]


CHAINS = {
    "alone": (lambda read, sink: read | sink, True),
    "behind folds": (lambda read, sink: read | Total() | Total() | sink, True),
    "before another sink": (lambda read, sink: read | sink | Total() | Keep(), True),
    "behind an op": (lambda read, sink: read | Add(0) | sink, False),
    "before an op": (lambda read, sink: read | sink | Add(1) | Keep(), False),
    "beside a branch": (lambda read, sink: (read | sink) & (read | Box((2, 0, 0)) | Keep()), False),
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("workers", [1, 3])
def test_planes_are_read_to_where_they_stay_if_nobody_else_keeps_them(chain, workers) -> None:
    volume, sink = volume_of((31, 9, 4)), Lend()
    made, lends = CHAINS[chain]
    outcome = run(schedule(made(Plan.read(InMemory(volume)), sink), Limits(1 << 30, workers, 0)))
    assert np.array_equal(sink.volume, volume)
    assert sink.lent == (list(range(31)) if lends else [])
    sums = [value["sum"] for value in outcome.folds if "sum" in value]
    assert sums == [int(volume.sum())] * len(sums)


class Seen(Total):
    """Keeps the planes of each row, in the order in which they came."""

    def init(self, spec):
        return [[] for _ in range(spec.plane_shape[0])]

    def step(self, state, block, z=0, y=0):
        for row in range(y, y + len(block)):
            state[row].append(z)

    def merge(self, one, other):
        return [a + b for a, b in zip(one, other, strict=True)]

    def finish(self, state):
        return {"seen": state}


class SharedSeen(Seen):
    shared = True


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("fold", [Seen(), SharedSeen()])
def test_a_fold_sees_each_row_once_and_a_shared_one_in_order(fold, workers) -> None:
    plan = Plan.read(InMemory(volume_of((40, 19, 4)))) | fold | Add(1) | fold | Keep()
    made = with_sizes(schedule(plan, Limits(1 << 30, workers, 0)), 1, 4, 6)
    for value in run(made).folds:
        planes = value["seen"] if fold.shared else [sorted(row) for row in value["seen"]]
        assert planes == [list(range(40))] * 19


def test_every_plane_is_read_once_whatever_the_number_of_readers() -> None:
    source, one, other = InMemory(volume_of((23, 9, 4))), Keep(), Keep()
    root = Node(source)
    ends = (
        Node(one, (Node(Box((3, 1, 1)), (root,)),)),
        Node(other, (Node(Add(5), (root,)),)),
    )
    run(schedule(Plan(ends), Limits(1 << 30, 2, 0)))
    assert sorted(source.reads) == list(range(23))
    assert np.array_equal(one.volume, box_sum(source.volume, (3, 1, 1)))
    assert np.array_equal(other.volume, source.volume + 5)


@settings(max_examples=40, deadline=None)
@given(
    shape=shapes,
    one=radii,
    other=radii,
    deeper=radii,
    stride=strides,
    lead=leads,
    rows=st.integers(1, 20),
    workers=st.integers(1, 2),
)
def test_branches_at_different_windows_rejoin(
    shape, one, other, deeper, stride, lead, rows, workers
) -> None:
    volume, sink = volume_of(shape), Keep()
    source = InMemory(volume)
    planes = Plan.read(source)
    branches = (planes | Box(one) | Box(deeper)) & (planes | Box(other)) & (planes | Add(1))
    pairs = Plan(branches.ends[:2]) | Combine(np.subtract)
    plan = pairs & Plan(branches.ends[2:]) | Combine(np.maximum) | sink
    made = with_sizes(schedule(plan, Limits(1 << 30, workers, 0)), stride, rows, 2, lead)
    held, counted = held_and_counted(made)
    want = box_sum(box_sum(volume, one), deeper) - box_sum(volume, other)
    assert np.array_equal(sink.volume, np.maximum(want, volume + 1))
    assert sorted(source.reads) == list(range(shape[0]))
    assert held <= counted


@settings(max_examples=40, deadline=None)
@given(
    shape=shapes,
    one=lags,
    other=lags,
    radius=radii,
    stride=strides,
    lead=leads,
    workers=st.integers(1, 2),
    ahead=st.integers(0, 3),
)
def test_branches_that_scans_delay_rejoin(
    shape, one, other, radius, stride, lead, workers, ahead
) -> None:
    volume, sink, late = volume_of(shape), Keep(), Keep()
    source = InMemory(volume)
    planes = Plan.read(source)
    pairs = (planes | Box(radius) | one | Box(radius) | other) & (planes | Add(1))
    plan = (pairs | Combine(np.subtract) | sink) & (planes | other | Box(radius) | late)
    made = with_sizes(schedule(plan, Limits(1 << 30, workers, 0)), stride, 7, ahead, lead)
    assert [s.kind for s in made.sweeps[0].stages].count("scan") == 3
    sweeps: list[Running] = []
    with patch("hoaconv.engine.run.Running", recording(sweeps)):
        outcome = run(made)
    want = box_sum(box_sum(volume, radius).cumsum(0, np.int32), radius).cumsum(0, np.int32)
    assert np.array_equal(sink.volume, want - (volume + 1))
    assert np.array_equal(late.volume, box_sum(volume.cumsum(0, np.int32), radius))
    assert sorted(source.reads) == list(range(shape[0]))
    assert outcome.busy[str(one)] > 0
    assert sweeps[0].buffers.held <= buffer_bytes(made.sweeps[0])


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("branch", [False, True])
def test_a_scan_holds_no_plane_and_its_sibling_those_of_its_delay(at_once, branch) -> None:
    root = Node(InMemory(volume_of((60, 16, 8)).astype(np.uint16)))
    ends = [Node(Keep(), (Node(Lag(9, at_once), (root,)),))]
    ends += [Node(Keep(), (root,))] * branch
    made = with_sizes(schedule(Plan(tuple(ends)), Limits(1 << 30, 2, 0)), 1, 16, 3)
    held, counted = held_and_counted(made)
    assert held <= counted
    if not branch:
        taken, flowing = 3 + 1, 1
        assert held == counted == (taken * 2 + flowing * 4) * 16 * 8


def test_an_op_after_a_scan_is_a_stage_of_its_own() -> None:
    plan = Plan.read(InMemory(volume_of((5, 4, 3)))) | Add(1) | Lag(2) | Add(2) | Add(3) | Keep()
    made = schedule(plan, Limits(1 << 30, 1, 0))
    assert [str(s.part) for s in made.sweeps[0].stages] == [
        "memory",
        "add 1",
        "lag 2",
        "add 2 | add 3",
        "keep",
    ]
    assert [s.kind for s in made.sweeps[0].stages] == ["source", "op", "scan", "op", "sink"]


def test_a_zip_of_unequal_streams_is_refused_before_the_run() -> None:
    short, long = InMemory(volume_of((4, 3, 3))), InMemory(volume_of((5, 3, 3)))
    plan = Plan.read(short) & Plan.read(long) | Combine(np.add) | Keep()
    with pytest.raises(PlanError, match=r"4 x 3 x 3.*5 x 3 x 3"):
        schedule(plan, Limits(1 << 30, 1, 0))
    assert not short.reads
    with pytest.raises(PlanError, match="2 ends"):
        Plan.read(short) & Plan.read(long) | Keep()


def test_equal_beginnings_of_branches_are_done_once() -> None:
    planes, one, other = Plan.read(InMemory(volume_of((9, 5, 5)))), Keep(), Keep()
    plan = (planes | Box() | one) & (planes | Box() | Add(2) | other)
    made = schedule(plan, Limits(1 << 30, 1, 0))
    assert [str(stage.part) for stage in made.sweeps[0].stages].count("box (1, 1, 1)") == 1
    run(made)
    assert np.array_equal(one.volume + 2, other.volume)


def test_a_join_may_take_one_stream_twice() -> None:
    planes, sink = Plan.read(InMemory(volume_of((9, 5, 5)))), Keep()
    plan = (planes | Box()) & (planes | Box()) | Combine(np.subtract) | sink
    run(schedule(plan, Limits(1 << 30, 2, 0)))
    assert sink.volume.shape == (9, 5, 5)
    assert not sink.volume.any()


@pytest.mark.parametrize("through", [[Total()], [Total(), Keep()], [Keep(), Total(), Total()]])
def test_planes_that_flow_through_taps_are_counted_by_who_keeps_them(through) -> None:
    plan = Plan.read(InMemory(volume_of((60, 16, 8))))
    for part in [*through, Box((4, 1, 0)), *through, Box((3, 0, 0)), Keep()]:
        plan |= part
    made = schedule(plan, Limits(1 << 30, 2, 0))
    held, counted = held_and_counted(made)
    assert held <= counted


def test_a_bad_slice_ends_the_run_and_leaves_no_thread() -> None:
    sink = Keep()
    plan = Plan.read(InMemory(volume_of((40, 8, 8)), bad=21)) | Box() | sink
    with pytest.raises(SourceError, match="slice 21"):
        run(schedule(plan, Limits(1 << 30, 3, 0)))
    assert sink.ended == ["aborted"]
    assert not [t for t in threading.enumerate() if t.name.startswith("hoaconv")]


def test_a_sink_that_can_not_be_opened_aborts_those_that_were() -> None:
    class Shut(Keep):
        def open(self, spec, pool, buffers, economy):
            raise StoreError("shut")

    fine, root = Keep(), Node(InMemory(volume_of((3, 3, 3))))
    plan = Plan((Node(fine, (root,)), Node(Shut(), (root,))))
    with pytest.raises(StoreError, match="shut"):
        run(schedule(plan, Limits(1 << 30, 1, 0)))
    assert fine.ended == ["aborted"]


def test_on_plane_hears_of_every_plane() -> None:
    heard: list[int] = []
    plan = Plan.read(InMemory(volume_of((7, 2, 2)))) | Keep()
    run(schedule(plan, Limits(1 << 30, 2, 0)), lambda: heard.append(1))
    assert len(heard) == 7


@settings(max_examples=40, deadline=None)
@given(
    stride=strides,
    lead=leads,
    radius=st.integers(0, 4),
    later=st.integers(0, 4),
    ahead=st.integers(0, 6),
    workers=st.integers(1, 3),
    branch=st.booleans(),
    scan=st.none() | lags,
)
def test_buffers_hold_what_the_model_says_or_less(
    stride, lead, radius, later, ahead, workers, branch, scan
) -> None:
    """The law under all others: planes and blocks are counted, to the byte."""
    root = Node(InMemory(volume_of((60, 16, 8))))
    first = Node(Box((radius, 1, 1)), (root,))
    deep = Node(Box((later, 1, 0)), (Node(scan, (first,)) if scan else first,))
    ends = [Node(Keep(), (deep,))]
    if branch:
        ends.append(Node(Keep(), (Node(Add(1), (root,)),)))
    made = schedule(Plan(tuple(ends)), Limits(1 << 30, workers, 0))
    made = with_sizes(made, stride, 5, ahead, lead)
    held, counted = held_and_counted(made)
    assert held <= counted


@settings(max_examples=60, deadline=None)
@given(
    radii=st.tuples(*[st.integers(0, 9)] * 4),
    stride=strides,
    lead=leads,
    ends=st.booleans(),
)
def test_planes_that_wait_for_a_deeper_branch_at_a_join_are_counted(
    radii, stride, lead, ends
) -> None:
    one, other, beyond, deep = (Box((radius, 0, 0)) for radius in radii)
    planes = Plan.read(InMemory(volume_of((70, 4, 5))))
    near = planes | Add(1) | one
    plan = near & (planes | other | deep) | Combine(np.subtract) | beyond | Keep()
    plan = plan & (near | Keep()) if ends else plan
    made = with_sizes(schedule(plan, Limits(1 << 30, 2, 0)), stride, 4, 2, lead)
    held, counted = held_and_counted(made)
    assert held <= counted


@pytest.mark.parametrize("stride", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("radii", [(6, 2), (2, 6), (1, 1), (9, 8), (3, 0)])
def test_a_chain_holds_what_is_counted_to_the_byte(stride, radii) -> None:
    plan = Plan.read(InMemory(volume_of((90, 4, 5)).astype(np.int16)))
    for radius in radii:
        plan |= Box((radius, 0, 0))
    made = with_sizes(schedule(plan | Keep(), Limits(1 << 30, 1, 0)), stride, 4, 3)
    held, counted = held_and_counted(made)
    assert held == counted


def test_a_failed_run_holds_no_planes_while_its_error_is_kept() -> None:
    plan = Plan.read(InMemory(np.zeros((9, 4, 5), np.uint8), bad=5)) | Keep()
    with pytest.raises(SourceError) as caught:
        run(schedule(plan, Limits(1 << 40, 2)))
    held = {frame.f_code.co_name: dict(frame.f_locals) for frame, _ in walk_tb(caught.tb)}
    assert held["outputs"] == {}
    assert held["_sweep"] == {}


class Failing(Keep):
    """Is written, but can't be released."""

    def open(self, spec, pool, buffers, economy):
        writer = super().open(spec, pool, buffers, economy)

        def release():
            self.ended.append("not released")
            raise StoreError("the disk is gone")

        writer.release = release
        return writer


def test_nothing_is_removed_when_all_is_written() -> None:
    planes = Plan.read(InMemory(volume_of((5, 3, 2))))
    first, second, third = Failing(), Keep(), Failing()
    plan = (planes | first) & (planes | second) & (planes | third)
    with pytest.raises(StoreError, match="the disk is gone") as told:
        run(schedule(plan, Limits(1 << 30, 2, 0)))
    assert told.value.__notes__ == ["the disk is gone", "nothing of what was written is removed"]
    assert [sink.ended[-1] for sink in (first, second, third)] == [
        "not released",
        "released",
        "not released",
    ]
    assert "aborted" not in first.ended + second.ended + third.ended


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_done_when_all_is_written_comes_before_the_release(fails) -> None:
    sink, seen = Keep(), []

    def on_written(outcome):
        seen.append((outcome, list(sink.ended)))
        if fails:
            raise KeyboardInterrupt

    made = schedule(
        Plan.read(InMemory(volume_of((5, 3, 2)))) | Total() | sink, Limits(1 << 30, 2, 0)
    )
    if fails:
        with pytest.raises(KeyboardInterrupt) as told:
            run(made, on_written=on_written)
        assert told.value.__notes__ == ["nothing of what was written is removed"]
    else:
        outcome = run(made, on_written=on_written)
        assert outcome.seconds >= seen[0][0].seconds
        assert outcome.folds == seen[0][0].folds
    assert seen[0][1] == ["closed"]
    assert sink.ended == ["closed", "released"]


def test_a_plan_that_ends_in_nothing_is_refused() -> None:
    source = InMemory(volume_of((3, 4, 5)))
    with pytest.raises(PlanError, match="ends in nothing: add a sink or a fold"):
        run(schedule(Plan.read(source) | Add(1), Limits(1 << 40, 2)))
    assert not source.reads
