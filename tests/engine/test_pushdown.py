"""Planes that nobody wants aren't read, and a flip along z reads backwards."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Add, Box, Desk, InMemory, Keep, SubtractMost, Total, box_sum

from hoaconv.engine.passes import PASSES, schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run
from hoaconv.engine.schedule import Limits, Schedule
from hoaconv.errors import PlanError
from hoaconv.ops.cropping import Crop
from hoaconv.ops.geometry import Flip

VOLUME = np.random.default_rng(2).integers(0, 200, (20, 9, 6), dtype=np.int32)
PLENTY = Limits(1 << 40, 2)

crops = st.builds(
    lambda z, y, x: Crop(((z, z + 9), (y, None), (0, x))),
    *(st.integers(0, 5), st.integers(0, 3), st.integers(4, 6)),
)
before = st.one_of(
    crops,
    st.builds(Flip, st.sets(st.sampled_from("zyx"), min_size=1).map(sorted)),
    st.builds(Add, st.integers(0, 3)),
    st.builds(Box, st.tuples(st.just(0), st.integers(0, 2), st.integers(0, 2))),
)
behind = st.one_of(
    crops,
    st.just(Flip("y,x")),
    st.just(SubtractMost()),
    st.builds(Box, st.tuples(st.integers(0, 3), st.just(1), st.just(0))),
)
chains = st.builds(
    lambda one, other: [*one, *other], st.lists(before, max_size=3), st.lists(behind, max_size=3)
)


def plan_of(parts, source=None, sink=None):
    plan = Plan.read(source or InMemory(VOLUME))
    for part in parts:
        plan |= part
    return plan | (sink or Keep())


def applied(volume, part):
    if isinstance(part, Crop):
        return volume[tuple(slice(*ends) for ends in part.ranges)]
    if isinstance(part, Flip):
        return np.flip(volume, ["zyx".index(axis) for axis in part.axes])
    if isinstance(part, SubtractMost):
        return volume - max(0, volume.max())
    return volume + part.value if isinstance(part, Add) else box_sum(volume, part.radius)


def by_numpy(parts):
    volume = VOLUME
    for part in parts:
        volume = applied(volume, part)
    return volume


def possible(parts):
    try:
        schedule(plan_of(parts), PLENTY)
    except PlanError:
        return False
    return True


@settings(max_examples=100, deadline=None)
@given(chains)
def test_what_is_chosen_is_what_numpy_would_keep(parts) -> None:
    if not possible(parts):  # a crop of a crop may keep nothing
        return
    source, sink = InMemory(VOLUME), Keep()
    made = schedule(plan_of(parts, source, sink), PLENTY)
    run(made)
    np.testing.assert_array_equal(sink.volume, by_numpy(parts))
    kept = {z: n for z, n in enumerate(np.bincount(source.reads, minlength=20)) if n}
    assert max(kept.values()) <= len(made.sweeps)


@settings(max_examples=50, deadline=None)
@given(chains)
def test_every_pass_is_idempotent(parts) -> None:
    if not possible(parts):
        return
    draft = Schedule.draft(plan_of(parts), Limits(1 << 40, 2, 0, Desk()))
    for step in PASSES[:-1]:
        once = step(draft)
        assert step(once).sweeps[-1].stages[1:] == once.sweeps[-1].stages[1:], step.__name__
        assert step(once).notes == once.notes, step.__name__
        draft = once


def reads(*parts) -> list[int]:
    source = InMemory(VOLUME)
    run(schedule(plan_of(parts, source), Limits(1 << 40, 1)))
    return source.reads


def test_only_what_is_chosen_is_read_in_its_order() -> None:
    crop = Crop(((3, 7), (0, None), (0, None)))
    assert reads(crop) == reads(Add(1), Box((0, 2, 2)), crop) == [3, 4, 5, 6]
    assert reads(Flip("z"), crop) == [16, 15, 14, 13]
    assert reads(Flip("y"), crop, Add(1), Flip("z,x")) == [6, 5, 4, 3]
    assert reads(Flip("z"), Flip("z")) == list(range(20))


def test_a_crop_behind_what_looks_at_neighbours_drops_what_it_is_given() -> None:
    made = schedule(plan_of([Box((1, 0, 0)), Crop(((3, 7), (0, None), (0, None)))]), PLENTY)
    assert [stage.kind for stage in made.sweeps[0].stages] == ["source", "op", "resample", "sink"]
    assert not any("chooses" in note for note in made.notes)


def test_a_value_of_the_whole_volume_is_known_before_planes_are_chosen() -> None:
    source, sink = InMemory(VOLUME), Keep()
    chain = [SubtractMost(), Flip("z"), Crop(((0, 3), (0, None), (0, None)))]
    made = schedule(plan_of(chain, source, sink), PLENTY)
    run(made)
    np.testing.assert_array_equal(sink.volume, VOLUME[::-1][:3] - VOLUME.max())
    assert len(source.reads) == 20 + 3


def test_a_sample_is_drawn_from_what_is_chosen() -> None:
    source = InMemory(VOLUME)
    chain = [Crop(((5, 15), (1, None), (0, None))), Flip("x"), SubtractMost()]
    run(schedule(plan_of(chain, source), Limits(1 << 40, 2, sample=4)))
    assert len(source.reads) == 4 + 10
    assert set(source.reads) == set(range(5, 15))


def test_a_fold_in_front_sees_all_planes() -> None:
    sink = Keep()
    plan = plan_of([Total(), Crop(((3, 7), (0, None), (0, None)))], sink=sink)
    outcome = run(schedule(plan, PLENTY))
    assert outcome.folds[0]["sum"] == VOLUME.sum()
    np.testing.assert_array_equal(sink.volume, VOLUME[3:7])


def test_the_notes_tell_what_is_read() -> None:
    made = schedule(plan_of([Flip("z,y"), Crop(((3, 7), (0, None), (0, 2)))]), PLENTY)
    assert "'flip z,y' chooses: 20 of 20 planes are read, the last one first" in made.notes
    assert "'crop 3:7,:,:2' chooses: 4 of 20 planes are read" in made.notes
    assert made.bytes_decoded == VOLUME[:4].nbytes


def test_going_backwards_is_refused_where_no_source_can() -> None:
    for parts in ([Box((1, 0, 0)), Flip("z")], [Total(), Flip("z,x")]):
        with pytest.raises(PlanError, match=r"'flip z.*has to come first.*goes forward"):
            schedule(plan_of(parts), PLENTY)
    planes = Plan.read(InMemory(VOLUME))
    with pytest.raises(PlanError, match="in every branch"):
        schedule((planes | Flip("z") | Keep()) & (planes | Keep()), PLENTY)
    schedule((planes | Flip("z") | Keep()) & (planes | Flip("z") | Add(1) | Keep()), PLENTY)
