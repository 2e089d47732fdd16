"""Passes are pure and idempotent; the schedule they end in fits, or is refused with reasons."""

from itertools import pairwise
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Add, Box, Desk, InMemory, Keep, SubtractMost, Total

from hoaconv.engine.combine import Combine
from hoaconv.engine.contract import Scratch
from hoaconv.engine.machine import LARGEST_KEPT, resident
from hoaconv.engine.passes import PASSES, schedule
from hoaconv.engine.passes.fuse import fuse
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.plan import Node, Plan
from hoaconv.engine.run import warm
from hoaconv.engine.schedule import GROWTH, Limits, Schedule
from hoaconv.engine.stages import Stage
from hoaconv.engine.stages.fused import Fused
from hoaconv.errors import BudgetError, PlanError
from hoaconv.ops.pointwise import Cast
from hoaconv.ops.smooth import Gaussian
from hoaconv.ops.spelling import parse_ops
from hoaconv.units import format_bytes, parse_bytes

SOURCE = InMemory(np.zeros((50, 64, 32), np.uint16))
PLENTY = Limits(1 << 40, 2)

ops = st.one_of(
    st.builds(Add, st.integers(0, 3)),
    st.builds(Box, st.tuples(*[st.integers(0, 3)] * 3)),
    st.just(SubtractMost()),
)


def plan_of(parts: list) -> Plan:
    plan = Plan.read(SOURCE)
    for part in parts:
        plan |= part
    return plan | Total() | Keep()


@given(st.lists(ops, max_size=5), st.sampled_from([PLENTY, Limits(36_100_000, 2, 0, Desk())]))
def test_every_pass_is_idempotent(parts: list, limits: Limits) -> None:
    draft = Schedule.draft(plan_of(parts), limits)
    for step in PASSES[:-1]:
        once = step(draft)
        assert step(once) == once, step.__name__
        draft = once


@given(st.lists(ops, min_size=1, max_size=6))
def test_fusing_keeps_the_ops_and_their_order(parts: list) -> None:
    fused = fuse(infer(Schedule.draft(plan_of(parts), PLENTY).sweeps[0]))
    flat = [
        op
        for s in fused.stages
        if s.kind == "op"
        for op in (s.part.ops if isinstance(s.part, Fused) else (s.part,))
    ]
    assert flat == parts
    pairs = pairwise(fused.stages)
    assert not any(a.kind == b.kind == "op" and b.halo == (0, 0, 0) for a, b in pairs)


@settings(max_examples=40, deadline=None)
@given(st.lists(ops, max_size=4), st.integers(1, 4))
def test_a_schedule_fits_or_names_the_smallest_budget_that_does(parts: list, workers: int) -> None:
    plan = plan_of(parts)
    with pytest.raises(BudgetError) as caught:
        schedule(plan, Limits(1, workers))
    words = str(caught.value)
    smallest = parse_bytes(words.split('budget="')[1].split('"', maxsplit=1)[0])
    made = schedule(plan, Limits(smallest, workers))
    assert made.projected <= smallest
    with pytest.raises(BudgetError):
        schedule(plan, Limits(max(1, smallest - GROWTH - 2**20), workers))


@given(st.lists(ops, max_size=4))
def test_more_budget_never_means_less_ahead_or_smaller_strides(parts: list) -> None:
    plan = plan_of(parts)
    full = schedule(plan, PLENTY)
    before = (0, 0)
    for share in (0.2, 0.4, 0.6, 0.8, 1.0):
        try:
            made = schedule(plan, Limits(int(full.projected * share), 2))
        except BudgetError:
            continue
        now = (max(s.stride for s in made.sweeps[0].stages), made.sweeps[0].ahead)
        assert now[0] >= before[0]
        assert now[1] >= before[1]
        before = now


class Coded(InMemory):
    """Slices whose decoder takes a block that malloc gives back at once."""

    def scratch(self) -> int:
        return LARGEST_KEPT + 1


