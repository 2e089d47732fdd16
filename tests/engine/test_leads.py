"""Steps of ops end where the windows of their readers end."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_memory import Box, InMemory, Lag, Shelf, Total
from sized import with_sizes

from hoaconv.engine.leads import with_leads
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.schedule import Limits

READ = Plan.read(InMemory(np.zeros((99, 8, 8), np.int32)))


def swept(plan, stride):
    (sweep,) = with_sizes(schedule(plan, Limits(1 << 40, 2, 0)), stride, 8, 3).sweeps
    return sweep


def chain(*radii):
    plan = READ
    for radius in radii:
        plan = plan | Box((radius, 0, 0)) | Total()
    return plan | Shelf()


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5), st.sampled_from([1, 2, 4, 8, 16]))
def test_leads_of_a_chain_are_the_sums_of_the_halos_behind(radii, stride) -> None:
    ops = [stage for stage in swept(chain(*radii), stride).stages if stage.kind == "op"]
    sums = [sum(radii[n + 1 :]) % stride for n in range(len(radii))]
    assert [op.lead for op in ops] == sums


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4), st.lists(st.integers(1, 16), min_size=4)
)
def test_they_are_set_anew_and_once(radii, strides) -> None:
    sweep = swept(chain(*radii), strides)
    other = sweep.with_stages(tuple(replace(s, lead=3 % s.stride) for s in sweep.stages))
    assert with_leads(sweep) == with_leads(other) == sweep


@pytest.mark.parametrize(
    "plan",
    [
        READ | Box((5, 0, 0)) | Shelf(),
        READ | Box((5, 0, 0)) | Lag(3) | Box((2, 0, 0)) | Shelf(),
        (READ | Box((5, 0, 0)) | Box((2, 0, 0)) | Shelf())
        & (READ | Box((5, 0, 0)) | Box((3, 0, 0)) | Shelf()),
    ],
    ids=["to a sink", "to a scan", "to several"],
)
def test_there_is_none_where_planes_go_one_by_one(plan) -> None:
    assert not any(stage.lead for stage in swept(plan, 16).stages)
