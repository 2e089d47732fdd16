"""Streams that give more or fewer planes than they take: right planes, in counted memory."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Add, Box, Desk, InMemory, Keep, Spans, Total, box_sum, span_sums
from sized import held_and_counted, leads, strides, volume_of, with_sizes

from hoaconv.engine.combine import Combine
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits

spans = st.builds(
    Spans,
    first=st.integers(0, 40),
    every=st.integers(1, 5),
    length=st.integers(0, 6),
    repeat=st.integers(1, 4),
    most=st.integers(1, 60),
)
steps = st.one_of(
    spans,
    st.builds(Add, st.integers(0, 3)),
    st.builds(Box, st.tuples(st.integers(0, 4), st.integers(0, 2), st.just(0))),
)
chains = st.lists(steps, max_size=4)
sizes = {
    "stride": strides,
    "rows": st.integers(1, 20),
    "ahead": st.integers(0, 5),
    "lead": leads,
}


def applied(volume, step):
    if isinstance(step, Spans):
        return span_sums(volume, step)
    return volume + step.value if isinstance(step, Add) else box_sum(volume, step.radius)


def made_by(chain, volume):
    for step in chain:
        volume = applied(volume, step)
    return volume


def follow(plan, chain):
    for step in chain:
        plan |= step
    return plan


@settings(max_examples=80, deadline=None)
@given(chain=chains, planes=st.integers(1, 50), workers=st.integers(1, 3), **sizes)
def test_a_chain_gives_the_planes_of_the_whole_volume(
    chain, planes, workers, stride, rows, ahead, lead
) -> None:
    volume, sink = volume_of((planes, 9, 4)), Keep()
    plan = follow(Plan.read(InMemory(volume)), chain) | Total() | sink
    made = with_sizes(schedule(plan, Limits(1 << 30, workers, 0)), stride, rows, ahead, lead)
    held, counted = held_and_counted(made)
    assert np.array_equal(sink.volume, made_by(chain, volume))
    assert held <= counted


@settings(max_examples=60, deadline=None)
@given(chain=chains, planes=st.integers(1, 50), **sizes)
def test_writers_and_taps_see_all_planes_even_if_something_behind_leaves_some_out(
    chain, planes, stride, rows, ahead, lead
) -> None:
    volume, sinks = volume_of((planes, 9, 4)), [Keep() for _ in chain]
    plan = Plan.read(InMemory(volume)) | Total()
    for step, sink in zip(chain, sinks, strict=True):
        plan = plan | Total() | sink | step
    made = with_sizes(schedule(plan, Limits(1 << 30, 2, 0)), stride, rows, ahead, lead)
    held, counted = held_and_counted(made)
    for i, sink in enumerate(sinks):
        assert np.array_equal(sink.volume, made_by(chain[:i], volume))
    assert held <= counted


@settings(max_examples=120, deadline=None)
@given(
    root=chains,
    branches=st.lists(chains, min_size=2, max_size=3),
    planes=st.integers(1, 60),
    **sizes,
)
def test_branches_of_unequal_lengths_share_a_sweep(
    root, branches, planes, stride, rows, ahead, lead
) -> None:
    volume, sinks = volume_of((planes, 9, 4)), [Keep() for _ in branches]
    source = InMemory(volume)
    beginning = follow(Plan.read(source), root)
    plan = follow(beginning, branches[0]) | sinks[0]
    for chain, sink in zip(branches[1:], sinks[1:], strict=True):
        plan &= follow(beginning, chain) | Total() | sink
    made = with_sizes(schedule(plan, Limits(1 << 30, 2, 0)), stride, rows, ahead, lead)
    held, counted = held_and_counted(made)
    for chain, sink in zip(branches, sinks, strict=True):
        assert np.array_equal(sink.volume, made_by([*root, *chain], volume))
    assert held <= counted
    assert len(source.reads) == len(set(source.reads))


@settings(max_examples=120, deadline=None)
@given(
    one=st.lists(steps, max_size=3),
    other=st.lists(steps, max_size=3),
    beyond=chains,
    planes=st.integers(1, 60),
    **sizes,
)
def test_branches_that_come_at_different_times_rejoin(
    one, other, beyond, planes, stride, rows, ahead, lead
) -> None:
    volume, sink = volume_of((planes, 9, 4)), Keep()
    first, second = made_by(one, volume), made_by(other, volume)
    depth = min(len(first), len(second))
    cuts = [[Spans(len(made) - depth)] for made in (first, second)]
    root = Plan.read(InMemory(volume))
    pair = follow(root, one + cuts[0]) & follow(root, other + cuts[1]) | Combine(np.subtract)
    plan = follow(pair, beyond) | sink
    made = with_sizes(schedule(plan, Limits(1 << 30, 2, 0)), stride, rows, ahead, lead)
    held, counted = held_and_counted(made)
    joined = first[len(first) - depth :] - second[len(second) - depth :]
    assert np.array_equal(sink.volume, made_by(beyond, joined))
    assert held <= counted


@settings(max_examples=60, deadline=None)
@given(chain=chains, planes=st.integers(1, 50), share=st.floats(0, 1))
def test_planes_wait_in_scratch_whatever_their_number(chain, planes, share) -> None:
    volume, sink, desk = volume_of((planes, 9, 4)), Keep(), Desk()
    plan = follow(Plan.read(InMemory(volume)), chain) | Total() | sink
    most = schedule(plan, Limits(1 << 40, 2, 0, desk))
    budget = int(most.least + share * (most.projected - most.least))
    outcome = run(schedule(plan, Limits(budget, 2, 0, desk)))
    want = made_by(chain, volume)
    assert np.array_equal(sink.volume, want)
    assert outcome.outputs[sink]["folds"]["total"]["sum"] == int(want.astype(np.int64).sum())


def test_planes_behind_the_last_one_needed_are_not_read_and_held_for_nobody() -> None:
    source, short, long = InMemory(volume_of((500, 9, 4))), Keep(), Keep()
    planes = Plan.read(source)
    beginning = planes | Box((2, 0, 0)) | Spans(most=10) | short
    run(schedule(beginning, Limits(1 << 30, 2, 0)))
    assert len(source.reads) < 60
    made = schedule(beginning & (planes | long), Limits(1 << 30, 2, 0))
    held, counted = held_and_counted(made)
    assert held <= counted < 200 * made.sweeps[0].spec_of(made.sweeps[0].stages[0]).plane_bytes
    assert len(long.planes) == 500


def test_what_a_branch_leaves_out_costs_no_memory() -> None:
    def counted(first: int) -> int:
        planes = Plan.read(InMemory(volume_of((500, 9, 4))))
        plan = (planes | Add(1) | Keep()) & (planes | Box((2, 0, 0)) | Spans(first) | Keep())
        held, counted = held_and_counted(schedule(plan, Limits(1 << 30, 2, 0)))
        assert held <= counted
        return counted

    assert counted(5) == counted(450)


def test_readers_of_one_stream_take_turns_where_many_planes_come_at_once() -> None:
    """At its end a box gives as many planes as its halo without reading on."""

    def held(ends: int) -> int:
        volume = volume_of((20, 9, 4)).astype(np.int16)  # whose memory the sums can't have
        planes = Plan.read(InMemory(volume)) | Box((6, 0, 0))
        plan = planes | Keep()
        for _ in range(ends - 1):
            plan &= planes | Keep()
        made = with_sizes(schedule(plan, Limits(1 << 30, 1, 0)), stride=1, rows=9, ahead=0)
        return held_and_counted(made)[0]

    assert held(1) == held(2) == held(3)


def test_planes_that_wait_for_a_later_branch_are_counted() -> None:
    volume, sink = volume_of((40, 9, 4)), Keep()
    planes = Plan.read(InMemory(volume))
    pair = (planes | Spans(most=10)) & (planes | Spans(30)) | Combine(np.subtract)
    made = with_sizes(schedule(pair | sink, Limits(1 << 30, 1, 0)), stride=1, rows=9, ahead=0)
    held, counted = held_and_counted(made)
    assert np.array_equal(sink.volume, volume[:10] - volume[30:])
    assert 10 * volume[0].nbytes <= held <= counted