@pytest.mark.parametrize(("workers", "pieces"), [(1, 1), (4, 2), (20, 6)])
def test_what_decoders_free_is_kept_and_counted_where_there_is_room(workers, pieces) -> None:
    plan = Plan.read(Coded(SOURCE.volume)) | Keep()
    (ample,) = schedule(plan, Limits(1 << 40, workers, tuned=True)).sweeps
    (tight,) = schedule(plan, Limits(ample.least, workers, tuned=True)).sweeps
    assert ample.keeps_large_blocks
    assert not tight.keeps_large_blocks
    freed = [use.nbytes for use in ample.uses if "freed" in use.what]
    assert freed == [pieces * (LARGEST_KEPT + 1)]
    assert not [use for use in tight.uses if "freed" in use.what]


def test_a_budget_error_lists_the_consumers_worst_first() -> None:
    with pytest.raises(BudgetError) as caught:
        schedule(plan_of([Box((2, 2, 2))]), Limits(1000, 2))
    sizes = [line.split()[:2] for line in str(caught.value).splitlines()[1:-1]]
    numbers = [parse_bytes("".join(size)) for size in sizes]
    assert numbers == sorted(numbers, reverse=True)
    assert "box" in str(caught.value)


def test_infer_refuses_an_op_that_changes_the_shape() -> None:
    class Crop(Box):
        def infer(self, spec):
            return type(spec)((1, 1, 1), spec.dtype)

    with pytest.raises(PlanError, match="keep the shape"):
        schedule(Plan.read(SOURCE) | Crop() | Keep(), PLENTY)


@pytest.mark.parametrize(
    "text",
    ["gaussian 1e9", "gaussian 1 truncate=1e9", "bilateral 1 1 truncate=1e9", "max 999999999"],
)
def test_an_op_that_looks_too_far_is_refused_before_its_weights_are_made(text) -> None:
    with pytest.raises(PlanError, match="65536 voxels far"):
        warm(plan_of(list(parse_ops(text))))


def test_fuse_leaves_a_tee_alone() -> None:
    root = Node(SOURCE)
    box = Node(Box(), (root,))
    ends = (Node(Keep(), (Node(Add(1), (box,)),)), Node(Keep(), (box,)))
    made = schedule(Plan(ends), PLENTY)
    assert [str(s.part) for s in made.sweeps[0].stages].count("box (1, 1, 1)") == 1
    assert not any(isinstance(s.part, Fused) for s in made.sweeps[0].stages)


def test_what_changes_nothing_is_left_out_and_nothing_stands_in_for_two_ops() -> None:
    parts = [Gaussian(0), Cast("uint16"), Gaussian(2), Cast("uint16"), Gaussian(1.5), Add(1)]
    made = schedule(plan_of(parts), PLENTY)
    assert [str(s.part) for s in made.sweeps[0].stages[1:3]] == [
        "gaussian 2",
        "gaussian 1.5 | add 1",
    ]
    assert "'cast uint16' changes nothing and is left out" in made.notes


def test_a_plan_is_a_value() -> None:
    one, other = (Plan.read(SOURCE) | Box() | Add(1) for _ in range(2))
    assert one == other
    assert str(one) == "memory | box (1, 1, 1) | add 1"
    assert one != Plan.read(SOURCE) | Box() | Add(2)
    assert not SOURCE.reads


def test_many_ways_through_branches_are_planned_at_once() -> None:
    plan = Plan.read(InMemory(np.zeros((30, 8, 8), np.int32)))
    for n in range(13):  # 3 ** 13 ways, of 65 stages
        two = (plan | Box((1, 0, 0))) & (plan | Add(n + 1)) | Combine(np.add)
        plan = two & (plan | Box((2, 0, 0))) | Combine(np.add)
    start = perf_counter()
    made = schedule(plan | Total(), Limits(1 << 40, 2))
    assert perf_counter() - start < 1
    (sweep,) = made.sweeps
    assert sweep.behind(0) == frozenset(range(1, len(sweep.stages)))
    assert sweep.before(len(sweep.stages) - 1) == frozenset(range(len(sweep.stages) - 1))


def test_what_the_process_holds_is_measured_unless_it_is_told() -> None:
    plan = Plan.read(InMemory(np.zeros((3, 8, 8), np.int32))) | Total()
    told, measured = (schedule(plan, Limits(1 << 40, 2, *own)) for own in ((0,), ()))
    taken = measured.projected - told.projected
    assert taken == measured.limits.reserved == pytest.approx(resident(), rel=0.2)


