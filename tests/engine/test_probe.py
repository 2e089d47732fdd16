"""The estimate tries every stage, reads few slices, all workers at once, and writes nothing."""

from dataclasses import replace
from threading import Barrier, Lock
from time import sleep

import numpy as np
import pytest
from in_memory import Add, Box, Desk, InMemory, Shelf, SubtractMost, Total

from hoaconv.engine import machine
from hoaconv.engine.combine import Combine
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.probe import estimate
from hoaconv.engine.schedule import Limits


@pytest.fixture(autouse=True)
def _four_cpus(monkeypatch) -> None:
    monkeypatch.setattr(machine, "cpus", lambda: 4)


VOLUME = np.random.default_rng(3).integers(0, 99, (20, 33, 7), dtype=np.int32)


def test_every_stage_of_every_sweep_is_tried() -> None:
    source, sink, desk = InMemory(VOLUME), Shelf(), Desk()
    planes = Plan.read(source)
    both = (planes | Box((3, 1, 1)) | SubtractMost()) & (planes | Add(2) | Box((4, 0, 0)))
    plan = both | Combine(np.subtract) | Box((5, 0, 0)) | Total() | sink
    least = schedule(plan, Limits(1 << 40, 2, 0, desk)).least
    made = schedule(plan, Limits(least, 2, 0, desk))
    assert len(made.sweeps) > 2
    found = estimate(made)
    parts = {str(stage.part) for sweep in made.sweeps for stage in sweep.stages}
    assert set(found.work) == parts
    assert min(found.work.values()) >= 0
    assert found.work["keep"] == pytest.approx(0.25 * len(VOLUME))
    assert found.seconds == pytest.approx(sum(found.work.values()) / 2)
    assert sorted(source.reads) == [0, 6, 12, 19]
    assert not sink.planes


def test_a_source_is_decoded_once_for_all_sweeps_and_counted_in_each() -> None:
    source = InMemory(VOLUME[:1])
    made = schedule(Plan.read(source) | SubtractMost() | Shelf(), Limits(1 << 40, 1))
    found = estimate(made)
    assert source.reads == [0]
    assert set(found.work) == {"memory", "most", "subtract-most", "keep"}


@pytest.mark.parametrize(("workers", "reads"), [(1, [0, 9, 19]), (4, [0, 6, 12, 19])])
def test_all_workers_decode_at_once_as_they_will(workers, reads) -> None:
    class Shared(InMemory):
        """A slice is there when every worker has asked for one."""

        def read(self, z, out) -> None:
            together.wait(timeout=10)
            super().read(z, out)

    together, source = Barrier(workers), Shared(VOLUME)
    estimate(schedule(Plan.read(source) | Shelf(), Limits(1 << 40, workers)))
    assert sorted(source.reads) == reads


class Alone(InMemory):
    """A slice takes a while, and no other is decoded meanwhile."""

    def __init__(self, volume) -> None:
        super().__init__(volume)
        self.lock = Lock()

    def read(self, z, out) -> None:
        assert self.lock.acquire(blocking=False)
        sleep(0.02)
        super().read(z, out)
        self.lock.release()


def test_no_more_decode_at_once_than_the_plan_counts() -> None:
    source = Alone(VOLUME)
    made = schedule(Plan.read(source) | Shelf(), Limits(1 << 40, 4))
    estimate(replace(made, sweeps=tuple(replace(sweep, ahead=1) for sweep in made.sweeps)))
    assert sorted(source.reads) == [0, 9, 19]


@pytest.mark.parametrize(("name", "value"), [("cpus", 1), ("memory_limit", 0)])
def test_no_more_decode_at_once_than_this_machine_can(monkeypatch, name, value) -> None:
    source = Alone(VOLUME)
    made = schedule(Plan.read(source) | Shelf(), Limits(1 << 40, 4))
    monkeypatch.setattr(machine, name, lambda: value)
    estimate(made)
    assert sorted(source.reads) == [0, 9, 19]
