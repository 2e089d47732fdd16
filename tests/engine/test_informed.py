"""Ops that wait for values of other streams: what is read when, and what is found."""

from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Add, Box, Desk, InMemory, Keep, Most, Shelf, SubtractMost, Total, box_sum

from hoaconv.engine.combine import Combine
from hoaconv.engine.contract import Op
from hoaconv.engine.informed import Informed
from hoaconv.engine.passes import schedule
from hoaconv.engine.passes.infer import infer
from hoaconv.engine.passes.prescan import prescan as measure
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits, Schedule
from hoaconv.engine.stages.informed import InformedKind
from hoaconv.errors import PlanError

pytestmark = pytest.mark.one_python

VOLUME = np.random.default_rng(1).integers(0, 200, (12, 9, 6), dtype=np.int32)
OTHER = np.random.default_rng(2).integers(0, 200, (5, 4, 3), dtype=np.int32)
PLENTY = Limits(1 << 40, 2, 0)


@dataclass(frozen=True)
class Fixed(Most):
    """The greatest voxel, by a fold that is a value."""


@dataclass(frozen=True)
class AddFound(Op):
    """Voxels and the sum of all numbers that are found."""

    word: ClassVar[str] = "add-found"
    number: int | None = None

    def settle(self, *found):
        return replace(self, number=sum(value["most"] for value in found))

    def apply(self, block, core, out):
        assert self.number is not None
        np.add(block[core], self.number, out=out)

    def __str__(self):
        return "add-found"


def informed(stream, *others):
    folds = tuple(Fixed() for _ in others)
    return reduce(and_, others, stream) | Informed(AddFound(), folds)


def sources(sweep):
    return [stage.part for stage in sweep.stages if stage.kind == "source"]


def test_another_source_is_read_by_the_earlier_sweep_alone() -> None:
    one, other, sink = InMemory(VOLUME), InMemory(OTHER), Keep()
    made = schedule(informed(Plan.read(one), Plan.read(other) | Add(3)) | sink, PLENTY)
    assert [sources(sweep) for sweep in made.sweeps] == [[other], [one]]
    outcome = run(made)
    assert np.array_equal(sink.volume, VOLUME + OTHER.max() + 3)
    assert outcome.found == {"add 3 | most": {"most": OTHER.max() + 3}}
    assert (len(one.reads), len(other.reads)) == (len(VOLUME), len(OTHER))


def test_a_branch_of_the_same_source_is_done_once_in_each_sweep() -> None:
    source, sink = InMemory(VOLUME), Keep()
    smooth = Plan.read(source) | Box()
    made = schedule(informed(smooth, smooth) | sink, PLENTY)
    assert [[s.kind for s in sweep.stages] for sweep in made.sweeps] == [
        ["source", "op", "fold"],
        ["source", "op", "sink"],
    ]
    run(made)
    whole = box_sum(VOLUME, (1, 1, 1))
    assert np.array_equal(sink.volume, whole + whole.max())


def test_equal_questions_are_asked_once_and_unlike_ones_never_share_an_answer() -> None:
    one, other, sink = InMemory(VOLUME), InMemory(OTHER), Keep()
    streams = [Plan.read(source) | Add(1) for source in (one, other)]
    made = schedule(informed(streams[0], streams[1], streams[0], streams[0]) | sink, PLENTY)
    assert [s.kind for s in made.sweeps[0].stages].count("fold") == 2
    outcome = run(made)
    assert outcome.found == {
        "add 1 | most": {"most": OTHER.max() + 1},
        "add 1 | most (2)": {"most": VOLUME.max() + 1},
    }
    assert np.array_equal(sink.volume, VOLUME + 1 + OTHER.max() + 1 + 2 * (VOLUME.max() + 1))


def test_equal_ops_of_two_sources_have_an_answer_each() -> None:
    sinks = [Keep(), Keep()]
    branches = [
        Plan.read(InMemory(volume)) | SubtractMost() | sink
        for volume, sink in zip((VOLUME, OTHER), sinks, strict=True)
    ]
    outcome = run(schedule(branches[0] & branches[1], PLENTY))
    assert np.array_equal(sinks[0].volume, VOLUME - VOLUME.max())
    assert np.array_equal(sinks[1].volume, OTHER - OTHER.max())
    assert set(outcome.found) == {"subtract-most", "subtract-most (2)"}