@pytest.mark.parametrize("scratch", [None, Desk()])
def test_a_refusal_tells_the_same_number_twice(scratch) -> None:
    plan = Plan.read(InMemory(np.zeros((30, 512, 512), np.int32))) | Box((1, 0, 0)) | Keep()
    with pytest.raises(BudgetError) as refused:
        schedule(plan, Limits(1, 2, 0, scratch))
    first, *_, last = str(refused.value).splitlines()
    enough = last.split('budget="')[1].split('"')[0]
    assert f"needs at least {format_bytes(parse_bytes(enough))}," in first
    assert schedule(plan, Limits(parse_bytes(enough), 2, 0, scratch)).projected


@given(st.lists(ops, max_size=4), st.integers(1, 8))
def test_nothing_goes_to_scratch_where_fewer_decoders_do(parts: list, workers: int) -> None:
    plan = Plan.read(Coded(SOURCE.volume))
    for part in parts:
        plan |= part
    plan |= Keep()
    values = len(schedule(plan, Limits(1 << 40, workers, 0)).sweeps)  # that need a sweep each
    enough = schedule(plan, Limits(1 << 40, workers, 0)).least
    made = schedule(plan, Limits(enough, workers, 0, Desk()))
    assert len(made.sweeps) == values
    assert not any(stage.after for sweep in made.sweeps for stage in sweep.stages)


def measuring(chain: str) -> Plan:
    plan = Plan.read(SOURCE)
    for part in parse_ops(chain):
        plan |= part
    return plan | Total()


def under_many_budgets(chain: str, scratch: Scratch | None) -> list[Schedule]:
    most = schedule(measuring(chain), Limits(1 << 40, 2, 0, scratch))
    budgets = np.linspace(most.least, most.projected, 20).astype(int).tolist()
    return [schedule(measuring(chain), Limits(budget, 2, 0, scratch)) for budget in budgets]


def held(made: Schedule) -> list[Stage]:
    """Return the stages whose planes wait in scratch."""
    return [
        sweep.stages[stage.inputs[0]]
        for sweep in made.sweeps
        for stage in sweep.stages
        if stage.kind == "hold"
    ]


def test_of_the_cuts_that_fit_the_one_of_fewest_bytes_is_taken() -> None:
    made = under_many_budgets(
        "gaussian 2 | threshold 5 | max 9 | cast float32 | gaussian 2", Desk()
    )
    once = [str(cuts[0].given.dtype) for cuts in map(held, made) if len(cuts) == 1]
    few = once.index("uint8")  # a budget that this cut needs
    assert once == ["float32"] * few + ["uint8"] * (len(once) - few)


def test_what_is_nearly_the_source_is_never_stored() -> None:
    made = under_many_budgets("cast float32 | multiply 2 | gaussian 3 | gaussian 3", Desk())
    cuts = [cuts for cuts in map(held, made) if cuts]
    assert {str(stage.part) for stages in cuts for stage in stages} == {"gaussian 3"}
    assert {len(stages) for stages in cuts} == {1}


def test_each_stage_has_a_stride_by_what_it_gains_for_a_byte() -> None:
    made = under_many_budgets("cast uint8 | max 9 | cast float32 | gaussian 0.5", None)
    seen = {tuple(s.stride for s in m.sweeps[0].stages if s.halo[0]) for m in made}
    assert {(1, 1), (16, 16)} <= seen
    assert any(one != other for one, other in seen)


def test_the_longest_source_decides_on_strides_and_slices_ahead() -> None:
    short, long = InMemory(np.zeros((1, 64, 32), np.uint16)), SOURCE
    for one, other in ((short, long), (long, short)):
        branches = [Plan.read(source) | Box((2, 0, 0)) | Total() for source in (one, other)]
        (sweep,) = schedule(branches[0] & branches[1], PLENTY).sweeps
        assert sweep.ahead == 8
        assert max(stage.stride for stage in sweep.stages) == 16


def test_a_fold_on_the_way_makes_nothing_worth_storing() -> None:
    made = under_many_budgets("stats | cast float32 | gaussian 3 | gaussian 3", Desk())
    cuts = {str(stage.part) for stages in map(held, made) for stage in stages}
    assert cuts == {"gaussian 3"}