def test_what_is_told_on_the_way_to_a_question_is_told() -> None:
    tapped = Plan.read(InMemory(OTHER)) | Total()
    outcome = run(schedule(informed(Plan.read(InMemory(VOLUME)), tapped) | Keep(), PLENTY))
    assert outcome.folds == ({"sum": OTHER.sum()},)
    assert outcome.drawn == {}


def test_the_pass_changes_nothing_the_second_time() -> None:
    plan = informed(Plan.read(InMemory(VOLUME)), Plan.read(InMemory(OTHER))) | Keep()
    (draft,) = Schedule.draft(plan, PLENTY).sweeps
    once = measure(Schedule((infer(draft),)))
    assert measure(once) == once


def test_it_is_never_applied_as_it_is() -> None:
    at = SimpleNamespace(part=Informed(AddFound(), (Fixed(),)))
    for question in ("uses", "lower", "trial"):
        arguments = [at, None] if question == "uses" else [at, None, None]
        with pytest.raises(PlanError, match="before its values were"):
            getattr(InformedKind(), question)(*arguments)


def test_what_the_op_cannot_take_is_refused() -> None:
    class Refuses(AddFound):
        def infer(self, spec):
            raise PlanError("no")

    plan = Plan.read(InMemory(VOLUME)) & Plan.read(InMemory(OTHER))
    with pytest.raises(PlanError, match="no"):
        schedule(plan | Informed(Refuses(), (Fixed(),)) | Keep(), PLENTY)


def test_branches_that_part_and_meet_many_times_are_planned_at_once() -> None:
    sink = Shelf()
    stream, whole = Plan.read(InMemory(OTHER)), OTHER
    for _ in range(40):
        stream = informed(stream, stream) & stream | Combine(np.subtract)
        whole = whole + max(0, whole.max()) - whole
    made = schedule(stream | sink, PLENTY)
    assert len(made.sweeps) == 41
    run(made)
    assert np.array_equal(sink.volume, whole)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 4), st.floats(0, 1), st.integers(1, 3))
def test_every_budget_that_fits_gives_the_same_planes(radius, share, workers) -> None:
    sink, box = Shelf(), Box((radius, 1, 1))
    smooth = Plan.read(InMemory(VOLUME)) | box
    other = Plan.read(InMemory(OTHER)) | Box((1, 1, 1))
    plan = informed(smooth | Box((radius, 0, 0)), smooth, other) | sink
    most = schedule(plan, Limits(1 << 40, workers, 0, Desk()))
    budget = int(most.least + share * (most.projected - most.least))
    made = schedule(plan, Limits(budget, workers, 0, Desk()))
    assert made.projected <= budget
    run(made)
    whole = box_sum(VOLUME, box.radius)
    want = box_sum(whole, (radius, 0, 0)) + whole.max() + box_sum(OTHER, (1, 1, 1)).max()
    assert np.array_equal(sink.volume, want)


steps = st.recursive(
    st.builds(lambda n: ("add", n), st.integers(0, 3)),
    lambda inner: st.tuples(st.just("ask"), st.lists(inner, min_size=1, max_size=3)),
    max_leaves=6,
)


def planned(step, plan, volume):
    """A plan, and what it makes, of ops that ask branches of the same source."""
    if step[0] == "add":
        return plan | Box() | Add(step[1]), box_sum(volume, (1, 1, 1)) + step[1]
    made = [planned(inner, plan, volume) for inner in step[1]]
    number = sum(max(0, int(whole.max())) for _, whole in made)
    stream, whole = made[0]
    return informed(stream, *(branch for branch, _ in made)), whole + number


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(1, 3))
def test_questions_within_questions(step, workers) -> None:
    sink = Shelf()
    plan, whole = planned(step, Plan.read(InMemory(VOLUME)), VOLUME)
    made = schedule(plan | sink, Limits(1 << 40, workers, 0))
    run(made)
    assert np.array_equal(sink.volume, whole)
